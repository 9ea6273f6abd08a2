/** Counts Shoal's own requests for /metrics: by route of the table, never by path, so that nobody can make series at will. */
import type { IncomingMessage } from 'node:http'

/** Upper bounds in seconds. */
export const buckets = [0.01, 0.05, 0.25, 1, 5] as const

export class HttpCounts {
  readonly #names = new WeakMap<IncomingMessage, string>()
  readonly #counts = new Map<string, number>()
  readonly #within: number[] = buckets.map(() => 0)
  #all = 0
  #seconds = 0

  /** Says which route a request has met. */
  name(req: IncomingMessage, route: string): void {
    this.#names.set(req, route)
  }

  answered(req: IncomingMessage, status: number, seconds: number): void {
    const key = `${this.#names.get(req) ?? 'none'} ${status}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    this.#all += 1
    this.#seconds += seconds
    buckets.forEach((bound, at) => {
      if (seconds <= bound) this.#within[at] = (this.#within[at] ?? 0) + 1
    })
  }

  counts(): readonly { readonly route: string; readonly status: string; readonly count: number }[] {
    return [...this.#counts].map(([key, count]) => {
      const at = key.lastIndexOf(' ')
      return { route: key.slice(0, at), status: key.slice(at + 1), count }
    })
  }

  get durations(): { readonly within: readonly number[]; readonly count: number; readonly sum: number } {
    return { within: this.#within, count: this.#all, sum: this.#seconds }
  }
}
