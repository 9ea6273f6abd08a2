/**
 * The mesh's decisions as one function of event and time to effects: whom to link, what to tell whom, what to believe. No clock,
 * sockets, timers or randomness of its own; the driver over WebSockets and the simulator run this same code.
 */
import type { Entry } from '../../facts/index.ts'
import type { Fact, NodeId, PinnedPeer } from '../../model/index.ts'
import { Dials } from './dials.ts'
import { KnownNodes } from './directory.ts'
import type { Context, Effect, LinkId, MeshEvent, MeshOptions } from './events.ts'
import type { Frame, Hello } from './frames.ts'
import { Intake } from './intake.ts'
import { isTrust } from './kinds.ts'
import { closeCodes, lagMs } from './limits.ts'
import type { Link } from './link.ts'
import { Links } from './links.ts'
import { Outbox } from './outbox.ts'
import { Repair } from './repair.ts'
import { Spread } from './spread.ts'
import { Timer } from './timer.ts'

/** One handler per `t`: the compiler sees that none is missing. */
type Handlers<U extends { readonly t: string }, A extends unknown[]> = {
  readonly [T in U['t']]: (...args: [...A, Extract<U, { readonly t: T }>]) => void
}

const never = Number.POSITIVE_INFINITY

/** A link that carries facts, for people and for receipts. */
export interface LinkView {
  readonly peer: NodeId
  readonly dialled: boolean
  /** In the clock of `handle`. */
  readonly upAtMs: number
  readonly hello: Hello
  readonly synced: boolean
}

