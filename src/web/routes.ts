/** All routes of Shoal's own in one table: method, path, who may call it, what it does. A route parses, calls one service, answers. */
import { createReadStream } from 'node:fs'
import type { Context } from 'koa'
import {
  type ControlAction,
  controlActions,
  Fields,
  formatAddress,
  type NodeId,
  parseAddress,
  parseDigest,
  parseDisplayName,
  ShoalError,
} from '../model/index.ts'
import { parseRange } from '../transfer/index.ts'
import type { Access } from './access.ts'
import { aboutRoutes } from './about-routes.ts'
import { Acts } from './acts.ts'
import { backupRoutes } from './backups.ts'
import { readJson } from './body.ts'
import { configRoutes } from './config-routes.ts'
import { dashboardRoutes } from './dashboard-routes.ts'
import { diskRoutes } from './disk.ts'
import { Documents } from './documents.ts'
import { Drafts } from './drafts.ts'
import { documentOf } from './document-of.ts'
import { EventStreams } from './events.ts'
import type { HttpCounts } from './http-counts.ts'
import { redeem } from './join.ts'
import { keyRoutes } from './key-routes.ts'
import { Keys } from './keys.ts'
import { findRelease, paged, pageOfNodes, releasesAsked } from './lists.ts'
import { logRoutes } from './log-routes.ts'
import { metricsRoute } from './metrics.ts'
import { findNode, findRollout } from './names.ts'
import { openApiOf } from './openapi.ts'
import { Operators } from './operators.ts'
import { peopleRoutes } from './people-routes.ts'
import { takePackage } from './package-upload.ts'
import { listPeers, testPeers } from './peers.ts'
import { type Route, v1 } from './route.ts'
import { sessionRoutes } from './session-routes.ts'
import type { Sessions } from './sessions/index.ts'
import type { WebServices } from './services.ts'
import type { Tokens } from './tokens.ts'
import { changesOfPeople } from './turns.ts'
import { stickRoutes } from './stick.ts'
import { UploadTurns } from './upload-turns.ts'
import { Views } from './views.ts'

export interface Accounts {
  readonly sessions: Sessions
  readonly tokens: Tokens
  readonly http: HttpCounts
}

export function routesOf(s: WebServices, { sessions, tokens, http }: Accounts): readonly Route[] {
  const views = new Views(s)
  const streams = new EventStreams(s, views, sessions)
  const routes: Route[] = [
    ...dashboardRoutes(s, views),
    ...healthRoutes(s),
    metricsRoute({ services: s, views, sessions, http, streams }),
    ...sessionRoutes(
      sessions,
      () => s.wallNow().getTime(),
      () => ({ fleet: s.replica.fleet.root.fleet, node: s.self }),
    ),
    ...peopleRoutes(tokens, () => s.audit),
    ...readRoutes(s, views, streams),
    ...packageRoutes(s),
    ...logRoutes(s),
    ...aboutRoutes(s, views),
    ...stickRoutes(s),
    ...signedRoutes(s, views, sessions),
    ...homeRoutes(s, views),
    ...backupRoutes(s),
    ...configRoutes(s),
    ...diskRoutes(s),
  ]
  const document = (): unknown => openApiOf(routes, s.running().shoal.version)
  routes.push({ method: 'GET', path: `${v1}openapi.json`, access: 'anyone', handle: document })
  return routes
}

function healthRoutes(s: WebServices): readonly Route[] {
  const health =
    (isReady: boolean): Route['handle'] =>
    (ctx, _param, caller) => {
      const status = s.life()
      ctx.status = status === 'ok' || (!isReady && status !== 'draining') ? 200 : 503
      if (ctx.status === 503) ctx.set('Retry-After', '1')
      if (caller.kind === 'nobody' || caller.kind === 'peer') return { status }
      const { app, shoal } = s.running()
      return { status, node: { name: s.config().name, version: shoal.version, digest: s.self }, app, shoal }
    }
  return [
    { method: 'GET', path: 'livez', access: 'anyone', handle: health(false) },
    { method: 'GET', path: 'readyz', access: 'anyone', handle: health(true) },
    { method: 'GET', path: 'healthz', access: 'anyone', handle: health(true) },
  ]
}

