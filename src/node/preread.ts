/**
 * The replica, read before this worker is the node: with ten thousand nodes that takes seconds, in which with `exclusive` nobody would be served.
 * It reads, and holds nothing when it is done; at `go` the node catches up with what was written since. Whatever goes wrong here is met again
 * there, by who knows what to do about it.
 */
import { type FleetId, messageOf } from '../model/index.ts'
import { type FactStore, Replica, type ReplicaOptions } from '../rollout/index.ts'
import { FactReader } from '../store/index.ts'
import { factSigner } from '../trust/index.ts'
import type { Home } from './home.ts'
import type { Log } from './log.ts'
import type { OpenedStore } from './node-db.ts'

/** ms that another program's lock is waited for. */
const patienceMs = 250

/** null: it is read at `go`. */
export function prereadReplica(home: Home, log: Log): Replica | null {
  const { key, paths, fleet } = home
  try {
    const reader = FactReader.open(paths.db, patienceMs)
    try {
      reader.check()
      const replica = new Replica({ self: key.id, epoch: 0, sign: factSigner(key.key), store: readOnly(reader), now }, fleet)
      return replica.fleet.root.version === 0 ? null : replica
    } finally {
      reader.close()
    }
  } catch (error) {
    log('node.db not read ahead', { error: messageOf(error) })
    return null
  }
}

/**
 * The node's replica at `go`: what was read before, with what was written since, or read now.
 * @throws ShoalError DB_DAMAGED: whoever comes next puts it aside
 */
export function replicaAtGo(
  early: Replica | null,
  { store, epoch, isLost }: OpenedStore,
  o: Omit<ReplicaOptions, 'epoch'>,
  fleet: FleetId,
): Replica {
  if (early !== null && !isLost && early.catchUp(store, o.store, epoch)) return early
  if (early !== null) store.check()
  return new Replica({ ...o, epoch }, fleet)
}

const now = (): number => performance.now()

const readOnly = (reader: FactReader): FactStore => ({
  facts: () => reader.facts(),
  document: digest => reader.document(digest),
  remembered: key => reader.remembered(key),
  saveFacts: () => undefined,
  saveDocument: () => undefined,
  forgetFacts: () => undefined,
  remember: () => undefined,
})
