/**
 * One seed from the first boot to the last convergence: a calm part that measures, sudden death of a third, chaos, and healing. What a
 * run of the real system cannot show in months, in a second.
 */
import type { Fact } from '../../src/model/index.ts'
import { Faults } from './faults.ts'
import { type Run, Watch } from './measure.ts'
import type { SimNode } from './node.ts'
import { type MakeProgram, statusBody } from './program.ts'
import { World } from './world.ts'

/** What is simulated above the mesh: adds its own events and looks for its own violations. */
export interface Part {
  readonly makeProgram: MakeProgram
  /** The chaos begins. */
  readonly disturb?: (world: World, untilMs: number) => void
  /** Everything is healed and equal. */
  readonly settle?: (world: World, run: Run) => void
}

export interface ScenarioSettings {
  readonly nodes: number
  readonly seed: number
  /** Where measurements and violations go. */
  readonly run: Run
  readonly part?: Part | null
  readonly chaosMs?: number
}

/** Fleets above this share one directory: the replicas of `node` facts would not fit into one machine. */
const sharedAbove = 500
const bootLimitMs = 180_000
const healLimitMs = 600_000

export class Scenario {
  readonly world: World
  readonly run: Run
  readonly #watch: Watch
  readonly #faults: Faults
  readonly #settings: ScenarioSettings
  #count = 0

  constructor(settings: ScenarioSettings) {
    this.#settings = settings
    const { nodes, seed, part } = settings
    this.world = new World({
      seed,
      nodes,
      sharedDirectory: nodes > sharedAbove,
      ...(part == null ? {} : { makeProgram: part.makeProgram }),
    })
    this.run = settings.run
    this.#watch = new Watch(this.world, this.run)
    this.#faults = new Faults(this.world)
  }

  play(): Run {
    this.#boot()
    this.#orders()
    this.#statuses()
    this.#idle()
    this.#suddenDeath()
    this.#chaos()
    this.#heal()
    return this.run
  }

  #boot(): void {
    const { world } = this
    this.#faults.skewClocks()
    for (const node of world.nodes) world.schedule(world.random.between(0, 2_000), () => world.start(node))
    world.run(5_000)
    if (!this.#converge(bootLimitMs)) this.#diverged('after boot')
    this.#pass(10_000)
  }

  #orders(): void {
    const before = this.#copies('order')
    const count = 3
    for (let n = 0; n < count; n++) {
      this.#order(this.run.orderMs)
      this.#pass(3_000)
    }
    this.run.copiesPerOrder = (this.#copies('order') - before) / count / Math.max(1, this.world.nodes.length - 1)
    this.#expectAll('orders')
  }

  #statuses(): void {
    const { world } = this
    const writers = world.random.shuffle(world.nodes).slice(0, 20)
    const before = this.#copies('status')
    for (const node of writers) world.schedule(world.random.between(0, 10_000), () => this.#status(node, this.run.statusMs))
    this.#pass(30_000)
    this.run.copiesPerStatus = (this.#copies('status') - before) / writers.length / Math.max(1, world.nodes.length - 1)
    this.#expectAll('statuses')
    this.#watch.unfollow()
  }

  #idle(): void {
    const total = (): number => this.world.nodes.reduce((sum, node) => sum + node.bytesIn + node.bytesOut, 0)
    const before = total()
    const seconds = 60
    this.#pass(seconds * 1_000)
    this.run.idleBytesPerSecond = (total() - before) / seconds / this.world.nodes.length
  }

  /** A third loses power at once; an order reaches the others over links of which many are dead and nobody knows. */
  #suddenDeath(): void {
    const { world } = this
    const dead = world.random.shuffle(world.nodes).slice(0, world.nodes.length < 3 ? 0 : Math.ceil(world.nodes.length * 0.3))
    for (const node of dead) world.cutPower(node)
    const order = this.#order([])
    this.#pass(3_000)
    const alive = world.up()
    this.run.survivorsReachedPercent = (100 * alive.filter(node => node.holds(order)).length) / alive.length
    this.#pass(30_000)
    const before = dead.map(node => node.bytesIn)
    for (const node of dead) world.schedule(world.random.between(0, 1_000), () => world.start(node))
    this.#pass(1_000)
    if (!this.#converge(healLimitMs)) this.#diverged('after sudden death')
    const bytes = dead.map((node, n) => node.bytesIn - (before[n] ?? 0))
    this.run.catchUpBytes = bytes.length === 0 ? 0 : bytes.reduce((a, b) => a + b, 0) / bytes.length
  }

  #chaos(): void {
    const { world } = this
    const until = world.now + (this.#settings.chaosMs ?? 90_000)
    this.#faults.run(until)
    this.#settings.part?.disturb?.(world, until)
    this.#talk(until)
    world.run(until)
  }

  #heal(): void {
    const from = this.world.now
    this.#faults.end()
    this.world.run(from + 1)
    if (!this.#converge(healLimitMs)) this.#diverged('after chaos')
    this.run.healMs = this.world.now - from
    // Epochs that are raised after an old backup came back need one more round.
    this.#pass(60_000)
    if (!this.#converge(healLimitMs)) this.#diverged('at the end')
    for (const node of this.world.nodes) {
      for (const key of node.forgotten()) this.#violate('regression', `node ${node.index}: its own ${key} is not what it said last`)
    }
    this.#settings.part?.settle?.(this.world, this.run)
  }

  /** Statuses and orders during the chaos. */
  #talk(until: number): void {
    const { world } = this
    world.schedule(world.random.between(200, 4_000), () => {
      if (world.now >= until) return
      const up = world.up()
      if (up.length > 0) {
        if (world.random.chance(0.2)) this.#order([])
        else this.#status(world.random.pick(up), [])
      }
      this.#talk(until)
    })
  }

  #order(into: number[]): Fact {
    const { world } = this
    const fact = world.operatorFact(
      'order',
      `order${++this.#count}`,
      this.#count,
      JSON.stringify({ order: this.#count, filler: 'x'.repeat(900) }),
    )
    this.#watch.follow(fact, into)
    const publisher = world.random.pick(world.up())
    publisher.dispatch({ t: 'publish', facts: [fact], durable: true })
    return fact
  }

  #status(node: SimNode, into: number[]): void {
    if (!node.isUp) return
    const body = statusBody(++this.#count)
    const fact = node.sign('status', '', body)
    this.#watch.follow(fact, into)
    node.say(fact, false)
  }

  #pass(ms: number): void {
    this.world.run(this.world.now + ms)
  }

  /** Runs until all replicas are equal; looks after every tenth of a second. */
  #converge(limitMs: number): boolean {
    const until = this.world.now + limitMs
    while (!this.world.isConverged()) {
      if (this.world.now >= until) return false
      this.#pass(100)
    }
    return true
  }

  #copies(kind: string): number {
    return this.world.nodes.reduce((sum, node) => sum + (node.copies.get(kind) ?? 0), 0)
  }

  /** In a calm network everything has arrived by now. */
  #expectAll(what: string): void {
    if (!this.world.isConverged() && !this.#converge(60_000)) this.#diverged(`${what} in a calm network`)
  }

  #diverged(when: string): void {
    this.#violate(
      'divergence',
      `replicas differ ${when}: ${[...new Set(this.world.up().map(n => `${n.registers.root()}/${n.registers.size}`))].join(' ')}`,
    )
  }

  #violate(what: keyof Run['violations'], why: string): void {
    this.run.violations[what]++
    this.run.faults.push(why)
  }
}
