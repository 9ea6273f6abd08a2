/**
 * With which statuses a route refuses: what its access, its path, its query and its body bring. Any may answer 409, 429, 500, 503 and 507 besides,
 * by what the node is doing and by its disk. For the OpenAPI document; a test provokes each that is named at a real node.
 */
import type { Access } from './access.ts'
import type { Route } from './route.ts'

/** Where nobody is asked to log in: strangers may, or only a member's certificate counts. */
const withoutLogin: readonly Access[] = ['anyone', 'peer']

interface Shape {
  /** It takes a JSON body. */
  readonly takes: boolean
  /** It takes a query. */
  readonly asks: boolean
  /** What is sent is the only permission. */
  readonly isSigned: boolean
  /** What no rule tells. */
  readonly own: readonly number[]
}

/** In rising order: 403 by a foreign origin and 421 by a foreign host are everywhere. */
export function refusalsOf({ method, path, access }: Route, { takes, asks, isSigned, own }: Shape): readonly number[] {
  const isOnce = method === 'POST' && access !== 'bytes'
  const all = [
    403,
    421,
    ...own,
    ...(isSigned || withoutLogin.includes(access) ? [] : [401]),
    ...(path.includes(':') ? [404] : []),
    ...(takes ? [400, 413, 415] : []),
    ...(asks ? [400] : []),
    // An Idempotency-Key that is none, or that came with another body.
    ...(isOnce ? [400, 422] : []),
  ]
  return [...new Set(all)].toSorted((a, b) => a - b)
}
