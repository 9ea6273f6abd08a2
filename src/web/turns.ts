/** A few at a time, a few more in line, the rest refused at once: what costs memory must not be had in any number. */
import { ShoalError } from '../model/index.ts'

/** Changes of people and their keys that wait; more are refused. */
const maxChangesWaiting = 8

/** One after the other: of two at once, one would put its file in the place of the other's, whose key counts then and is nowhere. */
export const changesOfPeople = (): Turns => new Turns(1, maxChangesWaiting)

export class Turns {
  readonly #atOnce: number
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number, maxWaiting: number) {
    this.#atOnce = atOnce
    this.#maxWaiting = maxWaiting
  }

  /** @throws ShoalError BUSY */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= this.#maxWaiting) throw new ShoalError('BUSY', `${this.#waiting.length} wait for the same already`)
      // Whoever ends hands its place over; the number that run stays as it is.
      await new Promise<void>(go => this.#waiting.push(go))
    } else this.#running += 1
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }
}
