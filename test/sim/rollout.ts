/**
 * Rollouts in the simulator: the pure core of src/rollout decides on every node, through partitions, crashes, lost memories, aborts and
 * rival orders. What must never happen is judged here from outside, by counting, without the core's own predicates.
 */
import { receiptName } from '../../src/facts/index.ts'
import type { Hello } from '../../src/mesh/core/index.ts'
import type {
  Control,
  ControlAction,
  Digest,
  Fact,
  NodeId,
  Order,
  OrderId,
  OutcomeBody,
  Plan,
  PreflightBody,
  ReceiptBody,
  Release,
} from '../../src/model/index.ts'
import {
  hasEvidence,
  type KnownOrder,
  makePlan,
  nextTasks,
  OrderBook,
  type Own,
  stateOf,
  weigh,
  type NextTask,
} from '../../src/rollout/core/index.ts'
import { dueReceipts } from '../../src/rollout/witness.ts'
import type { Run } from './measure.ts'
import type { SimNode } from './node.ts'
import { Presence } from './program.ts'
import type { Part } from './scenario.ts'
import type { World } from './world.ts'

/** What stands on a node's disk beside its database: current.json, packages, slots. */
interface Disk {
  running: Digest
  begun: { readonly order: OrderId; readonly attempt: number; readonly digest: Digest } | null
  last: { readonly order: OrderId; readonly attempt: number; readonly result: 'confirmed' | 'rolled-back'; readonly linked: number } | null
  readonly staged: Set<Digest>
  readonly seenAt: Map<string, number>
}

interface SignedOrder {
  readonly id: OrderId
  readonly order: Order
  readonly plan: Plan
  readonly release: Release
}

const oldDigest = '0'.repeat(64) as Digest
const digestOf = (n: number): Digest => String(n).padStart(64, 'd') as Digest
const fleet = 'f'.repeat(52) as Order['fleet']
const parsed = new WeakMap<Fact, unknown>()

/** What the simulator's facts say, which nobody else writes. */
interface Bodies {
  readonly order: Partial<SignedOrder>
  readonly control: Control
  readonly preflight: PreflightBody
  readonly outcome: OutcomeBody
  readonly receipt: ReceiptBody
}

const bodyOf = <K extends keyof Bodies>(kind: K, fact: Fact): Bodies[K] => {
  if (fact.kind !== kind) throw new Error(`a fact of kind ${fact.kind}, wanted ${kind}`)
  const known = parsed.get(fact)
  if (known !== undefined) return known as Bodies[K]
  const body = JSON.parse(fact.body) as Bodies[K]
  parsed.set(fact, body)
  return body
}

/** The shared truth of one seed: what really happened, whatever any replica believes. */
class Truth {
  readonly orders = new Map<OrderId, SignedOrder>()
  readonly confirmed = new Map<OrderId, Set<NodeId>>()
  readonly begun = new Map<string, number>()
  readonly inFlight = new Map<OrderId, Set<NodeId>>()
  readonly controls: Control[] = []
  readonly disks = new Map<NodeId, Disk>()
  /** Chance that a release fails on a node, and that a node refuses it. */
  failing = 0
  refusing = 0
  readonly run: { violate(what: 'earlyStart' | 'doubleApply' | 'overLimit', why: string): void } = { violate: () => undefined }

  disk(node: NodeId): Disk {
    let disk = this.disks.get(node)
    if (disk === undefined) {
      disk = { running: oldDigest, begun: null, last: null, staged: new Set(), seenAt: new Map() }
      this.disks.set(node, disk)
    }
    return disk
  }

  skipped(order: OrderId): ReadonlySet<NodeId> {
    return new Set(this.controls.filter(c => c.order === order && c.action === 'skip').flatMap(c => c.nodes))
  }

