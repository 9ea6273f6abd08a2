/**
 * The simulated network and its clock. Everything happens in one queue ordered by time; everything random comes from the seed. Faults:
 * cut networks, directions that stand still, processes killed, machines without power, paused processes, wrong clocks.
 */
import { type Judge } from '../../src/facts/index.ts'
import type { Alarm, MeshEvent } from '../../src/mesh/core/index.ts'
import type { Fact, NodeId } from '../../src/model/index.ts'
import { EventHeap, type Timed } from './heap.ts'
import { simJudge, SimNode, simNodeId } from './node.ts'
import { type MakeProgram, Presence } from './program.ts'
import { Random } from '../helpers/random.ts'
import { arrivalOf, type End, frameOverheadBytes, type Parcel, type Wire } from './wire.ts'

export interface WorldSettings {
  readonly seed: number
  readonly nodes: number
  readonly makeProgram?: MakeProgram
  /** Median of the one-way latency between two nodes, default 42 ms: nodes far apart. */
  readonly latencyMs?: number
  /** Members and addresses are given instead of replicated: for fleets whose replicas would not fit into one machine. */
  readonly sharedDirectory?: boolean
  /** Sync peers per node. */
  readonly pinned?: number
}

type Task =
  | (Timed & { readonly t: 'deliver'; readonly wire: Wire; readonly from: 0 | 1; readonly parcel: Parcel; readonly bytes: number })
  | (Timed & { readonly t: 'wake'; readonly node: SimNode })
  | (Timed & { readonly t: 'call'; readonly then: () => void })

const isFrame = (parcel: Parcel): parcel is Exclude<Parcel, { t: 'ping' | 'pong' | 'end' }> =>
  parcel.t !== 'ping' && parcel.t !== 'pong' && parcel.t !== 'end'
/** A dial into nowhere. */
const connectTimeoutMs = 10_000

export class World {
  now = 0
  readonly random: Random
  readonly nodes: readonly SimNode[]
  readonly judge: Judge
  readonly alarms: { readonly node: SimNode; readonly alarm: Alarm }[] = []
  /** Called for every change of a replica. */
  onChange: (node: SimNode, fact: Fact) => void = () => undefined
  refusals = 0
  events = 0
  readonly #heap = new EventHeap<Task>()
  readonly #byAddress = new Map<string, SimNode>()
  readonly #byId = new Map<string, SimNode>()
  readonly #removed = new Set<string>()
  readonly #latencyMs: number
  #links = 0
  /** Which island a node is on. */
  #islands: readonly number[] = []

