// A small true network: packages in stores, each behind a real HTTP server on loopback, and the request function that a node has.
import { createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import type { Test } from 'tap'
import { type NodeId, type PackageRef, parseNodeId } from '../../../src/model/index.ts'
import { PackageStore, sha256Hex } from '../../../src/packages/index.ts'
import { createPackageServer, type PackageServer, type PeerRequest } from '../../../src/transfer/index.ts'
import { buildZip, type Spec } from '../packages/index.ts'

/** Numbers from 0 to below 1, the same in each run. */
export function seeded(seed: number): () => number {
  let x = seed % 0x7fffffff || 1
  return () => {
    x = (x * 48271) % 0x7fffffff
    return x / 0x7fffffff
  }
}

export const nodeId = (n: number): NodeId => parseNodeId('abcdefghijklmnopqrstuvwxyz'[n % 26]!.repeat(52))

/** Bytes that do not compress. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let x = seed % 0x7fffffff || 1
  for (let at = 0; at < length; at++) {
    x = (x * 48271) % 0x7fffffff
    bytes[at] = x >>> 8
  }
  return bytes
}

/** A package of `count` files of 20 to 60 KB; `changed` of them differ from those of another `edition`. */
export function samplePackage(count: number, edition = 0, changed = 0): Buffer {
  const files = Array.from({ length: count }, (_, n): Spec => {
    const data = noise(20_000 + ((n * 7919) % 40_000), n + 1 + (n < changed ? edition * 1000 : 0))
    return { path: `f${String(n).padStart(3, '0')}`, data, ...(n % 5 === 0 ? { attributes: (0o100755 << 16) >>> 0 } : {}) }
  })
  const manifest = { schema: 1, kind: 'app', name: 'shop', version: `1.0.${edition}`, platform: 'any', engines: {}, entry: 'app.js' }
  const text = JSON.stringify(manifest)
  return buildZip([
    { path: 'shoal.json', method: 8, raw: deflateRawSync(text), data: text, crc: crc32(text) },
    { path: 'app.js', data: 'export default () => ({})\n' },
    ...files,
  ])
}

export const openStore = (dir: string): Promise<PackageStore> =>
  PackageStore.open({ dir: join(dir, 'packages'), inbox: join(dir, 'inbox'), reserveBytes: 0 })

async function* once1(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

/** Puts a package into a store and says how a release would name it. */
export async function put(store: PackageStore, bytes: Buffer): Promise<PackageRef> {
  const { digest, size, blockmap } = await store.receive(once1(bytes))
  return { digest, size, blockmap }
}

export interface Peer {
  readonly id: NodeId
  readonly store: PackageStore
  readonly server: PackageServer
  readonly http: Server
  readonly port: number
  /** Paths asked for, without the prefix. */
  readonly asked: string[]
  close(): Promise<void>
}

type Wrap = (handle: RequestListener) => RequestListener

/** Starts a peer; `wrap` may come between the network and the server, to lie, to be busy, to break off. */
export async function startPeer(
  t: Test,
  n: number,
  store: PackageStore,
  options: { maxUploads?: number; wrap?: Wrap } = {},
): Promise<Peer> {
  const server = createPackageServer({ store, ...(options.maxUploads === undefined ? {} : { maxUploads: options.maxUploads }) })
  const asked: string[] = []
  const handle: RequestListener = (req, res) => void server.handle(req, res, req.url!.slice(1))
  const wrapped = options.wrap?.(handle) ?? handle
  const http = createServer((req, res) => {
    asked.push(req.url!.slice(1))
    wrapped(req, res)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as { port: number }
  const close = async (): Promise<void> => {
    http.closeAllConnections()
    http.close()
  }
  t.teardown(close)
  return { id: nodeId(n), store, server, http, port, asked, close }
}

/** The request function over real HTTP. */
export function requestTo(peers: () => readonly Peer[]): PeerRequest {
  return async (id, path, range, signal) => {
    const peer = peers().find(p => p.id === id)
    if (peer === undefined) throw new Error('no such peer')
    const headers = range === null ? {} : { range: `bytes=${range.first}-${range.last}` }
    const req = get({ host: '127.0.0.1', port: peer.port, path: `/${path}`, headers, signal, agent: false })
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    return { status: res.statusCode ?? 0, headers: res.headers, body: res }
  }
}

export { sha256Hex }
