/**
 * How long this node has trusted each of its newest roots, while it ran (decision 4). A root that has stood for a day is settled: who was an
 * admin once, or has an old key, cannot sign the past anew (facts/writers.ts).
 */
import type { FleetView } from '../facts/index.ts'
import { Fields, parseJson } from '../model/index.ts'
import { sha256 } from '../trust/index.ts'
import { rootSettledMs } from './limits.ts'

export interface Memory {
  remembered(key: string): string | undefined
  remember(key: string, value: string): void
}

const memoryKey = 'root ages'

export class RootAges {
  readonly #fleet: FleetView
  readonly #memory: Memory
  readonly #now: () => number
  /** By the digest of its text: when it came, by this process's clock; before that if it is older. */
  readonly #since = new Map<string, number>()

  constructor(fleet: FleetView, memory: Memory, now: () => number) {
    this.#fleet = fleet
    this.#memory = memory
    this.#now = now
    this.#recall()
    this.look()
  }

  /** After each change of the root, and now and then. */
  look(): void {
    const open = new Set<string>()
    for (let version = this.#fleet.settled + 1; version <= this.#fleet.root.version; version++) {
      const text = this.#fleet.rootText(version)
      if (text === undefined) continue
      const digest = sha256(text)
      const since = this.#since.get(digest) ?? this.#now()
      if (this.#now() - since >= rootSettledMs) this.#fleet.settle(version)
      else open.add(digest)
      this.#since.set(digest, since)
    }
    for (const digest of this.#since.keys()) if (!open.has(digest)) this.#since.delete(digest)
  }

  /** Writes them down, for the next start. */
  keep(): void {
    this.look()
    const ages = Object.fromEntries([...this.#since].map(([digest, since]) => [digest, Math.round(this.#now() - since)]))
    const text = JSON.stringify({ settled: this.#fleet.settled, ages })
    if (this.#memory.remembered(memoryKey) !== text) this.#memory.remember(memoryKey, text)
  }

  #recall(): void {
    const text = this.#memory.remembered(memoryKey)
    if (text === undefined) return
    const f = new Fields(parseJson(text, memoryKey), memoryKey)
    this.#fleet.settle(f.integer('settled'))
    const ages = new Fields(f.raw('ages'), memoryKey)
    for (const digest of ages.keys()) this.#since.set(digest, this.#now() - ages.integer(digest))
  }
}
