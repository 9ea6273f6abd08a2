/**
 * The node's port, whoever is the node. Usually workers accept on the bound handle themselves. Where Node.js has no call for such a handle, the
 * supervisor accepts, sends each connection to the worker that is the node, and keeps it unread while there is none: slower, but nothing is
 * refused either. Both are the same to the machine.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type ListenOptions, type Socket } from 'node:net'
import { type Address, messageOf, ShoalError, systemCodeOf, type ToWorker } from '../model/index.ts'
import type { Child } from './children.ts'
import { maxWaitingConnections } from './limits.ts'
import { adoptSocket, bindAddress, type BoundHandle, explain, isAt, numeric } from './socket.ts'

type Go = Extract<ToWorker, { t: 'go' }>
type Taker = Pick<Child, 'send'>

export interface Port {
  readonly port: number
  /** Tells this worker to become the node, and lets it accept. */
  readonly open: (worker: Taker, go: Go) => void
  /** This worker accepts no more: it parks, stops, or is gone. */
  readonly shut: (worker: Taker) => void
  readonly close: () => void
}

/**
 * @param fd a socket that the service manager listens on, null: none
 * @throws ShoalError PORT_IN_USE, NOT_ALLOWED, BAD_REQUEST
 */
export async function openPort(address: Address, fd: number | null, say: (line: string) => void): Promise<Port> {
  try {
    const adopted = fd === null ? null : await adoptSocket(fd, address, say)
    return new HandlePort(adopted ?? (await bindAddress(address)))
  } catch (error) {
    if (!(error instanceof ShoalError) || error.code !== 'NODE_VERSION') throw error
    say(`${error.message}: the supervisor accepts connections itself`)
    return RelayPort.listen(address, fd)
  }
}

class HandlePort implements Port {
  readonly #bound: BoundHandle

  constructor(bound: BoundHandle) {
    this.#bound = bound
  }

  get port(): number {
    return this.#bound.port
  }

  open(worker: Taker, go: Go): void {
    worker.send(go, this.#bound.handle)
  }

  shut(): void {
    // It stops by itself, or is gone with its copy of the handle.
  }

  close(): void {
    this.#bound.close()
  }
}

export class RelayPort implements Port {
  readonly #server = createServer({ allowHalfOpen: false, pauseOnConnect: true })
  readonly #waiting = new Set<Socket>()
  #taker: Taker | null = null

  private constructor() {
    this.#server.on('connection', socket => this.#accepted(socket))
    this.#server.on('error', ignore) // a failing accept; the next one may work
  }

  /** @throws ShoalError PORT_IN_USE, NOT_ALLOWED, BAD_REQUEST */
  static async listen(address: Address, fd: number | null): Promise<RelayPort> {
    const own = await numeric(address)
    if (fd !== null) {
      const adopted = new RelayPort()
      if ((await adopted.#listens({ fd }).catch(() => false)) && isAt(adopted.#name(), own)) return adopted
      adopted.close()
    }
    const port = new RelayPort()
    await port.#listens(own).catch((cause: unknown) => {
      throw explain(systemCodeOf(cause) ?? messageOf(cause), address)
    })
    return port
  }

  get port(): number {
    return this.#name().port
  }

  open(worker: Taker, go: Go): void {
    worker.send({ ...go, relayedPort: this.port })
    this.#taker = worker
    for (const socket of this.#waiting) this.#pass(socket, worker)
  }

  shut(worker: Taker): void {
    if (this.#taker === worker) this.#taker = null
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#waiting) socket.destroy()
  }

  #accepted(socket: Socket): void {
    socket.on('error', ignore)
    if (this.#waiting.size >= maxWaitingConnections) return void socket.destroy()
    this.#waiting.add(socket)
    socket.once('close', () => this.#waiting.delete(socket))
    if (this.#taker !== null) this.#pass(socket, this.#taker)
  }

  /** To a worker that is just dying nothing is passed: the next one gets it. */
  #pass(socket: Socket, worker: Taker): void {
    if (worker.send({ t: 'connection' }, socket)) this.#waiting.delete(socket)
  }

  async #listens(target: ListenOptions | { fd: number }): Promise<boolean> {
    this.#server.listen(target)
    await once(this.#server, 'listening')
    return true
  }

  #name(): AddressInfo {
    return this.#server.address() as AddressInfo
  }
}

const ignore = (): void => undefined
