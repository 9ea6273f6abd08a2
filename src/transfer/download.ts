/** Runs core/transfer.ts: sends its requests, writes what comes into the part, tells it what happened. It decides nothing. */
import { asInteger, assertNever, type Digest, Fields, type NodeId, parseJson, ShoalError } from '../model/index.ts'
import type { PartFile } from '../packages/index.ts'
import { Intake } from './core/intake.ts'
import { formatRuns, parseJsonRuns, type Run } from './core/runs.ts'
import { Transfer, type TransferEffect, type TransferEvent } from './core/transfer.ts'
import { tickMs } from './limits.ts'
import { type Answer, type ByteRange, type PeerRequest, readAll, retryAfterMs, withAnswer } from './peer-request.ts'
import type { Tally } from './tally.ts'

export interface DownloadOptions {
  readonly ref: { readonly digest: Digest }
  readonly part: PartFile
  readonly peers: () => readonly NodeId[]
  readonly request: PeerRequest
  readonly rng: () => number
  readonly signal: AbortSignal
  readonly tally: Tally
  readonly unavailableAfterMs: number
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
}

/** One transfer; `get` may be called again when it has returned. Disposing ends all requests and waits for them. */
export class Download implements AsyncDisposable {
  readonly #options: DownloadOptions
  readonly #core: Transfer
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  readonly #tasks = new Set<Promise<void>>()
  readonly #lengths: readonly number[]
  #done: number
  #waiting: { readonly resolve: () => void; readonly reject: (reason: Error) => void } | null = null
  #failure: Error | null = null

  constructor(options: DownloadOptions) {
    this.#options = options
    const { part, rng } = options
    this.#lengths = part.blockmap.segments.map(([, length]) => length)
    this.#done = this.#lengths.reduce((sum, length, n) => sum + (part.isVerified(n) ? length : 0), 0)
    this.#signal = AbortSignal.any([options.signal, this.#over.signal])
    this.#core = new Transfer({
      lengths: this.#lengths,
      rng,
      unavailableAfterMs: options.unavailableAfterMs,
      startedAtMs: performance.now(),
    })
  }

  /** Returns when all of these are in the part. @throws ShoalError PACKAGE_UNAVAILABLE, DISK_FULL; the signal's reason */
  async get(segments: readonly number[]): Promise<void> {
    this.#signal.throwIfAborted()
    if (segments.length === 0) return
    const arrived = new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    const abort = (): void => this.#fail(this.#signal.reason)
    this.#signal.addEventListener('abort', abort)
    const timer = setInterval(() => this.#lookAtPeers(), tickMs)
    try {
      this.#tell({ t: 'want', segments })
      this.#lookAtPeers()
      await arrived
    } finally {
      clearInterval(timer)
      this.#signal.removeEventListener('abort', abort)
      this.#waiting = null
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort()
    await Promise.all(this.#tasks)
  }

  #lookAtPeers(): void {
    const { peers, tally } = this.#options
    this.#tell({ t: 'peers', ids: peers().filter(id => !tally.liars.has(id)) })
  }

  #tell(event: TransferEvent): void {
    if (this.#failure !== null) return
    for (const effect of this.#core.step(event, performance.now())) this.#run(effect)
  }

  #run(effect: TransferEffect): void {
    switch (effect.t) {
      case 'ask':
        this.#start(this.#ask(effect.peer))
        break
      case 'fetch':
        this.#start(this.#fetch(effect.peer, effect.runs))
        break
      case 'liar':
        this.#options.tally.liar(effect.peer)
        break
      case 'done':
        this.#waiting?.resolve()
        break
      case 'unavailable':
        this.#fail(this.#unavailable())
        break
      default:
        assertNever(effect)
    }
  }

  #unavailable(): ShoalError {
    const { ref, peers } = this.#options
    return new ShoalError(
      'PACKAGE_UNAVAILABLE',
      `package ${ref.digest}: ${this.#done} bytes are here, none of ${peers().length} peers gives the rest`,
    )
  }

  #start(task: Promise<void>): void {
    const held = task.catch((error: unknown) => this.#fail(error)).finally(() => this.#tasks.delete(held))
    this.#tasks.add(held)
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
    this.#waiting?.reject(this.#failure)
  }

  async #ask(peer: NodeId): Promise<void> {
    let runs: readonly Run[] | null = null
    try {
      runs = await this.#send(peer, '/have', null, async ({ status, chunks }) => {
        const bytes = await readAll(chunks)
        this.#options.tally.fetched += bytes.length
        return status === 200 ? this.#parseHave(bytes.toString('utf8')) : null
      })
    } catch {
      // Whatever went wrong with it, it has nothing for us now and is asked again later.
      if (this.#signal.aborted) return
    }
    this.#tell({ t: 'have', peer, runs })
  }

  #parseHave(text: string): readonly Run[] {
    const f = new Fields(parseJson(text, 'have'), 'have')
    const count = this.#lengths.length
    f.get('segments', (v, w) => asInteger(v, w, count, count))
    return parseJsonRuns(f.raw('have'), count)
  }

  async #fetch(peer: NodeId, runs: readonly Run[]): Promise<void> {
    const only = runs.length === 1 ? runs[0] : undefined
    const path = only === undefined ? `/segments?list=${formatRuns(runs)}` : ''
    let event: TransferEvent
    try {
      event = await this.#send(peer, path, only === undefined ? null : this.#bytesOf(only), answer => this.#receive(peer, runs, answer))
    } catch (error) {
      if (this.#signal.aborted) return
      if (error instanceof ShoalError && error.code === 'DISK_FULL') throw error
      event = { t: 'ended', peer, how: 'failed' }
    }
    this.#tell(event)
  }

  async #receive(peer: NodeId, runs: readonly Run[], { status, headers, chunks }: Answer): Promise<TransferEvent> {
    if (status === 503) return { t: 'busy', peer, retryAfterMs: retryAfterMs(headers) }
    if (status === 404 || status === 416) return { t: 'ended', peer, how: 'gone' }
    if (status !== (runs.length === 1 ? 206 : 200)) return { t: 'ended', peer, how: 'failed' }
    const intake = new Intake(runs, segment => this.#lengths[segment] ?? 0)
    for await (const chunk of chunks) {
      this.#options.tally.fetched += chunk.length
      for (const { first, count, bytes } of intake.take(chunk)) {
        const right = await this.#options.part.write(first, bytes)
        this.#arrived(peer, first, right)
        if (right < count) return { t: 'lie', peer }
      }
      if (intake.isDone) return { t: 'ended', peer, how: 'done' }
    }
    return { t: 'ended', peer, how: 'failed' }
  }

  #arrived(peer: NodeId, first: number, count: number): void {
    const { tally, onProgress } = this.#options
    if (count > 0) tally.sources.add(peer)
    for (let segment = first; segment < first + count; segment++) {
      this.#done += this.#lengths[segment] ?? 0
      this.#tell({ t: 'segment', peer, segment })
    }
    onProgress?.({ done: this.#done, total: this.#options.part.blockmap.size })
  }

  #bytesOf([first, last]: Run): ByteRange {
    const { segments } = this.#options.part.blockmap
    const end = segments[last]
    return { first: segments[first]?.[0] ?? 0, last: end === undefined ? 0 : end[0] + end[1] - 1 }
  }

  #send<T>(peer: NodeId, path: string, range: ByteRange | null, use: (answer: Answer) => Promise<T>): Promise<T> {
    const { ref, request } = this.#options
    return withAnswer(signal => request(peer, `packages/${ref.digest}${path}`, range, signal), this.#signal, use)
  }
}
