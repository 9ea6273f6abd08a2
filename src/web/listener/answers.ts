/** Answers that the listener gives itself: to requests that nobody will handle, and in place of a handler that is not done in time. */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Code } from '../../model/index.ts'
import type { Connections } from './connections.ts'
import { STATUS_CODES } from './http.ts'

interface Refusal {
  readonly status: 400 | 408 | 500 | 502 | 503
  readonly code: Code
  readonly message: string
  /** Seconds; null: do not say. */
  readonly retryAfter: number | null
}

export const refusals = {
  parked: (retryAfter: number): Refusal => ({ status: 503, code: 'STARTING', message: 'the node is changing over', retryAfter }),
  tooMany: (retryAfter: number): Refusal => ({ status: 503, code: 'BUSY', message: 'too many requests wait for the node', retryAfter }),
  lost: (retryAfter: number): Refusal => ({
    status: 502,
    code: 'STARTING',
    message: 'the worker ended before it had answered',
    retryAfter,
  }),
  fault: { status: 500, code: 'INTERNAL', message: 'the request was not handled', retryAfter: null },
  unreadable: { status: 400, code: 'BAD_REQUEST', message: 'the request cannot be passed on as it is written', retryAfter: null },
  slowBody: { status: 408, code: 'BAD_REQUEST', message: 'the request did not arrive in time', retryAfter: null },
} as const satisfies Record<string, Refusal | ((retryAfter: number) => Refusal)>

const headAndBody = (r: Refusal): { headers: Record<string, string>; body: string } => {
  const body = `${JSON.stringify({ error: { code: r.code, message: r.message, requestId: randomUUID() } })}\n`
  const headers = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)), 'Cache-Control': 'no-store' }
  return { headers: r.retryAfter === null ? headers : { ...headers, 'Retry-After': String(r.retryAfter) }, body }
}

/** Answers a request that never reached a handler, or whose handler has let go of it. */
export function refuse(res: ServerResponse, refusal: Refusal): void {
  if (res.headersSent || res.destroyed) return void res.destroy()
  const { headers, body } = headAndBody(refusal)
  res.writeHead(refusal.status, headers).end(body)
}

const eventStream = 'text/event-stream'

/** A head that was written in one go is not kept by Node; but who reads such a stream has asked for it. */
const isEventStream = (res: ServerResponse): boolean =>
  String(res.getHeader('content-type') ?? '').startsWith(eventStream) || (res.req.headers.accept ?? '').includes(eventStream)

/**
 * Ends a request that a handler has and does not finish. The handler knows nothing of it: so the answer goes around it, straight to
 * the socket, and what the handler writes later goes nowhere. An answer whose head is out is left alone (a download goes on), but an
 * event stream is ended: its client comes back by itself.
 */
export function cutShort(connections: Connections, res: ServerResponse, refusal: Refusal, lingerMs: number): void {
  const { socket } = res
  if (res.headersSent) {
    if (isEventStream(res)) res.end()
    return
  }
  // Not the one whose turn it is on this connection: it goes with the first.
  if (socket === null || socket.writableEnded || !connections.isFirst(res)) return
  const { headers, body } = headAndBody(refusal)
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}\r\n${lines.join('')}\r\n${body}`)
  setTimeout(() => socket.destroy(), lingerMs).unref()
}
