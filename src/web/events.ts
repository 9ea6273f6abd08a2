/**
 * Server-sent events: one event per change of what the API shows. `id` is the number of the change on this node; a client that comes back with
 * `Last-Event-ID` gets what it missed, or `reset` if that is no longer kept.
 */
import { PassThrough } from 'node:stream'
import type { Context } from 'koa'
import type { WebServices } from './services.ts'

interface FleetEvent {
  readonly id: number
  readonly kind: string
  readonly owner: string
  readonly name: string
}

const kept = 1000
/** ms between comments that keep idle connections alive. */
const keepAliveMs = 15_000
/** ms after which a client comes back when the stream ends. */
const retryMs = 500
/** Bytes that wait for a client that does not read; then its stream ends, and it comes back when it can. */
const maxWaitingBytes = 1 << 20

/** What happened lately, for streams that begin or come back. */
export class EventLog {
  readonly #events: FleetEvent[] = []
  readonly #listeners = new Set<(event: FleetEvent) => void>()
  #last: number

  /** @param first above every id of an earlier life of the node */
  constructor(first: number) {
    this.#last = first
  }

  add(kind: string, owner: string, name: string): void {
    const event = { id: ++this.#last, kind, owner, name }
    this.#events.push(event)
    if (this.#events.length > kept) this.#events.shift()
    for (const tell of this.#listeners) tell(event)
  }

  /** The id of the newest event. */
  get last(): number {
    return this.#last
  }

  /** null: too old, or never given; begin anew. */
  since(id: number): readonly FleetEvent[] | null {
    const oldest = this.#events[0]?.id ?? this.#last + 1
    return !Number.isSafeInteger(id) || id + 1 < oldest || id > this.#last ? null : this.#events.filter(e => e.id > id)
  }

  listen(tell: (event: FleetEvent) => void): () => void {
    this.#listeners.add(tell)
    return () => this.#listeners.delete(tell)
  }
}

/** A fact's kind is its writer's text: what is no plain word could end the line and begin another. */
const wordOf = (kind: string): string => (/^[\w-]+$/.test(kind) ? kind : 'fact')

const line = (e: FleetEvent): string =>
  `id: ${e.id}\nevent: ${wordOf(e.kind)}\ndata: ${JSON.stringify({ owner: e.owner, name: e.name })}\n\n`

export function streamEvents(ctx: Context, s: WebServices): PassThrough {
  const out = new PassThrough()
  ctx.type = 'text/event-stream'
  ctx.set('Cache-Control', 'no-store')
  const last = ctx.get('last-event-id')
  const missed = last === '' ? [] : s.events.since(Number(last))
  // The id stands without an event too: who comes back before the first one misses nothing, and is told `reset` once.
  if (missed === null) out.write(`id: ${s.events.last}\nevent: reset\ndata: {}\n\n`)
  out.write(`retry: ${retryMs}\n${missed?.length === 0 ? `id: ${s.events.last}\n` : ''}\n`)
  for (const event of missed ?? []) out.write(line(event))
  const stop = s.events.listen(event => {
    if (out.writableLength + out.readableLength > maxWaitingBytes) out.destroy()
    else if (!out.writableEnded) out.write(line(event))
  })
  const beat = setInterval(() => out.writableEnded || out.write(': alive\n\n'), keepAliveMs)
  const end = s.onStreamsEnd(() => out.end())
  out.on('close', () => {
    clearInterval(beat)
    stop()
    end()
  })
  ctx.res.on('close', () => out.destroy())
  return out
}
