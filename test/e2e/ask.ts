/**
 * Asks a real node from outside, byte for byte as a test wants it: as nobody, with the local token, over a member's certificate, with anything
 * else that looks like one. And signs what operators sign, right or wrong.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { type IncomingHttpHeaders, request as overHttp } from 'node:http'
import { type Agent, request } from 'node:https'
import { join } from 'node:path'
import type { SecureVersion } from 'node:tls'
import type { Test } from 'tap'
import { type Code, codes, type DocumentKind, type Envelope, type FleetId, parseFleetId } from '../../src/model/index.ts'
import { blockmapOf, formatBlockmap, judgePackage, sha256Hex } from '../../src/packages/index.ts'
import { newNodeKey, newOneTimeKey, openOperatorKey, proveToken, type OperatorKey, signDocument } from '../../src/trust/index.ts'
import { operator, passphrase, type TestNode } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

/** A caller as the node sees it: with a certificate or not, by the peers' door or not. */
export interface Caller {
  readonly name: string
  readonly token?: string
  readonly session?: { readonly cookie: string; readonly csrf: string }
  readonly cert?: { readonly cert: string; readonly key: string }
  /** Offer `shoal/1`; the default where there is a certificate. */
  readonly alpn?: boolean
}

/** A digest and an id that nothing has. */
export const hex = 'a'.repeat(64)
export const id52 = 'a'.repeat(52)

export const nobody: Caller = { name: 'nobody' }

export interface Question {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** What is no text and no bytes is sent as JSON. */
  readonly body?: unknown
  readonly maxVersion?: SecureVersion
  readonly agent?: Agent
  readonly plain?: boolean
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly json: Json
  /** The code of the error, or '' */
  readonly code: string
}

/** One request; an event stream is left after its head. Rejects if no answer comes. */
export function ask(node: TestNode, caller: Caller, path: string, q: Question = {}): Promise<Reply> {
  const isRaw = q.body === undefined || typeof q.body === 'string' || Buffer.isBuffer(q.body)
  const body = isRaw ? q.body : JSON.stringify(q.body)
  const options = {
    host: '127.0.0.1',
    port: node.port,
    path: path.startsWith('/') ? path : `/_shoal/api/v1/${path}`,
    method: q.method ?? (body === undefined ? 'GET' : 'POST'),
    agent: q.agent ?? false,
    rejectUnauthorized: false,
    headers: {
      ...(caller.token === undefined ? {} : { authorization: `Bearer ${caller.token}` }),
      ...(caller.session === undefined ? {} : { cookie: `__Host-shoal=${caller.session.cookie}`, 'x-csrf': caller.session.csrf }),
      ...(isRaw ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined || q.headers?.['transfer-encoding'] !== undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      ...q.headers,
    },
    ...(caller.cert ?? {}),
    ...((caller.alpn ?? caller.cert !== undefined) ? { ALPNProtocols: ['shoal/1'] } : {}),
    ...(q.maxVersion === undefined ? {} : { maxVersion: q.maxVersion, minVersion: 'TLSv1.2' as const }),
  }
  return new Promise((resolve, reject) => {
    const req = (q.plain === true ? overHttp : request)(options, res => {
      const chunks: Buffer[] = []
      const done = (): void => {
        const bytes = Buffer.concat(chunks)
        const isJson = (res.headers['content-type'] ?? '').startsWith('application/json') && bytes.length > 0
        const json: Json = isJson ? JSON.parse(bytes.toString()) : null
        resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes, json, code: json?.error?.code ?? '' })
      }
      if (res.headers['content-type']?.startsWith('text/event-stream') === true) {
        done()
        res.destroy()
        return
      }
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', done)
      res.on('error', reject)
    })
    req.on('upgrade', res => reject(new Error(`upgraded ${res.statusCode}`)))
    req.on('error', reject)
    req.end(body)
  })
}

/** The code of the system's or TLS's error, or the status, of a request that should not be answered. */
export const failure = (asked: Promise<Reply>): Promise<string> =>
  asked.then(
    reply => `answered ${reply.status}`,
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  )

/** The token is read for each request: every worker that takes over makes a new one. */
export const tokenOf = (node: TestNode): Caller => ({
  name: 'local token',
  get token() {
    return node.file('instance/local.token').trim()
  },
})

/** The session that an answer to a log-in opened. */
export function sessionOf(name: string, reply: Reply): Caller {
  if (reply.status !== 201) throw new Error(`${name}: ${reply.status} ${reply.bytes.toString()}`)
  const cookie = /^__Host-shoal=([^;]+);/.exec(reply.headers['set-cookie']?.[0] ?? '')?.[1] ?? ''
  return { name, session: { cookie, csrf: reply.json.csrf } }
}

/** A person's session, opened as the dashboard does. */
export const logIn = async (node: TestNode, name: string, phrase: string): Promise<Caller> =>
  sessionOf(name, await ask(node, nobody, 'session', { body: { name, passphrase: phrase } }))

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

