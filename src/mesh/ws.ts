/**
 * The driver of the mesh over WebSockets: hands what happens to the core, runs what the core says. It holds connections and one timer,
 * and no policy.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type WebSocket from 'ws'
import { type Address, type Fact, type FleetId, type NodeId, type PinnedPeer } from '../model/index.ts'
import { serverNameOf } from '../trust/index.ts'
import { Accepter } from './accepter.ts'
import { type MeshClock, systemClock } from './clock.ts'
import type { Effect, Hello, LinkId, MeshCore, MeshEvent, Runs } from './core/index.ts'
import { dial, type PeerTls } from './dialler.ts'
import { closeGraceMs } from './limits.ts'
import { probe, type ProbeReport, sightOf } from './probe.ts'
import { LinkSocket } from './socket.ts'

/** What the rest of the node hears; connections and timers are the driver's own. */
export type MeshNews = Extract<Effect, { t: 'store' | 'changed' | 'linkUp' | 'linkDown' | 'synced' | 'refused' | 'alarm' }>

export interface MeshDriverOptions {
  readonly self: NodeId
  readonly fleet: FleetId
  readonly tls: PeerTls
  readonly core: MeshCore
  readonly isMember: (id: NodeId) => boolean
  /**
   * Called in the order of events. `store` is done when it returns, before any peer hears of it. What is published from in here is
   * taken up after the event at hand. What it throws is logged: a fact that something chokes on must not stop the mesh.
   */
  readonly onNews: (news: MeshNews) => void
  readonly log: (event: string, fields: Record<string, unknown>) => void
  readonly clock?: MeshClock
}

/** A link that carries facts. */
export interface MeshLink {
  readonly peer: NodeId
  /** This node dialled it. */
  readonly dialled: boolean
  readonly ageMs: number
  readonly hello: Hello
  readonly synced: boolean
}

export type PeerSight = 'linked' | 'tcp-only' | 'unreachable'

export interface Mesh {
  /** This node is *the* node from now on. @param nonce new for every start, 8 to 64 characters; default a random one */
  start(nonce?: string): void
  /** Closes every link with 1012, dials nobody, answers 503; `start` ends it. */
  park(): void
  /** Parks, and waits until every connection is gone. */
  stop(): Promise<void>
  /** An upgrade of the server's. `peer` is who TLS says it is, a member. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, peer: NodeId): void
  /** This node's own facts, or what an operator signed here; judged by the caller. */
  publish(facts: readonly Fact[], durable: boolean): void
  setPinned(peers: readonly PinnedPeer[]): void
  setRuns(runs: Runs): void
  /** Ends the link to a peer and leaves it alone for a minute or two. */
  drop(peer: NodeId): void
  links(): readonly MeshLink[]
  /** `peers test`: names the first step that fails. */
  probe(address: Address, expect: NodeId | null, signal?: AbortSignal): Promise<ProbeReport>
  /** For probation: is the peer there, and is it we who cannot talk to it? */
  sight(peer: NodeId, addresses: readonly string[], signal: AbortSignal): Promise<PeerSight>
}

export const createMesh = (options: MeshDriverOptions): Mesh => new WsMesh(options)

class WsMesh implements Mesh {
  readonly #o: MeshDriverOptions
  readonly #clock: MeshClock
  readonly #accepter: Accepter
  readonly #sockets = new Map<LinkId, LinkSocket>()
  readonly #dialling = new Map<NodeId, () => void>()
  readonly #queue: MeshEvent[] = []
  #isRunning = false
  #isStarted = false
  #links = 0
  #cancelWake: () => void = () => undefined
  #onEmpty: () => void = () => undefined

  constructor(options: MeshDriverOptions) {
    this.#o = options
    this.#clock = options.clock ?? systemClock
    this.#accepter = new Accepter(this.#clock)
  }

  start(nonce: string = randomUUID()): void {
    this.#isStarted = true
    this.#handle({ t: 'start', nonce })
  }

