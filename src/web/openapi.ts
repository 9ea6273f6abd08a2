/**
 * GET api/v1/openapi.json: OpenAPI 3.1, made from the table of routes. What a route is for and what it takes and gives stands here beside its method
 * and path; who may call it comes from the table itself. A test holds the two together, and real answers against the schemas.
 */
import { codes, controlActions } from '../model/index.ts'
import type { Access } from './access.ts'
import { cookieName } from './callers.ts'
import { refusalsOf } from './route-refusals.ts'
import type { Route } from './route.ts'
import { ref, type SchemaName, schemas } from './schemas.ts'

interface RouteAbout {
  readonly what: string
  /** Schema of the JSON answer; null: it is no JSON. */
  readonly answer: SchemaName | null
  readonly status?: 200 | 201 | 202
  readonly body?: SchemaName
  readonly query?: readonly string[]
  /** Statuses of refusals that are this route's own, beside those that `route-refusals.ts` knows of all. */
  readonly refuses?: readonly number[]
  /** What is sent is the only permission: nobody is asked to log in. */
  readonly isSigned?: true
}

const page = ['limit', 'after']

/** By method and path of the table. */
export const routeAbouts: Readonly<Record<string, RouteAbout>> = {
  'GET livez': { what: 'Does the node live?', answer: 'Health' },
  'GET readyz': { what: 'Does it serve?', answer: 'Health' },
  'GET healthz': { what: 'Does it serve? With what runs, for who may read.', answer: 'Health' },
  'GET metrics': { what: 'Prometheus text.', answer: null },
  'GET ': { what: 'The dashboard.', answer: null },
  'GET assets/:file': { what: 'A file of the dashboard.', answer: null },
  'POST join': {
    what: 'Redeems an invite: who proves to hold its token becomes a node.',
    answer: 'Admitted',
    status: 201,
    body: 'JoinBody',
  },
  'GET api/v1/openapi.json': { what: 'This document.', answer: 'Any' },
  'GET api/v1/session/challenge': { what: 'What a key file is to sign, to log in with it.', answer: 'Challenge' },
  'POST api/v1/session': { what: 'Logs in; sets the cookie.', answer: 'Session', status: 201, body: 'LogIn', refuses: [401, 429] },
  'GET api/v1/session': { what: 'The session of the cookie.', answer: 'Session' },
  'DELETE api/v1/session': { what: 'Logs out.', answer: 'Named' },
  'GET api/v1/fleet': { what: 'The fleet, its root and people.', answer: 'Fleet' },
  'GET api/v1/summary': { what: 'The fleet in one answer.', answer: 'Summary' },
  'GET api/v1/nodes': { what: 'Nodes.', answer: 'Nodes', query: [...page, 'step', 'outcome', 'health', 'tag', 'q', 'all'] },
  'GET api/v1/nodes/:id': { what: 'One node: id, prefix, name, or self.', answer: 'Node' },
  'GET api/v1/nodes/:id/logs': { what: 'The last log lines of a node.', answer: 'Logs', query: ['lines', 'after'] },
  'GET api/v1/nodes/:id/about': { what: 'What a node alone knows: slots, backups, links, disk; of any node.', answer: 'About' },
  'GET api/v1/nodes/:id/doctor': { what: 'What is wrong with a node and its machine, and what to do.', answer: 'Diagnosis' },
  'GET api/v1/peers': { what: 'Sync peers, and members with a link.', answer: 'Peers', query: page },
  'GET api/v1/releases': { what: 'What is signed; newest=1: the other way round.', answer: 'Releases', query: [...page, 'q', 'newest'] },
  'GET api/v1/releases/:id': { what: 'One release: name@version, or its id.', answer: 'Release' },
  'GET api/v1/invites/:id': { what: 'Who has come by an invite.', answer: 'Invite' },
  'GET api/v1/rollouts': {
    what: 'Rollouts, the newest first; brief=1: waves have `size` for `nodes`.',
    answer: 'Rollouts',
    query: [...page, 'brief'],
  },
  'GET api/v1/rollouts/:id': { what: 'One rollout with its nodes: id, prefix, or latest.', answer: 'RolloutWithNodes' },
  'GET api/v1/rollouts/:id/board': { what: 'A rollout as one picture.', answer: 'Board' },
  'GET api/v1/events': {
    what: 'Server-sent events of what changes: nodes, rollouts, releases, peers, fleet, audit; reset: read anew.',
    answer: null,
  },
  'GET api/v1/operators': { what: 'People.', answer: 'Operators' },
  'POST api/v1/operators': {
    what: 'A new person; the passphrase is told once.',
    answer: 'NewOperator',
    status: 201,
    body: 'OperatorBody',
    refuses: [409],
  },
  'DELETE api/v1/operators/:name': { what: 'Takes a person out.', answer: 'Named', refuses: [409] },
  'GET api/v1/session/key': { what: 'One’s own key file, encrypted as it is kept here.', answer: 'KeyFile' },
  'GET api/v1/operators/:name/key': { what: 'A person’s encrypted key file.', answer: 'KeyFile' },
  'POST api/v1/operators/:name/rotate': {
    what: 'A new key for a person; of another person the passphrase is told once.',
    answer: 'Rotated',
    status: 201,
    body: 'RotateBody',
  },
  'POST api/v1/keys/kit': {
    what: 'A new recovery kit; its passphrase is told once.',
    answer: 'Kit',
    status: 201,
    body: 'KitBody',
  },
  'GET api/v1/tokens': { what: 'Tokens of scripts.', answer: 'Tokens', query: page },
  'POST api/v1/tokens': { what: 'A new token; it is told once.', answer: 'NewToken', status: 201, body: 'TokenBody' },
  'DELETE api/v1/tokens/:id': { what: 'Ends a token.', answer: 'Made' },
  'GET api/v1/audit': { what: 'Who did what, the newest first.', answer: 'Audit', query: [...page, 'who', 'q'] },
  'GET api/v1/audit/verify': { what: 'Was a row changed or taken out?', answer: 'AuditVerdict' },
  'GET api/v1/export': { what: 'All that is known and signed, with plans: what a stick carries beside packages.', answer: 'Export' },
  'POST api/v1/import': {
    what: 'Takes in an export of this fleet, judged as from a peer; `check`: only judges it.',
    answer: 'Imported',
    body: 'ImportBody',
  },
  'GET api/v1/backups': { what: 'Backups, snapshots of migrations, and what was kept aside.', answer: 'Backups', query: page },
  'GET api/v1/backups/:id': { what: 'One of them; what was begun for it, and how it ended.', answer: 'Backup' },
  'POST api/v1/backups': { what: 'Makes a backup; its view says when it is whole.', answer: 'Made', status: 202 },
  'POST api/v1/backups/:id/verify': { what: 'Reads a backup again.', answer: 'Made', status: 202 },
  'POST api/v1/backups/:id/restore': { what: 'Restores data and settings by a switch.', answer: 'Made', status: 202, body: 'RestoreBody' },
  'GET api/v1/disk': { what: 'What lies on the node’s disk, thing by thing, and why.', answer: 'Disk' },
  'POST api/v1/disk/prune': { what: 'Removes what nothing needs; `dryRun`: only says what.', answer: 'Pruned', body: 'PruneBody' },
  'GET api/v1/config': { what: 'config.json of this node; `restart`: it says otherwise than the node goes by.', answer: 'ConfigFile' },
  'POST api/v1/config': {
    what: 'Another config.json in place of `before`; the node takes it at its next start.',
    answer: 'ConfigFile',
    body: 'ConfigChange',
    refuses: [409],
  },
  'GET api/v1/packages/:digest': { what: 'The zip, with Range.', answer: null, refuses: [400, 416] },
  'POST api/v1/packages': {
    what: 'A zip comes in, streamed.',
    answer: 'Package',
    status: 201,
    refuses: [400, 401, 411, 413, 415, 422, 503],
  },
  'POST api/v1/releases': {
    what: 'A release, signed or to be signed.',
    answer: 'MadeRelease',
    status: 201,
    body: 'ReleaseBody',
    refuses: [409],
  },
  'POST api/v1/rollouts/draft': { what: 'What an order would be; changes nothing.', answer: 'Draft', body: 'Wish', refuses: [404, 409] },
  'POST api/v1/rollouts': {
    what: 'An order, signed or to be signed.',
    answer: 'MadeOrder',
    status: 201,
    body: 'OrderBody',
    refuses: [404, 409],
  },
  ...Object.fromEntries(
    controlActions.map(action => [
      `POST api/v1/rollouts/:id/${action}`,
      { what: `${action} a rollout.`, answer: 'Steered', body: 'ControlBody', refuses: [409] } as const,
    ]),
  ),
  'POST api/v1/invites': { what: 'An invite, signed or to be signed.', answer: 'MadeInvite', status: 201, body: 'InviteBody' },
  'POST api/v1/nodes/:id/remove': { what: 'Takes a node out for good.', answer: 'Made', body: 'RemovalBody' },
  'POST api/v1/nodes/:id/hold': { what: 'The node waits.', answer: 'Held', body: 'HoldBody' },
  'POST api/v1/nodes/:id/unhold': { what: 'It goes on.', answer: 'Held', body: 'HoldBody' },
  'POST api/v1/root': {
    what: 'The next version of the root.',
    answer: 'MadeRoot',
    status: 201,
    body: 'RootBody',
    refuses: [409],
    isSigned: true,
  },
  'POST api/v1/peers': { what: 'A sync peer of this node.', answer: 'Pinned', status: 201, body: 'Address', refuses: [503] },
  'DELETE api/v1/peers/:id': { what: 'No sync peer any more.', answer: 'Made' },
  'POST api/v1/peers/test': { what: 'Which step towards a peer fails?', answer: 'PeerTests', body: 'PeerTestBody', refuses: [404] },
  'POST api/v1/self/stop': { what: 'Stops the node.', answer: 'Made', status: 202 },
  'POST api/v1/self/restart': { what: 'Restarts the node.', answer: 'Made', status: 202 },
  'POST api/v1/self/leave': { what: 'The node leaves the fleet.', answer: 'Made', status: 202 },
  'POST api/v1/self/rename': { what: 'Another name for the node.', answer: 'Renamed', body: 'Named' },
  'GET peer/v1/packages/:digest{/:part}': {
    what: 'For members: the zip, its blockmap, the segments that are here.',
    answer: null,
    refuses: [416],
  },
  'GET peer/v1/documents/:digest': { what: 'For members: plans, releases, roots.', answer: 'Any', refuses: [400] },
  'GET peer/v1/logs': { what: 'For members: log lines.', answer: 'Logs', query: ['lines', 'after'] },
  'GET peer/v1/about': { what: 'For members: slots, backups, links, disk.', answer: 'About' },
  'GET peer/v1/doctor': { what: 'For members: what is wrong with the node.', answer: 'Diagnosis' },
  'GET peer/v1/test': { what: 'For members: which step towards a member fails?', answer: 'PeerTest', query: ['target'] },
}

