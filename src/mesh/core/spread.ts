/**
 * How a change travels: orders and what facts are judged by are pushed at once; everything else is announced, a few changes together,
 * and pulled once by whoever lacks it. Passed on only if it changed the replica, and never to where it came from.
 */
import { type Entry, isNewerEntry, type Registers } from '../../facts/index.ts'
import { type Fact, factKey } from '../../model/index.ts'
import type { Context } from './events.ts'
import { bytesOfEntries } from './frames.ts'
import type { Intake } from './intake.ts'
import { isUrgent } from './kinds.ts'
import {
  announceMaxMs,
  announceMinMs,
  maxAnnounced,
  maxOtherSources,
  maxWanted,
  pullStallMs,
  pullSweepMs,
  relayAllBelow,
  relayTo,
} from './limits.ts'
import type { Link } from './link.ts'
import type { Links } from './links.ts'
import { chunksOf, type Outbox } from './outbox.ts'
import { Timer } from './timer.ts'

/** One fact that this node pulls. */
interface Pull {
  readonly entry: Entry
  readonly at: number
  link: Link
  others: Link[]
}

export interface SpreadParts {
  readonly links: Links
  readonly outbox: Outbox
  readonly intake: Intake
  /** Too much to announce: compare roots instead. */
  readonly compare: (link: Link) => void
  /** A pull from this peer has ended. */
  readonly settled: (link: Link) => void
}

export class Spread {
  readonly timer: Timer
  readonly #ctx: Context
  readonly #registers: Registers
  readonly #parts: SpreadParts
  readonly #pulls = new Map<string, Pull>()
  #announceAt = Number.POSITIVE_INFINITY
  #sweepAt = Number.POSITIVE_INFINITY

  constructor(ctx: Context, parts: SpreadParts) {
    this.#ctx = ctx
    this.timer = new Timer(ctx.wakeBy)
    this.#registers = ctx.options.registers
    this.#parts = parts
  }

