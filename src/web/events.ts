/**
 * Server-sent events: what changed in what the API shows, told at most four times a second. `id` is the number of the last change in it; a client
 * that comes back with `Last-Event-ID` gets what it missed, or `reset` if that is no longer kept (after a switch too): then it reads anew.
 */
import { PassThrough } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Context } from 'koa'
import { ShoalError } from '../model/index.ts'
import type { Caller } from './callers.ts'
import { Deltas, type ServerEvent } from './deltas.ts'
import type { Change } from './event-log.ts'
import type { WebServices } from './services.ts'
import type { Sessions } from './sessions/index.ts'
import type { Views } from './views.ts'

/** ms between two tellings; what changes meanwhile is told together. */
const gatherMs = 250
/** ms for which the first change after a rest waits for those that come with it: what a person did is seen at once. */
const firstMs = 25
/** ms between comments that keep idle connections alive; then it is also asked whether the session still is. */
const keepAliveMs = 15_000
/** ms after which a client comes back when the stream ends. */
const retryMs = 500
/** Bytes that wait for a client that does not read; then its stream ends, and it comes back when it can. */
const maxWaitingBytes = 1 << 20
/** Streams at once: of one session, and of all. One browser needs one, whatever its tabs. */
const maxPerSession = 12
const maxStreams = 250

const textOf = (events: readonly ServerEvent[], id: number): string =>
  // Only the last one has the id: who is cut off in the middle gets all of them again.
  `${events.map(e => `event: ${e.event}\ndata: ${JSON.stringify(e.data)}\n`).join('\n')}id: ${id}\n\n`

export class EventStreams {
  readonly #s: WebServices
  readonly #sessions: Sessions
  readonly #deltas: Deltas
  readonly #streams = new Map<PassThrough, string>()
  #gathered: Change[] = []
  #timer: NodeJS.Timeout | null = null
  #isFollowing = false
  #toldAt = -gatherMs

  constructor(services: WebServices, views: Views, sessions: Sessions) {
    this.#s = services
    this.#sessions = sessions
    this.#deltas = new Deltas(services, views)
  }

  get count(): number {
    return this.#streams.size
  }

  /** @throws ShoalError BUSY */
  open(ctx: Context, caller: Caller): PassThrough {
    const who = caller.kind === 'session' ? caller.session.hash : ''
    const own = [...this.#streams.values()].filter(other => other === who).length
    if (this.#streams.size >= maxStreams || (who !== '' && own >= maxPerSession))
      throw new ShoalError('BUSY', `${who === '' ? this.#streams.size : own} event streams are open`)
    this.#follow()
    const out = new PassThrough()
    ctx.type = 'text/event-stream'
    this.#begin(out, ctx.get('last-event-id'))
    // By way of the parked worker, which ends soon and would cut the stream: it ends well, and comes again to the port itself.
    if (!(ctx.req.socket instanceof TLSSocket)) return out.end()
    this.#streams.set(out, who)
    const beat = setInterval(() => this.#beat(out, caller), keepAliveMs)
    const end = this.#s.onStreamsEnd(() => out.end())
    out.on('close', () => {
      clearInterval(beat)
      this.#streams.delete(out)
      end()
    })
    ctx.res.on('close', () => out.destroy())
    return out
  }

  /** From the first stream on, for as long as the node is this worker's. */
  #follow(): void {
    if (this.#isFollowing) return
    this.#isFollowing = true
    this.#s.events.listen(change => {
      if (this.#streams.size === 0) return
      this.#gathered.push(change)
      this.#timer ??= setTimeout(() => this.#tell(), Math.max(firstMs, this.#toldAt + gatherMs - performance.now()))
    })
  }

  #begin(out: PassThrough, lastId: string): void {
    const { events } = this.#s
    // What the others are about to be told, they are told now: nobody hears of it twice.
    this.#tell()
    const missed = lastId === '' ? [] : events.since(Number(lastId))
    // The id stands without an event too: who comes back before the first one misses nothing, and is told `reset` once.
    if (missed === null) out.write(`id: ${events.last}\nevent: reset\ndata: {}\n\n`)
    out.write(`retry: ${retryMs}\n${missed?.length === 0 ? `id: ${events.last}\n` : ''}\n`)
    if (missed !== null && missed.length > 0) out.write(textOf(this.#deltas.of(missed, true), events.last))
  }

  #tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const changes = this.#gathered
    this.#gathered = []
    if (changes.length === 0 || this.#streams.size === 0) return
    this.#toldAt = performance.now()
    const events = this.#deltas.of(changes, false)
    if (events.length === 0) return
    const text = textOf(events, changes.at(-1)?.id ?? this.#s.events.last)
    for (const out of this.#streams.keys()) {
      if (out.writableLength + out.readableLength > maxWaitingBytes) out.destroy()
      else if (!out.writableEnded) out.write(text)
    }
  }

  #beat(out: PassThrough, caller: Caller): void {
    if (caller.kind === 'session' && this.#sessions.find(caller.secret) === null) out.end()
    else if (!out.writableEnded) out.write(': alive\n\n')
  }
}
