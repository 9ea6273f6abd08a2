/** The node's HTTP server: Koa for everything under /_shoal/, the app for the rest. The listener hands it requests with who asks. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type KoaRouter from '@koa/router'
import Koa from 'koa'
import { codeOf, codes, messageOf, ShoalError } from '../model/index.ts'
import { checkHost, memberOf } from './access.ts'
import { Audit } from './audit.ts'
import { answerEarly } from './early.ts'
import { answerErrors } from './errors.ts'
import { HttpCounts } from './http-counts.ts'
import { Idempotency } from './idempotency.ts'
import { hideCookie } from './callers.ts'
import type { Who } from './listener/index.ts'
import { requestIdOf } from './request-id.ts'
import type { Route } from './route.ts'
import { routesOf } from './routes.ts'
import { type RouteNeeds, serveRoute } from './serve-route.ts'
import type { WebServices } from './services.ts'
import { Sessions } from './sessions/index.ts'
import { Tokens } from './tokens.ts'

/** As an `import` it would bring an import of `node:http` along (listener/http.ts). */
const Router = createRequire(import.meta.url)('@koa/router') as typeof KoaRouter

const prefix = '/_shoal/'

/**
 * On every answer of Shoal's own. What is no page may not be shown as one, nor be embedded. No HSTS: it would hold for all ports of the host, and
 * take away the way past a certificate that no browser knows (decision 12).
 */
const safeHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

export interface Web {
  readonly onRequest: (req: IncomingMessage, res: ServerResponse, who: Who) => void
  readonly onUpgrade: (req: IncomingMessage, socket: Socket, head: Buffer, who: Who) => void
}

export function createWeb(services: WebServices): Web {
  const whoAsks = new WeakMap<IncomingMessage, Who>()
  const who = (req: IncomingMessage): Who => whoAsks.get(req) ?? { kind: 'people', remote: '' }
  const own = createKoa(services, who).callback()
  return {
    onRequest: (req, res, asks) => {
      whoAsks.set(req, asks)
      const path = (req.url ?? '/').split('?')[0] ?? '/'
      if (path.startsWith(prefix) || path === '/_shoal') void own(req, res)
      else if (asks.kind === 'peer') refuse(req, res, new ShoalError('NOT_ALLOWED', 'a node’s certificate is no user'))
      else serveApp(req, res, services)
    },
    onUpgrade: (req, socket, head, asks) => upgrade(req, socket, head, asks, services),
  }
}

function createKoa(services: WebServices, who: (req: IncomingMessage) => Who): Koa {
  const koa = new Koa()
  koa.silent = true
  const router = new Router({ prefix: '/_shoal', sensitive: true })
  const now = (): number => services.wallNow().getTime()
  const sessions = sessionsOf(services, now)
  const tokens = new Tokens(services.people, keyid => services.replica.fleet.root.people.some(p => p.keyid === keyid), now)
  const http = new HttpCounts()
  const audit = new Audit(services)
  audit.follow()
  const callers = { localToken: services.localToken, sessions, tokens }
  const needs = { services, callers, audit, idempotency: new Idempotency(services.people, now), http, who }
  for (const route of routesOf(services, { sessions, tokens, http })) mount(router, route, needs)
  koa.use(async (ctx, next) => {
    const begun = performance.now()
    ctx.set({ ...safeHeaders, 'X-Request-Id': requestIdOf(ctx.req) })
    await next()
    http.answered(ctx.req, ctx.status, (performance.now() - begun) / 1000)
  })
  koa.use(answerEarly)
  koa.use(answerErrors(services.log))
  koa.use(async (ctx, next) => {
    checkHost(ctx.req, services)
    if (ctx.path.startsWith(`${prefix}api/`)) ctx.set('Cache-Control', 'no-store')
    await next()
  })
  koa.use(router.routes())
  koa.use(ctx => {
    const methods = router.match(ctx.path, ctx.method).path.flatMap(layer => layer.methods)
    if (methods.length > 0) ctx.set('Allow', [...new Set(methods)].join(', '))
    throw new ShoalError(methods.length > 0 ? 'METHOD_NOT_ALLOWED' : 'NOT_FOUND', `${ctx.method} ${ctx.path.slice(0, 200)}`)
  })
  return koa
}

const sessionsOf = (services: WebServices, now: () => number): Sessions =>
  new Sessions({
    store: services.people,
    self: services.self,
    root: () => services.replica.fleet.root,
    keyFiles: services.operatorKeys,
    now,
  })

function mount(router: KoaRouter, route: Route, needs: RouteNeeds): void {
  router.register(`/${route.path}`, route.method === 'GET' ? ['GET', 'HEAD'] : [route.method], ctx =>
    serveRoute(ctx, route, ctx.params, needs),
  )
}

function serveApp(req: IncomingMessage, res: ServerResponse, services: WebServices): void {
  const { handle } = services.app()
  hideCookie(req)
  if (handle !== null) handle(req, res)
  else if (services.life() === 'ok' && (req.url === '/' || req.url === '')) {
    res.writeHead(302, { Location: prefix }).end()
  } else if (services.life() === 'ok') refuse(req, res, new ShoalError('NOT_FOUND', 'no app runs here'))
  else refuse(req, res, new ShoalError('STARTING', `the node is ${services.life()}`))
}

function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  const code = codeOf(error)
  const { status } = codes[code]
  res.writeHead(status, { 'Content-Type': 'application/json', ...(status === 503 ? { 'Retry-After': '1' } : {}) })
  res.end(JSON.stringify({ error: { code, message: messageOf(error), requestId: requestIdOf(req) } }))
}

function upgrade(req: IncomingMessage, socket: Socket, head: Buffer, who: Who, services: WebServices): void {
  const path = (req.url ?? '/').split('?')[0] ?? '/'
  try {
    if (path === `${prefix}mesh`) services.acceptLink(req, socket, head, memberOf(who, services))
    else if (path.startsWith(prefix)) throw new ShoalError('NOT_FOUND', `there is no WebSocket at ${path.slice(0, 100)}`)
    else {
      hideCookie(req)
      if (who.kind === 'peer' || services.app().upgrade?.(req, socket, head) !== true)
        throw new ShoalError('NOT_FOUND', 'the app takes no WebSocket here')
    }
  } catch (error) {
    const code = codeOf(error)
    if (code === 'INTERNAL') services.log('upgrade failed', { path, error: messageOf(error) })
    socket.end(`HTTP/1.1 ${codes[code].status} ${code}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }
}
