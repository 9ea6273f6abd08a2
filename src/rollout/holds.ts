/**
 * Which nodes operators hold. Each operator has one register per node; of all of a node's, the greatest generation counts, then the greater
 * digest. A hold that was made for a time ends by age, counted while this node runs: boxes have wrong clocks. It decides nothing else.
 */
import type { Registers } from '../facts/index.ts'
import { type Fact, type FactKey, factKey, type Hold, type NodeId, parseHold } from '../model/index.ts'
import { payloadOf } from './core/index.ts'

export interface Held {
  readonly by: string
  readonly reason: string
  /** ms until it ends by itself; null: when somebody ends it. */
  readonly leftMs: number | null
}

export class Holds {
  readonly #registers: Registers
  readonly #ageOf: (key: string) => number
  readonly #read = new Map<FactKey, { readonly body: string; readonly hold: Hold }>()
  /** The hold that counts of each node, and of which revision of all holds that is. */
  #last: ReadonlyMap<string, Fact> = new Map()
  #revision = -1

  /** @param ageOf how long something has been known here, ms, kept over restarts */
  constructor(registers: Registers, ageOf: (key: string) => number) {
    this.#registers = registers
    this.#ageOf = ageOf
  }

  of(node: NodeId): Held | null {
    const last = this.#lastOf(node)
    if (last === undefined) return null
    const { hold, forMs, by, reason } = this.#holdOf(last)
    if (!hold) return null
    const leftMs =
      forMs === null ? null : Math.max(0, Math.round(forMs - this.#ageOf(`hold ${last.owner.slice(0, 16)} ${node} ${last.version}`)))
    return leftMs === 0 ? null : { by, reason, leftMs }
  }

  #lastOf(node: NodeId): Fact | undefined {
    const revision = this.#registers.revisionOf('hold')
    if (revision !== this.#revision) {
      const last = new Map<string, Fact>()
      for (const fact of this.#registers.ofKind('hold')) {
        const other = last.get(fact.name)
        if (other === undefined || isLater(fact, other)) last.set(fact.name, fact)
      }
      this.#last = last
      this.#revision = revision
    }
    return this.#last.get(node)
  }

  #holdOf(fact: Fact): Hold {
    const key = factKey(fact)
    let read = this.#read.get(key)
    if (read?.body !== fact.body) {
      read = { body: fact.body, hold: parseHold(payloadOf(fact)) }
      this.#read.set(key, read)
    }
    return read.hold
  }
}

const isLater = (a: Fact, b: Fact): boolean => (a.version !== b.version ? a.version > b.version : a.body > b.body)
