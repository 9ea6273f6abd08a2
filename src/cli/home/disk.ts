/** The disk of a node that is stopped: judged by what its database says, which is read and never written. */
import { type DiskOptions, type DiskView, prune, type Pruned, type PruneWish, survey } from '../../disk/index.ts'
import { parseNodeId, ShoalError } from '../../model/index.ts'
import { Replica } from '../../rollout/index.ts'
import { type HomePaths, removeTree } from '../../slots/index.ts'
import { NodeStore } from '../../store/index.ts'
import { join } from 'node:path'
import { fleetAtHome, readConfig, serverNameAtHome } from './at-home.ts'

export interface StoppedDisk {
  readonly survey: (wish: PruneWish) => Promise<DiskView>
  readonly prune: (wish: PruneWish) => Promise<Pruned>
}

/** @throws ShoalError HOME_DAMAGED, DB_DAMAGED, DB_LOCKED: without what the node knows nobody can say what it needs */
export async function withStoppedDisk<T>(paths: HomePaths, signal: AbortSignal, use: (disk: StoppedDisk) => Promise<T>): Promise<T> {
  const store = NodeStore.copyOf(paths.db)
  try {
    store.check()
    const options = optionsOf(paths, replicaOf(paths, store), signal)
    return await use({ survey: wish => survey(options, wish), prune: wish => prune(options, wish) })
  } finally {
    store.close()
  }
}

/** It signs nothing, and what it forgets it forgets in memory. */
function replicaOf(paths: HomePaths, store: NodeStore): Replica {
  const sign = (): never => {
    throw new ShoalError('INTERNAL', 'a stopped node says nothing')
  }
  const self = parseNodeId(serverNameAtHome(paths).split('.')[0])
  return new Replica({ self, epoch: 0, sign, store, now: () => performance.now() }, fleetAtHome(paths))
}

function optionsOf(paths: HomePaths, replica: Replica, signal: AbortSignal): DiskOptions {
  const { limits } = readConfig(paths)
  return {
    paths,
    limits: () => limits,
    replica: () => replica,
    busyBackups: () => Promise.resolve(new Set()),
    underWay: () => new Set(),
    removePackage: async digest => {
      for (const ending of ['zip', 'part', 'blockmap']) await removeTree(join(paths.packages, `${digest}.${ending}`))
    },
    nowMs: () => Date.now(),
    signal,
  }
}
