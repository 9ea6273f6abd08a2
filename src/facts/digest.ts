/**
 * Hashes of facts and their sums. A replica's root is the sum of its entries' hashes, so it is kept up to date in O(1) and does not
 * depend on order. The hash is fast and not cryptographic: facts are signed, so the worst that a member who makes values collide
 * gets is that a fact of theirs spreads slower. Whoever wants more injects another HashFact; all nodes of a fleet must use the same.
 */
import { type Fact, factKey } from '../model/index.ts'
import { bucketCount } from './limits.ts'

export interface FactHash {
  /** Of kind, owner and name: 16 hex digits. */
  readonly id: string
  readonly bucket: number
  /** Of all but the signature: two unsigned 32-bit words. */
  readonly high: number
  readonly low: number
}

export type HashFact = (fact: Fact) => FactHash

const word = (n: number): string => (n >>> 0).toString(16).padStart(8, '0')

/** Two lanes of multiply and xor over the UTF-16 units, crossed at the end (the cyrb53 construction). */
function lanes(text: string, seedA: number, seedB: number): readonly [a: number, b: number] {
  let a = seedA
  let b = seedB
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return [a >>> 0, b >>> 0]
}

export const hashFact: HashFact = fact => {
  const [a, b] = lanes(factKey(fact), 0x1b873593, 0x2545f491)
  const [high, low] = lanes(`${fact.epoch} ${fact.version} ${fact.body}`, a, b)
  return { id: word(a) + word(b), bucket: b % bucketCount, high, low }
}

/** Two unsigned words as 16 hex digits. */
export const sumText = (high: number, low: number): string => word(high) + word(low)
