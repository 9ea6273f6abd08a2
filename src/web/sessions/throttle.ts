/**
 * How often somebody may try to log in. A try counts before its result is known, so that a hundred at once are a hundred. Nobody is locked out for
 * good: one name from one address waits longer and longer, one address and all together have a number per minute. Pure: time comes in.
 */
import { firstWaitMs, forgetTriesMs, freeTries, longestWaitMs, maxPerAddress, maxPerMinute, maxRemembered } from './limits.ts'

interface Tries {
  count: number
  lastMs: number
}

const minuteMs = 60_000

/** An IPv6 host has a whole /64 to call from; the form `::ffff:` is IPv4. */
export function placeOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').split('%')[0] ?? ''
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups.length - (tail === '' ? 0 : tail.split(':').length))
  return [...groups, ...Array<string>(missing).fill('0')].slice(0, 4).join(':')
}

export class Throttle {
  readonly #tries = new Map<string, Tries>()
  #minute = { startMs: Number.NEGATIVE_INFINITY, all: 0, byPlace: new Map<string, number>() }

  /** Takes one try. @returns ms to wait before the next, 0: go ahead */
  take(name: string, address: string, nowMs: number): number {
    const place = placeOf(address)
    const key = `${name} ${place}`
    const waitMs = Math.max(this.#waitOfPair(key, nowMs), this.#waitOfMinute(place, nowMs))
    if (waitMs > 0) return waitMs
    const count = (this.#known(key, nowMs)?.count ?? 0) + 1
    this.#tries.delete(key)
    this.#tries.set(key, { count, lastMs: nowMs })
    this.#minute.all += 1
    this.#minute.byPlace.set(place, (this.#minute.byPlace.get(place) ?? 0) + 1)
    const [oldest] = this.#tries.keys()
    if (this.#tries.size > maxRemembered && oldest !== undefined) this.#tries.delete(oldest)
    return 0
  }

  /** The try was good: its name may begin anew from there. */
  succeeded(name: string, address: string): void {
    this.#tries.delete(`${name} ${placeOf(address)}`)
  }

  #known(key: string, nowMs: number): Tries | undefined {
    const tries = this.#tries.get(key)
    return tries === undefined || nowMs - tries.lastMs > forgetTriesMs ? undefined : tries
  }

  #waitOfPair(key: string, nowMs: number): number {
    const tries = this.#known(key, nowMs)
    if (tries === undefined || tries.count < freeTries) return 0
    const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (tries.count - freeTries))
    return Math.max(0, tries.lastMs + waitMs - nowMs)
  }

  #waitOfMinute(place: string, nowMs: number): number {
    if (nowMs - this.#minute.startMs >= minuteMs) this.#minute = { startMs: nowMs, all: 0, byPlace: new Map() }
    const isFull = this.#minute.all >= maxPerMinute || (this.#minute.byPlace.get(place) ?? 0) >= maxPerAddress
    return isFull ? this.#minute.startMs + minuteMs - nowMs : 0
  }
}
