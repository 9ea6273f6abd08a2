/**
 * The replica, read before this worker is the node: with ten thousand nodes that takes seconds, in which with `exclusive` nobody would be served.
 * It reads, and holds nothing when it is done; at `go` the node catches up with what was written since. Whatever goes wrong here is met again
 * there, by who knows what to do about it.
 */
import { messageOf } from '../model/index.ts'
import { type FactStore, Replica } from '../rollout/index.ts'
import { FactReader } from '../store/index.ts'
import { factSigner } from '../trust/index.ts'
import type { Home } from './home.ts'
import type { Log } from './log.ts'

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