/** What bad input may not change: hashes of identity, settings, pointer, packages, inbox, data; names and sizes of what lies in slots. */
export function fingerprint(node: TestNode): Record<string, string> {
  const print: Record<string, string> = {}
  const take = (path: string, describe: (path: string) => string): void => {
    const full = join(node.home, path)
    if (!existsSync(full)) return
    if (statSync(full).isDirectory()) for (const name of readdirSync(full)) take(join(path, name), describe)
    else print[path] = describe(full)
  }
  for (const path of [
    'certs',
    'instance/config.json',
    'instance/packages',
    'instance/inbox',
    'instance/data',
    'instance/slots/current.json',
  ])
    take(path, hashOf)
  take('instance/slots', path => `${statSync(path).size} ${statSync(path).mtimeMs}`)
  delete print['instance/slots/attempts'] // the loader counts its starts in it
  return print
}

/** All that the fleet's facts say, as the API shows it. */
export async function picture(node: TestNode): Promise<Json> {
  const lists = await Promise.all(['fleet', 'nodes?all=1', 'releases', 'rollouts', 'peers'].map(path => ask(node, tokenOf(node), path)))
  return lists.map(l => JSON.parse(l.bytes.toString().replaceAll(/"(ageMs|linkedMs)":\d+/g, '"$1":0')))
}

/** Nothing of what the block tries may leave a trace, in files or in what the fleet knows. */
export async function changesNothing<T>(t: Test, node: TestNode, work: () => Promise<T>): Promise<T> {
  const before = [fingerprint(node), await picture(node)]
  const result = await work()
  t.same([fingerprint(node), await picture(node)], before, 'nothing has changed')
  return result
}

/** An error as the contract says, with its code and the status of that code. */
export function refused(t: Test, reply: Reply, code: Code, what: string): void {
  t.equal(reply.code, code, `${what}: ${reply.bytes.toString().slice(0, 300)}`)
  t.equal(reply.status, codes[code].status, what)
  t.match(reply.json.error, { message: /./, requestId: /^[0-9a-f-]{36}$/ }, `${what}: as the contract says`)
}

/** Signs for the fleet of a node, with its first operator's key. */
export class Pen {
  readonly node: TestNode
  readonly key: OperatorKey
  readonly fleet: FleetId

  private constructor(node: TestNode, key: OperatorKey, fleet: FleetId) {
    this.node = node
    this.key = key
    this.fleet = fleet
  }

  static async of(node: TestNode): Promise<Pen> {
    const key = openOperatorKey(node.file(`certs/operators/${operator}.json`), passphrase)
    const { json } = await ask(node, tokenOf(node), 'fleet')
    return new Pen(node, key, parseFleetId(json.fleet))
  }

  sign(kind: DocumentKind, payload: unknown, key = this.key): Envelope {
    return signDocument(kind, payload, [key])
  }

  async generation(): Promise<number> {
    return (await ask(this.node, tokenOf(this.node), 'fleet')).json.generation
  }

  /** Payload of a release of these bytes; of a real package, or of anything under its digest. */
  release(version: string, zip: Buffer, more: object = {}): Json {
    const isZip = zip.subarray(0, 2).toString() === 'PK'
    const blockmap = isZip ? sha256Hex(formatBlockmap(blockmapOf(zip, judgePackage(zip)))) : sha256Hex('none')
    return {
      fleet: this.fleet,
      kind: 'app',
      name: 'till',
      version,
      dataVersion: 1,
      minFrom: null,
      engines: null,
      handover: 'exclusive',
      probationMs: 300,
      packages: { any: { digest: sha256Hex(zip), size: zip.length, blockmap } },
      notes: '',
      ...more,
    }
  }

  /** Draft and order of a release by the API; `edit` spoils the payload before it is signed. */
  async order(release: string, edit: object = {}, draft: object = {}): Promise<{ envelope: Envelope; planText: string }> {
    const wish = { release, by: operator, soakMs: 100, only: [this.node.id], ...draft }
    const { json } = await ask(this.node, tokenOf(this.node), 'rollouts/draft', { body: wish })
    return { envelope: this.sign('order', { ...json.order, ...edit }), planText: json.planText }
  }

  /** Payload of a removal; `more` spoils it. */
  async removal(of: string, more: object = {}): Promise<Json> {
    const generation = (await this.generation()) + 1
    return { fleet: this.fleet, node: of, generation, reason: 'test', by: operator, at: '2026-01-01T00:00:00Z', ...more }
  }

  async invite(edit: object = {}): Promise<Json> {
    const oneTime = newOneTimeKey()
    const invite = {
      fleet: this.fleet,
      id: createHash('sha256').update(oneTime.publicKey).digest('hex').slice(0, 32),
      key: oneTime.publicKey,
      redeemer: this.node.id,
      uses: 1,
      expiresAt: new Date(Date.now() + 600_000).toISOString(),
      generation: (await this.generation()) + 1,
      canInvite: false,
      console: false,
      by: operator,
      ...edit,
    }
    return { invite, envelope: this.sign('invite', invite), secret: oneTime.privateKey }
  }

  /** A member that is no process: what `join` sends, by hand. */
  async ghost(name: string, edit: object = {}): Promise<Json> {
    const { invite, envelope, secret } = await this.invite(edit)
    await ask(this.node, nobody, 'invites', { body: { envelope } })
    const made = newNodeKey()
    const token = { fleet: this.fleet, invite: invite.id, key: secret } as Parameters<typeof proveToken>[0]
    const body = { invite: invite.id, node: made.id, spki: made.spki, proof: proveToken(token, made.id), name, addresses: [] }
    const joined = await ask(this.node, nobody, '/_shoal/join', { body })
    return { id: made.id, body, joined, caller: { name, cert: { cert: joined.json?.cert, key: made.key } } }
  }
}
