/**
 * What to fetch from whom: a machine of events and time, without clock, chance or network of its own. It asks peers what they have,
 * gives each at most one request, prefers peers that have only a part (so that the first holder sends little) and segments that few
 * have, never asks a liar again, and gives up only when nobody has shown life for a while.
 */
import { assertNever, type NodeId } from '../../model/index.ts'
import * as limits from '../limits.ts'
import { type Have, Peer } from './peer.ts'
import { indexesOf, type Run, runsOf } from './runs.ts'

export type TransferEvent =
  /** Fetch these too. */
  | { readonly t: 'want'; readonly segments: Iterable<number> }
  /** Who may be asked now: all of them. Sent again and again, also to let time pass. */
  | { readonly t: 'peers'; readonly ids: readonly NodeId[] }
  /** A peer's answer to `ask`; null: it has nothing of the package. */
  | { readonly t: 'have'; readonly peer: NodeId; readonly runs: readonly Run[] | null }
  /** A segment came and was right. */
  | { readonly t: 'segment'; readonly peer: NodeId; readonly segment: number }
  /** A segment came and was wrong. */
  | { readonly t: 'lie'; readonly peer: NodeId }
  /** A request ended. What it did not bring is missing again. */
  | { readonly t: 'ended'; readonly peer: NodeId; readonly how: 'done' | 'failed' | 'gone' }
  | { readonly t: 'busy'; readonly peer: NodeId; readonly retryAfterMs: number | null }

export type TransferEffect =
  | { readonly t: 'ask'; readonly peer: NodeId }
  | { readonly t: 'fetch'; readonly peer: NodeId; readonly runs: readonly Run[] }
  /** A peer lied: end its requests, tell about it. */
  | { readonly t: 'liar'; readonly peer: NodeId }
  /** All that was wanted is here. */
  | { readonly t: 'done' }
  /** Nobody has shown life for the time allowed. */
  | { readonly t: 'unavailable' }

export interface TransferOptions {
  /** Bytes of each segment. */
  readonly lengths: readonly number[]
  /** 0 to below 1. */
  readonly rng: () => number
  readonly unavailableAfterMs: number
  readonly startedAtMs: number
}

const idle = 0
const missing = 1
const underWay = 2

export class Transfer {
  readonly #options: TransferOptions
  readonly #state: Uint8Array
  readonly #peers = new Map<NodeId, Peer>()
  readonly #requests = new Map<NodeId, readonly Run[]>()
  readonly #requestBytes: number
  #missing = 0
  #underWay = 0
  #aliveAt: number

  constructor(options: TransferOptions) {
    this.#options = options
    this.#state = new Uint8Array(options.lengths.length)
    this.#aliveAt = options.startedAtMs
    const part = options.lengths.reduce((sum, length) => sum + length, 0) / limits.requestsPerPackage
    this.#requestBytes = Math.min(limits.maxRequestBytes, Math.max(limits.minRequestBytes, part))
  }

  /** Applies one event and says what is to be done now. */
  step(event: TransferEvent, now: number): readonly TransferEffect[] {
    const told = this.#apply(event, now)
    if (this.#missing === 0 && this.#underWay === 0) return [...told, { t: 'done' }]
    if (event.t === 'segment') return told // its request goes on: nothing new to start
    const effects = [...told, ...this.#fetches(now), ...this.#asks(now)]
    const isWaiting = this.#requests.size === 0 && now - this.#aliveAt >= this.#options.unavailableAfterMs
    return isWaiting ? [...effects, { t: 'unavailable' }] : effects
  }

  #apply(event: TransferEvent, now: number): readonly TransferEffect[] {
    switch (event.t) {
      case 'want':
        for (const segment of event.segments) if (this.#state[segment] === idle) this.#mark(segment, missing)
        return []
      case 'peers':
        return this.#meet(event.ids)
      case 'have':
        return this.#hear(event.peer, event.runs, now)
      case 'segment':
        this.#aliveAt = now
        this.#mark(event.segment, idle)
        return []
      case 'lie':
        return this.#condemn(event.peer, now)
      case 'ended':
        return this.#end(event.peer, event.how, now)
      case 'busy':
        this.#aliveAt = now
        this.#release(event.peer)
        this.#peers.get(event.peer)?.busy(now, event.retryAfterMs, this.#options.rng)
        return []
      default:
        return assertNever(event)
    }
  }

  #meet(ids: readonly NodeId[]): readonly TransferEffect[] {
    const now = new Set(ids)
    for (const [id, peer] of this.#peers) peer.isGone = !now.has(id)
    for (const id of ids) if (!this.#peers.has(id)) this.#peers.set(id, new Peer())
    return []
  }

  #hear(id: NodeId, runs: readonly Run[] | null, now: number): readonly TransferEffect[] {
    if (runs !== null) this.#aliveAt = now
    this.#peers.get(id)?.said(this.#haveOf(runs), now, this.#options.rng)
    return []
  }

  #haveOf(runs: readonly Run[] | null): Have {
    if (runs === null) return { t: 'unknown' }
    const count = this.#state.length
    if (runs[0]?.[0] === 0 && runs[0][1] === count - 1) return { t: 'all' }
    const segments = new Uint8Array(count)
    for (const [first, last] of runs) segments.fill(1, first, last + 1)
    return { t: 'some', segments }
  }

  #condemn(id: NodeId, now: number): readonly TransferEffect[] {
    this.#aliveAt = now
    this.#release(id)
    const peer = this.#peers.get(id)
    if (peer === undefined || peer.isLiar) return []
    peer.isLiar = true
    return [{ t: 'liar', peer: id }]
  }

