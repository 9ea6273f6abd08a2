/**
 * What a serving node does about damage on its disk: it looks at every byte of its slots once, mends an app or a Shoal from its package, and
 * fetches the package again if that is damaged too. A slot that differs a second time within one life of the node was written by what runs from
 * it, or by somebody, and not by the disk: it is served as it is, with an alarm, since a fresh worker would only meet the same again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { asArray, asString, type Digest, messageOf, parseJson } from '../model/index.ts'
import type { Differences, PackageStore } from '../packages/index.ts'
import { slotDir } from '../slots/index.ts'
import type { Memory } from './before.ts'
import type { Log } from './log.ts'
import { listedProblems, type Mended, mendSlot, wholeness } from './slot-care.ts'

/** ms after its start until a worker reads its slots: what starts a node needs the disk more. */
const usualLookAfterMs = 5000
/** ms between tries to fetch a package again, or to read what could not be read. */
const tryAgainMs = 10_000
/** Files that the log names. */
const namedFiles = 10
const memoryKey = 'mended'

export interface MendingOptions {
  readonly home: string
  readonly slots: { readonly app: Digest | null; readonly shoal: Digest; readonly builtIn: Digest }
  /** The app could not be loaded because its slot is damaged: its package is needed. */
  readonly isAppDamaged: boolean
  /** The app's slot was mended before this worker loaded it. */
  readonly isAppMended: boolean
  readonly memory: Memory
  /** Which life of the node this is: from the start of its supervisor to its end. */
  readonly life: string
  readonly packages: PackageStore
  /** false: no release names it, or nobody is linked. */
  readonly fetch: (digest: Digest, signal: AbortSignal) => Promise<boolean>
  readonly holdingsChanged: () => void
  /** Something is damaged that cannot be mended here: the node is ill from now on. */
  readonly damaged: () => void
  /** A slot is whole again: the next worker runs it. */
  readonly mended: (message: string) => void
  readonly log: Log
  /** ms after the start until the slots are read. */
  readonly lookAfterMs?: number
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
    const { slots, lookAfterMs = usualLookAfterMs } = this.#o
    const { app, shoal, builtIn } = slots
    if (!this.#o.isAppDamaged) await sleep(lookAfterMs, undefined, { signal })
    if (app !== null) await this.#careFor(app, this.#o.isAppDamaged, signal)
    for (const digest of new Set([shoal, builtIn])) await this.#careForShoal(digest, signal)
    this.#o.log('slots checked', { isWhole: !this.#hasDamage })
  }

  async #careForShoal(digest: Digest, signal: AbortSignal): Promise<void> {
    const problems = await listedProblems(this.#o.home, digest, signal)
    if (problems === null) return this.#careFor(digest, false, signal)
    if (problems.length === 0) return
    this.#isIll('slot damaged', digest, problems)
  }

  #isIll(alarm: string, digest: Digest, files: readonly string[]): void {
    this.#hasDamage = true
    this.#o.damaged()
    this.#o.log('alarm', { alarm, digest, problems: files.slice(0, namedFiles) })
  }

  async #careFor(digest: Digest, isNeeded: boolean, signal: AbortSignal): Promise<void> {
    const { home, packages, log } = this.#o
    const [zip, dir] = [packages.path(digest), slotDir(home, digest)]
    for (let isAsked = isNeeded; ; ) {
      const found = await wholeness(zip, dir, digest, signal)
      if (found.is === 'no-package' && !isAsked) return
      if (found.is === 'whole' || found.is === 'differs') {
        await this.#judge(digest, found, isNeeded, signal)
        return
      }
      log('alarm', { alarm: 'slot or package damaged', digest, found: found.is })
      await packages.remove(digest)
      this.#o.holdingsChanged()
      isAsked = true
      await this.#fetchAgain(digest, signal)
    }
  }

  async #judge(digest: Digest, found: Differences, isNeeded: boolean, signal: AbortSignal): Promise<void> {
    const { home, packages, log } = this.#o
    if (found.changed.length === 0) this.#nameExtras(digest, found)
    else if (!isNeeded && this.#wasMended(digest)) this.#isIll('slot damaged again: it is served as it is', digest, found.changed)
    else {
      log('alarm', { alarm: 'slot damaged', digest, problems: found.changed.slice(0, namedFiles) })
      this.#mended(digest, await mendSlot(packages.path(digest), slotDir(home, digest), digest, signal))
    }
  }

  #nameExtras(digest: Digest, { extra, extras }: Differences): void {
    if (extras > 0) this.#o.log('slot has files that its package has not', { digest, files: extras, first: extra.slice(0, namedFiles) })
  }

  #mended(digest: Digest, mended: Mended): void {
    const { life, memory, log } = this.#o
    memory.remember(memoryKey, JSON.stringify([life, ...this.#mendedBefore().filter(each => each !== digest), digest]))
    log('slot mended', { digest, ...mended, changed: mended.changed.slice(0, namedFiles) })
    const names = mended.changed.slice(0, namedFiles).join(', ')
    this.#o.mended(`slot ${digest}: ${names} differed from its package; it is mended, what was there is kept in ${mended.keptIn}`)
  }

  #wasMended(digest: Digest): boolean {
    const { slots, isAppMended } = this.#o
    return (isAppMended && digest === slots.app) || this.#mendedBefore().includes(digest)
  }

  /** Digests that were mended in this life of the node, by any of its workers. */
  #mendedBefore(): readonly string[] {
    const said = parseJson(this.#o.memory.remembered(memoryKey) ?? '[]', memoryKey)
    const [life, ...digests] = asArray(said, memoryKey, 1000).map(each => asString(each, memoryKey))
    return life === this.#o.life ? digests : []
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
