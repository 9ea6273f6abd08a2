/** What goes wrong, at random times: every fault ends by itself or when the world heals. */
import type { SimNode } from './node.ts'
import type { SimStore } from './store.ts'
import type { World } from './world.ts'

type Fault = (world: World, node: SimNode) => void

const downMs = (world: World): number => world.random.between(500, 40_000)

/** A day either way. */
const maxSkewMs = 86_400_000

export class Faults {
  readonly #world: World
  readonly #backups = new Map<SimNode, SimStore>()
  #until = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Wrong clocks, from the beginning. */
  skewClocks(): void {
    for (const node of this.#world.nodes) node.skewMs = this.#world.random.between(-maxSkewMs, maxSkewMs)
  }

  /** Faults until then, one every few seconds. */
  run(untilMs: number): void {
    this.#until = untilMs
    for (const node of this.#world.nodes) if (this.#world.random.chance(0.2)) this.#backups.set(node, node.store.copy())
    this.#next()
  }

  /** All faults end; every node runs. */
  end(): void {
    this.#world.heal()
    for (const node of this.#world.nodes) {
      node.pausedUntil = 0
      this.#world.start(node)
    }
  }

  #next(): void {
    const { random } = this.#world
    const pace = 4_000 / Math.max(1, Math.log2(this.#world.nodes.length))
    this.#world.schedule(random.between(100, pace * 2), () => {
      if (this.#world.now >= this.#until) return
      random.pick(this.#all)(this.#world, random.pick(this.#world.nodes))
      this.#next()
    })
  }

  readonly #partition: Fault = world => {
    const islands = 2 + world.random.integer(2)
    const where = world.nodes.map(() => world.random.integer(islands))
    world.partition(index => where[index] ?? 0)
    world.schedule(world.random.between(1_000, 60_000), () => world.heal())
  }

  readonly #kill: Fault = (world, node) => {
    if (!node.isUp) return
    world.kill(node)
    world.schedule(downMs(world), () => world.start(node))
  }

  readonly #cutPower: Fault = (world, node) => {
    if (!node.isUp) return
    world.cutPower(node)
    world.schedule(downMs(world), () => world.start(node))
  }

  readonly #restore: Fault = (world, node) => {
    const backup = this.#backups.get(node)
    if (backup === undefined) {
      this.#backups.set(node, node.store.copy())
      return
    }
    if (!node.isUp || !world.random.chance(0.3)) return
    world.kill(node)
    node.store = backup.copy()
    world.schedule(downMs(world), () => world.start(node))
  }

  readonly #pause: Fault = (world, node) => world.pause(node, world.random.between(500, 40_000))
  readonly #stall: Fault = (world, node) => world.stall(node)
  readonly #reset: Fault = (world, node) => world.reset(node)

  readonly #all: readonly Fault[] = [
    this.#partition,
    this.#kill,
    this.#cutPower,
    this.#restore,
    this.#pause,
    this.#stall,
    this.#stall,
    this.#reset,
    this.#reset,
  ]
}
