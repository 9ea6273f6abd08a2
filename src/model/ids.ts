/** Ids are branded: only these parsers make one, so a path, a query or a peer's text is never used as an id unread. */
import { quote, ShoalError } from './errors.ts'

declare const brand: unique symbol
type Branded<B extends string> = string & { readonly [brand]: B }

/** SHA-256 of a public key's SPKI DER, RFC 4648 base32, lower case, unpadded: 52 characters. */
export type NodeId = Branded<'node'>
/** SHA-256 of root version 1, in the form of a node's id. */
export type FleetId = Branded<'fleet'>
/** SHA-256 of an order's payload, in the form of a node's id. */
export type OrderId = Branded<'order'>
/** SHA-256 of bytes, 64 lower-case hex digits. */
export type Digest = Branded<'digest'>
/** TUF key id: SHA-256 of the canonical form of the public key, 64 hex digits. */
export type KeyId = Branded<'key'>

const base32 = /^[a-z2-7]{52}$/
const hex64 = /^[0-9a-f]{64}$/

const parser =
  <T extends string>(is: (text: string) => text is T, what: string) =>
  (value: unknown, where = what): T => {
    if (typeof value !== 'string' || !is(value)) throw new ShoalError('BAD_REQUEST', `${where}: ${quote(value)} is no ${what}`)
    return value
  }

export const isNodeId = (text: string): text is NodeId => base32.test(text)
export const parseNodeId = parser(isNodeId, 'node id')
export const parseFleetId = parser((text): text is FleetId => base32.test(text), 'fleet id')
export const parseOrderId = parser((text): text is OrderId => base32.test(text), 'order id')
export const parseDigest = parser((text): text is Digest => hex64.test(text), 'digest')
export const parseKeyId = parser((text): text is KeyId => hex64.test(text), 'key id')

/** Eight characters are for people, six or more name a thing on the command line. */
export const shortId = (id: string): string => id.slice(0, 8)

/**
 * Finds the one id that a person means: the whole id, or a unique prefix of at least six characters.
 * @throws ShoalError NOT_FOUND, AMBIGUOUS
 */
export function resolvePrefix<T extends string>(prefix: string, among: Iterable<T>, what: string): T {
  const wanted = prefix.toLowerCase()
  const found = wanted.length < 6 ? [] : [...among].filter(id => id.startsWith(wanted))
  if (found.length > 1) throw new ShoalError('AMBIGUOUS', `${what} ${prefix}: ${found.map(shortId).join(', ')} all begin so`)
  const only = found[0]
  if (only === undefined) throw new ShoalError('NOT_FOUND', `there is no ${what} ${prefix}`)
  return only
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** RFC 4648 base32, lower case, unpadded. */
export function toBase32(bytes: Uint8Array): string {
  let bits = 0
  let held = 0
  let text = ''
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(held >> bits) & 31] ?? ''
    }
    held &= (1 << bits) - 1
  }
  return bits > 0 ? text + (alphabet[(held << (5 - bits)) & 31] ?? '') : text
}