  #end(id: NodeId, how: 'done' | 'failed' | 'gone', now: number): readonly TransferEffect[] {
    this.#release(id)
    const peer = this.#peers.get(id)
    if (how === 'done') peer?.succeeded()
    else if (how === 'failed') peer?.failed(now, this.#options.rng)
    // It no longer has what it had: ask again.
    else peer?.said({ t: 'unknown' }, now, this.#options.rng)
    return []
  }

  /** What a request did not bring is missing again. */
  #release(id: NodeId): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) peer.isFetching = false
    for (const segment of indexesOf(this.#requests.get(id) ?? [])) if (this.#state[segment] === underWay) this.#mark(segment, missing)
    this.#requests.delete(id)
  }

  #fetches(now: number): readonly TransferEffect[] {
    const effects: TransferEffect[] = []
    for (const id of this.#inOrder(peer => peer.mayFetch(now))) {
      if (this.#requests.size >= limits.maxRequestsAtOnce || this.#missing === 0) break
      const peer = this.#peers.get(id)
      const runs = peer === undefined ? [] : this.#pick(peer)
      if (peer === undefined || runs.length === 0) continue
      peer.isFetching = true
      for (const segment of indexesOf(runs)) this.#mark(segment, underWay)
      this.#requests.set(id, runs)
      effects.push({ t: 'fetch', peer: id, runs })
    }
    return effects
  }

  /** A few at a time, and only while there is more to fetch than is under way: who fetches little asks little. */
  #asks(now: number): readonly TransferEffect[] {
    let asked = this.#peers
      .values()
      .filter(peer => peer.isAsked)
      .toArray().length
    const effects: TransferEffect[] = []
    if (this.#missing === 0) return effects
    for (const id of this.#inOrder(peer => peer.mayAsk(now))) {
      if (asked >= limits.maxAsksAtOnce) break
      const peer = this.#peers.get(id)
      if (peer === undefined) continue
      peer.isAsked = true
      asked++
      effects.push({ t: 'ask', peer: id })
    }
    return effects
  }

  /** Peers in random order, those with a part before those with all. */
  #inOrder(may: (peer: Peer) => boolean): readonly NodeId[] {
    const among = [...this.#peers]
      .filter(([, peer]) => may(peer))
      .map(([id, peer]) => ({ id, rank: (peer.have.t === 'all' ? 1 : 0) + this.#options.rng() * 0.99 }))
    return among.toSorted((a, b) => a.rank - b.rank).map(each => each.id)
  }

  /** Missing segments that this peer has, from a rare one on, as many as one request may have. */
  #pick(peer: Peer): readonly Run[] {
    const candidates: number[] = []
    const spared = peer.have.t === 'all' ? this.#helpers() : []
    for (let n = 0; n < this.#state.length; n++) {
      if (this.#state[n] === missing && peer.has(n) && !spared.some(other => other.has(n))) candidates.push(n)
    }
    const start = this.#rareOf(candidates)
    const picked: number[] = []
    let bytes = 0
    let runs = 0
    for (let n = 0; n < candidates.length; n++) {
      const segment = candidates[(start + n) % candidates.length] ?? 0
      bytes += this.#options.lengths[segment] ?? 0
      if (picked.at(-1) !== segment - 1) runs++
      if (picked.length > 0 && (bytes > this.#requestBytes || runs > limits.maxRunsPerRequest)) break
      picked.push(segment)
    }
    return runsOf(picked.toSorted((a, b) => a - b))
  }

  /** While few peers have all, they are spared what others can give: else the first holder would send everything to everybody. */
  #helpers(): readonly Peer[] {
    const willing = [...this.#peers.values()].filter(peer => peer.isWilling)
    return willing.filter(peer => peer.have.t === 'all').length > limits.fewHolders ? [] : willing.filter(peer => peer.have.t === 'some')
  }

  /** Position in `candidates` of the one that the fewest partial holders have, of a few looked at. */
  #rareOf(candidates: readonly number[]): number {
    const partial = [...this.#peers.values()].filter(peer => peer.have.t === 'some')
    let best = 0
    let fewest = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < limits.rarityTries && candidates.length > 0; tries++) {
      const at = Math.floor(this.#options.rng() * candidates.length)
      const holders = partial.filter(peer => peer.has(candidates[at] ?? 0)).length
      if (holders < fewest) [best, fewest] = [at, holders]
    }
    return best
  }

  #mark(segment: number, to: 0 | 1 | 2): void {
    const from = this.#state[segment]
    if (from === missing) this.#missing--
    if (from === underWay) this.#underWay--
    if (to === missing) this.#missing++
    if (to === underWay) this.#underWay++
    this.#state[segment] = to
  }
}
