/**
 * Comparing replicas: root, 256 bucket sums, the entries of buckets that differ. It repairs all that was missed, whatever the reason:
 * a late join, a restart, a healed partition and a lost announcement are this one path. What is found is pulled, so that of many
 * links that offer the same only one is asked.
 */
import { bucketCount, type Entry, type Registers } from '../../facts/index.ts'
import type { Context } from './events.ts'
import { bytesOfEntries, type Frame } from './frames.ts'
import { digestEveryMs, digestGridMs, exchangeTimeoutMs, kickAfterMs, laterMaxMs, laterMinMs, maxExchanges } from './limits.ts'
import type { Link } from './link.ts'
import type { Links } from './links.ts'
import { chunksOf } from './outbox.ts'
import type { Spread } from './spread.ts'
import { onGrid, Timer } from './timer.ts'

export class Repair {
  readonly timer: Timer
  readonly #ctx: Context
  readonly #registers: Registers
  readonly #links: Links
  readonly #spread: () => Spread
  readonly #onSynced: (link: Link) => void

  constructor(ctx: Context, links: Links, spread: () => Spread, onSynced: (link: Link) => void) {
    this.#ctx = ctx
    this.timer = new Timer(ctx.wakeBy)
    this.#registers = ctx.options.registers
    this.#links = links
    this.#spread = spread
    this.#onSynced = onSynced
  }

  /** The side that dialled compares at once, the other by its clock. */
  up(link: Link): void {
    if (link.dialled) this.begin(link)
    else this.#schedule(link)
  }

  /** Starts a comparison, or soon, if one is open. */
  begin(link: Link): void {
    const open = this.#links.up().filter(l => l.exchange !== 'idle').length
    if (link.exchange !== 'idle' || open >= maxExchanges) {
      this.#later(link)
      return
    }
    link.exchange = 'root'
    this.#touch(link)
    link.waited = false
    this.#send(link, { t: 'root', root: this.#registers.root() })
    this.#schedule(link)
  }

  /** Trust grew: facts that waited for their writer may be good now. */
  trustGrew(): void {
    for (const link of this.#links.up()) {
      if (!link.waited) continue
      link.digestAt = Math.min(link.digestAt, this.#ctx.now + kickAfterMs * (1 + this.#ctx.rng()))
      this.timer.by(link.digestAt)
    }
  }

  onRoot(link: Link, root: string): void {
    if (link.exchange === 'root' && this.#ctx.options.node > link.peer) return // both asked at once: ours is answered
    if (link.exchange === 'root') link.exchange = 'idle'
    this.#schedule(link)
    if (root === this.#registers.root()) {
      this.#send(link, { t: 'same' })
      this.#compared(link)
    } else if (this.#serving(link) >= maxExchanges) {
      this.#send(link, { t: 'later' })
    } else {
      link.servingSince = this.#ctx.now
      this.#send(link, { t: 'buckets', sums: this.#registers.bucketSums() })
    }
  }

  onSame(link: Link): void {
    if (link.exchange !== 'root') return
    link.exchange = 'idle'
    this.#compared(link)
  }

  onLater(link: Link): void {
    if (link.exchange !== 'root') return
    link.exchange = 'idle'
    this.#later(link)
  }

  onBuckets(link: Link, sums: Uint32Array): void {
    if (link.exchange !== 'root') return
    const own = this.#registers.bucketSums()
    const differing: number[] = []
    for (let n = 0; n < bucketCount; n++) if (own[n * 2] !== sums[n * 2] || own[n * 2 + 1] !== sums[n * 2 + 1]) differing.push(n)
    link.lists = this.#listsOf(differing)
    link.exchange = 'lists'
    this.#nextList(link)
  }

  onList(link: Link, buckets: readonly number[], entries: readonly Entry[], last: boolean): void {
    const theirs = new Map(entries.map(entry => [entry.id, entry]))
    const better: Entry[] = []
    for (const bucket of new Set(buckets)) {
      for (const mine of this.#registers.entriesOf(bucket)) {
        if (this.#registers.mayTell(mine, theirs.get(mine.id))) better.push(mine)
      }
    }
    const chunks = chunksOf(better, () => bytesOfEntries(1))
    const final = chunks.at(-1) ?? []
    for (const chunk of chunks.slice(0, -1)) this.#send(link, { t: 'have', entries: chunk, re: false, done: false })
    this.#send(link, { t: 'have', entries: final, re: true, done: last })
    this.#spread().heard(link, entries)
    link.servingSince = last ? null : this.#ctx.now
    if (last) this.#compared(link)
  }

  /** The answer to our last list has been heard. */
  onListAnswered(link: Link): void {
    if (link.exchange !== 'lists') return
    this.#touch(link)
    this.#nextList(link)
  }

  /** No pull from this peer is open any more. */
  settled(link: Link): void {
    if (!link.compared || link.asked > 0 || link.synced) return
    link.synced = true
    this.#onSynced(link)
  }

  tick(): void {
    const { now } = this.#ctx
    for (const link of this.#links.up()) {
      if (link.exchange !== 'idle' && now - link.exchangeAt >= exchangeTimeoutMs) link.exchange = 'idle'
      if (link.exchange !== 'idle') this.timer.by(link.exchangeAt + exchangeTimeoutMs)
      if (now >= link.digestAt) this.begin(link)
      this.timer.by(link.digestAt)
    }
  }

  #nextList(link: Link): void {
    const next = link.lists.shift()
    if (next !== undefined) {
      this.#send(link, next)
      return
    }
    link.exchange = 'idle'
    this.#compared(link)
  }

  /** At least one: the other side waits for the last. */
  #listsOf(buckets: readonly number[]): Frame[] {
    const filled = buckets.map(bucket => ({ bucket, entries: this.#registers.entriesOf(bucket) }))
    const chunks = filled.length === 0 ? [[]] : chunksOf(filled, each => bytesOfEntries(each.entries.length) + 4)
    return chunks.map((chunk, at) => ({
      t: 'list',
      buckets: chunk.map(each => each.bucket),
      entries: chunk.flatMap(each => each.entries),
      last: at === chunks.length - 1,
    }))
  }

  #compared(link: Link): void {
    link.compared = true
    this.settled(link)
  }

  #serving(except: Link): number {
    const since = this.#ctx.now - exchangeTimeoutMs
    return this.#links.up().filter(l => l !== except && l.servingSince !== null && l.servingSince > since).length
  }

  #schedule(link: Link): void {
    link.digestAt = onGrid(this.#ctx.now + digestEveryMs * (0.5 + this.#ctx.rng()), digestGridMs)
    this.timer.by(link.digestAt)
  }

  #later(link: Link): void {
    link.digestAt = this.#ctx.now + laterMinMs + this.#ctx.rng() * (laterMaxMs - laterMinMs)
    this.timer.by(link.digestAt)
  }

  #touch(link: Link): void {
    link.exchangeAt = this.#ctx.now
    this.timer.by(this.#ctx.now + exchangeTimeoutMs)
  }

  #send(link: Link, frame: Frame): void {
    this.#ctx.out.push({ t: 'send', link: link.id, frame })
  }
}
