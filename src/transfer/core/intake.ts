/** Cuts the bytes of an answer back into the segments that were asked for, as many neighbours at once as have come. */
import { indexesOf, type Run } from './runs.ts'

/** Whole neighbouring segments, the first of them `first`. */
export interface Batch {
  readonly first: number
  readonly count: number
  readonly bytes: Uint8Array
}

export class Intake {
  readonly #segments: readonly number[]
  readonly #lengthOf: (segment: number) => number
  #next = 0
  #held: Uint8Array[] = []
  #heldBytes = 0

  constructor(runs: readonly Run[], lengthOf: (segment: number) => number) {
    this.#segments = indexesOf(runs)
    this.#lengthOf = lengthOf
  }

  get isDone(): boolean {
    return this.#next >= this.#segments.length
  }

  take(chunk: Uint8Array): readonly Batch[] {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    const batches: Batch[] = []
    for (let batch = this.#batch(); batch !== null; batch = this.#batch()) batches.push(batch)
    return batches
  }

  #batch(): Batch | null {
    const first = this.#segments[this.#next]
    if (first === undefined || this.#lengthOf(first) > this.#heldBytes) return null
    let count = 0
    let length = 0
    while (this.#segments[this.#next + count] === first + count && length + this.#lengthOf(first + count) <= this.#heldBytes) {
      length += this.#lengthOf(first + count)
      count++
    }
    const all = joined(this.#held, this.#heldBytes)
    this.#held = [all.subarray(length)]
    this.#heldBytes -= length
    this.#next += count
    return { first, count, bytes: all.subarray(0, length) }
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const only = parts[0]
  if (parts.length === 1 && only !== undefined) return only
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