  /** A node begins to switch: was it allowed, by everything that ever happened anywhere? */
  begins(node: SimNode, id: OrderId, attempt: number): void {
    const signed = this.orders.get(id)
    if (signed === undefined) return
    const key = `${node.id} ${id} ${attempt}`
    const times = (this.begun.get(key) ?? 0) + 1
    this.begun.set(key, times)
    if (times > 1) this.run.violate('doubleApply', `node ${node.index} begins ${id.slice(0, 6)} attempt ${attempt} for the ${times}nd time`)
    const at = signed.plan.waves.findIndex(w => w.nodes.includes(node.id))
    for (const [k, wave] of signed.plan.waves.entries()) {
      if (at !== -1 && k >= at) break
      const skipped = this.skipped(id)
      const need = wave.nodes.filter(n => !skipped.has(n)).length - wave.maxFailed - wave.maxMissing
      const done = wave.nodes.filter(n => this.confirmed.get(id)?.has(n) === true).length
      if (done < need) this.run.violate('earlyStart', `node ${node.index} of wave ${at + 1} begins, wave ${k + 1} has ${done} of ${need}`)
    }
    const isAborted = node.registers
      .ofKind('control')
      .some(f => bodyOf('control', f).order === id && bodyOf('control', f).action === 'abort')
    if (isAborted) this.run.violate('earlyStart', `node ${node.index} begins ${id.slice(0, 6)}, which it knows to be aborted`)
    this.#countInFlight(node, signed, at)
  }

  #countInFlight(node: SimNode, { id, plan }: SignedOrder, at: number): void {
    const flying = this.inFlight.get(id) ?? new Set<NodeId>()
    this.inFlight.set(id, flying.add(node.id))
    if (at === -1) return
    const newest = Math.max(...[...flying].map(n => plan.waves.findIndex(w => w.nodes.includes(n))))
    const skipped = this.skipped(id)
    const spare = plan.waves
      .slice(0, newest)
      .reduce((sum, w) => sum + w.maxFailed + w.maxMissing + w.nodes.filter(n => skipped.has(n)).length, 0)
    const limit = (plan.waves[newest]?.nodes.length ?? 0) + spare
    const planned = [...flying].filter(n => plan.waves.some(w => w.nodes.includes(n))).length
    if (planned > limit) this.run.violate('overLimit', `${planned} nodes in flight, at most ${limit}`)
  }

  ends(node: NodeId, id: OrderId, isConfirmed: boolean): void {
    this.inFlight.get(id)?.delete(node)
    if (!isConfirmed) return
    const done = this.confirmed.get(id) ?? new Set<NodeId>()
    this.confirmed.set(id, done.add(node))
  }
}

/** The rollout driver of a simulated node: as src/rollout/driver.ts, with simulated hands. */
class RolloutProgram extends Presence {
  readonly #node: SimNode
  readonly #truth: Truth
  readonly #disk: Disk
  readonly #book = new OrderBook()
  readonly #linked = new Map<NodeId, Hello>()
  readonly #evidenceSince = new Map<string, number>()
  readonly #busy = new Set<string>()
  #isQueued = false

  constructor(node: SimNode, truth: Truth) {
    super(node)
    this.#node = node
    this.#truth = truth
    this.#disk = truth.disk(node.id)
  }

