/** Builders for tests of one core: ids, facts, and a bench that keeps the core's clock and effects. */
import { type Judge, Registers } from '../../../src/facts/index.ts'
import { type Effect, type Frame, type Hello, MeshCore, type MeshEvent, type MeshOptions } from '../../../src/mesh/core/index.ts'
import { type Digest, type Fact, type FleetId, type NodeId } from '../../../src/model/index.ts'

/** A node id that begins with this letter: 'a' < 'm' < 'z'. */
export const nodeId = (letter: string, n = 0): NodeId =>
  `${letter.repeat(44)}${String(n)
    .padStart(8, '0')
    .replace(/\d/g, digit => 'abcdefghij'[Number(digit)]!)}` as NodeId

export const fleet = 'f'.repeat(52) as FleetId
export const shoal = '5'.repeat(64) as Digest

export const fact = (over: Partial<Fact> = {}): Fact => ({
  kind: 'status',
  owner: nodeId('b'),
  name: '',
  epoch: 1,
  version: 1,
  body: '{}',
  sig: 'good',
  ...over,
})

export const nodeFact = (id: NodeId, address = `${id.slice(0, 1)}:1`): Fact =>
  fact({
    kind: 'node',
    owner: id,
    body: JSON.stringify({ name: 'n', addresses: [address], tags: [], platform: 'linux-x64', nodejs: '24.0.0' }),
  })

export const hello = (node: NodeId, over: Partial<Hello> = {}): Hello => ({
  protocol: 1,
  node,
  fleet,
  nonce: `nonce-of-${node.slice(0, 8)}`,
  seen: null,
  app: null,
  shoal,
  trial: null,
  keep: false,
  caps: [],
  ...over,
})

export const goodJudge: Judge = f =>
  f.sig === 'good' ? { v: 'accept' } : f.sig === 'wait' ? { v: 'wait' } : { v: 'reject', code: 'BAD_SIGNATURE', message: 'bad' }

export class Bench {
  readonly core: MeshCore
  readonly registers = new Registers()
  now = 1_000_000
  /** Effects since the last `take`. */
  #effects: Effect[] = []
  #wakeAt = Number.POSITIVE_INFINITY
  #links = 0
  readonly members = new Set<string>()
  readonly isMember = (id: string): boolean => this.members.size === 0 || this.members.has(id)

  constructor(over: Partial<MeshOptions> = {}) {
    this.core = new MeshCore({
      node: nodeId('m'),
      fleet,
      registers: this.registers,
      judge: goodJudge,
      isMember: this.isMember,
      rng: () => 0.5,
      runs: { app: null, shoal, trial: null },
      ...over,
    })
    this.do({ t: 'start', nonce: 'nonce-of-self' })
  }

  do(event: MeshEvent): readonly Effect[] {
    const effects = this.core.handle(event, this.now)
    for (const effect of effects) if (effect.t === 'wake') this.#wakeAt = effect.atMs
    this.#effects.push(...effects)
    return effects
  }

  /** Moves the clock, waking the core when it wants. */
  advance(ms: number): void {
    const until = this.now + ms
    while (this.#wakeAt <= until) {
      this.now = Math.max(this.now, this.#wakeAt)
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.do({ t: 'wake' })
    }
    this.now = until
  }

  /** The clock jumps; the core is woken once, late. */
  oversleep(ms: number): void {
    this.now += ms
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.do({ t: 'wake' })
  }

  take(): readonly Effect[] {
    const taken = this.#effects
    this.#effects = []
    return taken
  }

  takeOf<T extends Effect['t']>(kind: T): readonly Extract<Effect, { t: T }>[] {
    return this.take().filter((e): e is Extract<Effect, { t: T }> => e.t === kind)
  }

  /** Frames sent on a link since the last take, told by `t`. */
  sent(link?: number): readonly Frame[] {
    return this.takeOf('send')
      .filter(e => link === undefined || e.link === link)
      .map(e => e.frame)
  }

  open(peer: NodeId, dialled = false): number {
    const link = ++this.#links
    this.do({ t: 'opened', link, peer, dialled })
    return link
  }

  /** A link with hellos exchanged. */
  link(peer: NodeId, dialled = false, over: Partial<Hello> = {}): number {
    const link = this.open(peer, dialled)
    this.frame(link, { t: 'hello', hello: hello(peer, over) })
    return link
  }

  frame(link: number, frame: Frame): readonly Effect[] {
    return this.do({ t: 'frame', link, frame })
  }

  publish(...facts: Fact[]): readonly Effect[] {
    return this.do({ t: 'publish', facts, durable: false })
  }
}
