/**
 * Requests that arrive on the kept connections of a parked worker. Each waits until the next worker listens and is then sent to it
 * over its private socket; its answer, or one soon after, asks the client to come to the public port the next time. If that worker is not there (any
 * more), the request waits again. Who the client is travels along: a person's address, and what proves a peer (vouch.ts).
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { refusals, refuse } from './answers.ts'
import type { Connections } from './connections.ts'
import { request } from './http.ts'
import { type ListenerLimits, maxKnockMs, retryAfterSeconds } from './limits.ts'
import { peerHeader, remoteHeader, type Voucher } from './vouch.ts'
import type { Who } from './who.ts'

interface Held {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly who: Who
  /** Takes it when this worker goes on itself. */
  readonly serveHere: () => void
  /** A worker has died over it: it is not tried on a third. */
  isAgain: boolean
  /** How often it has found no place. */
  knocks: number
  /** Monotonic, ms: then nobody waits any more. */
  readonly untilMs: number
}

/** RFC 9110 section 7.6.1, and Expect, which this side has answered. Transfer-Encoding of a request stays: it frames the body. */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect', remoteHeader, peerHeader])

function* pairs(raw: readonly string[]): Generator<readonly [string, string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] ?? '', raw[i + 1] ?? '']
}

function endToEnd(raw: readonly string[], alsoDropped?: string): string[] {
  const named = [...pairs(raw)]
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(/\s*,\s*/))
  const dropped = (name: string): boolean =>
    hopByHop.has(name) || name === alsoDropped || (named.includes(name) && name !== 'transfer-encoding')
  return [...pairs(raw)].filter(([name]) => !dropped(name.toLowerCase())).flat()
}

const hasBody = (req: IncomingMessage): boolean =>
  req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined
const isSafe = (req: IncomingMessage): boolean => (req.method === 'GET' || req.method === 'HEAD') && !hasBody(req)

/** Null: the request has characters that Node reads but does not write. */
function openOnward({ req, who }: Held, socketPath: string, voucher: Voucher): ClientRequest | null {
  const proof = who.kind === 'peer' ? [peerHeader, voucher.write(who.cert)] : []
  const headers = [...endToEnd(req.rawHeaders), remoteHeader, who.remote, ...proof]
  try {
    return request({ socketPath, agent: false, method: req.method ?? 'GET', path: req.url ?? '/', headers })
  } catch {
    return null
  }
}

export class LateRequests {
  readonly #waiting = new Map<Held, NodeJS.Timeout>()
  readonly #connections: Connections
  readonly #limits: ListenerLimits
  readonly #voucher: Voucher
  #path: string | null = null
  /** When passing on began. */
  #passingSince = 0
  #isHurried = false
  #isHere = true
  #isOver = false

  constructor(connections: Connections, limits: ListenerLimits, voucher: Voucher) {
    this.#connections = connections
    this.#limits = limits
    this.#voucher = voucher
  }

  get count(): number {
    return this.#waiting.size
  }

  /** From now on requests wait. */
  begin(): void {
    this.#path = null
    this.#isHere = false
  }

