/**
 * How many packages come in at once. Anyone may send a package that a release names, so strangers have places of their own: from one address a
 * few, all together a few more, and none of those that operators need. One that stands still loses its place: to hold a connection costs nothing.
 */
import { ShoalError } from '../model/index.ts'
import type { Caller } from './callers.ts'
import { RetryLater } from './retry-later.ts'
import { placeOf } from './sessions/index.ts'

/** Each may have 256 MiB in the inbox, and as many in memory while it is judged. */
const maxAtOnce = 8
const maxOfStrangers = 4
const maxOfAddress = 2
/** ms after which it is worth to ask again. */
const againMs = 5000
/** ms without a byte. */
export const stallMs = 30_000

export class UploadTurns {
  readonly #strangers = new Map<string, number>()
  #ofStrangers = 0
  #all = 0

  /** @throws ShoalError BUSY, with when to come again */
  async run<T>(caller: Caller, address: string, work: () => Promise<T>): Promise<T> {
    const leave = this.take(caller, address)
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /** Takes a place. @returns how to leave it, once. @throws ShoalError BUSY */
  take(caller: Caller, address: string): () => void {
    const place = caller.kind === 'nobody' ? placeOf(address) : null
    if (place !== null) this.#mustHaveRoom(place)
    if (this.#all >= maxAtOnce) throw busy(`${this.#all} packages come in already`)
    this.#count(place, 1)
    let isOver = false
    return () => {
      if (!isOver) this.#count(place, -1)
      isOver = true
    }
  }

  #mustHaveRoom(place: string): void {
    const own = this.#strangers.get(place) ?? 0
    if (own >= maxOfAddress) throw busy(`${own} packages come in from ${place} already`)
    if (this.#ofStrangers >= maxOfStrangers) throw busy(`${this.#ofStrangers} packages come in from strangers already`)
  }

  #count(place: string | null, by: number): void {
    this.#all += by
    if (place === null) return
    this.#ofStrangers += by
    const left = (this.#strangers.get(place) ?? 0) + by
    if (left === 0) this.#strangers.delete(place)
    else this.#strangers.set(place, left)
  }
}

const busy = (message: string): RetryLater => new RetryLater('BUSY', message, againMs)

/** The same bytes; ends with an error when none come for a while. @throws ShoalError CANCELLED */
export async function* steady(bytes: AsyncIterable<Uint8Array>, ms = stallMs): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await withinTime(source.next(), ms)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not waited for: a source that stands still does not answer.
    void source.return?.().catch(() => undefined)
  }
}

async function withinTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ShoalError('CANCELLED', `no byte of the package came for ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