  /** Passes on what changed the replica. `from`: null for this node's own. */
  relay(facts: readonly Fact[], from: Link | null): void {
    if (facts.length === 0) return
    const all = this.#parts.links.up().filter(link => link !== from)
    const near = from === null || all.length <= relayAllBelow ? all : this.#sample(all, relayTo)
    const urgent = facts.filter(f => isUrgent(f.kind))
    if (urgent.length > 0) for (const link of near) this.#parts.outbox.push(link, urgent)
    if (urgent.length > 0 && near !== all)
      this.#announce(
        urgent,
        all.filter(link => !near.includes(link)),
      )
    if (urgent.length < facts.length)
      this.#announce(
        facts.filter(f => !isUrgent(f.kind)),
        near,
      )
  }

  /** What a peer holds: pull what is missing here. */
  heard(link: Link, entries: readonly Entry[]): void {
    const ids: string[] = []
    for (const entry of entries) {
      if (this.#registers.lacks(entry)) {
        if (!this.#parts.intake.isRefused(entry.id, entry.h) && this.#isAsked(link, entry)) ids.push(entry.id)
      } else {
        this.#peerHas(link, entry)
      }
    }
    this.#ask(link, ids)
  }

  /** Facts of a peer have been taken in, whatever came of them. */
  received(link: Link, facts: readonly Fact[]): void {
    link.lastFactsAt = this.#ctx.now
    for (const fact of facts) {
      if (link.pending.size > 0) link.pending.delete(factKey(fact))
      if (this.#pulls.size > 0) this.#settle(this.#registers.idOf(fact), fact)
    }
  }

  /** The link is gone: its pulls go to others. */
  gone(link: Link): void {
    if (link.asked > 0) this.#sweep(link)
  }

  tick(): void {
    const { now } = this.#ctx
    if (now >= this.#announceAt) this.#flush()
    if (now >= this.#sweepAt) this.#sweep(null)
    this.timer.by(Math.min(this.#announceAt, this.#sweepAt))
  }

  #announce(facts: readonly Fact[], links: readonly Link[]): void {
    for (const link of links) for (const fact of facts) link.pending.add(factKey(fact))
    if (links.length === 0 || this.#announceAt !== Number.POSITIVE_INFINITY) return
    this.#announceAt = this.#ctx.now + announceMinMs + this.#ctx.rng() * (announceMaxMs - announceMinMs)
    this.timer.by(this.#announceAt)
  }

  #flush(): void {
    this.#announceAt = Number.POSITIVE_INFINITY
    for (const link of this.#parts.links.up()) {
      if (link.pending.size === 0) continue
      if (link.pending.size > maxAnnounced || link.pressed) this.#parts.compare(link)
      else this.#sendHave(link)
      link.pending.clear()
    }
  }

  #sendHave(link: Link): void {
    const entries: Entry[] = []
    for (const key of link.pending) {
      const entry = this.#registers.entryOf(key)
      if (entry !== undefined) entries.push(entry)
    }
    for (const chunk of chunksOf(entries, () => bytesOfEntries(1))) {
      this.#ctx.out.push({ t: 'send', link: link.id, frame: { t: 'have', entries: chunk, re: false, done: false } })
    }
  }

  /** The peer told of something as new as what is held: no need to tell it. */
  #peerHas(link: Link, entry: Entry): void {
    if (link.pending.size === 0) return
    const fact = this.#registers.byId(entry.id)
    const held = fact === undefined ? undefined : this.#registers.entryOf(factKey(fact))
    if (fact !== undefined && held !== undefined && !this.#registers.mayTell(held, entry)) link.pending.delete(factKey(fact))
  }

  /** true: this link is to be asked; false: another is being asked for the same or better. */
  #isAsked(link: Link, entry: Entry): boolean {
    const pull = this.#pulls.get(entry.id)
    if (pull !== undefined && !isNewerEntry(entry, pull.entry)) {
      if (pull.link !== link && pull.others.length < maxOtherSources) pull.others.push(link)
      return false
    }
    if (pull !== undefined) this.#release(pull.link)
    this.#pulls.set(entry.id, { entry, at: this.#ctx.now, link, others: [] })
    return true
  }

  #ask(link: Link, ids: readonly string[]): void {
    if (ids.length === 0) return
    link.asked += ids.length
    for (let at = 0; at < ids.length; at += maxWanted) {
      this.#ctx.out.push({ t: 'send', link: link.id, frame: { t: 'want', ids: ids.slice(at, at + maxWanted) } })
    }
    if (this.#sweepAt !== Number.POSITIVE_INFINITY) return
    this.#sweepAt = this.#ctx.now + pullSweepMs
    this.timer.by(this.#sweepAt)
  }

  #settle(id: string, fact: Fact): void {
    const pull = this.#pulls.get(id)
    if (pull === undefined) return
    const { e, v } = pull.entry
    if (fact.epoch < e || (fact.epoch === e && fact.version < v)) return
    this.#pulls.delete(id)
    this.#release(pull.link)
  }

  #release(link: Link): void {
    link.asked--
    if (link.asked === 0) this.#parts.settled(link)
  }

  /** Pulls of a link that is gone or stands still go to others who said that they have it; the next digest finds what is left. */
  #sweep(gone: Link | null): void {
    const { now } = this.#ctx
    const again = new Map<Link, string[]>()
    for (const [id, pull] of this.#pulls) {
      if (pull.link !== gone && now - Math.max(pull.at, pull.link.lastFactsAt) < pullStallMs) continue
      pull.link.compared = false
      this.#release(pull.link)
      const next = pull.others.shift()
      if (next === undefined || this.#parts.links.to(next.peer) !== next) {
        this.#pulls.delete(id)
        continue
      }
      this.#pulls.set(id, { ...pull, at: now, link: next })
      again.set(next, [...(again.get(next) ?? []), id])
    }
    this.#sweepAt = this.#pulls.size > 0 ? now + pullSweepMs : Number.POSITIVE_INFINITY
    this.timer.by(this.#sweepAt)
    for (const [link, ids] of again) this.#ask(link, ids)
  }

  /** `count` of them, at random. */
  #sample(links: readonly Link[], count: number): readonly Link[] {
    const pool = [...links]
    for (let at = 0; at < count; at++) {
      const other = at + Math.floor(this.#ctx.rng() * (pool.length - at))
      const [a, b] = [pool[at], pool[other]]
      if (a === undefined || b === undefined) break
      pool[at] = b
      pool[other] = a
    }
    return pool.slice(0, count)
  }
}
