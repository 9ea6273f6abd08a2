/**
 * A worker process around a Listener, for tests of the switch: told by IPC what the supervisor would say. Its app is small: each
 * answer names the process that gave it.
 */
import { createHash, X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { type Certificates, Listener, type ListenerLimits, type Who } from '../../src/web/listener/index.ts'

export interface WorkerInit {
  readonly name: string
  readonly fleetDomain: string
  readonly certificates: Certificates
  readonly ticketKeys: string
  readonly limits: Partial<ListenerLimits>
  readonly leaveWebSockets: boolean
}

export type ToTestWorker =
  | { readonly t: 'go'; readonly path: string; readonly relayedPort?: number }
  | { readonly t: 'connection' }
  | { readonly t: 'forward'; readonly path: string }
  | { readonly t: 'park'; readonly limitMs: number; readonly forward?: string }
  | { readonly t: 'close'; readonly graceMs: number }

const init = JSON.parse(process.env['WORKER_INIT'] ?? '') as WorkerInit
const say = (t: string, more: object = {}): void => void process.send?.({ t, ...more })
const streams = new Set<ServerResponse>()
const sockets = new WebSocketServer({ noServer: true })

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function answer(req: IncomingMessage, res: ServerResponse, who: Who): Promise<void> {
  const url = new URL(req.url ?? '/', 'https://x')
  if (url.pathname === '/hang') return
  if (url.pathname === '/die') process.kill(process.pid, 'SIGKILL')
  if (url.pathname === '/slow') await new Promise(done => setTimeout(done, Number(url.searchParams.get('ms'))))
  if (url.pathname === '/events' || url.pathname === '/stubborn-events') {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${init.name}\n\n`)
    if (url.pathname === '/events') streams.add(res)
    return
  }
  const body = await readBody(req)
  const text = JSON.stringify({
    by: init.name,
    who: who.kind,
    remote: who.remote,
    cert: who.kind === 'peer' ? new X509Certificate(who.cert).toString() : null,
    length: body.length,
    sha: createHash('sha256').update(body).digest('hex'),
  })
  res.setHeader('set-cookie', ['a=1', 'b=2'])
  res.setHeader('content-type', 'application/json')
  res.end(text)
}

const listener = new Listener({
  fleetDomain: init.fleetDomain,
  certificates: init.certificates,
  ticketKeys: Buffer.from(init.ticketKeys, 'base64'),
  limits: init.limits,
  onRequest: (req, res, who) => {
    if (req.url === '/upload') say('begun')
    answer(req, res, who).catch(() => res.destroy())
  },
  onUpgrade: (req, socket, head) => sockets.handleUpgrade(req, socket, head, ws => ws.send(init.name)),
  report: error => console.error(error),
})
listener.onPark(() => {
  if (!init.leaveWebSockets) for (const ws of sockets.clients) ws.close(1012)
})
listener.onPark(() => {
  for (const res of streams) res.end('retry: 250\n\n')
})

async function obey(m: ToTestWorker, handle: unknown): Promise<void> {
  switch (m.t) {
    case 'go':
      if (m.relayedPort === undefined) await listener.listen(handle as object, m.path)
      else await listener.listenRelayed(m.path)
      say('listening')
      return
    case 'connection':
      if (handle instanceof Socket) listener.take(handle)
      return
    case 'park':
      await listener.park(m.limitMs, m.forward)
      {
        say('parked')
        return
      }
    case 'forward': {
      const { held } = listener.counts
      listener.forward(m.path)
      say('forwarding', { held })
      return
    }
    case 'close':
      await listener.close(m.graceMs)
      {
        say('closed')
        return
      }
  }
}
process.on(
  'message',
  (m, handle) => void obey(m as ToTestWorker, handle).catch((error: unknown) => say('error', { message: String(error) })),
)
process.once('disconnect', () => process.exit())
await listener.selfTest()
say('ready')