  constructor(settings: WorldSettings) {
    this.random = new Random(settings.seed)
    this.#latencyMs = settings.latencyMs ?? 42
    this.judge = simJudge(owner => this.#byId.has(owner) || owner === 'operator')
    const ids = Array.from({ length: settings.nodes }, (_, index) => simNodeId(index, this.random))
    const ring = this.random.shuffle(ids.map((_, index) => index))
    const pinnedOf = this.#pins(ids, ring, settings.pinned ?? 2)
    const directory = { ids: () => ids, addressesOf: (id: NodeId) => [this.#byId.get(id)?.address ?? ''], learn: () => false }
    this.nodes = ids.map((id, index) => {
      const shared = settings.sharedDirectory === true ? directory : null
      const makeProgram = settings.makeProgram ?? ((node: SimNode) => new Presence(node, settings.sharedDirectory === true))
      return new SimNode(this, { index, id, pinned: pinnedOf[index] ?? [], directory: shared, makeProgram })
    })
    for (const node of this.nodes) {
      this.#byAddress.set(node.address, node)
      this.#byId.set(node.id, node)
    }
  }

  readonly isMember = (id: NodeId): boolean => this.#byId.has(id) && !this.#removed.has(id)

  node(id: string): SimNode | undefined {
    return this.#byId.get(id)
  }

  schedule(ms: number, then: () => void): void {
    this.#heap.push({ t: 'call', at: this.now + ms, seq: 0, then })
  }

  wake(node: SimNode, at: number): void {
    this.#heap.push({ t: 'wake', at: Math.max(at, this.now), seq: 0, node })
  }

  /** Runs until a time, or until `isDone` after some event. @returns whether it was done */
  run(untilMs: number, isDone: () => boolean = () => false): boolean {
    for (;;) {
      const next = this.#heap.peek()
      if (next === undefined || next.at > untilMs) break
      this.#heap.pop()
      this.now = next.at
      this.events++
      this.#execute(next)
      if (isDone()) return true
    }
    this.now = untilMs
    return isDone()
  }

  dial(node: SimNode, peer: NodeId, address: string): void {
    const target = this.#byAddress.get(address)
    const { life } = node
    const latencyMs = this.random.logNormal(this.#latencyMs, 0.5)
    const finish = (ms: number, then: () => void): void =>
      this.schedule(ms, () => {
        if (node.life === life && node.isUp) then()
      })
    const fail = (): void => node.dispatch({ t: 'dialFailed', peer })
    if (target === undefined || this.isCut(node, target) || target.isDark) {
      finish(connectTimeoutMs, fail)
    } else if (!target.isUp || target.isParked) {
      finish(latencyMs * 2, fail)
    } else {
      finish(latencyMs * 7, () => {
        if (!target.isUp || this.isCut(node, target)) fail()
        else this.#connect(node, target, latencyMs)
      })
    }
  }

  send(node: SimNode, link: number, parcel: Parcel, bytes: number): void {
    const held = node.ends.get(link)
    if (held === undefined || held.end.isOver) return
    node.bytesOut += bytes
    this.#transmit(held.wire, held.end, held.other, parcel, bytes)
  }

  /** One side ends a connection; the other hears of it if the network lets it. */
  end(node: SimNode, link: number, code: number): void {
    const held = node.ends.get(link)
    if (held === undefined) return
    this.send(node, link, { t: 'end', code }, frameOverheadBytes)
    held.end.isOver = true
    node.ends.delete(link)
  }

  isCut(a: SimNode, b: SimNode): boolean {
    return (this.#islands[a.index] ?? 0) !== (this.#islands[b.index] ?? 0)
  }

  /** Cuts the network into islands; `islandOf(index)`. */
  partition(islandOf: (index: number) => number): void {
    this.#islands = this.nodes.map(node => islandOf(node.index))
  }

  heal(): void {
    this.#islands = []
    for (const node of this.nodes) for (const { end } of node.ends.values()) end.isStalled = false
    for (const node of this.nodes) for (const held of node.ends.values()) this.#release(held.wire, held.end, held.other)
  }

  /** A random connection's one direction stands still until `heal`. */
  stall(node: SimNode): void {
    const held = [...node.ends.values()]
    if (held.length > 0) this.random.pick(held).end.isStalled = true
  }

  /** Both sides of a random connection see it broken. */
  reset(node: SimNode): void {
    const links = [...node.ends.keys()]
    if (links.length === 0) return
    const link = this.random.pick(links)
    this.end(node, link, 1006)
    node.dispatch({ t: 'closed', link, code: 1006 })
  }

  /** kill -9: the system closes its connections, the disk keeps what was written. */
  kill(node: SimNode): void {
    for (const link of [...node.ends.keys()]) this.end(node, link, 1006)
    node.stop()
  }

  /** The power goes: nobody hears of it, the end of the log is lost. */
  cutPower(node: SimNode): void {
    node.store.loseTail(this.now, this.random.between(0, 5_000))
    node.isDark = true
    node.stop()
  }

  start(node: SimNode): void {
    node.isDark = false
    if (!node.isUp) node.start()
  }

  /** SIGSTOP: what arrives waits, the clock goes on. */
  pause(node: SimNode, ms: number): void {
    node.pausedUntil = this.now + ms
  }

  remove(id: NodeId): void {
    this.#removed.add(id)
  }

  observe(node: SimNode, facts: readonly Fact[]): void {
    for (const fact of facts) this.onChange(node, fact)
  }

  operatorFact(kind: string, name: string, version: number, body: string): Fact {
    return { kind, owner: 'operator', name, epoch: 0, version, body, sig: 'signed operator'.padEnd(96) }
  }

  up(): readonly SimNode[] {
    return this.nodes.filter(node => node.isUp)
  }

  /** Nodes without equal replicas among those that run. */
  isConverged(): boolean {
    const up = this.up()
    const root = up[0]?.registers.root()
    return up.every(node => node.registers.root() === root)
  }

  #pins(ids: readonly NodeId[], ring: readonly number[], count: number): readonly (readonly { id: NodeId; address: string }[])[] {
    const pins: { id: NodeId; address: string }[][] = ids.map(() => [])
    for (const [place, index] of ring.entries()) {
      for (let step = 1; step <= count && step < ring.length; step++) {
        const other = ring[(place + step) % ring.length]!
        pins[index]!.push({ id: ids[other]!, address: `n${other}:1` })
      }
    }
    return pins
  }

  #execute(task: Task): void {
    if (task.t === 'call') task.then()
    else if (task.t === 'deliver') this.#deliver(task.wire, task.from, task.parcel, task.bytes)
    else this.#wakeNode(task.node, task.at)
  }

  #wakeNode(node: SimNode, at: number): void {
    if (!node.isUp || at < node.wakeAt) return
    if (node.pausedUntil > this.now) {
      this.#heap.push({ t: 'wake', at: node.pausedUntil, seq: 0, node })
      return
    }
    if (node.wakeAt === Number.POSITIVE_INFINITY) return
    node.wakeAt = Number.POSITIVE_INFINITY
    node.dispatch({ t: 'wake' })
  }

  #connect(node: SimNode, target: SimNode, latencyMs: number): void {
    const end = (of: SimNode): End => ({
      node: of,
      life: of.life,
      link: ++this.#links,
      lastAt: this.now,
      held: [],
      isStalled: false,
      isOver: false,
    })
    const ends = [end(node), end(target)] as const
    const wire = { ends, latencyMs, random: this.random }
    node.ends.set(ends[0].link, { wire, end: ends[0], other: ends[1] })
    target.ends.set(ends[1].link, { wire, end: ends[1], other: ends[0] })
    target.dispatch({ t: 'opened', link: ends[1].link, peer: node.id, dialled: false })
    node.dispatch({ t: 'opened', link: ends[0].link, peer: target.id, dialled: true })
  }

  #transmit(wire: Wire, from: End, to: End, parcel: Parcel, bytes: number): void {
    if (from.isStalled || this.isCut(from.node, to.node)) {
      from.held.push({ parcel, bytes })
      return
    }
    const at = arrivalOf(wire, from, bytes, this.now)
    this.#heap.push({ t: 'deliver', at, seq: 0, wire, from: wire.ends[0] === from ? 0 : 1, parcel, bytes })
  }

