/**
 * The private socket of a worker: a Unix socket that only this user may open, or a named pipe on Windows. The parked worker sends late
 * requests there. It gives no rights: what comes in is a person's request, as good as its cookies and headers, or a peer's that is vouched for.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isAlive, isWindows } from '../../slots/index.ts'
import { ignoreSocketError } from './front.ts'
import { createServer } from './http.ts'
import type { ListenerLimits } from './limits.ts'
import { remoteHeader } from './vouch.ts'

/** Room for what the forwarding worker adds: an address, and a peer's certificate, which has about 600 bytes. */
const extraHeaderBytes = 8192

/** Connections that may wait, as many as requests wait at a parked worker, and more; the system may allow fewer. */
const backlog = 4096

const isPipe = (path: string): boolean => path.startsWith('\\\\')

/** Bytes of a Unix socket's path: sun_path has 104 on macOS, with the final zero. */
const maxPathBytes = 103

export interface PrivatePath {
  readonly path: string
  /** Removes what is left of it; to be called when the worker ends. */
  readonly remove: () => Promise<void>
}

/** A path for this process: in the folder (open to this user only) if it is short enough for a socket, else in a temporary one. */
export async function privatePath(folder: string, pid = process.pid): Promise<PrivatePath> {
  if (isWindows) return { path: `\\\\.\\pipe\\shoal-${pid}-${randomUUID()}`, remove: () => Promise.resolve() }
  await removeOrphans(folder)
  const inFolder = join(folder, `worker-${pid}.sock`)
  if (Buffer.byteLength(inFolder) <= maxPathBytes) return { path: inFolder, remove: () => rm(inFolder, { force: true }) }
  const path = join(await mkdtemp(join(tmpdir(), 'shoal-')), 'worker.sock')
  return { path, remove: () => rm(dirname(path), { recursive: true, force: true }) }
}

/** Sockets of workers that were killed. */
async function removeOrphans(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = Number(/^worker-(\d+)\.sock$/.exec(name)?.[1])
    if (pid > 0 && !isAlive(pid)) await rm(join(folder, name), { force: true })
  }
}

export function createPrivateServer(limits: ListenerLimits): Server {
  const server = createServer({
    headersTimeout: limits.headersMs,
    requestTimeout: limits.longestRequestMs,
    connectionsCheckingInterval: limits.checkMs,
    maxHeaderSize: limits.maxHeaderBytes + extraHeaderBytes,
    // The forwarding side has judged it already, and HTTP/1.0 knows no Host.
    requireHostHeader: false,
    shouldUpgradeCallback: () => false,
  })
  server.on('connection', (socket: Socket) => {
    socket.on('error', ignoreSocketError)
    // The client came by TLS: what looks at this (Koa's `ctx.secure`, an app that redirects to https) must see so.
    Object.defineProperty(socket, 'encrypted', { value: true })
  })
  return server
}

/** Listens at the path; what a killed worker left there is removed. The path's folder should be open to this user only. */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  if (!isPipe(path)) await rm(path, { force: true })
  // All that waited for this worker comes in one moment, and it may be busy in it.
  server.listen({ path, backlog })
  await once(server, 'listening')
  if (!isPipe(path)) await chmod(path, 0o600)
}

/** Reads and removes a header of the forwarding worker's; '': it is not there. */
export function takeHeader(req: IncomingMessage, name: string): string {
  const header = req.headers[name]
  Reflect.deleteProperty(req.headers, name)
  for (let i = req.rawHeaders.length - 2; i >= 0; i -= 2) if (req.rawHeaders[i]?.toLowerCase() === name) req.rawHeaders.splice(i, 2)
  return typeof header === 'string' ? header : ''
}

/** The client's address; also puts it where programs look for it. */
export function takeRemote(req: IncomingMessage): string {
  const remote = takeHeader(req, remoteHeader)
  Object.defineProperty(req.socket, 'remoteAddress', { value: remote, configurable: true })
  return remote
}
