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

  /** null: too old, begin anew. */
  since(id: number): readonly FleetEvent[] | null {
    const oldest = this.#events[0]?.id ?? this.#last + 1
    return id + 1 < oldest || id > this.#last ? null : this.#events.filter(e => e.id > id)
  }

  listen(tell: (event: FleetEvent) => void): () => void {
    this.#listeners.add(tell)
    return () => this.#listeners.delete(tell)
  }
}

const line = (e: FleetEvent): string => `id: ${e.id}\nevent: ${e.kind}\ndata: ${JSON.stringify({ owner: e.owner, name: e.name })}\n\n`

export function streamEvents(ctx: Context, s: WebServices): PassThrough {
  const out = new PassThrough()
  ctx.type = 'text/event-stream'
  ctx.set('Cache-Control', 'no-store')
  out.write(`retry: ${retryMs}\n\n`)
  const last = ctx.get('last-event-id')
  const missed = last === '' ? [] : s.events.since(Number(last))
  if (missed === null) out.write('event: reset\ndata: {}\n\n')
  for (const event of missed ?? []) out.write(line(event))
  const stop = s.events.listen(event => out.write(line(event)))
  const beat = setInterval(() => out.write(': alive\n\n'), keepAliveMs)
  const end = s.onStreamsEnd(() => out.end())
  out.on('close', () => {
    clearInterval(beat)
    stop()
    end()
  })
  ctx.res.on('close', () => out.destroy())
  return out
}