  park(): void {
    this.#isStarted = false
    for (const giveUp of this.#dialling.values()) giveUp()
    this.#dialling.clear()
    this.#handle({ t: 'park' })
  }

  async stop(): Promise<void> {
    this.park()
    if (this.#sockets.size > 0) await this.#lastGone()
    this.#cancelWake()
  }

  async #lastGone(): Promise<void> {
    await new Promise<void>(resolve => {
      const cancel = this.#clock.after(closeGraceMs * 2, () => {
        for (const socket of this.#sockets.values()) socket.terminate()
      })
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer, peer: NodeId): void {
    if (this.#isStarted) this.#accepter.accept(request, socket, head, ws => this.#opened(ws, peer, false))
    else this.#accepter.refuse(socket)
  }

  publish(facts: readonly Fact[], durable: boolean): void {
    this.#handle({ t: 'publish', facts, durable })
  }

  setPinned(peers: readonly PinnedPeer[]): void {
    this.#handle({ t: 'pinned', peers })
  }

  setRuns(runs: Runs): void {
    this.#handle({ t: 'runs', runs })
  }

  drop(peer: NodeId): void {
    this.#handle({ t: 'drop', peer })
  }

  links(): readonly MeshLink[] {
    const now = this.#clock.now()
    return this.#o.core.links().map(({ upAtMs, ...link }) => ({ ...link, ageMs: Math.max(0, Math.round(now - upAtMs)) }))
  }

  probe(address: Address, expect: NodeId | null, signal?: AbortSignal): Promise<ProbeReport> {
    const { self, fleet, tls, isMember } = this.#o
    return probe({ address, expect, self, fleet, tls, isMember, wallNow: this.#clock.wallNow, ...(signal === undefined ? {} : { signal }) })
  }

  async sight(peer: NodeId, addresses: readonly string[], signal: AbortSignal): Promise<PeerSight> {
    if (this.links().some(link => link.peer === peer)) return 'linked'
    return sightOf(addresses, address => this.probe(address, peer, signal))
  }

  #handle(event: MeshEvent): void {
    this.#queue.push(event)
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const effect of this.#o.core.handle(next, this.#clock.now())) this.#run(effect)
      }
    } finally {
      this.#isRunning = false
    }
  }

  #run(effect: Effect): void {
    switch (effect.t) {
      case 'dial':
        this.#dial(effect.peer, effect.address)
        break
      case 'send':
        this.#sockets.get(effect.link)?.send(effect.frame)
        break
      case 'ping':
        this.#sockets.get(effect.link)?.ping()
        break
      case 'close':
        this.#sockets.get(effect.link)?.close(effect.code)
        break
      case 'terminate':
        this.#sockets.get(effect.link)?.terminate()
        break
      case 'wake':
        this.#wakeAt(effect.atMs)
        break
      case 'store':
      case 'changed':
      case 'linkUp':
      case 'linkDown':
      case 'synced':
      case 'refused':
      case 'alarm':
        this.#tell(effect)
        break
    }
  }

  #tell(news: MeshNews): void {
    try {
      this.#o.onNews(news)
    } catch (error) {
      this.#o.log('mesh news failed', { news: news.t, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }

  #wakeAt(atMs: number): void {
    this.#cancelWake()
    this.#cancelWake = this.#clock.after(atMs - this.#clock.now(), () => {
      if (this.#clock.now() < atMs) this.#wakeAt(atMs)
      else this.#handle({ t: 'wake' })
    })
  }

  #dial(peer: NodeId, address: string): void {
    const { tls, fleet, log } = this.#o
    const servername = serverNameOf(peer, fleet)
    const giveUp = dial(address, tls, servername, {
      opened: ws => {
        this.#dialling.delete(peer)
        this.#opened(ws, peer, true)
      },
      failed: why => {
        this.#dialling.delete(peer)
        log('dial failed', { peer, address, why: why.slice(0, 200) })
        this.#handle({ t: 'dialFailed', peer })
      },
    })
    this.#dialling.get(peer)?.()
    this.#dialling.set(peer, giveUp)
  }

  #opened(ws: WebSocket, peer: NodeId, dialled: boolean): void {
    const link = ++this.#links
    const emit = (event: MeshEvent): void => this.#handle(event)
    const ended = (): void => {
      this.#sockets.delete(link)
      if (this.#sockets.size === 0) this.#onEmpty()
    }
    this.#sockets.set(link, new LinkSocket({ link, ws, clock: this.#clock, emit, ended }))
    this.#handle({ t: 'opened', link, peer, dialled })
  }
}