  /** From now on they go there. */
  forward(path: string): void {
    if (this.#path === null) this.#passingSince = performance.now()
    this.#path = path
    for (const held of [...this.#waiting.keys()]) this.#send(this.#take(held), path)
  }

  /** The end is near: nobody is to stay for another request. */
  hurry(): void {
    this.#isHurried = true
  }

  /** When passing on last began, and clients kept their connections for later, monotonic, ms; 0: never. */
  get passingSince(): number {
    return this.#passingSince
  }

  /** This worker serves again. */
  end(): void {
    this.#path = null
    this.#isHere = true
    for (const held of [...this.#waiting.keys()]) this.#take(held).serveHere()
  }

  /** Nobody will come: answers all that wait. */
  giveUp(): void {
    this.#isOver = true
    for (const held of [...this.#waiting.keys()]) this.#refuse(this.#take(held), refusals.parked(retryAfterSeconds))
  }

  hold(req: IncomingMessage, res: ServerResponse, who: Who, serveHere: () => void): void {
    const held: Held = { req, res, who, serveHere, isAgain: false, knocks: 0, untilMs: performance.now() + this.#limits.holdMs }
    res.once('close', () => this.#take(held))
    this.#route(held)
  }

  #route(held: Held): void {
    if (this.#isHere) held.serveHere()
    else if (this.#path !== null) this.#send(held, this.#path)
    else this.#wait(held)
  }

  #wait(held: Held): void {
    const giveUp = (): void => this.#refuse(this.#take(held), refusals.parked(retryAfterSeconds))
    if (this.#isOver) giveUp()
    else if (this.#waiting.size >= this.#limits.maxHeld) this.#refuse(held, refusals.tooMany(retryAfterSeconds))
    else this.#waiting.set(held, setTimeout(giveUp, Math.max(0, held.untilMs - performance.now())))
  }

  #take(held: Held): Held {
    clearTimeout(this.#waiting.get(held))
    this.#waiting.delete(held)
    return held
  }

  #refuse(held: Held, refusal: Parameters<typeof refuse>[1]): void {
    this.#connections.closeAfter(held.res)
    refuse(held.res, refusal)
  }

  #send(held: Held, socketPath: string): void {
    const { req, res } = held
    const onward = openOnward(held, socketPath, this.#voucher)
    if (onward === null) {
      this.#refuse(held, refusals.unreadable)
      return
    }
    let isConnected = false
    let isOver = false
    onward.once('socket', socket => {
      // Only now: a body that was given to a connection that never came about would be lost to the next try.
      socket.once('connect', () => {
        isConnected = true
        onward.flushHeaders()
        req.pipe(onward)
      })
    })
    const drop = (): void => void onward.destroy()
    res.once('close', drop)
    onward.once('response', answer => {
      isOver = true
      this.#relay(answer, held)
    })
    // After the answer has begun it speaks for itself: a worker may answer and close before it has read the whole body.
    onward.on('error', () => {
      if (isOver) return
      isOver = true
      res.removeListener('close', drop)
      this.#failed(held, onward, isConnected)
    })
  }

  #failed(held: Held, onward: ClientRequest, wasConnected: boolean): void {
    held.req.unpipe(onward)
    if (held.res.destroyed) return
    const mayRepeat = !wasConnected || (isSafe(held.req) && !held.isAgain)
    if (wasConnected) held.isAgain = true
    if (!mayRepeat) this.#refuse(held, refusals.lost(retryAfterSeconds))
    else if (this.#isHere) held.serveHere()
    else this.#waitAndKnock(held)
  }

  /** The worker may be gone, and another word of the supervisor will come; or it has no place for a connection in this moment. */
  #waitAndKnock(held: Held): void {
    this.#wait(held)
    const pauseMs = Math.min(maxKnockMs, this.#limits.knockMs * 2 ** held.knocks++)
    setTimeout(() => {
      if (this.#path !== null && this.#waiting.has(held)) this.#send(this.#take(held), this.#path)
    }, pauseMs).unref()
  }

  #relay(answer: IncomingMessage, held: Held): void {
    const { res, who } = held
    if (res.destroyed) return void answer.destroy()
    if (who.kind === 'peer' && answer.headers[peerHeader] === undefined) {
      // A worker of an older release, which took it for a stranger's: the peer comes again at once, by a connection of its own.
      answer.destroy()
      this.#refuse(held, refusals.parked(0))
      return
    }
    const isDue = this.#isHurried || Math.random() * this.#limits.comeAnewMs <= performance.now() - this.#passingSince
    // What is not read of the request would stand before the next one.
    if (isDue || !held.req.complete) this.#connections.closeAfter(res)
    res.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', endToEnd(answer.rawHeaders, 'transfer-encoding'))
    res.flushHeaders()
    // The client sees an answer that is cut, which is what happened. (When the client goes, `drop` ends the other side.)
    answer.once('error', () => void res.destroy())
    answer.pipe(res)
  }
}