function readRoutes(s: WebServices, views: Views, streams: EventStreams): readonly Route[] {
  const { replica } = s
  const get = (path: string, handle: Route['handle']): Route => ({ method: 'GET', path: v1 + path, access: 'viewer', handle })
  return [
    get('fleet', () => {
      const { root, generation } = replica.fleet
      if (root.version === 0)
        throw new ShoalError('FLEET_UNKNOWN', 'node.db was lost, and no sync peer has told this node about its fleet yet')
      const people = root.people.map(({ name, role, keyid }) => ({ name, role, keyid }))
      const self = { id: s.self, addresses: s.addresses() }
      return {
        fleet: root.fleet,
        name: root.fleetName,
        root: root.text,
        generation,
        caPin: root.caPin,
        self,
        redeems: s.ca !== null,
        redeemers: redeemersOf(s),
        people,
      }
    }),
    get('nodes', ctx => {
      const { items, counts, next } = pageOfNodes(views.nodes(ctx.query['all'] === '1'), ctx.query)
      return { fleet: replica.fleet.root.fleet, nodes: items.map(node => views.withAge(node)), counts, next }
    }),
    get('nodes/:id', (_ctx, param) => {
      const node = views.node(findNode(s, param('id')))
      return node.self ? { ...node, fingerprint: s.webFingerprint } : node
    }),
    get('peers', ctx => {
      const { items, counts, next } = paged(listPeers(s, views), ctx.query, p => p.id)
      return { peers: items, counts, next }
    }),
    get('releases', ctx => {
      const { items, counts, next } = paged(releasesAsked(views.releases(), ctx.query), ctx.query, r => r.id)
      return { releases: items, counts, next }
    }),
    get('releases/:id', (_ctx, param) => findRelease(views.releases(), param('id'))),
    get('invites/:id', (_ctx, param) => {
      const members = s.replica.fleet.members().filter(m => m.invite === param('id'))
      if (members.length === 0 && s.invites.invite(param('id')) === undefined)
        throw new ShoalError('NOT_FOUND', `invite ${param('id').slice(0, 40)} is not of this node, and nobody has come by it`)
      return { id: param('id'), nodes: members.map(({ id }) => ({ id, name: s.replica.fleet.node(id)?.name ?? id.slice(0, 8) })) }
    }),
    get('rollouts', ctx => {
      const { items, counts, next } = paged(views.rollouts(), ctx.query, o => o.id)
      return { rollouts: items.map(o => (ctx.query['brief'] === '1' ? views.brief(o) : views.rollout(o, false))), counts, next }
    }),
    get('rollouts/:id', (_ctx, param) => views.rollout(findRollout(views, param('id')), true)),
    get('events', (ctx, _param, caller) => streams.open(ctx, caller)),
  ]
}

/** Who lets others in: each node says whether it has the CA's key, also by `keys restore`; of one of an older version its invite tells. */
const redeemersOf = ({ replica, ca, self }: WebServices): readonly string[] => {
  const redeems = (m: { readonly id: NodeId; readonly mayInvite: boolean }): boolean =>
    m.id === self ? ca !== null : (replica.fleet.node(m.id)?.redeems ?? m.mayInvite)
  return replica.fleet.members().flatMap(m => (redeems(m) ? [m.id] : []))
}

