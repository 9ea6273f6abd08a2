/** The only source of chance in the simulator: everything that happens follows from the seed. */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>
  readonly next: () => number

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(Math.imul(seed, 0x9e3779b1) | 0)
    for (let n = 0; n < 8; n++) this.#generator.next()
    this.next = () => (this.#generator.next() >>> 0) / 2 ** 32
  }

  /** A generator of its own for one node or one wire. */
  fork(): Random {
    return new Random(this.#generator.next())
  }

  integer(below: number): number {
    return Math.floor(this.next() * below)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(items.length)]
    if (item === undefined) throw new Error('picked from nothing')
    return item
  }

  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items]
    for (let at = copy.length - 1; at > 0; at--) {
      const other = this.integer(at + 1)
      ;[copy[at], copy[other]] = [copy[other]!, copy[at]!]
    }
    return copy
  }

  /** Log-normal with this median: long, but not absurd, tails. */
  logNormal(median: number, sigma: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()))
    return median * Math.exp(sigma * radius * Math.cos(2 * Math.PI * this.next()))
  }
}
