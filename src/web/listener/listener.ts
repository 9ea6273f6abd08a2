/**
 * The worker's listener: open, parked, open again, closed (DESIGN 6.8). Open, it serves. Parked, it accepts nothing, finishes what it
 * has, keeps its connections, and passes what arrives on them to the next worker; so nothing is refused or reset by a switch, and no
 * client's idle time matters. It must never end a connection of its own accord while it is parked, before that connection's idle time
 * is over.
 */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { messageOf, ShoalError, systemCodeOf } from '../../model/index.ts'
import { cutShort, refusals, refuse } from './answers.ts'
import { Changes } from './changes.ts'
import { Connections } from './connections.ts'
import { type Door, Front, ignoreSocketError } from './front.ts'
import { LateRequests } from './late.ts'
import { defaultLimits, defaultRequestMs, type ListenerLimits } from './limits.ts'
import { createPrivateServer, listenPrivately } from './private-socket.ts'
import { type Certificates, TlsServers } from './servers.ts'
import { proveNode } from './self-test.ts'
import { Upgrades } from './upgrades.ts'
import { peerHeader, Voucher } from './vouch.ts'
import { type Who, whoAsks } from './who.ts'

export interface ListenerOptions {
  /** `<fleet id>.shoal`: names below it get the node's own certificate. */
  readonly fleetDomain: string
  readonly certificates: Certificates
  /** 48 bytes from the supervisor, the same for each worker of this process: people's TLS sessions survive a switch. */
  readonly ticketKeys: Buffer
  readonly onRequest: (req: IncomingMessage, res: ServerResponse, who: Who) => void
  /** WebSocket upgrades only. */
  readonly onUpgrade: (req: IncomingMessage, socket: Socket, head: Buffer, who: Who) => void
  /** Milliseconds in which this request must have arrived whole; long for uploads. Default: 5 minutes for all. */
  readonly requestMs?: (req: IncomingMessage) => number
  readonly limits?: Partial<ListenerLimits>
  /** What goes wrong beside all requests: a callback that throws, a failing accept. */
  readonly report?: (error: unknown, what: string) => void
}

type State = 'new' | 'open' | 'parked' | 'closed'