  override start(): void {
    this.#node.dispatch({ t: 'runs', runs: { app: this.#disk.running, shoal: oldDigest, trial: null } })
    super.start()
    for (const fact of this.#node.registers.all()) this.#take(fact)
    const { last, begun } = this.#disk
    if (last !== null) this.#report(last)
    // Killed in the middle of a trial: the supervisor starts it again, which is no second beginning.
    if (begun !== null) this.#finishLater()
    this.#look()
  }

  override changed(facts: readonly Fact[] = []): void {
    for (const fact of facts) this.#take(fact)
    this.#queueLook(20)
  }

  override linkUp(peer: NodeId, hello: Hello): void {
    super.linkUp(peer, hello)
    this.#linked.set(peer, hello)
    this.#queueLook(20)
  }

  override linkDown(peer?: NodeId): void {
    if (peer !== undefined) this.#linked.delete(peer)
  }

  states(): readonly (readonly [OrderId, string])[] {
    const states = this.#orders().map(k => [k.id, stateOf(k, weigh(k), () => false)] as const)
    return states.toSorted(([a], [b]) => (a < b ? -1 : 1))
  }

  #take(fact: Fact): void {
    if (fact.kind === 'order') {
      const body = bodyOf('order', fact)
      if (body.id === undefined || body.order === undefined || body.plan === undefined || body.release === undefined) return
      this.#book.addOrder(body.id, body.order)
      this.#book.addPlan(body.order.plan, body.plan)
      this.#book.addRelease(body.order.release, body.release)
    } else if (fact.kind === 'control') this.#book.addControl(fact.name, bodyOf('control', fact))
    else if (fact.kind === 'preflight') this.#book.addPreflight(fact.owner as NodeId, bodyOf('preflight', fact))
    else if (fact.kind === 'outcome') this.#book.addOutcome(fact.owner as NodeId, bodyOf('outcome', fact))
    else if (fact.kind === 'receipt') this.#book.addReceipt({ ...bodyOf('receipt', fact), witness: fact.owner as NodeId })
  }

  #orders(): readonly KnownOrder[] {
    const ageOf = (id: OrderId): number => {
      const seen = this.#disk.seenAt.get(id) ?? this.#node.now
      this.#disk.seenAt.set(id, seen)
      return Math.max(0, this.#node.now - seen)
    }
    return this.#book.orders({ ageOf, isGone: () => false })
  }

