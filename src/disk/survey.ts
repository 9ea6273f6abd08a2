/**
 * The disk of a home: what lies there and why, and what nobody needs removed. The same for a node that runs and for one that is stopped; what
 * is needed is judged when all is measured, right before anything goes.
 */
import { join } from 'node:path'
import { forgetKept, neededFolders } from '../data/index.ts'
import {
  type Config,
  type Digest,
  messageOf,
  parseDigest,
  parseHoldingsBody,
  parseJson,
  parseNodeId,
  reserveBytesOf,
  ShoalError,
} from '../model/index.ts'
import { testPackage } from '../packages/index.ts'
import type { Replica } from '../rollout/index.ts'
import { freeBytes, type HomePaths, readCurrent, removeSlot, removeTree } from '../slots/index.ts'
import { type DiskItem, type KindTotal, totalsOf } from './items.ts'
import { judge, type JudgeOptions } from './judge.ts'
import { look, lookAtPackages } from './look.ts'
import type { FleetUse } from './needs.ts'

/** What somebody wants gone beside what nothing needs. */
export interface PruneWish {
  /** Also the last copy of releases that nobody ordered, node.db files put aside, and caches. */
  readonly all: boolean
  /** Also older log files. */
  readonly logs: boolean
  /** Also backups older than that, but the newest. */
  readonly backupsOlderMs: number | null
}

export const noWish: PruneWish = { all: false, logs: false, backupsOlderMs: null }

export interface DiskOptions {
  readonly paths: HomePaths
  readonly limits: () => Config['limits']
  /** null: the node does not know its fleet now. */
  readonly replica: () => Replica | null
  /** Ids of backups that are being made, read or restored. */
  readonly busyBackups: () => Promise<ReadonlySet<string>>
  /** What is being taken in: parts by their digest, uploads by their file's name. */
  readonly underWay: () => ReadonlySet<string>
  readonly removePackage: (digest: Digest) => Promise<void>
  readonly nowMs: () => number
  /** Ends a pruning between two things. */
  readonly signal: AbortSignal
}

/** As the API and the command show it. */
export interface DiskView {
  readonly freeBytes: number
  readonly reserveBytes: number
  /** The most that packages may take; 0: no limit. */
  readonly packageLimitBytes: number
  readonly totals: readonly KindTotal[]
  readonly items: readonly DiskItem[]
}

export interface Pruned extends DiskView {
  readonly removed: readonly DiskItem[]
  readonly removedBytes: number
  /** What could not go, with the reason: a file that somebody holds open. */
  readonly failed: readonly { readonly id: string; readonly message: string }[]
}

const mib = 2 ** 20

interface Scope {
  /** What is about to be taken in or staged: it stays. */
  readonly coming: readonly Digest[]
  /** Packages, slots and transfers alone, without the sizes of folders: while somebody waits. */
  readonly isQuick: boolean
}

const wholeScope: Scope = { coming: [], isQuick: false }

export async function survey(o: DiskOptions, wish: PruneWish = noWish, scope: Scope = wholeScope): Promise<DiskView> {
  const found = scope.isQuick ? await lookAtPackages(o.paths) : await look(o.paths)
  const busy = scope.isQuick ? new Set<string>() : await o.busyBackups()
  const items = judge(found, rulesOf(o, wish, scope, busy))
  const limits = o.limits()
  const sizes = { freeBytes: found.freeBytes, reserveBytes: reserveBytesOf({ limits }), packageLimitBytes: limits.packagesMb * mib }
  return { ...sizes, totals: totalsOf(items), items }
}

/** Removes what nothing needs and what is wished gone. Cut in the middle, what is left goes the next time. @throws the signal's reason */
export async function prune(o: DiskOptions, wish: PruneWish = noWish, scope: Scope = wholeScope): Promise<Pruned> {
  const before = await survey(o, wish, scope)
  const removed: DiskItem[] = []
  const failed: { id: string; message: string }[] = []
  for (const item of before.items.filter(each => each.needs.length === 0 && each.bytes + Number(each.kind !== 'cache') > 0)) {
    o.signal.throwIfAborted()
    try {
      await remove(o, item)
      removed.push(item)
    } catch (error) {
      failed.push({ id: item.id, message: messageOf(error) })
    }
  }
  const items = before.items.filter(item => !removed.includes(item))
  const removedBytes = removed.reduce((sum, { bytes }) => sum + bytes, 0)
  return { ...before, freeBytes: await freeBytes(o.paths.instance), totals: totalsOf(items), items, removed, removedBytes, failed }
}

async function remove({ paths, removePackage }: DiskOptions, { kind, id }: DiskItem): Promise<void> {
  switch (kind) {
    case 'package':
      return removePackage(parseDigest(id))
    case 'slot':
      return removeSlot(paths.home, id)
    case 'backup':
    case 'snapshot':
    case 'kept':
      return forgetKept(paths, id)
    case 'transfer':
    case 'litter':
    case 'database':
    case 'logs':
    case 'cache':
      return removeTree(join(paths.instance, id))
    case 'data':
      throw new ShoalError('INTERNAL', 'the app’s data is never pruned')
  }
}

function rulesOf(o: DiskOptions, wish: PruneWish, { coming }: Scope, busy: ReadonlySet<string>): JudgeOptions {
  const { releases, packagesMb, snapshots, backups } = o.limits()
  return {
    use: useOf(o, coming),
    keep: { releases, isAll: wish.all, maxPackageBytes: packagesMb * mib },
    kept: { snapshots, backups, backupsOlderMs: wish.backupsOlderMs, wayBack: neededFolders(o.paths), busy, nowMs: o.nowMs() },
    logs: wish.logs,
    underWay: o.underWay(),
  }
}

function useOf({ paths, replica }: DiskOptions, coming: readonly Digest[]): FleetUse | null {
  const known = replica()
  if (known === null || known.fleet.root.version === 0) return null
  const said = known.registers
    .ofKind('holdings')
    .filter(fact => known.fleet.isMember(fact.owner))
    .map(fact => ({ id: parseNodeId(fact.owner), digests: new Set(parseHoldingsBody(parseJson(fact.body, 'holdings')).packages) }))
  return {
    self: known.self,
    current: readCurrent(paths.home),
    orders: known.orders(),
    releases: known.book.releases(),
    holders: digest => said.filter(({ digests }) => digests.has(digest)).map(({ id }) => id),
    test: testPackage().ref.digest,
    coming,
  }
}
