/**
 * node.db at `go`. A disk that takes no writes, or another program's lock, must not keep the app from being served: then the node goes by what
 * the file holds, in memory, and says nothing to anybody until it can write again (it may not speak before its epoch is on disk).
 */
import { codeOf, messageOf } from '../model/index.ts'
import type { FactStore } from '../rollout/index.ts'
import { NodeStore } from '../store/index.ts'
import type { Log } from './log.ts'

export interface OpenedStore {
  readonly store: NodeStore
  /** Raised; on disk unless the store is a copy. */
  readonly epoch: number
}

/** @throws ShoalError DISK_FULL, DB_LOCKED, if no copy is wanted or none can be made */
export function openStore(file: string, mayBeCopy: boolean, log: Log): OpenedStore {
  try {
    return raised(new NodeStore(file))
  } catch (error) {
    if (!mayBeCopy || !['DISK_FULL', 'DB_LOCKED'].includes(codeOf(error))) throw error
    log('alarm', {
      alarm: 'node.db cannot be written: the app is served, the node is silent',
      code: codeOf(error),
      message: messageOf(error),
    })
    return raised(NodeStore.copyOf(file))
  }
}

function raised(store: NodeStore): OpenedStore {
  try {
    return { store, epoch: store.raiseEpoch() }
  } catch (error) {
    store.close()
    throw error
  }
}

/** What the replica notes by the way, such as when it first saw an order, is no reason to fail. */
export function lenient(store: NodeStore, log: Log): FactStore {
  return {
    facts: () => store.facts(),
    saveFacts: (facts, durable) => store.saveFacts(facts, durable),
    document: digest => store.document(digest),
    saveDocument: (digest, text) => store.saveDocument(digest, text),
    forgetFacts: facts => store.forgetFacts(facts),
    remembered: key => store.remembered(key),
    remember: (key, value) => {
      try {
        store.remember(key, value)
      } catch (error) {
        log('not remembered', { key, error: messageOf(error) })
      }
    },
  }
}
