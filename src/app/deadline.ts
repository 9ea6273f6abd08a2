/**
 * A wait that ends: with the work, with the signal, or at a deadline that may be moved while it runs. The work itself cannot be
 * stopped.
 */

export class DeadlineError extends Error {
  constructor(ms: number) {
    super(`no answer in ${ms} ms`)
    this.name = 'DeadlineError'
  }
}

export class Deadline {
  readonly #passed = Promise.withResolvers<never>()
  readonly #started = performance.now()
  #ends = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(ms: number) {
    this.extend(ms)
    // Whoever never waits for it must not be told of it.
    this.#passed.promise.catch(() => undefined)
  }

  /** At least so long from now; never shorter than it was; nothing when the work is done. */
  extend(ms: number): void {
    if (this.#isOver) return
    const now = performance.now()
    this.#ends = Math.max(this.#ends, now + ms)
    clearTimeout(this.#timer)
    const total = Math.round(this.#ends - this.#started)
    this.#timer = setTimeout(() => this.#passed.reject(new DeadlineError(total)), this.#ends - now)
  }

  /** Runs `work`, which may also throw at once. @throws DeadlineError, the signal's reason, and what `work` throws */
  async run<T>(work: () => T | PromiseLike<T>, signal?: AbortSignal): Promise<T> {
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      signal?.throwIfAborted()
      return await Promise.race([(async () => work())(), this.#passed.promise, aborted])
    } finally {
      this.#isOver = true
      clearTimeout(this.#timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
