/**
 * For every documented route that changes something: a request that it takes, and for every documented refusal one that it refuses. Which routes and
 * refusals there are the document says; a route or status without a request here is an error of the test.
 */
import { ask, type Caller, hex, id52, nobody, type Pen, type Question, type Reply, tokenOf } from './ask.ts'
import { operator, passphrase, type TestNode, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

export interface Operation {
  readonly method: string
  /** As in the document, below `/_shoal/`. */
  readonly path: string
  readonly access: string
  readonly hasBody: boolean
  readonly refusals: readonly number[]
  readonly told: Json
}

export const operationsOf = (document: Json): readonly Operation[] =>
  Object.entries<Json>(document.paths).flatMap(([path, operations]) =>
    Object.entries<Json>(operations).map(([method, told]) => ({
      method: method.toUpperCase(),
      path: path.slice('/_shoal/'.length),
      access: told['x-access'],
      hasBody: told.requestBody?.content['application/json'] !== undefined,
      refusals: Object.keys(told.responses)
        .map(Number)
        .filter(status => status >= 400),
      told,
    })),
  )

export interface Cast {
  readonly node: TestNode
  /** A sync peer to be; it leaves the fleet in the end. */
  readonly second: TestNode
  readonly admin: Caller
  readonly pen: Pen
  /** A member that is no process: its admission and its certificate. */
  readonly ghost: Json
  /** A package that nobody signed for yet, and of what release. */
  readonly zip: Buffer
  readonly release: string
  /** The root before the present one. */
  readonly oldRoot: string
  /** config.json, and a package that is here. */
  readonly config: Json
  readonly digest: string
}

/** Fills a path of the document with what is there, or with what nothing has. */
export const filled = (path: string, known: Readonly<Record<string, string>> = {}): string =>
  `/_shoal/${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => known[name] ?? { id: id52, digest: hex, name: 'eve', file: 'none', part: 'blockmap' }[name] ?? 'x')}`

/** Who may, by the access of a route. */
export function callerFor(access: string, { node, admin, ghost }: Pick<Cast, 'node' | 'admin' | 'ghost'>): Caller {
  if (access === 'peer') return ghost.caller
  return access === 'home' ? tokenOf(node) : admin
}

export interface Good {
  /** Method and path of the document. */
  readonly route: string
  readonly known?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly as?: Caller
  readonly at?: TestNode
}

const isDone = async (cast: Cast, id: string): Promise<void> =>
  until(`backup ${id} is whole`, async () => (await ask(cast.node, tokenOf(cast.node), `backups/${id}`)).json.state === 'ready')

/** Requests that are taken, each with what the ones before it made. The caller sends each and gives back its answer. */
export async function* goodRequests(cast: Cast): AsyncGenerator<Good, void> {
  yield* peopleAsk(cast)
  yield* rolloutsAsk(cast)
  yield* membersAsk(cast)
  yield* thisNodeAsks(cast)
}

async function* peopleAsk({ node }: Cast): AsyncGenerator<Good, void> {
  const session = yield { route: 'POST api/v1/session', as: nobody, body: { name: operator, passphrase } }
  yield { route: 'DELETE api/v1/session', as: session }
  yield { route: 'POST api/v1/operators', body: { name: 'otto', role: 'operator' } }
  yield { route: 'POST api/v1/operators/{name}/rotate', known: { name: 'otto' }, body: {} }
  yield { route: 'DELETE api/v1/operators/{name}', known: { name: 'otto' } }
  const { fleet } = (await ask(node, tokenOf(node), 'fleet')).json
  yield { route: 'POST api/v1/keys/kit', body: { fleet } }
  const token = yield { route: 'POST api/v1/tokens', body: { name: 'probe', expiresMs: 60_000 } }
  yield { route: 'DELETE api/v1/tokens/{id}', known: { id: token.id } }
  const { root } = (await ask(node, tokenOf(node), 'fleet')).json
  yield { route: 'POST api/v1/root', body: { root } }
}

async function* rolloutsAsk({ zip, release, node }: Cast): AsyncGenerator<Good, void> {
  const { digest } = yield { route: 'POST api/v1/packages', body: zip, headers: { 'content-type': 'application/zip' } }
  yield { route: 'POST api/v1/releases', body: { packages: [digest], notes: 'documented' } }
  const wish = { release, window: 'Mon 00:00-00:01 UTC', soakMs: 100 }
  yield { route: 'POST api/v1/rollouts/draft', body: wish }
  const first = { id: (yield { route: 'POST api/v1/rollouts', body: wish }).id }
  for (const action of ['pause', 'resume', 'retry', 'abort']) yield { route: `POST api/v1/rollouts/{id}/${action}`, known: first, body: {} }
  const other = yield { route: 'POST api/v1/rollouts', body: { ...wish, witnesses: 0 } }
  yield { route: 'POST api/v1/rollouts/{id}/skip', known: { id: other.id }, body: { nodes: [node.id] } }
}

async function* membersAsk({ node, second, ghost }: Cast): AsyncGenerator<Good, void> {
  yield { route: 'POST api/v1/invites', body: { uses: 1, expiresMs: 60_000 } }
  yield { route: 'POST join', as: nobody, body: ghost.body }
  const known = { id: ghost.id }
  yield { route: 'POST api/v1/nodes/{id}/hold', known, body: { forMs: 60_000, reason: 'test' } }
  yield { route: 'POST api/v1/nodes/{id}/unhold', known, body: {} }
  const address = `127.0.0.1:${second.port}`
  yield { route: 'POST api/v1/peers', body: { address } }
  yield { route: 'POST api/v1/peers/test', body: { target: address } }
  yield { route: 'DELETE api/v1/peers/{id}', known: { id: second.id } }
  const exported = (await ask(node, tokenOf(node), 'export')).json
  yield { route: 'POST api/v1/import', body: { ...exported, check: true } }
}

async function* thisNodeAsks(cast: Cast): AsyncGenerator<Good, void> {
  const { node, second, ghost } = cast
  yield { route: 'POST api/v1/self/rename', body: { name: 'box-1' } }
  const { config } = (await ask(node, tokenOf(node), 'config')).json
  yield { route: 'POST api/v1/config', body: { before: config, config: { ...config, tags: ['documented'] } } }
  yield { route: 'POST api/v1/disk/prune', body: { dryRun: true } }
  const { id } = yield { route: 'POST api/v1/backups' }
  await isDone(cast, id)
  yield { route: 'POST api/v1/backups/{id}/verify', known: { id } }
  await isDone(cast, id)
  yield { route: 'POST api/v1/backups/{id}/restore', known: { id }, body: {} }
  await until('it is restored', async () => node.file('instance/data/starts.txt').split('\n').length > 2)
  await until('and over', async () => (await ask(node, tokenOf(node), 'nodes/self')).json.step === 'idle')
  yield { route: 'POST api/v1/nodes/{id}/remove', known: { id: ghost.id }, body: { reason: 'test' } }
  const token = tokenOf(node).token
  yield { route: 'POST api/v1/self/restart' }
  await until('it is back', async () => tokenOf(node).token !== token && (await node.api('nodes/self')).id === node.id)
  yield { route: 'POST api/v1/self/leave', at: second, as: tokenOf(second) }
  yield { route: 'POST api/v1/self/stop' }
}

const json = { 'content-type': 'application/json' }

interface Asking extends Question {
  readonly url?: string
  readonly as?: Caller
}

/** Refusals that every route of that shape has. */
const byStatus: Readonly<Record<number, (op: Operation) => Asking>> = {
  400: ({ hasBody, method }) => {
    if (hasBody) return { body: '{', headers: json }
    return method === 'POST' ? { headers: { 'idempotency-key': 'not printable: \u00fc' } } : { url: '?limit=0&lines=0' }
  },
  401: () => ({ as: nobody }),
  403: () => ({ headers: { origin: 'https://evil.example' } }),
  404: () => ({}),
  409: ({ path }) => ({ url: filled(path, { id: 'latest' }) }),
  413: ({ path }) => ({ body: Buffer.alloc(((path.endsWith('/import') ? 64 : 4) << 20) + 1, 0x20), headers: json }),
  415: () => ({ body: '{}', headers: { 'content-type': 'text/plain' } }),
  421: () => ({ headers: { host: 'evil.example' } }),
}

/** What only one route refuses, or refuses in its own way. */
function ownRefusals({ config, digest, oldRoot, zip: bytes }: Cast): Readonly<Record<string, Asking>> {
  const zip = { 'content-type': 'application/zip' }
  const name = 'till@9.9.9'
  const range = { range: 'bytes=999999999-' }
  return {
    '401 POST api/v1/session': { as: nobody, body: { name: operator, passphrase: 'wrong' } },
    '400 GET api/v1/packages/{digest}': { url: '/_shoal/api/v1/packages/xyz' },
    '416 GET api/v1/packages/{digest}': { url: `/_shoal/api/v1/packages/${digest}`, headers: range },
    '416 GET peer/v1/packages/{digest}/{part}': { url: `/_shoal/peer/v1/packages/${digest}`, headers: range },
    '400 POST api/v1/packages': { body: Buffer.from('x'), headers: { ...zip, 'x-shoal-digest': 'xyz' } },
    '411 POST api/v1/packages': { body: Buffer.from('x'), headers: { ...zip, 'transfer-encoding': 'chunked' } },
    '413 POST api/v1/packages': { body: Buffer.from('x'), headers: { ...zip, 'content-length': String(300 << 20) } },
    '422 POST api/v1/packages': { body: bytes.subarray(0, 100), headers: zip },
    '409 POST api/v1/releases': { body: { packages: [digest], notes: 'other words' } },
    '409 POST api/v1/root': { body: { root: oldRoot } },
    '409 POST api/v1/operators': { body: { name: operator, role: 'viewer' } },
    '409 DELETE api/v1/operators/{name}': { url: `/_shoal/api/v1/operators/${operator}` },
    '409 POST api/v1/config': { body: { before: { ...config, name: 'other' }, config } },
    '404 POST api/v1/rollouts/draft': { body: { release: name } },
    '409 POST api/v1/rollouts/draft': { body: { release: 'till@1.0.0', tags: ['none'] } },
    '404 POST api/v1/rollouts': { body: { release: name } },
    '409 POST api/v1/rollouts': { body: { release: 'till@1.0.0', plan: hex } },
    '404 POST api/v1/peers/test': { body: { target: 'nobody' } },
    '503 POST api/v1/peers': { body: { address: '127.0.0.1:1' } },
    '400 GET peer/v1/documents/{digest}': { url: '/_shoal/peer/v1/documents/xyz' },
    '400 GET api/v1/nodes/{id}/logs': { url: '/_shoal/api/v1/nodes/self/logs?lines=0' },
  }
}

/** Asks so that the route refuses with this status; undefined: nobody knows how. */
export function provoke(cast: Cast, op: Operation, status: number): Promise<Reply> | undefined {
  const route = `${op.method} ${op.path}`
  const own = ownRefusals(cast)[`${status} ${route}`]
  const general = byStatus[status]
  if (own === undefined && general === undefined) return undefined
  const { url, as, ...question } = own ?? general?.(op) ?? {}
  const path = url?.startsWith('/') === true ? url : filled(op.path) + (url ?? '')
  const needsBody = op.method === 'POST' && question.body === undefined
  const more = needsBody ? (op.access === 'bytes' ? { body: Buffer.from('x') } : { body: {} }) : {}
  return ask(cast.node, as ?? callerFor(op.access, cast), path, { method: op.method, ...more, ...question })
}