  #queueLook(ms: number): void {
    if (this.#isQueued) return
    this.#isQueued = true
    // As a real timer, at least one: what is left of a wait may be too little to move the clock.
    this.#node.after(Math.max(1, ms), () => {
      this.#isQueued = false
      this.#look()
    })
  }

  #look(): void {
    const orders = this.#orders()
    this.#keepEvidence(orders)
    const runs = (peer: NodeId): Digest | null | undefined => this.#linked.get(peer)?.app
    for (const { body } of dueReceipts(orders, this.#node.id, runs, [...this.#linked.keys()], () => true)) {
      this.#node.publish('receipt', receiptName(body.order, body.node), JSON.stringify(body))
    }
    if (this.#disk.begun !== null) return
    for (const next of nextTasks(orders, this.#own())) this.#do(next)
  }

  #keepEvidence(orders: readonly KnownOrder[]): void {
    for (const known of orders) {
      if (!hasEvidence(known, { id: this.#node.id, tags: [] })) this.#evidenceSince.delete(known.id)
      else if (!this.#evidenceSince.has(known.id)) this.#evidenceSince.set(known.id, this.#node.now)
    }
  }

  #own(): Own {
    const { now, id } = this.#node
    return {
      id,
      tags: [],
      platform: 'linux-x64',
      running: { app: this.#disk.running, shoal: oldDigest },
      begun: new Set(),
      hasPackage: () => true,
      isStaged: digest => this.#disk.staged.has(digest),
      needsRehearsal: () => false,
      needsPreparation: () => false,
      isHeld: false,
      isHealthy: true,
      isInWindow: () => true,
      evidenceAgeMs: order => now - (this.#evidenceSince.get(order) ?? now),
      isLost: () => false,
    }
  }

  #do({ known, attempt, task }: NextTask): void {
    const key = `${known.id} ${task.do}`
    if (this.#busy.has(key)) return
    if (task.do === 'wait') {
      this.#queueLook(task.forMs ?? 1_000)
      return
    }
    this.#busy.add(key)
    const { random } = this.#node
    this.#node.after(random.between(10, 800), () => {
      this.#busy.delete(key)
      if (task.do === 'preflight') this.#answer(known, attempt)
      else if (task.do === 'stage') this.#disk.staged.add(task.digest)
      else if (task.do === 'report') this.#say(known.id, attempt, task.outcome, task.digest, this.#linked.size)
      else if (task.do === 'switch') this.#switch(known.id, attempt, task.digest)
      this.#queueLook(1)
    })
  }

  #answer(known: KnownOrder, attempt: number): void {
    const go = !this.#node.random.chance(this.#truth.refusing)
    const body: PreflightBody = { order: known.id, attempt, go, reason: go ? null : { code: 'DISK_FULL', message: '' } }
    this.#node.publish('preflight', known.id, JSON.stringify(body))
  }

  /** The decision may be old by now: like the real driver, it is asked for again right before it counts. */
  #switch(order: OrderId, attempt: number, digest: Digest): void {
    if (this.#disk.begun !== null) return
    const still = nextTasks(this.#orders(), this.#own()).some(n => n.known.id === order && n.task.do === 'switch' && n.attempt === attempt)
    if (!still) return
    this.#truth.begins(this.#node, order, attempt)
    this.#disk.begun = { order, attempt, digest }
    this.#finishLater()
  }

  /** The switch takes a while; then the node is another process, or the old one again. */
  #finishLater(): void {
    const linked = this.#linked.size
    this.#node.after(this.#node.random.between(500, 6_000), () => {
      const { begun } = this.#disk
      if (begun === null) return
      const isGood = !this.#node.random.chance(this.#truth.failing)
      if (isGood) this.#disk.running = begun.digest
      this.#disk.last = { order: begun.order, attempt: begun.attempt, result: isGood ? 'confirmed' : 'rolled-back', linked }
      this.#disk.begun = null
      this.#truth.ends(this.#node.id, begun.order, isGood)
      const { world } = this.#node
      world.kill(this.#node)
      world.schedule(300, () => world.start(this.#node))
    })
  }

  #report(last: NonNullable<Disk['last']>): void {
    const told = this.#book.order(last.order, 0)?.outcomes.get(this.#node.id)
    if (told !== undefined && told.attempt >= last.attempt) return
    this.#say(last.order, last.attempt, last.result, this.#disk.running, last.linked)
  }

  #say(order: OrderId, attempt: number, outcome: OutcomeBody['outcome'], digest: Digest | null, linked: number): void {
    if (outcome === 'confirmed') this.#truth.ends(this.#node.id, order, true)
    const witnesses = Math.min(1, linked)
    const body: OutcomeBody = { order, attempt, outcome, reason: null, digest, witnesses, epoch: this.#node.store.epoch, log: [] }
    this.#node.publish('outcome', order, JSON.stringify(body), true)
  }
}

const letters = 'abcdefghijklmnopqrstuvwxyz'

/** Orders and controls by operators at random nodes, which know only what has reached them. */
class Operators {
  readonly #world: World
  readonly #truth: Truth
  #orders = 0

  constructor(world: World, truth: Truth) {
    this.#world = world
    this.#truth = truth
  }

  order(): void {
    const at = this.#world.random.pick(this.#world.up())
    const n = ++this.#orders
    const id = `${letters[n] ?? 'z'}${Array.from({ length: 51 }, () => letters[this.#world.random.integer(26)] ?? 'a').join('')}` as OrderId
    const candidates = this.#world.nodes.map(node => ({
      id: node.id,
      platform: 'linux-x64',
      nodejs: '24',
      tags: [],
      lost: !node.isUp,
      healthy: true,
    }))
    const plan = makePlan(candidates, { waves: '1,10%,50%,100%', canary: [], maxFailed: null, maxMissing: null, self: at.id })
    const digest = digestOf(n)
    const release: Release = {
      ...{ fleet, kind: 'app', name: 'till', version: `1.0.${n}`, dataVersion: 1, minFrom: null, engines: null },
      ...{ handover: 'exclusive', probationMs: null, packages: { any: { digest, size: 1, blockmap: digest } }, notes: '' },
    }
    const order: Order = {
      ...{
        fleet,
        generation: this.#generation(at) + 1,
        kind: 'app',
        name: 'till',
        version: release.version,
        release: digest,
        plan: digest,
      },
      ...{ selector: { only: [], tags: [] }, soakMs: 500, witnesses: 1, deadlineMs: 1e9, window: null, allowDowngrade: false, data: null },
      ...{ replaceApp: false, force: false, dryRun: false, by: 'anna', at: '', node: at.id },
    }
    const signed: SignedOrder = { id, order, plan, release }
    this.#truth.orders.set(id, signed)
    this.#publish(at, this.#world.operatorFact('order', id, order.generation, JSON.stringify(signed)))
  }

  control(action: ControlAction): void {
    const at = this.#world.random.pick(this.#world.up())
    const known = at.registers.ofKind('order').flatMap(f => this.#truth.orders.get(f.name as OrderId) ?? [])
    if (known.length === 0) return
    const { id, plan } = this.#world.random.pick(known)
    const nodes = action === 'skip' || action === 'retry' ? [this.#world.random.pick(plan.waves.flatMap(w => w.nodes))] : []
    const control: Control = { fleet, order: id, generation: this.#generation(at) + 1, action, nodes, by: 'anna', at: '' }
    this.#truth.controls.push(control)
    const name = `${id}.${this.#truth.controls.length}`
    this.#publish(at, this.#world.operatorFact('control', name, control.generation, JSON.stringify(control)))
  }

  #generation(at: SimNode): number {
    return Math.max(0, ...at.registers.all().flatMap(f => (f.kind === 'order' || f.kind === 'control' ? [f.version] : [])))
  }

  #publish(at: SimNode, fact: Fact): void {
    at.dispatch({ t: 'publish', facts: [fact], durable: true })
  }
}

const controls: readonly ControlAction[] = ['pause', 'resume', 'resume', 'abort', 'skip', 'retry']

/** The part of one seed: a release that is good, bad on a few nodes, or bad on most; rival orders; controls. */
export function rolloutPart(run: Run, seed: number): Part {
  const truth = new Truth()
  const violate = (what: 'earlyStart' | 'doubleApply' | 'overLimit', why: string): void => {
    run.violations[what]++
    run.faults.push(why)
  }
  Object.assign(truth.run, { violate })
  truth.failing = [0, 0, 0.03, 0.6][seed % 4] ?? 0
  truth.refusing = seed % 3 === 0 ? 0.01 : 0
  const isSteered = seed % 2 === 1
  const programs = new Map<NodeId, RolloutProgram>()
  return {
    makeProgram: node => {
      const program = new RolloutProgram(node, truth)
      programs.set(node.id, program)
      return program
    },
    disturb: (world, untilMs) => {
      const operators = new Operators(world, truth)
      const sometime = (then: () => void): void =>
        world.schedule(world.random.between(0, untilMs - world.now), () => world.up().length > 0 && then())
      operators.order()
      if (isSteered) sometime(() => operators.order())
      if (isSteered) for (let n = world.random.integer(5); n > 0; n--) sometime(() => operators.control(world.random.pick(controls)))
    },
    settle: world => {
      const pictures = new Set(world.nodes.map(n => JSON.stringify(programs.get(n.id)?.states())))
      if (pictures.size > 1) run.faults.push(`the nodes show ${pictures.size} different pictures: ${[...pictures].join(' / ')}`)
      if (pictures.size > 1) run.violations.divergence++
      const [order] = truth.orders.keys()
      const isEasy = truth.failing === 0 && truth.refusing === 0 && !isSteered
      const missing = world.nodes.filter(n => order !== undefined && truth.confirmed.get(order)?.has(n.id) !== true)
      if (isEasy && missing.length > 0) {
        run.violations.divergence++
        run.faults.push(`a good release that nobody stopped is missing on nodes ${missing.map(n => n.index).join(', ')}`)
      }
    },
  }
}
