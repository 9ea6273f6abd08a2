/** Who calls, as the request proves it: nobody, a node, the owner of this home, or a person's session. Found out once for each request. */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ShoalError } from '../model/index.ts'
import type { Who } from './listener/index.ts'
import { isCsrf, type Session, type Sessions } from './sessions/index.ts'
import type { Tokens } from './tokens.ts'

export type Caller =
  | { readonly kind: 'nobody' }
  /** A certificate of the fleet's CA; whether of a member, `memberOf` says. */
  | { readonly kind: 'peer' }
  /** Holds instance/local.token: reads all, changes this node only. */
  | { readonly kind: 'home' }
  /** A script's: reads only. */
  | { readonly kind: 'token'; readonly id: string; readonly name: string }
  | { readonly kind: 'session'; readonly session: Session; readonly secret: string }

export const cookieName = '__Host-shoal'

/** Two cookies of one name are none: somebody has planted one. */
export function cookieOf(req: IncomingMessage): string | null {
  const found = (req.headers.cookie ?? '').split(';').flatMap(pair => {
    const at = pair.indexOf('=')
    return pair.slice(0, at).trim() === cookieName ? [pair.slice(at + 1).trim()] : []
  })
  const [only] = found
  return found.length === 1 && only !== undefined && /^[\w-]{43}$/.test(only) ? only : null
}

const isOurs = (pair: string): boolean => pair.trim().startsWith(`${cookieName}=`)

/** The app shares our origin, so browsers send it our cookie: it is taken away, or an app that logs its requests would log sessions. */
export function hideCookie(req: IncomingMessage): void {
  if (req.headers.cookie?.includes(cookieName) !== true) return
  const rest = req.headers.cookie.split(';').filter(pair => !isOurs(pair))
  req.headers.cookie = rest.join(';').trim()
  if (rest.length === 0) delete req.headers.cookie
  for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
    if (req.rawHeaders[at]?.toLowerCase() !== 'cookie') continue
    req.rawHeaders[at + 1] = (req.rawHeaders[at + 1] ?? '')
      .split(';')
      .filter(pair => !isOurs(pair))
      .join(';')
      .trim()
  }
}

const isSame = (a: string, b: string): boolean => {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}

export interface CallerNeeds {
  readonly localToken: string
  readonly sessions: Pick<Sessions, 'find'>
  readonly tokens: Pick<Tokens, 'find'>
}

export function bearerOf(req: IncomingMessage): string | null {
  const [scheme, token] = (req.headers.authorization ?? '').split(' ')
  return scheme?.toLowerCase() === 'bearer' && token !== undefined ? token : null
}

/** What the request proves. A token that is given counts alone: a script that has the wrong one hears so. */
export function callerOf(req: IncomingMessage, who: Who, n: CallerNeeds): Caller {
  if (who.kind === 'peer') return { kind: 'peer' }
  const bearer = bearerOf(req)
  if (bearer !== null) {
    if (isSame(bearer, n.localToken)) return { kind: 'home' }
    const token = n.tokens.find(bearer)
    return token === null ? { kind: 'nobody' } : { kind: 'token', ...token }
  }
  const secret = cookieOf(req)
  const session = secret === null ? null : n.sessions.find(secret)
  return secret === null || session === null ? { kind: 'nobody' } : { kind: 'session', session, secret }
}

/** What a page of the session itself sends, and no other can. @throws ShoalError CSRF */
export function checkCsrf(req: IncomingMessage, caller: Caller): void {
  if (caller.kind !== 'session' || req.method === 'GET' || req.method === 'HEAD') return
  const given = req.headers['x-csrf']
  if (typeof given !== 'string' || !isCsrf(caller.secret, given))
    throw new ShoalError('CSRF', given === undefined ? 'the header x-csrf is missing' : 'the header x-csrf is not this session’s')
}
