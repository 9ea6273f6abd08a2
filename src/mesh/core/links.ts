/**
 * The connections: hello, which of two links to one peer stays, heartbeat. Both sides must keep the same one of two links, and
 * neither may close the one that the other keeps; so the choice depends only on what both know.
 */
import type { NodeId } from '../../model/index.ts'
import { Clones } from './clones.ts'
import type { Context, LinkId } from './events.ts'
import type { Hello } from './frames.ts'
import { closeCodes, deadAfterMs, helloTimeoutMs, meshProtocol, pingAfterMs, pingAgainMs, pingGridMs, settledAfterMs } from './limits.ts'
import { type Link, makeLink } from './link.ts'
import { onGrid, Timer } from './timer.ts'

/** WebSocket's code for a connection that ended without a word. */
const silentEnd = 1006

export interface LinkHooks {
  /** May a link to this peer be taken now? Else the close code. */
  readonly refusal: (peer: NodeId, dialled: boolean) => number | null
  readonly isPinned: (peer: NodeId) => boolean
  /** The link carries facts from now on. */
  readonly up: (link: Link) => void
  /** It does no more; `code` is why. `replaced`: another link to the peer is about to be up. */
  readonly down: (link: Link, code: number, replaced: boolean) => void
  /** A connection that we dialled ended before the hellos. */
  readonly failed: (peer: NodeId, code: number) => void
}

/**
 * Of two links to one peer, the one that goes:
 * - the peer's nonce is another: it started anew, its old link is dead (both go if it is known to be two machines, which both must hear);
 * - the older link has been up longer than any dial takes: the peer would not dial if it still had it;
 * - else both dialled at once: the one dialled by the greater id stays, and of two by the same side the newer.
 */
export function loserOf(older: Link, newer: Link, self: NodeId, now: number): Link {
  if (older.hello?.nonce !== newer.hello?.nonce) return older
  if (now - older.upAt > settledAfterMs) return older
  if (older.dialled === newer.dialled) return older
  const selfIsGreater = self > older.peer
  return older.dialled === selfIsGreater ? newer : older
}

export class Links {
  readonly timer: Timer
  readonly #ctx: Context
  readonly #hooks: LinkHooks
  readonly #byId = new Map<LinkId, Link>()
  readonly #active = new Map<NodeId, Link>()
  readonly #clones = new Clones()
  #up: readonly Link[] | null = null
  nonce = ''

  constructor(ctx: Context, hooks: LinkHooks) {
    this.#ctx = ctx
    this.timer = new Timer(ctx.wakeBy)
    this.#hooks = hooks
  }

  get(id: LinkId): Link | undefined {
    return this.#byId.get(id)
  }

  to(peer: NodeId): Link | undefined {
    return this.#active.get(peer)
  }

  /** Links that carry facts, one per peer. */
  up(): readonly Link[] {
    this.#up ??= [...this.#active.values()]
    return this.#up
  }