  #release(wire: Wire, from: End, to: End): void {
    const { held } = from
    from.held = []
    for (const { parcel, bytes } of held) this.#transmit(wire, from, to, parcel, bytes)
  }

  #deliver(wire: Wire, from: 0 | 1, parcel: Parcel, bytes: number): void {
    const [sender, receiver] = [wire.ends[from], wire.ends[from === 0 ? 1 : 0]]
    const { node } = receiver
    if (node.pausedUntil > this.now) {
      this.#heap.push({ t: 'deliver', at: node.pausedUntil, seq: 0, wire, from, parcel, bytes })
      return
    }
    if (node.isDark) return
    if (receiver.isOver || receiver.life !== node.life || !node.isUp) {
      if (parcel.t !== 'end' && !sender.isOver) this.#transmit(wire, receiver, sender, { t: 'end', code: 1006 }, 0)
      return
    }
    node.bytesIn += bytes
    this.#hand(node, receiver.link, parcel)
  }

  #hand(node: SimNode, link: number, parcel: Parcel): void {
    if (isFrame(parcel)) {
      if (parcel.t === 'facts') node.count(parcel.facts)
      node.dispatch({ t: 'frame', link, frame: parcel })
      return
    }
    const event: MeshEvent = parcel.t === 'end' ? { t: 'closed', link, code: parcel.code } : { t: 'alive', link }
    if (parcel.t === 'ping') this.send(node, link, { t: 'pong' }, frameOverheadBytes)
    if (parcel.t === 'end') {
      const held = node.ends.get(link)
      if (held !== undefined) held.end.isOver = true
      node.ends.delete(link)
    }
    node.dispatch(event)
  }
}
