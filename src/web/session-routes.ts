/** Logging in and out: by passphrase where the operator's key file is kept, by a signed challenge anywhere. */
import type { Context } from 'koa'
import { asString, type Fields, parseKeyId, ShoalError } from '../model/index.ts'
import { readJson } from './body.ts'
import { type Caller, cookieName } from './callers.ts'
import { type Route, v1 } from './route.ts'
import { csrfOf, type OpenedSession, type Session, type Sessions } from './sessions/index.ts'

/** Bytes of a body that anybody may send. */
const maxLoginBytes = 8192

/** @param who what a challenge is signed for: this node of this fleet */
export function sessionRoutes(
  sessions: Sessions,
  now: () => number,
  who: () => { readonly fleet: string; readonly node: string },
): readonly Route[] {
  const path = `${v1}session`
  return [
    {
      method: 'GET',
      path: `${path}/challenge`,
      access: 'anyone',
      handle: () => {
        const { challenge, expiresMs } = sessions.challenge()
        return { challenge, expiresAt: new Date(expiresMs).toISOString(), ...who() }
      },
    },
    {
      method: 'POST',
      path,
      access: 'anyone',
      handle: async (ctx, _param, caller) => {
        const opened = await logIn(sessions, await readJson(ctx.req, maxLoginBytes), ctx.ip)
        if (caller.kind === 'session') sessions.end(caller.session)
        setCookie(ctx, opened.secret, Math.floor((opened.session.expiresMs - now()) / 1000))
        ctx.status = 201
        return viewOf(opened)
      },
    },
    { method: 'GET', path, access: 'person', handle: (_ctx, _param, caller) => viewOf(sessionOf(caller)) },
    {
      method: 'DELETE',
      path,
      access: 'person',
      handle: (ctx, _param, caller) => {
        const { session } = sessionOf(caller)
        sessions.end(session)
        setCookie(ctx, '', 0)
        return { name: session.name }
      },
    },
  ]
}

function logIn(sessions: Sessions, f: Fields, address: string): Promise<OpenedSession> | OpenedSession {
  if (!f.has('challenge')) return sessions.logIn(f.string('name', 64), f.string('passphrase', 1024), address)
  const answer = {
    keyid: f.get('keyid', parseKeyId),
    challenge: f.string('challenge', 200),
    signature: f.get('signature', (v, w) => asString(v, w, 200)),
  }
  return sessions.logInByKey(answer, address)
}

/** What its holder may know of a session, also after a reload of the page. */
const viewOf = ({ session, secret }: OpenedSession): Record<string, unknown> => ({
  name: session.name,
  role: session.role,
  csrf: csrfOf(secret),
  canSign: session.canSign,
  expiresAt: new Date(session.expiresMs).toISOString(),
})

function sessionOf(caller: Caller): { readonly session: Session; readonly secret: string } {
  if (caller.kind !== 'session') throw new ShoalError('UNAUTHENTICATED', 'there is no session')
  return caller
}

/** `__Host-`: browsers take it from this very host over TLS only, for all paths. */
function setCookie(ctx: Context, value: string, seconds: number): void {
  ctx.append('Set-Cookie', `${cookieName}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${seconds}`)
}