  all(): readonly Link[] {
    return [...this.#byId.values()]
  }

  open(id: LinkId, peer: NodeId, dialled: boolean): void {
    const link = makeLink(id, peer, dialled, this.#ctx.now)
    this.#byId.set(id, link)
    const refusal = this.#hooks.refusal(peer, dialled)
    if (refusal !== null) {
      this.close(link, refusal)
      return
    }
    this.#ctx.out.push({ t: 'send', link: id, frame: { t: 'hello', hello: this.#helloTo(peer) } })
    this.timer.by(this.#ctx.now + helloTimeoutMs)
  }

  /** The peer's hello: the link is up, or one of two goes. */
  greet(link: Link, hello: Hello): void {
    const fault = this.#faultOf(link, hello)
    if (fault !== null) {
      this.close(link, fault)
      return
    }
    link.hello = hello
    link.upAt = this.#ctx.now
    const isCloned = this.#clones.note(link.peer, hello.nonce, this.#ctx.now)
    if (isCloned) this.#ctx.out.push({ t: 'alarm', alarm: { alarm: 'cloned', peer: link.peer } })
    const older = this.#active.get(link.peer)
    if (older !== undefined && isCloned) {
      for (const each of [older, link]) this.#end(each, closeCodes.cloned, false)
      return
    }
    if (older !== undefined) {
      const loser = loserOf(older, link, this.#ctx.options.node, this.#ctx.now)
      this.#end(loser, closeCodes.duplicate, true)
      if (loser === link) return
      if (older.hello?.nonce !== hello.nonce) this.#ctx.out.push({ t: 'linkDown', peer: link.peer, code: closeCodes.duplicate })
    }
    this.#active.set(link.peer, link)
    this.#up = null
    if (older?.hello?.nonce !== hello.nonce) this.#ctx.out.push({ t: 'linkUp', peer: link.peer, hello })
    this.#hooks.up(link)
    this.#beat(link)
  }

  /** Our side ends the link. */
  close(link: Link, code: number): void {
    this.#end(link, code, false)
  }

  /** The other side, or the network, ended it. */
  closed(link: Link, code: number): void {
    this.#byId.delete(link.id)
    this.#detach(link, code, false)
  }

  /** Heartbeats and hellos that are due. `lagged`: this process stood still, silence proves nothing. */
  tick(lagged: boolean): void {
    for (const link of this.#byId.values()) {
      if (link.hello === null) this.#awaitHello(link)
      else this.#beat(link, lagged)
    }
  }

  #end(link: Link, code: number, replaced: boolean): void {
    link.closing = true
    this.#byId.delete(link.id)
    this.#ctx.out.push({ t: 'close', link: link.id, code })
    this.#detach(link, code, replaced)
  }

  #terminate(link: Link): void {
    link.closing = true
    this.#byId.delete(link.id)
    this.#ctx.out.push({ t: 'terminate', link: link.id })
    this.#detach(link, silentEnd, false)
  }

  #detach(link: Link, code: number, replaced: boolean): void {
    if (link.dialled && link.hello === null) this.#hooks.failed(link.peer, code)
    if (this.#active.get(link.peer) !== link) return
    this.#active.delete(link.peer)
    this.#up = null
    this.#hooks.down(link, code, replaced)
  }

  #helloTo(peer: NodeId): Hello {
    const { node, fleet, registers, caps } = this.#ctx.options
    const seen = registers.highestOf(peer)
    const keep = this.#hooks.isPinned(peer)
    return { protocol: meshProtocol, node, fleet, nonce: this.nonce, seen, ...this.#ctx.runs, keep, caps: caps ?? [] }
  }

  #faultOf(link: Link, hello: Hello): number | null {
    const { node, fleet } = this.#ctx.options
    if (link.hello !== null) return closeCodes.protocol
    if (hello.node !== link.peer || hello.fleet !== fleet) return closeCodes.identity
    if (hello.protocol !== meshProtocol) return closeCodes.version
    if (link.peer !== node) return null
    if (hello.nonce === this.nonce) return closeCodes.self
    this.#ctx.out.push({ t: 'alarm', alarm: { alarm: 'cloned', peer: node } })
    return closeCodes.cloned
  }

  #awaitHello(link: Link): void {
    const until = link.openedAt + helloTimeoutMs
    if (this.#ctx.now >= until) this.#terminate(link)
    else this.timer.by(until)
  }

  /** A verdict needs two pings without an answer: neither a clock that jumped nor a process that stood still can give one. */
  #beat(link: Link, lagged = false): void {
    const now = this.#ctx.now
    const silentMs = now - link.lastInboundAt
    if ((lagged && silentMs >= pingAfterMs) || (silentMs >= deadAfterMs && link.pings < 2)) {
      link.lastInboundAt = now - pingAfterMs
      link.pings = 0
    } else if (silentMs >= deadAfterMs) {
      this.#terminate(link)
      return
    }
    const { pings, dueMs } = heartbeatAt(now - link.lastInboundAt)
    if (pings > link.pings) this.#ctx.out.push({ t: 'ping', link: link.id })
    link.pings = pings
    const dueAt = link.lastInboundAt + dueMs
    this.timer.by(pings === 0 ? onGrid(dueAt, pingGridMs) : dueAt)
  }
}

/** Pings that should be out after so much silence, and the silence at which to look again. */
const heartbeatAt = (silentMs: number): { readonly pings: number; readonly dueMs: number } => {
  if (silentMs < pingAfterMs) return { pings: 0, dueMs: pingAfterMs }
  return silentMs < pingAgainMs ? { pings: 1, dueMs: pingAgainMs } : { pings: 2, dueMs: deadAfterMs }
}
