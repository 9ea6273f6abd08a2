/** What a bench started and has to end, whatever comes: as a test's `teardown`, for a program. */
export class Teardowns {
  readonly #all: (() => unknown)[] = []

  teardown(run: () => unknown): void {
    this.#all.unshift(run)
  }

  async run(): Promise<void> {
    for (const each of this.#all.splice(0)) await each()
  }
}

/** Runs a bench with its teardowns, also after a failure or a Ctrl+C. */
export async function bench(work: (teardowns: Teardowns) => Promise<void>): Promise<void> {
  const teardowns = new Teardowns()
  const interrupted = Promise.withResolvers<never>()
  interrupted.promise.catch(() => undefined)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.reject(new Error(signal)))
  try {
    await Promise.race([work(teardowns), interrupted.promise])
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  } finally {
    await teardowns.run()
  }
}
