/** Taking a peer's WebSocket on the node's own server. TLS and membership have been checked by the server; here are protocol and pace. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { TokenBucket } from './bucket.ts'
import type { MeshClock } from './clock.ts'
import { subprotocol } from './core/index.ts'
import { socketLimits } from './dialler.ts'
import { acceptBurst, acceptsPerSecond } from './limits.ts'

const offered = (request: IncomingMessage): readonly string[] =>
  (request.headers['sec-websocket-protocol'] ?? '').split(',').map(p => p.trim())

const refuse = (socket: Duplex, status: string, headers: readonly string[] = []): void => {
  socket.end([`HTTP/1.1 ${status}`, 'Connection: close', 'Content-Length: 0', ...headers, '', ''].join('\r\n'))
}

export class Accepter {
  readonly #server: WebSocketServer
  readonly #bucket: TokenBucket
  readonly #clock: MeshClock

  constructor(clock: MeshClock) {
    this.#clock = clock
    this.#bucket = new TokenBucket(acceptBurst, acceptsPerSecond, clock.now())
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      handleProtocols: protocols => (protocols.has(subprotocol) ? subprotocol : false),
      ...socketLimits,
    })
    // For `peers test`: the only step that looks at clocks.
    this.#server.on('headers', headers => headers.push(`Date: ${new Date(clock.wallNow()).toUTCString()}`))
  }

  /** @param taken called with the open WebSocket, within this call or soon after, or never */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, taken: (ws: WebSocket) => void): void {
    socket.on('error', () => socket.destroy())
    if (!offered(request).includes(subprotocol)) refuse(socket, '426 Upgrade Required', [`Sec-WebSocket-Protocol: ${subprotocol}`])
    else if (!this.#bucket.take(this.#clock.now())) refuse(socket, '503 Service Unavailable', ['Retry-After: 2'])
    else {
      this.#server.handleUpgrade(request, socket, head, ws => {
        ws.on('error', () => ws.terminate())
        taken(ws)
      })
    }
  }

  /** Not now: the node changes over. */
  refuse(socket: Duplex): void {
    socket.on('error', () => socket.destroy())
    refuse(socket, '503 Service Unavailable', ['Retry-After: 1'])
  }
}