function packageRoutes(s: WebServices): readonly Route[] {
  const turns = new UploadTurns()
  return [
    { method: 'GET', path: `${v1}packages/:digest`, access: 'viewer', handle: (ctx, param) => sendPackage(ctx, s, param('digest')) },
    { method: 'POST', path: `${v1}packages`, access: 'bytes', handle: (ctx, _param, caller) => takePackage(ctx, s, caller, turns) },
    {
      method: 'GET',
      path: 'peer/v1/packages/:digest{/:part}',
      access: 'peer',
      handle: ctx => {
        ctx.respond = false
        s.servePackage(ctx.req, ctx.res, ctx.url.slice('/_shoal/peer/v1/'.length))
      },
    },
    {
      method: 'GET',
      path: 'peer/v1/documents/:digest',
      access: 'peer',
      handle: (ctx, param) => {
        const text = documentOf(s, parseDigest(param('digest')))
        if (text === undefined) throw new ShoalError('NOT_FOUND', `document ${param('digest')} is not here`)
        ctx.type = 'application/json'
        return text
      },
    },
  ]
}

function sendPackage(ctx: Context, s: WebServices, text: string): unknown {
  const digest = parseDigest(text)
  const size = s.packages.size(digest)
  if (size === null) throw new ShoalError('NOT_FOUND', `package ${digest} is not here`)
  ctx.set('Accept-Ranges', 'bytes')
  const range = parseRange(ctx.get('range'), size)
  if (range.t === 'unsatisfiable') {
    ctx.set('Content-Range', `bytes */${size}`)
    throw new ShoalError('RANGE_NOT_SATISFIABLE', `range ${ctx.get('range')}, the file has ${size} bytes`)
  }
  ctx.set('ETag', `"${digest}"`)
  ctx.type = 'application/zip'
  const { first, last } = range.t === 'part' ? range : { first: 0, last: size - 1 }
  if (range.t === 'part') {
    ctx.status = 206
    ctx.set('Content-Range', `bytes ${first}-${last}/${size}`)
  }
  ctx.length = last - first + 1
  return createReadStream(s.packages.path(digest), { start: first, end: last })
}

function signedRoutes(s: WebServices, views: Views, sessions: Sessions): readonly Route[] {
  const documents = new Documents(s, views)
  const drafts = new Drafts(s, views)
  const acts = new Acts(s, views, drafts, sessions)
  const takeRoot = (text: string): void => void documents.root(new Fields({ root: text }, 'body'))
  const turns = changesOfPeople()
  const operators = new Operators(s, takeRoot, turns)
  const post = (path: string, access: Access, handle: Route['handle']): Route => ({ method: 'POST', path: v1 + path, access, handle })
  const made = (ctx: Context, isNew: boolean): void => void (ctx.status = isNew ? 201 : 200)
  const hold =
    (isHold: boolean): Route['handle'] =>
    async (ctx, param, caller) =>
      documents.hold(acts.hold(await readJson(ctx.req), caller, param('id'), isHold), param('id'), isHold)
  return [
    post('releases', 'signs as operator', async (ctx, _param, caller) => {
      const { isNew, id, release } = documents.release(await acts.release(await readJson(ctx.req), caller))
      // Its package may lie here since before it was signed for.
      if (isNew) s.holdingsChanged()
      made(ctx, isNew)
      return { id, kind: release.kind, name: release.name, version: release.version }
    }),
    post('rollouts/draft', 'viewer', async (ctx, _param, caller) =>
      drafts.order(await readJson(ctx.req), caller.kind === 'session' ? caller.session.name : null),
    ),
    post('rollouts', 'signs as operator', async (ctx, _param, caller) => {
      const { isNew, id, release } = documents.order(acts.order(await readJson(ctx.req), caller))
      made(ctx, isNew)
      return { id, release }
    }),
    ...controlActions.map((action: ControlAction) =>
      post(`rollouts/:id/${action}`, 'signs as operator', async (ctx, param, caller) => {
        const bodies = acts.controls(await readJson(ctx.req), caller, action, param('id'))
        const done = [...bodies.map(body => documents.control(body, action, param('id')))]
        return done.at(-1)
      }),
    ),
    post('invites', 'signs as operator', async (ctx, _param, caller) => {
      const { body, token } = acts.invite(await readJson(ctx.req), caller)
      const { isNew, id, expiresAt } = documents.invite(body)
      made(ctx, isNew)
      return token === null ? { id, expiresAt } : { id, token, expiresAt }
    }),
    post('nodes/:id/remove', 'signs as admin', async (ctx, param, caller) => ({
      id: documents.removal(acts.removal(await readJson(ctx.req), caller, param('id')), param('id')).node,
    })),
    post('nodes/:id/hold', 'signs as operator', hold(true)),
    post('nodes/:id/unhold', 'signs as operator', hold(false)),
    post('root', 'signs as admin', async ctx => {
      const { isNew, version } = documents.root(await readJson(ctx.req))
      made(ctx, isNew)
      return { version }
    }),
    {
      method: 'GET',
      path: `${v1}operators`,
      access: 'viewer',
      handle: ctx => {
        const { items, counts, next } = paged(operators.list(), ctx.query, p => p.name)
        return { operators: items, counts, next }
      },
    },
    post('operators', 'admin', async (ctx, _param, caller) => {
      const added = await operators.add(await readJson(ctx.req), acts.signer(caller))
      made(ctx, true)
      return added
    }),
    {
      method: 'DELETE',
      path: `${v1}operators/:name`,
      access: 'admin',
      handle: async (_ctx, param, caller) => {
        await operators.remove(param('name'), acts.signer(caller))
        return { name: param('name') }
      },
    },
    ...keyRoutes(acts, sessions, new Keys(s, takeRoot, turns)),
    {
      method: 'POST',
      path: 'join',
      access: 'anyone',
      handle: async ctx => {
        const admitted = await redeem(s, await readJson(ctx.req))
        made(ctx, true)
        return admitted
      },
    },
  ]
}

