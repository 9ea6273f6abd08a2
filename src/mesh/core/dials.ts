/**
 * Which links to have, and when to dial. Up to 64 members everybody links everybody; beyond, each node keeps its sync peers and some
 * eight random links, one of them swapped every ten minutes. Waiting times have full jitter and are per peer.
 */
import { type NodeId, type PinnedPeer } from '../../model/index.ts'
import type { Context } from './events.ts'
import type { Link } from './link.ts'
import type { Links } from './links.ts'
import {
  backoffBaseMs,
  backoffCapMs,
  backoffCapPinnedMs,
  cheerEveryMs,
  cheerWithinMs,
  closeCodes,
  coolOffMs,
  dialTimeoutMs,
  fullMeshMembers,
  hardMaxDegree,
  lesserJitterMs,
  lesserWaitsMs,
  maxDialsAtOnce,
  maxLostPeers,
  pruneEveryMs,
  quickForMs,
  quickRetryCapMs,
  quickRetryMs,
  softMaxDegree,
  stableAfterMs,
  swapEveryMs,
  targetDegree,
} from './limits.ts'
import { Timer } from './timer.ts'

/** One peer that this node wants a link to, or leaves alone for a while. */
interface Dial {
  readonly peer: NodeId
  failures: number
  quickUntil: number
  quickFailures: number
  notBefore: number
  /** When the dial under way began; null: none is. */
  startedAt: number | null
  addressAt: number
  /** Why an unpinned peer of a sparse mesh is wanted: chosen to fill up, lost by a broken link, as the new end of a swap; or it is not. */
  why: 'chosen' | 'lost' | 'swap' | 'cooling'
}

/** The peer is fine but does not want this link now. */
const coolCodes: ReadonlySet<number> = new Set([
  closeCodes.full,
  closeCodes.swapped,
  closeCodes.cloned,
  closeCodes.dropped,
  closeCodes.self,
])
/** The peer, or we, see no way to talk: a long wait. Not for ever, since the peer may be about to learn that we are a member. */
const hopelessCodes: ReadonlySet<number> = new Set([closeCodes.notMember, closeCodes.identity, closeCodes.version])
const hopelessFailures = 5

export class Dials {
  readonly timer: Timer
  readonly #ctx: Context
  readonly #links: () => Links
  readonly #dials = new Map<NodeId, Dial>()
  #pinned: ReadonlyMap<NodeId, string>
  #cheeredAt = Number.NEGATIVE_INFINITY
  #swap: { readonly from: NodeId; readonly to: NodeId } | null = null
  #swapAt = Number.POSITIVE_INFINITY
  #pruneAt = 0
  #isStarted = false
  /** Members, sync peers or dials have changed since `#want`. */
  #isWantStale = true

  constructor(ctx: Context, links: () => Links) {
    this.#ctx = ctx
    this.timer = new Timer(ctx.wakeBy)
    this.#links = links
    this.#pinned = new Map((ctx.options.pinned ?? []).map(p => [p.id, p.address]))
  }

  start(): void {
    this.#isStarted = true
    this.#isWantStale = true
    this.#dials.clear()
    this.#swap = null
    this.#swapAt = this.#ctx.now + swapEveryMs * (0.5 + this.#ctx.rng())
  }

  stop(): void {
    this.#isStarted = false
    this.#dials.clear()
  }

  /** Members or their addresses may be others now. */
  membersChanged(): void {
    this.#isWantStale = true
  }

  setPinned(peers: readonly PinnedPeer[]): void {
    this.#isWantStale = true
    this.#pinned = new Map(peers.map(p => [p.id, p.address]))
    for (const { id } of peers) this.#dials.delete(id)
  }

  isPinned = (peer: NodeId): boolean => this.#pinned.has(peer)

