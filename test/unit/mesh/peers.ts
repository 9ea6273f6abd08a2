/** Real nodes of a small fleet on loopback: certificates of the fleet's CA, a TLS server each, the mesh over WebSockets. */
import { createServer, type Server } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Registers } from '../../../src/facts/index.ts'
import { createMesh, type Mesh, MeshCore, type MeshNews } from '../../../src/mesh/index.ts'
import { type Fact, type FleetId, type NodeId } from '../../../src/model/index.ts'
import { type KeyAndCertificate, makeCa, makeNodeCertificate, newNodeKey, nodeOfCertificate } from '../../../src/trust/index.ts'
import { fleet, goodJudge, shoal } from './bench.ts'

export class TestFleet {
  readonly ca: KeyAndCertificate
  readonly members = new Set<string>()
  readonly #open: (() => Promise<void>)[] = []

  constructor() {
    this.ca = makeCa()
  }

  async peer(options: PeerOptions = {}): Promise<TestPeer> {
    const peer = new TestPeer(this, options)
    await peer.listen()
    this.#open.push(() => peer.stop())
    return peer
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map(stop => stop()))
  }
}

interface PeerOptions {
  readonly isMember?: boolean
  readonly fleet?: FleetId
  readonly ca?: KeyAndCertificate
  readonly wallNow?: () => number
}

export class TestPeer {
  readonly id: NodeId
  readonly registers = new Registers()
  readonly core: MeshCore
  readonly mesh: Mesh
  readonly news: MeshNews[] = []
  readonly logs: string[] = []
  readonly stored: { readonly facts: readonly Fact[]; readonly durable: boolean }[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #waiting: { readonly is: () => boolean; readonly then: () => void }[] = []
  onNews: (news: MeshNews) => void = () => undefined

  constructor(
    testFleet: TestFleet,
    { isMember = true, fleet: fleetId = fleet, ca = testFleet.ca, wallNow = () => Date.now() }: PeerOptions,
  ) {
    const key = newNodeKey()
    this.id = key.id
    if (isMember) testFleet.members.add(key.id)
    const tls = { key: key.key, cert: makeNodeCertificate(key.spki, fleetId, ca), ca: ca.cert }
    const members = (id: NodeId): boolean => testFleet.members.has(id)
    const runs = { app: null, shoal, trial: null }
    const options = { node: key.id, fleet: fleetId, registers: this.registers, judge: goodJudge, isMember: members, rng: Math.random, runs }
    this.core = new MeshCore(options)
    const clock = { now: () => performance.now(), wallNow, after: afterMs }
    this.mesh = createMesh({
      self: key.id,
      fleet: fleetId,
      tls,
      core: this.core,
      isMember: members,
      onNews: news => this.#hear(news),
      log: (event, fields) => this.logs.push(`${event} ${JSON.stringify(fields)}`),
      clock,
    })
    this.#server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3', ALPNProtocols: ['shoal/1'] })
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('upgrade', (request, socket, head) => {
      if (!(socket instanceof TLSSocket)) throw new TypeError('an https server has TLS sockets alone')
      const peer = nodeOfCertificate(socket.getPeerCertificate().raw, fleetId)
      if (testFleet.members.has(peer)) this.mesh.accept(request, socket, head, peer)
      else socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    })
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async listen(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async stop(): Promise<void> {
    await this.mesh.stop()
    this.cut()
    if (this.#server.listening) await new Promise(resolve => this.#server.close(resolve))
  }

  /** The machine's connections break without a word of WebSocket's. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  pin(...peers: { readonly id: NodeId; readonly address: string }[]): void {
    this.mesh.setPinned(peers.map(({ id, address }) => ({ id, address })))
  }

  linkedTo(peer: TestPeer): boolean {
    return this.mesh.links().some(link => link.peer === peer.id)
  }

  /** Resolves when it is so; looked at after every news. */
  when(is: () => boolean): Promise<void> {
    if (is()) return Promise.resolve()
    return new Promise(then => this.#waiting.push({ is, then }))
  }

  #hear(news: MeshNews): void {
    this.news.push(news)
    if (news.t === 'store') this.stored.push(news)
    // Looked at when the core is done with the event.
    queueMicrotask(() => {
      const [done, waiting] = [this.#waiting.filter(w => w.is()), this.#waiting.filter(w => !w.is())]
      this.#waiting = waiting
      for (const { then } of done) then()
    })
    this.onNews(news)
  }
}

const afterMs = (ms: number, then: () => void): (() => void) => {
  const timer = setTimeout(then, Math.max(0, ms))
  return () => clearTimeout(timer)
}

/** A TCP relay in front of a peer that can stand still: it reads nothing more, so buffers fill. */
export class Relay {
  readonly #server: TcpServer
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #isStill = false
  constructor(port: number) {
    this.#server = createTcpServer(inner => {
      const outer = connect(port, '127.0.0.1')
      const pair = [inner, outer] as const
      this.#pairs.add(pair)
      for (const [from, to] of [pair, [outer, inner] as const]) {
        from.setNoDelay(true)
        from.on('error', () => to.destroy())
        from.on('close', () => to.destroy())
        if (!this.#isStill) from.pipe(to)
      }
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  standStill(): void {
    this.#isStill = true
    for (const [a, b] of this.#pairs) {
      a.unpipe(b).pause()
      b.unpipe(a).pause()
    }
  }

  async close(): Promise<void> {
    for (const [a, b] of this.#pairs) {
      a.destroy()
      b.destroy()
    }
    await new Promise(resolve => this.#server.close(resolve))
  }
}
