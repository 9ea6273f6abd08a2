/**
 * node.db at `go`. A disk that takes no writes, or another program's lock, must not keep the app from being served: then the node goes by what
 * the file holds, in memory, and says nothing to anybody until it can write again (it may not speak before its epoch is on disk). A file that
 * is damaged is put aside, never deleted, and the node begins with an empty one: it is lost until its peers have told it (recall.ts).
 */
import { rmSync } from 'node:fs'
import { codeOf, type Fact, factKey, type FleetId, messageOf, ShoalError, systemCodeOf } from '../model/index.ts'
import type { FactStore } from '../rollout/index.ts'
import { renameDurableSync } from '../slots/index.ts'
import { NodeStore } from '../store/index.ts'
import { storedChain, trustChain } from '../trust/index.ts'
import type { Log } from './log.ts'

export interface OpenedStore {
  readonly store: NodeStore
  /** Raised; on disk unless the store is a copy. 0: it is not known which one comes next. */
  readonly epoch: number
  /** What the node knew is gone, or was not all told again yet. */
  readonly isLost: boolean
}

/** `isChecked`: this worker has read all of it before, and looked at every page. */
export interface Opening {
  readonly mayBeCopy: boolean
  readonly isChecked: boolean
}

/** Set from the moment that an empty node.db is made for a node of a fleet until its peers have told it everything. */
const lostKey = 'lost'

/** @throws ShoalError DISK_FULL, DB_LOCKED, if no copy is wanted or none can be made */
export function openStore(file: string, fleet: FleetId, how: Opening, log: Log): OpenedStore {
  try {
    return openOrCopy(file, fleet, how, log)
  } catch (error) {
    if (codeOf(error) !== 'DB_DAMAGED') throw error
    log('alarm', { alarm: 'node.db is damaged and put aside', aside: putAside(file), message: messageOf(error) })
    return openOrCopy(file, fleet, { ...how, isChecked: false }, log)
  }
}

function openOrCopy(file: string, fleet: FleetId, { mayBeCopy, isChecked }: Opening, log: Log): OpenedStore {
  try {
    return ready(new NodeStore(file), fleet, isChecked)
  } catch (error) {
    if (!mayBeCopy || !['DISK_FULL', 'DB_LOCKED'].includes(codeOf(error))) throw error
    log('alarm', {
      alarm: 'node.db cannot be written: the app is served, the node is silent',
      code: codeOf(error),
      message: messageOf(error),
    })
    return ready(NodeStore.copyOf(file), fleet, isChecked)
  }
}

function ready(store: NodeStore, fleet: FleetId, isChecked: boolean): OpenedStore {
  try {
    if (!isChecked) store.check()
    const isLost = !hasRoots(store, fleet) || store.remembered(lostKey) === 'true'
    if (isLost) store.remember(lostKey, 'true')
    return { store, isLost, epoch: isLost ? 0 : store.raiseEpoch() }
  } catch (error) {
    store.close()
    throw error
  }
}

/** false: none are there. @throws ShoalError DB_DAMAGED: they are not what was signed */
function hasRoots(store: NodeStore, fleet: FleetId): boolean {
  const texts = store.factsOf('root').map(f => f.body)
  if (texts.length === 0) return false
  try {
    trustChain(storedChain(texts, fleet), fleet)
    return true
  } catch (cause) {
    throw new ShoalError('DB_DAMAGED', `node.db: ${messageOf(cause)}`, { cause })
  }
}

/** @returns where it is now */
function putAside(file: string): string {
  const aside = `${file}.damaged-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  for (const suffix of ['-wal', '']) renameIfThere(file + suffix, aside + suffix)
  rmSync(`${file}-shm`, { force: true }) // it holds nothing of its own
  return aside
}

function renameIfThere(from: string, to: string): void {
  try {
    renameDurableSync(from, to)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error
  }
}

/** Peers have told everything: the node speaks from above all that they hold of it. @returns its epoch, on disk */
export function endLoss(store: NodeStore, heldEpoch: number): number {
  const epoch = store.raiseEpoch(heldEpoch + 1)
  store.remember(lostKey, '')
  return epoch
}

/** What the replica notes by the way, such as how long it has known an order, or forgets, is no reason to fail. */
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
    saveDocument: (digest, text) => store.saveDocument(digest, text),
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
