/** Time inside the core: deadlines of its parts. */

/** The next multiple of a step: what need not be exact is done together, so that an idle node wakes seldom. */
export const onGrid = (atMs: number, stepMs: number): number => Math.ceil(atMs / stepMs) * stepMs

/** When one part of the core wants to look at its deadlines again: each wake then costs only the parts that are due. */
export class Timer {
  readonly #wakeBy: (atMs: number) => void
  #at = Number.POSITIVE_INFINITY

  constructor(wakeBy: (atMs: number) => void) {
    this.#wakeBy = wakeBy
  }

  /** Rings no later than this. */
  by(atMs: number): void {
    if (atMs < this.#at) this.#at = atMs
    this.#wakeBy(atMs)
  }

  /** At a wake: is it time? Then the part looks at everything and sets the timer anew. */
  rings(now: number): boolean {
    if (now < this.#at) {
      this.#wakeBy(this.#at)
      return false
    }
    this.#at = Number.POSITIVE_INFINITY
    return true
  }
}
