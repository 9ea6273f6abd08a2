/**
 * Facts on their way out of one link. What a peer pulls waits in queues by rank, keyed by register: bounded by the size of the
 * replica, never by time, and the newest version goes. Chunks of 64 KiB with credit, so that an order never waits behind much.
 */
import type { Registers } from '../../facts/index.ts'
import { type Fact, factKey } from '../../model/index.ts'
import type { Context } from './events.ts'
import { bytesOfFact } from './frames.ts'
import { rankOf } from './kinds.ts'
import { bulkCredit, chunkBytes } from './limits.ts'
import type { Link } from './link.ts'

/** Splits into lists of about a chunk each; one that is larger goes alone. */
export function chunksOf<T>(items: readonly T[], bytesOf: (item: T) => number): readonly (readonly T[])[] {
  const chunks: T[][] = []
  let chunk: T[] = []
  let bytes = 0
  for (const item of items) {
    const size = bytesOf(item)
    if (chunk.length > 0 && bytes + size > chunkBytes) {
      chunks.push(chunk)
      chunk = []
      bytes = 0
    }
    chunk.push(item)
    bytes += size
  }
  if (chunk.length > 0) chunks.push(chunk)
  return chunks
}

export class Outbox {
  readonly #ctx: Context
  readonly #registers: Registers

  constructor(ctx: Context) {
    this.#ctx = ctx
    this.#registers = ctx.options.registers
  }

  /** Sends facts now, before all that waits. */
  push(link: Link, facts: readonly Fact[]): void {
    for (const chunk of chunksOf(facts, bytesOfFact))
      this.#ctx.out.push({ t: 'send', link: link.id, frame: { t: 'facts', facts: chunk, bulk: false } })
  }

  /** The peer pulls these; what is not held is not answered. */
  serve(link: Link, ids: readonly string[]): void {
    for (const id of ids) {
      const fact = this.#registers.byId(id)
      if (fact !== undefined) link.queues[rankOf(fact.kind)]?.add(factKey(fact))
    }
    this.pump(link)
  }

  acked(link: Link): void {
    link.credit = Math.min(bulkCredit, link.credit + 1)
    this.pump(link)
  }

  pump(link: Link): void {
    while (link.credit > 0 && !link.pressed) {
      const facts = this.#nextChunk(link)
      if (facts.length === 0) return
      link.credit--
      this.#ctx.out.push({ t: 'send', link: link.id, frame: { t: 'facts', facts, bulk: true } })
    }
  }

  #nextChunk(link: Link): readonly Fact[] {
    const chunk: Fact[] = []
    let bytes = 0
    for (const queue of link.queues) {
      for (const key of queue) {
        const fact = this.#registers.get(key)
        const size = fact === undefined ? 0 : bytesOfFact(fact)
        if (chunk.length > 0 && bytes + size > chunkBytes) return chunk
        queue.delete(key)
        if (fact === undefined) continue
        chunk.push(fact)
        bytes += size
      }
    }
    return chunk.sort((a, b) => rankOf(a.kind) - rankOf(b.kind) || a.epoch - b.epoch || a.version - b.version)
  }
}
