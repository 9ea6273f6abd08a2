/**
 * The way back over a migration, as the order says: what lay in data/ before is copied out of its snapshot while the app runs, so that the switch is
 * renames; or an older release is to open the data as it is. The switch tries it like a release, and undoes it when it fails.
 */
import { dropStaged, type Swap, snapshotId, treeBytes, type WayBack, wayBackTo } from '../data/index.ts'
import { type Digest, messageOf, type NodeId, type Order, type OrderId, ShoalError, type SwitchTarget } from '../model/index.ts'
import { digestFor, type KnownOrder } from '../rollout/index.ts'
import { type HomePaths, thisPlatform } from '../slots/index.ts'
import { runAside } from './aside.ts'
import type { Memory } from './before.ts'
import type { Log } from './log.ts'
import { copyTimeMs, rememberPreparation } from './rehearsals.ts'

export interface GoingBackOptions {
  readonly paths: HomePaths
  readonly self: NodeId
  readonly memory: Memory
  readonly reserveBytes: () => number
  readonly log: Log
  /** ms that any copy may take; a large one has longer. */
  readonly leastCopyMs?: number
}

/** ms: a small copy on a disk that does much else. */
const leastCopyMs = 60_000
/** ms: how much it is; a card with some hundred thousand files takes its time. */
const measureMs = 600_000
/** ms that a copy which was told to end has to end: of a disk that hangs no process lets go. */
const endMs = 30_000

/** What an order over newer data needs; the way back as it is now. */
interface Due {
  /** What the release knows. */
  readonly dataVersion: number
  readonly how: NonNullable<Order['data']>
  readonly digest: Digest
  readonly back: WayBack
}

export class GoingBack {
  readonly #o: GoingBackOptions
  /** A worker that starts anew prepares it anew, and its start removes what the last one copied. */
  #prepared: (Swap & { readonly order: OrderId }) | null = null
  #copying: { readonly order: string; readonly limits: AbortController } | null = null

  constructor(options: GoingBackOptions) {
    this.#o = options
  }

  needs(known: KnownOrder, attempt: number): boolean {
    return this.#due(known) !== null && !this.#isPrepared(known.id, attempt)
  }

  /** What was prepared for an order that is aborted, or that another took the place of, goes: it is as large as the data. */
  async keepFor(orders: ReadonlySet<string>): Promise<void> {
    if (this.#copying !== null && !orders.has(this.#copying.order))
      this.#copying.limits.abort(new ShoalError('BUSY', 'the order is followed no more'))
    if (this.#prepared === null || orders.has(this.#prepared.order)) return
    const { id } = this.#prepared
    this.#prepared = null
    await this.#drop(id)
  }

  /** @throws ShoalError NO_SNAPSHOT, DISK_FULL, INTERNAL if it takes too long; BUSY if the order came to nothing meanwhile; the signal's reason */
  async prepare(known: KnownOrder, attempt: number, signal: AbortSignal): Promise<void> {
    const due = this.#due(known)
    if (due === null) return
    const { swap, bytes } = due.how === 'keep' ? await this.#kept(known.id, due, signal) : await this.#restored(known.id, due, signal)
    // An older snapshot yet is copied once more, and migrated.
    rememberPreparation(this.#o.memory, due.digest, 2 * copyTimeMs(bytes))
    this.#prepared = { ...swap, order: known.id, attempt }
  }

  /** What the switch is to try beside the release; null: nothing. */
  swapFor({ order, attempt }: SwitchTarget): Swap | null {
    return this.#isPrepared(order, attempt) ? this.#prepared : null
  }

  async #kept(order: string, { dataVersion: readBy, back: { held } }: Due, signal: AbortSignal): Promise<Prepared> {
    const { name, dataVersion } = held
    const id = snapshotId(name, dataVersion, dataVersion, 'swap')
    const swap = { kind: 'keep', id, source: null, to: { name, dataVersion, readBy }, identity: false } as const
    return { swap, bytes: await this.#measured(order, this.#o.paths.data, signal) }
  }

  async #restored(order: string, { back: { held, snapshot } }: Due, signal: AbortSignal): Promise<Prepared> {
    const { paths, self, reserveBytes } = this.#o
    const { name, dataVersion } = held
    if (snapshot === null)
      throw new ShoalError('NO_SNAPSHOT', `the data has version ${dataVersion}, and no older data of ${name} lies here`)
    const into = snapshotId(name, dataVersion, snapshot.dataVersion, 'swap')
    const job = { t: 'stage', home: paths.home, id: snapshot.id, into, self, reserveBytes: reserveBytes() } as const
    const bytes = await this.#measured(order, snapshot.dir, signal)
    try {
      const ms = (this.#o.leastCopyMs ?? leastCopyMs) + copyTimeMs(bytes)
      await this.#within({ ms, order, what: 'the copy of the data did not end', signal, endMs }, over => runAside<'stage'>(job, over))
    } catch (error) {
      await this.#drop(into)
      throw error
    }
    const to = { name, dataVersion: snapshot.dataVersion }
    return { swap: { kind: 'restore', id: into, source: snapshot.id, to, identity: false }, bytes }
  }

  #measured(order: string, dir: string, signal: AbortSignal): Promise<number> {
    // A walk cannot be told to stop: nobody waits for it any more.
    return this.#within({ ms: measureMs, order, what: 'the size of the data was not known', signal, endMs: 0 }, () => treeBytes(dir))
  }

  /** What cannot be removed the next start of an app removes. */
  async #drop(id: string): Promise<void> {
    await dropStaged(this.#o.paths, id).catch((error: unknown) => this.#o.log('copy not removed', { id, error: messageOf(error) }))
  }

  /** Work with an end: a disk that hangs must not hold the order for ever. */
  async #within<T>({ ms, order, what, signal, endMs }: Bounds, work: (over: AbortSignal) => Promise<T>): Promise<T> {
    const limits = new AbortController()
    const timer = setTimeout(() => limits.abort(new ShoalError('INTERNAL', `${what} in ${ms} ms`)), ms)
    const over = AbortSignal.any([signal, limits.signal])
    const own = { order, limits }
    this.#copying = own
    try {
      return await Promise.race([work(over), pastAbort(over, endMs)])
    } finally {
      clearTimeout(timer)
      // Another order may have begun, while the end of this one was waited for.
      if (this.#copying === own) this.#copying = null
    }
  }

  #isPrepared(order: string, attempt: number): boolean {
    return this.#prepared?.order === order && this.#prepared.attempt === attempt
  }

  #due({ order, release }: KnownOrder): Due | null {
    const digest = release?.kind === 'app' ? digestFor(release, thisPlatform()) : null
    if (order.data === null || release === null || digest === null) return null
    const back = wayBackTo(this.#o.paths, release)
    return back === null ? null : { how: order.data, digest, dataVersion: release.dataVersion, back }
  }
}

interface Bounds {
  readonly ms: number
  readonly order: string
  /** What is said when it was too long. */
  readonly what: string
  readonly signal: AbortSignal
  /** ms that it has to end, once it is told to. */
  readonly endMs: number
}

/** Rejects so long after the signal. */
const pastAbort = (signal: AbortSignal, ms: number): Promise<never> =>
  new Promise((_, reject) => {
    const later = (): void => void setTimeout(() => reject(signal.reason as Error), ms).unref()
    if (signal.aborted) later()
    else signal.addEventListener('abort', later, { once: true })
  })

interface Prepared {
  readonly swap: Omit<Swap, 'order' | 'attempt'>
  readonly bytes: number
}