const bearer = { bearer: [] }
const cookie = { session: [] }
const security: Readonly<Record<Access, readonly Readonly<Record<string, readonly string[]>>[]>> = {
  anyone: [],
  bytes: [{}, cookie],
  viewer: [cookie, bearer],
  person: [cookie],
  home: [bearer],
  'home or operator': [cookie, bearer],
  'home or admin': [cookie, bearer],
  admin: [cookie],
  'signs as operator': [{}, cookie],
  'signs as admin': [{}, cookie],
  peer: [{ member: [] }],
}

/** OpenAPI knows no optional part of a path: of `a{/:b}` both forms are shown as one with it. */
const pathOf = (route: Route): string => `/_shoal/${route.path.replaceAll(/[{}]/g, '').replaceAll(/:(\w+)/g, '{$1}')}`

const json = (schema: unknown): unknown => ({ 'application/json': { schema } })

function operationOf(route: Route): Record<string, unknown> {
  const known = routeAbouts[`${route.method} ${route.path}`]
  const { what, answer, status = 200, body, query = [], refuses = [], isSigned = false } = known ?? { what: route.path, answer: null }
  const params = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const queries = query.map(name => ({ name, in: 'query', required: false, schema: { type: 'string' } }))
  const key = { name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 128 } }
  const good = { description: what, ...(answer === null ? {} : { content: json(ref(answer)) }) }
  const isUpload = route.access === 'bytes'
  return {
    summary: what,
    'x-access': route.access,
    security: security[route.access],
    parameters: [...params, ...queries, ...(route.method === 'POST' && !isUpload ? [key] : [])],
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(ref(body)) } }),
    ...(isUpload ? { requestBody: { required: true, content: { 'application/zip': {} } } } : {}),
    responses: {
      [status]: good,
      ...(status === 201 ? { 200: { ...good, description: 'It was there already.' } } : {}),
      ...Object.fromEntries(
        refusalsOf(route, { takes: body !== undefined, asks: query.length > 0, isSigned, own: refuses }).map(code => [
          code,
          { $ref: '#/components/responses/Error' },
        ]),
      ),
      default: { $ref: '#/components/responses/Error' },
    },
  }
}

export function openApiOf(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) (paths[pathOf(route)] ??= {})[route.method.toLowerCase()] = operationOf(route)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Shoal',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: 'docs/api.md says how to use it.',
    },
    paths,
    components: {
      schemas,
      responses: { Error: { description: 'Refused. The code says why, `x-codes` which there are.', content: json(ref('Error')) } },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: cookieName, description: 'What changes something carries x-csrf.' },
        bearer: { type: 'http', scheme: 'bearer', description: 'instance/local.token, or a token of a script.' },
        member: { type: 'mutualTLS', description: 'A member’s certificate, ALPN shoal/1.' },
      },
    },
    'x-codes': Object.fromEntries(Object.entries(codes).map(([code, { status, todo }]) => [code, { status, todo }])),
  }
}
