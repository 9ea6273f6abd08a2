/** Something that costs the node much to find out: once for all who ask meanwhile and shortly after, and then it rests for so many times as long. */
const restFactor = 10

export class Rested<T> {
  readonly #work: () => Promise<T>
  readonly #now: () => number
  #last: Promise<T> | null = null
  #untilMs = 0

  /** @param now of a clock that is never set */
  constructor(work: () => Promise<T>, now: () => number = () => performance.now()) {
    this.#work = work
    this.#now = now
  }

  /** What failed is not kept. */
  ask(): Promise<T> {
    if (this.#last !== null && this.#now() < this.#untilMs) return this.#last
    const begunMs = this.#now()
    const rests = (factor: number) => (): void => {
      this.#untilMs = this.#now() + factor * (this.#now() - begunMs)
    }
    this.#untilMs = Number.POSITIVE_INFINITY
    this.#last = this.#work()
    this.#last.then(rests(restFactor), rests(0))
    return this.#last
  }
}
