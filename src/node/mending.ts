/**
 * What a serving node does about damage on its disk: it looks at every byte of its slots once, mends an app or a Shoal from its package, and
 * fetches the package again if that is damaged too. It never runs what differs longer than it takes to mend it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Digest, messageOf } from '../model/index.ts'
import type { PackageStore } from '../packages/index.ts'
import { slotDir } from '../slots/index.ts'
import type { Log } from './log.ts'
import { listedProblems, mendSlot, wholeness } from './slot-care.ts'

/** ms after the start until the slots are read: what starts a node needs the disk more. */
const lookAfterMs = 5000
/** ms between tries to fetch a package again, or to read what could not be read. */
const tryAgainMs = 10_000

export interface MendingOptions {
  readonly home: string
  readonly slots: { readonly app: Digest | null; readonly shoal: Digest; readonly builtIn: Digest }
  /** The app could not be loaded because its slot is damaged: its package is needed. */
  readonly isAppDamaged: boolean
  readonly packages: PackageStore
  /** false: no release names it, or nobody is linked. */
  readonly fetch: (digest: Digest, signal: AbortSignal) => Promise<boolean>
  readonly holdingsChanged: () => void
  /** Something is damaged that cannot be mended here: the node is ill from now on. */
  readonly damaged: () => void
  /** A slot is whole again: the next worker runs it. */
  readonly mended: (message: string) => void
  readonly log: Log
}

export class Mending {
  readonly #o: MendingOptions
  readonly #abort = new AbortController()
  #hasDamage = false

  constructor(options: MendingOptions) {
    this.#o = options
  }

  /** Something is damaged that cannot be mended here. */
  get hasDamage(): boolean {
    return this.#hasDamage
  }

  start(): void {
    void this.#runAgain(this.#abort.signal)
  }

  stop(): void {
    this.#abort.abort()
  }

  /** A disk that is full, or that cannot be read today, is tried again. */
  async #runAgain(signal: AbortSignal): Promise<void> {
    for (let isDone = false; !isDone; ) {
      isDone = await this.#run(signal).then(
        () => true,
        (error: unknown) => this.#failed(error),
      )
      if (!isDone) await sleep(tryAgainMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** true: it was stopped. */
  #failed(error: unknown): boolean {
    if (!this.#abort.signal.aborted) this.#o.log('slots not checked', { error: messageOf(error) })
    return this.#abort.signal.aborted
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { app, shoal, builtIn } = this.#o.slots
    if (!this.#o.isAppDamaged) await sleep(lookAfterMs, undefined, { signal })
    if (app !== null) await this.#careFor(app, this.#o.isAppDamaged, signal)
    for (const digest of new Set([shoal, builtIn])) await this.#careForShoal(digest, signal)
    this.#o.log('slots checked', { isWhole: !this.#hasDamage })
  }

  async #careForShoal(digest: Digest, signal: AbortSignal): Promise<void> {
    const problems = await listedProblems(this.#o.home, digest, signal)
    if (problems === null) return this.#careFor(digest, false, signal)
    if (problems.length === 0) return
    this.#hasDamage = true
    this.#o.damaged()
    this.#o.log('alarm', { alarm: 'slot damaged', digest, problems: problems.slice(0, 10) })
  }

  async #careFor(digest: Digest, isNeeded: boolean, signal: AbortSignal): Promise<void> {
    const { home, packages, log, mended } = this.#o
    const [zip, dir] = [packages.path(digest), slotDir(home, digest)]
    for (let isAsked = isNeeded; ; ) {
      const found = await wholeness(zip, dir, digest, signal)
      if (found === 'whole' || (found === 'no-package' && !isAsked)) return
      log('alarm', { alarm: 'slot or package damaged', digest, found })
      if (found === 'differs') {
        await mendSlot(zip, dir, digest, signal)
        mended(`slot ${digest}: its files differed from its package; they are mended`)
        return
      }
      await packages.remove(digest)
      this.#o.holdingsChanged()
      isAsked = true
      await this.#fetchAgain(digest, signal)
    }
  }

  async #fetchAgain(digest: Digest, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        if (await this.#o.fetch(digest, signal)) return
      } catch (error) {
        signal.throwIfAborted()
        this.#o.log('package not fetched again', { digest, error: messageOf(error) })
      }
      await sleep(tryAgainMs, undefined, { signal })
    }
  }
}
