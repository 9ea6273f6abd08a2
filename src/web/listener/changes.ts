/** Waits for a condition that other code changes: whoever changes something says so, nobody polls. */
export class Changes {
  readonly #waiting = new Set<() => void>()

  notify(): void {
    for (const look of this.#waiting) look()
  }

  /** True as soon as `holds()`, false after `limitMs`. */
  until(holds: () => boolean, limitMs: number): Promise<boolean> {
    if (holds() || limitMs <= 0) return Promise.resolve(holds())
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const finish = (result: boolean): void => {
      clearTimeout(timer)
      this.#waiting.delete(look)
      resolve(result)
    }
    const timer = setTimeout(() => finish(holds()), limitMs)
    const look = (): void => {
      if (holds()) finish(true)
    }
    this.#waiting.add(look)
    return promise
  }
}
