/**
 * The one public port. It reads the ClientHello of each connection and hands the socket, with every byte put back, to the TLS server that
 * the hello asks for: `shoal/1` to the peers' server, all else to the people's, which asks nobody for a certificate (a server that asks
 * breaks browsers). It keeps its own set of sockets: those that peek or shake hands are on no list of Node's.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { HelloReader } from './client-hello.ts'
import type { ListenerLimits } from './limits.ts'

/** ALPN name of peers. */
export const peerProtocol = 'shoal/1'

export type Door = 'people' | 'peer'

/** An error of a socket is the other side's going away; 'close' follows and does the rest. Without a listener it would end the process. */
export const ignoreSocketError = (): void => undefined

export class Front {
  readonly server: Server
  readonly sockets = new Set<Socket>()
  readonly #peeking = new Set<Socket>()
  readonly #limits: ListenerLimits
  readonly #hand: (socket: Socket, door: Door) => void

  constructor(limits: ListenerLimits, hand: (socket: Socket, door: Door) => void) {
    this.#limits = limits
    this.#hand = hand
    // allowHalfOpen stays false: with true, clients that give up while they are peeked at stay until the deadline.
    // noDelay belongs here: the default of an https server does not reach sockets that are handed to it.
    this.server = createServer({ allowHalfOpen: false, noDelay: true, pauseOnConnect: true }, socket => this.#accept(socket))
    this.server.maxConnections = limits.maxConnections
  }

  /** A connection that the supervisor accepted, not read from yet. */
  take(socket: Socket): void {
    if (this.sockets.size >= this.#limits.maxConnections) return void socket.destroy()
    socket.setNoDelay(true)
    this.#accept(socket)
  }

  /** Accepts no more itself. */
  stop(): void {
    if (this.server.listening) this.server.close()
  }

  /** Ends who has not yet said what they want. */
  destroyPeeking(): void {
    for (const socket of this.#peeking) socket.destroy()
  }

  destroyAll(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.sockets.add(socket)
    this.#peeking.add(socket)
    socket.on('error', ignoreSocketError)
    socket.once('close', () => {
      this.sockets.delete(socket)
      this.#peeking.delete(socket)
    })
    peek(socket, this.#limits.handshakeMs, door => {
      this.#peeking.delete(socket)
      this.#hand(socket, door)
    })
  }
}

/** Calls `done` with the socket as fresh as it came, or destroys it: no TLS, or no whole hello in time. */
function peek(socket: Socket, timeoutMs: number, done: (door: Door) => void): void {
  const reader = new HelloReader()
  const chunks: Buffer[] = []
  const timer = setTimeout(() => socket.destroy(), timeoutMs)
  const stop = (): void => {
    clearTimeout(timer)
    socket.removeListener('readable', onReadable)
    socket.removeListener('close', stop)
  }
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    chunks.push(chunk)
    const hello = reader.push(chunk)
    if (hello.kind === 'more') return
    stop()
    if (hello.kind === 'not-tls') return void socket.destroy()
    socket.unshift(Buffer.concat(chunks))
    done(hello.kind === 'hello' && hello.alpn.includes(peerProtocol) ? 'peer' : 'people')
  }
  socket.on('readable', onReadable)
  socket.once('close', stop)
}
