/**
 * node.db at `go`. A disk that takes no writes, or another program's lock, must not keep the app from being served: then the node goes by what
 * the file holds, in memory, and says nothing to anybody until it can write again (it may not speak before its epoch is on disk).
 */
import { codeOf, type Fact, factKey, messageOf } from '../model/index.ts'
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

/**
 * What the replica notes by the way, such as how long it has known an order, is no reason to fail; nor is a plan, which is pulled again: a node
 * whose disk is full must be able to say so in a preflight.
 */
export function lenient(store: NodeStore, log: Log): FactStore {
  const attempt = (what: string, work: () => void): void => {
    try {
      work()
    } catch (error) {
      log('not noted', { what, error: messageOf(error) })
    }
  }
  return {
    facts: () => store.facts(),
    saveFacts: (facts, durable) => store.saveFacts(facts, durable),
    document: digest => store.document(digest),
    saveDocument: (digest, text) => attempt(`document ${digest}`, () => store.saveDocument(digest, text)),
    forgetFacts: facts => attempt('old evidence', () => store.forgetFacts(facts)),
    remembered: key => store.remembered(key),
    remember: (key, value) => attempt(key, () => store.remember(key, value)),
  }
}

/** Facts that the disk did not take: kept, and tried again. What must not be forgotten once it is said is saved before that, elsewhere. */
export class Unsaved {
  readonly #store: NodeStore
  readonly #log: Log
  readonly #facts = new Map<string, Fact>()

  constructor(store: NodeStore, log: Log) {
    this.#store = store
    this.#log = log
  }

  get count(): number {
    return this.#facts.size
  }

  save(facts: readonly Fact[], durable: boolean): void {
    try {
      this.#store.saveFacts(facts, durable)
      for (const fact of facts) this.#facts.delete(factKey(fact))
    } catch (error) {
      if (this.#facts.size === 0) this.#log('alarm', { alarm: 'facts not saved', code: codeOf(error), message: messageOf(error) })
      for (const fact of facts) this.#facts.set(factKey(fact), fact)
    }
  }

  /** true: all that waited is on disk now. */
  saveAgain(): boolean {
    if (this.#facts.size === 0) return false
    this.save([...this.#facts.values()], true)
    return this.#facts.size === 0
  }
}
