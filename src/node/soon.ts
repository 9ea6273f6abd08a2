/** Does a thing once, a little after the last of many reasons came: links come back by dozens when a node has changed over. */
export class Soon {
  readonly #work: () => void
  readonly #ms: number
  #timer: NodeJS.Timeout | null = null

  constructor(ms: number, work: () => void) {
    this.#ms = ms
    this.#work = work
  }

  ask(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#work()
    }, this.#ms)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