function homeRoutes(s: WebServices, views: Views): readonly Route[] {
  const home = (method: Route['method'], path: string, access: Access, handle: Route['handle']): Route => ({
    method,
    path: v1 + path,
    access,
    handle,
  })
  const accepted = (ctx: Context): Record<string, unknown> => {
    ctx.status = 202
    return { id: s.self }
  }
  return [
    home('POST', 'peers', 'home or operator', async ctx => {
      const address = (await readJson(ctx.req)).get('address', parseAddress)
      const { id, steps } = await s.probe(address, null)
      const failed = steps.find(step => !step.ok)
      if (id === null || failed !== undefined)
        throw new ShoalError('NO_NODE', `${failed?.step ?? 'identity'}: ${failed?.message ?? 'unknown'}`)
      const pinned = { id, address: formatAddress(address) }
      await s.pin(pinned)
      ctx.status = 201
      return pinned
    }),
    home('DELETE', 'peers/:id', 'home or operator', async (_ctx, param) => {
      const { peers } = s.config()
      // Who left is no member any more that could be found, and stays pinned until somebody says otherwise.
      const id = peers.find(p => p.id === param('id'))?.id ?? findNode(s, param('id'))
      await s.unpin(id)
      return { id }
    }),
    home('POST', 'peers/test', 'home or operator', async ctx => ({ tests: await testPeers(s, views, await readJson(ctx.req)) })),
    home('POST', 'self/stop', 'home or admin', async (ctx, _param, caller) => {
      // At the machine the service manager is the one to ask; from here it would start the node again at once.
      const service = caller.kind === 'home' ? '' : await s.service()
      if (service !== '')
        throw new ShoalError('CONFLICT', `${service} would start the node again: hold it, or run \`shoal stop\` at the machine`)
      s.stop()
      return accepted(ctx)
    }),
    home('POST', 'self/restart', 'home or admin', ctx => {
      s.restart()
      return accepted(ctx)
    }),
    home('POST', 'self/leave', 'home', async ctx => {
      await s.leave()
      return accepted(ctx)
    }),
    home('POST', 'self/rename', 'home or admin', async ctx => {
      const name = (await readJson(ctx.req)).get('name', parseDisplayName)
      await s.rename(name)
      return { id: s.self, name }
    }),
  ]
}