export class Listener {
  readonly #options: ListenerOptions
  readonly #limits: ListenerLimits
  readonly #servers: TlsServers
  readonly #front: Front
  readonly #private: HttpServer
  readonly #connections = new Connections()
  readonly #upgrades: Upgrades
  readonly #late: LateRequests
  readonly #voucher: Voucher
  readonly #changes = new Changes()
  readonly #serving = new Set<ServerResponse>()
  readonly #parkCallbacks: (() => void)[] = []
  #state: State = 'new'
  #parks = 0
  #parkedAt = 0
  #closing: Promise<void> | null = null

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#upgrades = new Upgrades(this.#limits.lingerMs)
    this.#servers = new TlsServers(options.fleetDomain, options.certificates, options.ticketKeys, this.#limits)
    this.#front = new Front(this.#limits, (socket, door) => this.#servers[door].emit('connection', socket))
    this.#private = createPrivateServer(this.#limits)
    this.#voucher = new Voucher(options.ticketKeys)
    this.#late = new LateRequests(this.#connections, this.#limits, this.#voucher)
    this.#wire()
  }

  /**
   * Proves the private behaviour of this Node.js that the listener builds on. Needs no port of the node; to be run before `ready`.
   * @throws ShoalError INTERNAL
   */
  async selfTest(): Promise<void> {
    const { fleetDomain, certificates, ticketKeys } = this.#options
    await proveNode(fleetDomain, certificates, ticketKeys)
  }

  get state(): State {
    return this.#state
  }

  get counts(): { readonly connections: number; readonly serving: number; readonly held: number; readonly upgraded: number } {
    return { connections: this.#front.sockets.size, serving: this.#serving.size, held: this.#late.count, upgraded: this.#upgrades.count }
  }

  /** Called at each park: owners close their WebSockets with 1012 and end their streams with a retry hint. */
  onPark(callback: () => void): void {
    this.#parkCallbacks.push(callback)
  }

  /** For new connections, from now on. */
  setCertificates(certificates: Certificates): void {
    this.#servers.setCertificates(certificates)
  }

  /**
   * Accepts: for the first time, or again after `park` (then requests that wait are served here). `target` is the bound handle that
   * came by IPC, or host and port. The private socket is this worker's own, and stays from the first call to `close`: whoever forwards
   * here may still have connections in its backlog when this worker parks.
   * @throws ShoalError PORT_IN_USE, INTERNAL
   */
  async listen(target: ListenOptions | object, forwardPath: string): Promise<AddressInfo> {
    await this.#prepare(forwardPath)
    try {
      this.#front.server.listen(target)
      await once(this.#front.server, 'listening')
    } catch (cause) {
      const code = systemCodeOf(cause) === 'EADDRINUSE' ? 'PORT_IN_USE' : 'INTERNAL'
      throw new ShoalError(code, `listener: ${messageOf(cause)}`, { cause })
    }
    this.#open()
    return this.#front.server.address() as AddressInfo
  }

  /** As `listen`, but the supervisor accepts: each connection comes by `take`. @throws ShoalError INTERNAL */
  async listenRelayed(forwardPath: string): Promise<void> {
    await this.#prepare(forwardPath)
    this.#open()
  }

  /** A connection that the supervisor accepted; one that was under way at a park is kept like all that are here. */
  take(socket: Socket): void {
    if (this.#closing !== null) return void socket.destroy()
    this.#front.take(socket)
    socket.once('close', () => this.#changes.notify())
  }

  async #prepare(forwardPath: string): Promise<void> {
    if (this.#state === 'open' || this.#closing !== null) throw new ShoalError('INTERNAL', `listener: cannot listen while ${this.#state}`)
    if (!this.#private.listening) await listenPrivately(this.#private, forwardPath)
  }

  #open(): void {
    this.#state = 'open'
    this.#late.end()
  }

  /**
   * Stops accepting and resolves when nothing is in flight, after `limitMs` at the latest: what is unanswered then gets 503. Afterwards
   * the caller may close the app. Connections stay; requests that arrive on them wait for `forward` or `listen`.
   * @param forward the private socket of the worker that is the node already: nothing waits then
   */
  async park(limitMs: number, forward?: string): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'parked'
    this.#parkedAt = performance.now()
    const park = ++this.#parks
    this.#late.begin()
    this.#front.stop()
    if (forward !== undefined) this.#late.forward(forward)
    for (const callback of this.#parkCallbacks) this.#guard('park', callback)
    const isDone = await this.#changes.until(() => this.#serving.size === 0, limitMs)
    if (this.#parks !== park || this.state !== 'parked') return
    if (!isDone) for (const res of this.#serving) cutShort(this.#connections, res, refusals.parked(1), this.#limits.lingerMs)
    this.#upgrades.endLeftovers()
  }

  /** Parked: passes waiting and later requests to the private socket of the worker that is the node now. */
  forward(path: string): void {
    if (this.#state === 'parked') this.#late.forward(path)
  }

  /**
   * Ends everything within `graceMs`. Open: requests in flight are answered, with `Connection: close`. Parked: goes on forwarding until no
   * connection can be idle any more. Then all sockets go, those in a handshake too. A second call waits for the first.
   */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(performance.now() + graceMs)
    return this.#closing
  }

  async #close(deadline: number): Promise<void> {
    const left = (): number => deadline - performance.now()
    if (this.#state === 'open') this.#front.stop()
    if (this.#state === 'parked') {
      this.#late.hurry()
      const idleEnd = Math.max(this.#parkedAt, this.#late.passingSince) + this.#limits.parkedIdleMs
      await this.#changes.until(() => this.#front.sockets.size === 0, Math.min(left(), idleEnd - performance.now()))
    }
    this.#late.giveUp()
    this.#front.destroyPeeking()
    this.#connections.destroyIdle()
    await this.#changes.until(() => this.#connections.requests === 0, left())
    this.#state = 'closed'
    this.#front.destroyAll()
    this.#private.close()
    this.#private.closeAllConnections()
    await this.#changes.until(() => this.#front.sockets.size === 0, this.#limits.lingerMs)
    this.#servers.stop()
  }

  #wire(): void {
    for (const door of ['people', 'peer'] as const) {
      const server = this.#servers[door]
      server.on('secureConnection', socket => this.#connections.addSocket(socket))
      server.on('request', (req, res) => this.#onRequest(req, res, door))
      server.on('upgrade', (req, _socket, head) => this.#onUpgrade(req, head, door))
    }
    this.#private.on('connection', (socket: Socket) => this.#connections.addSocket(socket))
    this.#private.on('request', (req, res) => this.#onRequest(req, res, 'forwarded'))
    for (const server of [this.#front.server, this.#private]) server.on('error', error => this.#options.report?.(error, 'accept'))
    this.#front.server.on('connection', (socket: Socket) => socket.once('close', () => this.#changes.notify()))
  }

  #onRequest(req: IncomingMessage, res: ServerResponse, kind: Who['kind']): void {
    const gone = this.#connections.add(req.socket, res)
    // One for all: koa and stream.pipeline add eight of their own to a file's response, and above ten Node warns of a leak at each visit.
    res.once('close', () => {
      gone()
      this.#serving.delete(res)
      this.#changes.notify()
    })
    const asker = whoAsks(req, kind, this.#voucher)
    if (asker === null) return void req.socket.destroy()
    if (kind === 'forwarded' && asker.kind === 'peer') res.setHeader(peerHeader, 'known')
    if (this.#state === 'parked') this.#late.hold(req, res, asker, () => this.#serve(req, res, asker))
    else this.#serve(req, res, asker)
  }

  #serve(req: IncomingMessage, res: ServerResponse, asker: Who): void {
    // It may have closed while it waited in a parked worker.
    if (!res.closed) this.#serving.add(res)
    if (this.#closing !== null) this.#connections.closeAfter(res)
    this.#boundArrival(req, res)
    if (!this.#guard('request', () => this.#options.onRequest(req, res, asker))) refuse(res, refusals.fault)
  }

  /** Node has one time limit for all requests; uploads need a longer one than the rest. */
  #boundArrival(req: IncomingMessage, res: ServerResponse): void {
    if (req.headers['content-length'] === undefined && req.headers['transfer-encoding'] === undefined) return
    const late = (): void => cutShort(this.#connections, res, refusals.slowBody, this.#limits.lingerMs)
    const timer = setTimeout(late, this.#options.requestMs?.(req) ?? defaultRequestMs)
    const clear = (): void => clearTimeout(timer)
    req.once('end', clear)
    res.once('close', clear)
  }

  #onUpgrade(req: IncomingMessage, head: Buffer, door: Door): void {
    const { socket } = req
    this.#connections.forget(socket)
    socket.on('error', ignoreSocketError)
    if (this.#state !== 'open' || this.#closing !== null) {
      this.#upgrades.refuse(req, socket, head)
      return
    }
    const asker = whoAsks(req, door, this.#voucher)
    if (asker === null) return void socket.destroy()
    this.#upgrades.add(socket)
    if (!this.#guard('upgrade', () => this.#options.onUpgrade(req, socket, head, asker))) socket.destroy()
  }

  /** False: it threw, which is reported. */
  #guard(what: string, run: () => void): boolean {
    try {
      run()
      return true
    } catch (error) {
      this.#options.report?.(error, what)
      return false
    }
  }
}