  /** Close code for a link that there is no room for; null: welcome. */
  refusal(peer: NodeId, dialled: boolean): number | null {
    if (!this.#isStarted) return closeCodes.restart
    if (!this.#ctx.options.isMember(peer)) return closeCodes.notMember
    const isRoom = dialled || this.#isFull() || this.isPinned(peer) || this.#unpinnedUp().length < hardMaxDegree
    return isRoom ? null : closeCodes.full
  }

  up(link: Link): void {
    const dial = this.#dialOf(link.peer, 'chosen')
    dial.startedAt = null
    dial.quickUntil = 0
    dial.why = 'chosen'
    if (dial.failures >= 2) this.#cheer()
  }

  down(link: Link, code: number): void {
    const dial = this.#dialOf(link.peer, 'chosen')
    const now = this.#ctx.now
    if (now - link.upAt >= stableAfterMs) dial.failures = 0
    if (coolCodes.has(code)) {
      dial.why = 'cooling'
      dial.notBefore = now + coolOffMs * (1 + this.#ctx.rng())
      return
    }
    if (hopelessCodes.has(code)) dial.failures = Math.max(dial.failures, hopelessFailures)
    if (code === closeCodes.restart) Object.assign(dial, { quickUntil: now + quickForMs, quickFailures: 0 })
    dial.why = 'lost'
    this.#backOff(dial)
    this.#limitLost()
  }

  /** A dial came to nothing, or its connection ended before the hellos. */
  failed(peer: NodeId, code = 0): void {
    const dial = this.#dials.get(peer)
    if (dial === undefined || dial.startedAt === null) return
    dial.startedAt = null
    dial.addressAt++
    if (this.#swap?.to === peer) this.#swap = null
    if (this.#isSparse() && (dial.why === 'chosen' || dial.why === 'swap') && !this.isPinned(peer)) dial.why = 'cooling'
    if (hopelessCodes.has(code)) dial.failures = Math.max(dial.failures, hopelessFailures)
    if (coolCodes.has(code)) dial.notBefore = this.#ctx.now + coolOffMs * (1 + this.#ctx.rng())
    else this.#backOff(dial)
  }

  /** Everything of the peer is here: the link that it replaces may go. */
  synced(peer: NodeId): void {
    if (this.#swap?.to !== peer) return
    const old = this.#links().to(this.#swap.from)
    this.#swap = null
    if (old !== undefined) this.#links().close(old, closeCodes.swapped)
  }

  /** Dials what is wanted and due. */
  tick(): void {
    if (!this.#isStarted) return
    this.#want()
    if (this.#isSparse()) this.#keepDegree()
    const due = this.#due()
    let free = maxDialsAtOnce - this.#inFlight().length
    for (const dial of due) {
      if (free <= 0) break
      if (this.#begin(dial)) free--
    }
  }

  #isFull(): boolean {
    return this.#ctx.directory.ids().length < fullMeshMembers
  }

  #isSparse(): boolean {
    return !this.#isFull()
  }

  #dialOf(peer: NodeId, why: Dial['why']): Dial {
    const known = this.#dials.get(peer)
    if (known !== undefined) return known
    const dial = { peer, failures: 0, quickUntil: 0, quickFailures: 0, notBefore: 0, startedAt: null, addressAt: 0, why }
    this.#dials.set(peer, dial)
    return dial
  }

  #addressesOf(peer: NodeId): readonly string[] {
    const pinned = this.#pinned.get(peer)
    const own = this.#ctx.directory.addressesOf(peer)
    return pinned === undefined || own.includes(pinned) ? own : [pinned, ...own]
  }

  /** Makes a dial for each peer that there should be a link to. */
  #want(): void {
    if (!this.#isWantStale) return
    this.#isWantStale = false
    const { now, rng, options } = this.#ctx
    for (const peer of this.#pinned.keys()) {
      if (!this.#dials.has(peer)) this.#dialOf(peer, 'chosen').notBefore = now + rng() * backoffBaseMs
    }
    if (this.#isSparse()) return
    for (const peer of this.#ctx.directory.ids()) {
      if (this.#dials.has(peer)) continue
      const waitMs = options.node > peer ? rng() * backoffBaseMs : lesserWaitsMs + rng() * lesserJitterMs
      this.#dialOf(peer, 'chosen').notBefore = now + waitMs
    }
  }

  #due(): readonly Dial[] {
    const { now, options } = this.#ctx
    const due: Dial[] = []
    for (const dial of this.#dials.values()) {
      if (this.#links().to(dial.peer) !== undefined) continue
      if (!options.isMember(dial.peer) || this.#isDone(dial)) {
        this.#dials.delete(dial.peer)
        this.#isWantStale = true
      } else if (dial.startedAt !== null) {
        const until = dial.startedAt + dialTimeoutMs
        if (now >= until) this.failed(dial.peer)
        else this.timer.by(until)
      } else if (dial.notBefore > now) {
        this.timer.by(dial.notBefore)
      } else {
        due.push(dial)
      }
    }
    return due.sort(
      (a, b) => Number(this.isPinned(b.peer)) - Number(this.isPinned(a.peer)) || a.failures - b.failures || a.notBefore - b.notBefore,
    )
  }

  /** A peer of a sparse mesh that nobody needs to remember. */
  #isDone(dial: Dial): boolean {
    if (this.#isFull() || this.isPinned(dial.peer) || dial.startedAt !== null) return false
    return dial.why === 'cooling' && dial.notBefore <= this.#ctx.now
  }

  #begin(dial: Dial): boolean {
    const addresses = this.#addressesOf(dial.peer)
    const address = addresses[dial.addressAt % Math.max(1, addresses.length)]
    if (address === undefined) {
      dial.notBefore = this.#ctx.now + backoffCapPinnedMs
      return false
    }
    dial.startedAt = this.#ctx.now
    this.#ctx.out.push({ t: 'dial', peer: dial.peer, address })
    this.timer.by(this.#ctx.now + dialTimeoutMs)
    return true
  }

  #backOff(dial: Dial): void {
    const { now, rng } = this.#ctx
    const isQuick = now < dial.quickUntil
    const cap = this.isPinned(dial.peer) ? backoffCapPinnedMs : backoffCapMs
    const most = isQuick
      ? Math.min(quickRetryCapMs, quickRetryMs * 2 ** dial.quickFailures++)
      : Math.min(cap, backoffBaseMs * 2 ** dial.failures++)
    dial.notBefore = now + rng() * most
    this.timer.by(dial.notBefore)
  }

  /** The network is back: whoever waits long is tried soon. */
  #cheer(): void {
    const { now, rng } = this.#ctx
    if (now - this.#cheeredAt < cheerEveryMs) return
    this.#cheeredAt = now
    for (const dial of this.#dials.values()) {
      if (dial.why === 'cooling') continue
      dial.notBefore = Math.min(dial.notBefore, now + rng() * cheerWithinMs)
    }
  }

  #inFlight(): readonly Dial[] {
    return [...this.#dials.values()].filter(d => d.startedAt !== null)
  }

  /** Links that may be let go: neither side pinned the other. */
  #unpinnedUp(): readonly Link[] {
    return this.#links()
      .up()
      .filter(l => !this.isPinned(l.peer) && l.hello?.keep !== true)
  }

  /** Sparse mesh only: fill up to the target, let go above the soft limit, swap one now and then. */
  #keepDegree(): void {
    const unpinned = this.#unpinnedUp()
    this.#fill(unpinned.length)
    this.#prune(unpinned)
    this.#swapOne(unpinned)
  }

  #fill(upCount: number): void {
    const isWaiting = (d: Dial): boolean => d.why === 'chosen' && !this.isPinned(d.peer) && this.#links().to(d.peer) === undefined
    const waiting = [...this.#dials.values()].filter(isWaiting)
    let missing = targetDegree - upCount - waiting.length
    for (const dial of waiting) {
      if (missing >= 0) break
      if (dial.startedAt !== null) continue
      this.#dials.delete(dial.peer)
      missing++
    }
    for (; missing > 0; missing--) {
      const peer = this.#stranger()
      if (peer === null) return
      this.#dialOf(peer, 'chosen')
    }
  }

  #prune(unpinned: readonly Link[]): void {
    const { now } = this.#ctx
    if (unpinned.length <= softMaxDegree) this.#pruneAt = now + pruneEveryMs
    else if (now >= this.#pruneAt) {
      this.#pruneAt = now + pruneEveryMs
      const link = this.#oneOf(unpinned)
      if (link !== null) this.#links().close(link, closeCodes.full)
    }
    if (unpinned.length > softMaxDegree) this.timer.by(this.#pruneAt)
  }

  #swapOne(unpinned: readonly Link[]): void {
    const { now, rng } = this.#ctx
    if (now >= this.#swapAt) {
      this.#swapAt = now + swapEveryMs * (0.5 + rng())
      const from = this.#oneOf(unpinned)
      const to = this.#stranger()
      if (from !== null && to !== null) {
        this.#swap = { from: from.peer, to }
        this.#dialOf(to, 'swap')
      }
    }
    this.timer.by(this.#swapAt)
  }

  /** A random member without a link or a dial that somebody can reach; null if a few tries find none. */
  #stranger(): NodeId | null {
    const ids = this.#ctx.directory.ids()
    for (let tries = 0; tries < 16; tries++) {
      const id = this.#oneOf(ids)
      if (id === this.#ctx.options.node) continue
      if (id !== null && !this.#dials.has(id) && this.#links().to(id) === undefined && this.#addressesOf(id).length > 0) return id
    }
    return null
  }

  #oneOf<T>(items: readonly T[]): T | null {
    return items[Math.floor(this.#ctx.rng() * items.length)] ?? null
  }

  #limitLost(): void {
    if (this.#isFull()) return
    const lost = [...this.#dials.values()].filter(d => d.why === 'lost' && !this.isPinned(d.peer) && this.#links().to(d.peer) === undefined)
    for (const dial of lost.slice(0, Math.max(0, lost.length - maxLostPeers))) this.#dials.delete(dial.peer)
  }
}