export class MeshCore {
  readonly #ctx: Context
  readonly #links: Links
  readonly #dials: Dials
  /** Looks whether all linked are still members. */
  readonly #strangers: Timer
  readonly #intake: Intake
  readonly #outbox: Outbox
  readonly #spread: Spread
  readonly #repair: Repair
  readonly #events: Handlers<MeshEvent, []> = {
    start: e => this.#start(e.nonce),
    park: () => this.#park(),
    wake: () => this.#wake(),
    opened: e => this.#links.open(e.link, e.peer, e.dialled),
    dialFailed: e => this.#dialFailed(e.peer),
    frame: e => this.#frame(e.link, e.frame),
    alive: e => this.#alive(e.link),
    malformed: e => this.#close(e.link, closeCodes.protocol),
    closed: e => this.#closed(e.link, e.code),
    pressure: e => this.#pressure(e.link, e.high),
    publish: e => this.#learned(this.#intake.publish(e.facts, e.durable), null),
    pinned: e => this.#pin(e.peers),
    runs: e => {
      this.#ctx.runs = e.runs
    },
    drop: e => this.#close(this.#links.to(e.peer)?.id, closeCodes.dropped),
  }
  readonly #frames: Handlers<Exclude<Frame, { t: 'hello' }>, [Link]> = {
    facts: (link, f) => this.#facts(link, f.facts, f.bulk),
    ack: link => this.#outbox.acked(link),
    have: (link, f) => this.#have(link, f.entries, f.re),
    want: (link, f) => this.#outbox.serve(link, f.ids),
    root: (link, f) => this.#repair.onRoot(link, f.root),
    same: link => this.#repair.onSame(link),
    later: link => this.#repair.onLater(link),
    buckets: (link, f) => this.#repair.onBuckets(link, f.sums),
    list: (link, f) => this.#repair.onList(link, f.buckets, f.entries, f.last),
  }
  #wakeAt = never
  #saidWakeAt = never
  #isTopologyChanged = false
  #isStarted = false

  constructor(options: MeshOptions) {
    const directory = options.directory ?? new KnownNodes(options.node, options.registers, options.isMember)
    const wakeBy = (atMs: number): void => {
      this.#wakeAt = Math.min(this.#wakeAt, atMs)
    }
    this.#ctx = { options, directory, rng: options.rng, runs: options.runs, now: 0, out: [], wakeBy }
    this.#strangers = new Timer(wakeBy)
    this.#dials = new Dials(this.#ctx, () => this.#links)
    this.#links = new Links(this.#ctx, {
      refusal: (peer, dialled) => this.#dials.refusal(peer, dialled),
      isPinned: this.#dials.isPinned,
      up: link => this.#up(link),
      down: (link, code, replaced) => this.#down(link, code, replaced),
      failed: (peer, code) => this.#dials.failed(peer, code),
    })
    this.#intake = new Intake(this.#ctx)
    this.#outbox = new Outbox(this.#ctx)
    this.#repair = new Repair(
      this.#ctx,
      this.#links,
      () => this.#spread,
      link => this.#synced(link),
    )
    this.#spread = new Spread(this.#ctx, {
      links: this.#links,
      outbox: this.#outbox,
      intake: this.#intake,
      compare: link => this.#repair.begin(link),
      settled: link => this.#repair.settled(link),
    })
  }

  /** `nowMs` never goes back; its zero means nothing. */
  handle(event: MeshEvent, nowMs: number): readonly Effect[] {
    this.#ctx.now = nowMs
    this.#ctx.out = []
    this.#run(event)
    if (this.#isTopologyChanged) {
      this.#isTopologyChanged = false
      this.#dials.tick()
    }
    this.#sayWake()
    return this.#ctx.out
  }

  links(): readonly LinkView[] {
    return this.#links
      .up()
      .flatMap(({ peer, dialled, upAt, hello, synced }) => (hello === null ? [] : [{ peer, dialled, upAtMs: upAt, hello, synced }]))
  }

  #run(event: MeshEvent): void {
    ;(this.#events[event.t] as (event: MeshEvent) => void)(event)
  }

  /** Rounded up to a later whole millisecond: a wake always finds something due, whatever floating point did to the sums. */
  #sayWake(): void {
    if (this.#wakeAt === never) return
    const atMs = Math.floor(this.#wakeAt) + 1
    if (atMs === this.#saidWakeAt) return
    this.#saidWakeAt = atMs
    this.#ctx.out.push({ t: 'wake', atMs })
  }

  #start(nonce: string): void {
    this.#isStarted = true
    this.#saidWakeAt = never
    this.#links.nonce = nonce
    this.#dials.start()
    this.#isTopologyChanged = true
  }

  #park(): void {
    this.#isStarted = false
    this.#dials.stop()
    for (const link of this.#links.all()) this.#links.close(link, closeCodes.restart)
    this.#wakeAt = never
  }

  #wake(): void {
    const isLagged = this.#ctx.now - this.#saidWakeAt > lagMs
    this.#wakeAt = never
    this.#saidWakeAt = never
    const { now } = this.#ctx
    if (this.#strangers.rings(now)) {
      this.#closeStrangers()
      this.#membersChanged()
    }
    if (this.#links.timer.rings(now)) this.#links.tick(isLagged)
    if (this.#repair.timer.rings(now)) this.#repair.tick()
    if (this.#spread.timer.rings(now)) this.#spread.tick()
    if (this.#dials.timer.rings(now)) this.#isTopologyChanged = true
  }

  #dialFailed(peer: NodeId): void {
    this.#dials.failed(peer)
    this.#isTopologyChanged = true
  }

  #pin(peers: readonly PinnedPeer[]): void {
    this.#dials.setPinned(peers)
    this.#isTopologyChanged = true
  }

  #alive(id: LinkId): void {
    const link = this.#links.get(id)
    if (link !== undefined) link.lastInboundAt = this.#ctx.now
  }

  #close(id: LinkId | undefined, code: number): void {
    const link = id === undefined ? undefined : this.#links.get(id)
    if (link !== undefined) this.#links.close(link, code)
  }

  #closed(id: LinkId, code: number): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    this.#links.closed(link, code)
    if (code === closeCodes.cloned) this.#ctx.out.push({ t: 'alarm', alarm: { alarm: 'cloned', peer: this.#ctx.options.node } })
    this.#isTopologyChanged = true
  }

  #pressure(id: LinkId, high: boolean): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    link.pressed = high
    if (!high) this.#outbox.pump(link)
  }

  #frame(id: LinkId, frame: Frame): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    link.lastInboundAt = this.#ctx.now
    if (frame.t === 'hello') this.#links.greet(link, frame.hello)
    else if (link.hello === null) this.#links.close(link, closeCodes.protocol)
    else (this.#frames[frame.t] as (link: Link, frame: Frame) => void)(link, frame)
  }

  #have(link: Link, entries: readonly Entry[], isAnswer: boolean): void {
    this.#spread.heard(link, entries)
    if (isAnswer) this.#repair.onListAnswered(link)
  }

  #facts(link: Link, facts: readonly Fact[], isBulk: boolean): void {
    const accepted = this.#intake.take(facts, link)
    if (isBulk) this.#ctx.out.push({ t: 'send', link: link.id, frame: { t: 'ack' } })
    this.#spread.received(link, facts)
    this.#learned(accepted, link)
  }

  #learned(facts: readonly Fact[], from: Link | null): void {
    if (facts.length === 0) return
    if (this.#ctx.directory.learn(facts)) this.#membersChanged()
    if (facts.some(f => isTrust(f.kind))) {
      this.#closeStrangers()
      this.#repair.trustGrew()
      this.#strangers.by(this.#ctx.now) // `isMember` may learn of it only from `changed`
    }
    this.#spread.relay(facts, from)
  }

  #membersChanged(): void {
    this.#dials.membersChanged()
    this.#isTopologyChanged = true
  }

  #closeStrangers(): void {
    for (const link of this.#links.all()) if (!this.#ctx.options.isMember(link.peer)) this.#links.close(link, closeCodes.notMember)
  }

  #up(link: Link): void {
    this.#dials.up(link)
    this.#repair.up(link)
    this.#isTopologyChanged = true
  }

  #down(link: Link, code: number, replaced: boolean): void {
    if (!replaced) {
      this.#ctx.out.push({ t: 'linkDown', peer: link.peer, code })
      if (this.#isStarted) this.#dials.down(link, code)
    }
    this.#spread.gone(link)
    this.#isTopologyChanged = true
  }

  #synced(link: Link): void {
    this.#ctx.out.push({ t: 'synced', peer: link.peer })
    this.#dials.synced(link.peer)
  }
}
