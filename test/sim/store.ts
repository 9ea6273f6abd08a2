/**
 * The disk of one node. As SQLite with a write-ahead log: a killed process loses nothing, a machine without power loses the end of what
 * was not committed durably; a durable commit carries all that came before it.
 */
import { type Fact, factKey } from '../../src/model/index.ts'

interface Commit {
  readonly at: number
  readonly facts: readonly Fact[]
}

/** Without a durable commit the log reaches the disk after so long. */
const flushAfterMs = 5_000

export class SimStore {
  readonly #disk = new Map<string, Fact>()
  #tail: Commit[] = []
  /** Durable counter: how often the node has become the node. */
  epoch = 0

  commit(facts: readonly Fact[], durable: boolean, now: number): void {
    this.#tail.push({ at: now, facts })
    if (durable || this.#tail.length > 64) this.#flush(durable ? Number.POSITIVE_INFINITY : now - flushAfterMs)
  }

  forget(fact: Fact): void {
    this.#flush(Number.POSITIVE_INFINITY)
    this.#disk.delete(factKey(fact))
  }

  /** The power went: what came after the last flush is gone. */
  loseTail(now: number, keptMs: number): void {
    this.#flush(now - Math.min(keptMs, flushAfterMs))
    this.#tail = []
  }

  load(): readonly Fact[] {
    this.#flush(Number.POSITIVE_INFINITY)
    return [...this.#disk.values()]
  }

  /** For the fault "somebody restored an old backup of the whole disk". */
  copy(): SimStore {
    const copy = new SimStore()
    copy.commit(this.load(), true, 0)
    copy.epoch = this.epoch
    return copy
  }

  #flush(until: number): void {
    let done = 0
    for (const { at, facts } of this.#tail) {
      if (at > until) break
      for (const fact of facts) this.#disk.set(factKey(fact), fact)
      done++
    }
    this.#tail = done === this.#tail.length ? [] : this.#tail.slice(done)
  }
}
