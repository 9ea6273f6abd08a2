/**
 * WebSockets at a switch. Their owners close them with 1012 (service restart) when the listener parks; what an owner leaves behind,
 * and what arrives later, the listener closes itself, so that no client sees 1006 or stays with a worker that is nobody any more.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'

const restart = 1012
/** RFC 6455 section 5.5.1: FIN and opcode 8, two bytes, the status code. Owners write whole frames, so it lands between two of them. */
const closeFrame = Buffer.from([0x88, 2, restart >> 8, restart & 255])

export class Upgrades {
  readonly #sockets = new Set<Socket>()
  readonly #lingerMs: number
  readonly #refuser = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: 1024,
    // A client that offered names and got none would call it a failure, not a restart.
    handleProtocols: offered => offered.values().next().value ?? false,
  })

  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs
  }

  get count(): number {
    return this.#sockets.size
  }

  add(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** Completes the handshake only to say that the node restarts. */
  refuse(req: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#refuser.handleUpgrade(req, socket, head, ws => {
      ws.on('error', () => ws.terminate())
      ws.close(restart, 'the node is changing over')
      setTimeout(() => ws.terminate(), this.#lingerMs).unref()
    })
  }

  /** After the owners had `lingerMs` to close theirs: those that were there at the call and still are. */
  endLeftovers(): void {
    const leftovers = [...this.#sockets]
    setTimeout(() => {
      for (const socket of leftovers) this.#end(socket)
    }, this.#lingerMs).unref()
  }

  #end(socket: Socket): void {
    if (socket.destroyed) return
    if (!socket.writableEnded) socket.end(closeFrame)
    setTimeout(() => socket.destroy(), this.#lingerMs).unref()
  }
}
