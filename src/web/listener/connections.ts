/**
 * The requests that are open on each established connection, in the order of their arrival. With pipelining several are open at once, and
 * a `Connection: close` on one loses the answers of all that came after it: so it may only be said when there is no other.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ignoreSocketError } from './front.ts'

export class Connections {
  readonly #open = new Map<Socket, ServerResponse[]>()

  addSocket(socket: Socket): void {
    this.#open.set(socket, [])
    socket.on('error', ignoreSocketError)
    socket.once('close', () => this.#open.delete(socket))
  }

  /** An upgraded socket belongs to whoever took it. */
  forget(socket: Socket): void {
    this.#open.delete(socket)
  }

  /** @returns what to call when the response has closed */
  add(socket: Socket, res: ServerResponse): () => void {
    const open = this.#open.get(socket)
    if (open === undefined) return () => undefined
    open.push(res)
    // A handler that writes after its answer was cut short gets an 'error' here; nobody else listens.
    res.on('error', ignoreSocketError)
    return () => void open.splice(open.indexOf(res), 1)
  }

  isFirst(res: ServerResponse): boolean {
    return this.#of(res)[0] === res
  }

  /** Asks the client to close after this answer, if nothing else is open on its connection. To be called when the answer is ready. */
  closeAfter(res: ServerResponse): void {
    if (this.#of(res).length === 1) res.shouldKeepAlive = false
  }

  get requests(): number {
    return this.#open.values().reduce((sum, open) => sum + open.length, 0)
  }

  destroyIdle(): void {
    for (const [socket, open] of this.#open) if (open.length === 0) socket.destroy()
  }

  #of(res: ServerResponse): readonly ServerResponse[] {
    return this.#open.get(res.req.socket) ?? []
  }
}
