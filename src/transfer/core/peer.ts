/** What a transfer knows of one peer: what it has, when it may be asked again, whether it lied. */
import * as limits from '../limits.ts'

export type Have =
  /** Not asked yet. */
  | { readonly t: 'unknown' }
  | { readonly t: 'all' }
  /** 1 for each segment that it had when it was asked. */
  | { readonly t: 'some'; readonly segments: Uint8Array }

export class Peer {
  have: Have = { t: 'unknown' }
  /** Sent a segment with a wrong hash: never asked again in this transfer. */
  isLiar = false
  /** No longer among the peers. */
  isGone = false
  isAsked = false
  isFetching = false
  /** Not to be asked what it has before this time, ms. */
  askAt = 0
  /** No bytes are to be asked of it before this time, ms. */
  fetchAt = 0
  #empties = 0
  #busies = 0
  #failures = 0

  /** It can be counted on to send what it has. */
  get isWilling(): boolean {
    return !this.isLiar && !this.isGone && this.#failures === 0 && this.#busies < limits.patience
  }

  mayAsk(now: number): boolean {
    return !this.isLiar && !this.isGone && !this.isAsked && this.have.t !== 'all' && now >= this.askAt && now >= this.fetchAt
  }

  mayFetch(now: number): boolean {
    return !this.isLiar && !this.isGone && !this.isFetching && this.have.t !== 'unknown' && now >= this.fetchAt
  }

  has(segment: number): boolean {
    return this.have.t === 'all' || (this.have.t === 'some' && this.have.segments[segment] === 1)
  }

  /** `rng`: 0 to below 1, so that many nodes do not ask at the same moment. */
  said(have: Have, now: number, rng: () => number): void {
    this.isAsked = false
    this.have = have
    this.#empties = have.t === 'unknown' ? this.#empties + 1 : 0
    this.askAt = now + spread(backOff(limits.askAgainMs, this.#empties - 1, limits.maxAskAgainMs), rng)
  }

  /** What it had before the request is old news: it is asked again at once. */
  succeeded(): void {
    this.#failures = 0
    this.#busies = 0
    this.askAt = 0
  }

  failed(now: number, rng: () => number): void {
    this.#failures++
    this.have = { t: 'unknown' }
    this.fetchAt = now + spread(backOff(limits.failedRetryMs, this.#failures - 1, limits.maxFailedRetryMs), rng)
  }

  busy(now: number, retryAfterMs: number | null, rng: () => number): void {
    this.#busies++
    const askedFor = Math.min(retryAfterMs ?? limits.busyRetryMs, limits.maxBusyRetryMs)
    this.fetchAt = now + spread(backOff(limits.firstBusyRetryMs, this.#busies - 1, askedFor), rng)
  }
}

const backOff = (baseMs: number, times: number, maxMs: number): number => Math.min(maxMs, baseMs * 2 ** Math.max(0, Math.min(times, 10)))
/** From a quarter of the time to all of it. */
const spread = (ms: number, rng: () => number): number => ms * (0.25 + 0.75 * rng())
