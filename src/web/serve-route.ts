/**
 * What happens around every route, in this order: who calls, may they, was it done before, do it, write down who did what. Permission comes before
 * the body; what is refused is written down too.
 */
import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import { codeOf, ShoalError } from '../model/index.ts'
import { mayCall } from './access.ts'
import { setAnswer } from './answer.ts'
import type { Audit } from './audit.ts'
import { readBytes } from './body.ts'
import { bearerOf, type Caller, callerOf, type CallerNeeds } from './callers.ts'
import type { HttpCounts } from './http-counts.ts'
import { type Answer, type Idempotency, parseIdempotencyKey } from './idempotency.ts'
import type { Who } from './listener/index.ts'
import { requestIdOf } from './request-id.ts'
import type { Route } from './route.ts'
import type { WebServices } from './services.ts'

export interface RouteNeeds {
  readonly services: WebServices
  readonly callers: CallerNeeds
  readonly audit: Audit
  readonly idempotency: Idempotency
  readonly http: HttpCounts
  readonly who: (req: IncomingMessage) => Who
}

export async function serveRoute(
  ctx: Context,
  route: Route,
  params: Readonly<Record<string, string | undefined>>,
  n: RouteNeeds,
): Promise<void> {
  n.http.name(ctx.req, `${route.method} ${route.path}`)
  const who = n.who(ctx.req)
  const caller = callerOf(ctx.req, who, n.callers)
  ctx.request.ip = who.remote
  const param = (name: string): string => params[name] ?? ''
  const note = (result: string, answer: unknown): void => {
    if (!isWritten(route)) return
    const [object, detail] = subjectOf(params, result === 'ok' ? answer : undefined)
    const action = `${route.method} ${route.path}`
    n.audit.asked({ caller, address: who.remote, action, object, detail, result, request: requestIdOf(ctx.req) })
  }
  try {
    mayCall(route.access, ctx.req, caller, who, n.services)
    const answer = await onceIfAsked(ctx, route, caller, n, () => Promise.resolve(route.handle(ctx, param, caller)))
    note('ok', answer)
    if (answer !== undefined) setAnswer(ctx, answer)
  } catch (error) {
    note(codeOf(error), undefined)
    throw error
  }
}

/** What changes something, and who took a key file; a draft and a test change nothing. */
const isWritten = ({ method, path }: Route): boolean => (method === 'GET' ? path.endsWith('/key') : !/(?:draft|test)$/.test(path))

/** Ids and names of what it was done to; never more of an answer than that. */
function subjectOf(params: Readonly<Record<string, string | undefined>>, answer: unknown): readonly [object: string, detail: string] {
  const said = new Map<string, unknown>(typeof answer === 'object' && answer !== null ? Object.entries(answer) : [])
  const texts = (...keys: string[]): string[] => keys.map((key): unknown => said.get(key)).filter(v => typeof v === 'string')
  const [object = ''] = [...texts('id', 'digest', 'name'), ...Object.values(params).filter(v => v !== undefined)]
  return [
    object,
    texts('release', 'name', 'version', 'role')
      .filter(text => text !== object)
      .join(' '),
  ]
}

async function onceIfAsked(ctx: Context, route: Route, caller: Caller, n: RouteNeeds, work: () => Promise<unknown>): Promise<unknown> {
  const header = ctx.get('idempotency-key')
  if (header === '' || route.method !== 'POST') return work()
  if (route.access === 'bytes') throw new ShoalError('BAD_REQUEST', 'Idempotency-Key: a package is known by its digest and needs none')
  const key = parseIdempotencyKey(header)
  const secret = caller.kind === 'session' ? caller.secret : (bearerOf(ctx.req) ?? '')
  const request = { key, route: `${route.method} ${ctx.path}`, caller, secret, body: await readBytes(ctx.req) }
  const { status, body, isReplay } = await n.idempotency.once(request, async (): Promise<Answer> => {
    // Koa's own status is 404 until there is a body; what is kept must be the answer's.
    ctx.status = 200
    const answer = await work()
    return { status: ctx.status, body: answer ?? null }
  })
  ctx.status = status
  if (isReplay) ctx.set('Idempotency-Replayed', 'true')
  return body
}
