/** Measurements of one run, and how runs are pooled. */
import { type Fact, factKey } from '../../src/model/index.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

export interface Violations {
  earlyStart: number
  doubleApply: number
  overLimit: number
  divergence: number
  regression: number
}

export interface Run {
  readonly seed: number
  readonly violations: Violations
  /** Why, one line each. */
  readonly faults: string[]
  readonly orderMs: number[]
  readonly statusMs: number[]
  copiesPerOrder: number
  copiesPerStatus: number
  idleBytesPerSecond: number
  survivorsReachedPercent: number
  healMs: number
  catchUpBytes: number
}

export const newRun = (seed: number): Run => ({
  seed,
  violations: { earlyStart: 0, doubleApply: 0, overLimit: 0, divergence: 0, regression: 0 },
  faults: [],
  orderMs: [],
  statusMs: [],
  copiesPerOrder: 0,
  copiesPerStatus: 0,
  idleBytesPerSecond: 0,
  survivorsReachedPercent: 100,
  healMs: 0,
  catchUpBytes: 0,
})

/** Watches all replicas: no register ever goes back, and how long facts take to arrive. */
export class Watch {
  readonly #world: World
  readonly #run: Run
  readonly #sent = new Map<Fact, { readonly at: number; readonly into: number[] }>()

  constructor(world: World, run: Run) {
    this.#world = world
    this.#run = run
    world.onChange = (node, fact) => this.#changed(node, fact)
  }

  /** Measures how long this fact, published now, takes to everywhere else. */
  follow(fact: Fact, into: number[]): void {
    this.#sent.set(fact, { at: this.#world.now, into })
  }

  unfollow(): void {
    this.#sent.clear()
  }

  #changed(node: SimNode, fact: Fact): void {
    const key = factKey(fact)
    const before = node.newest.get(key)
    if (before !== undefined && (before.epoch > fact.epoch || (before.epoch === fact.epoch && before.version > fact.version))) {
      this.#run.violations.regression++
      this.#run.faults.push(`node ${node.index}: ${key} went from ${before.epoch}.${before.version} to ${fact.epoch}.${fact.version}`)
    }
    node.newest.set(key, fact)
    const sent = this.#sent.get(fact)
    if (sent !== undefined && fact.owner !== node.id) sent.into.push(this.#world.now - sent.at)
  }
}

export const percentile = (values: readonly number[], share: number): number => {
  if (values.length === 0) return 0
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0
}

const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length)
const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits))

/** The JSON of CONTRACT section 3. */
export function summary(nodes: number, runs: readonly Run[]): Record<string, unknown> {
  const total = (name: keyof Violations): number => runs.reduce((sum, run) => sum + run.violations[name], 0)
  const of = (
    name: 'copiesPerOrder' | 'copiesPerStatus' | 'idleBytesPerSecond' | 'survivorsReachedPercent' | 'healMs' | 'catchUpBytes',
  ): number[] => runs.map(run => run[name])
  return {
    nodes,
    seeds: runs.length,
    violations: {
      earlyStart: total('earlyStart'),
      doubleApply: total('doubleApply'),
      overLimit: total('overLimit'),
      divergence: total('divergence'),
      regression: total('regression'),
    },
    orderP999Ms: rounded(
      percentile(
        runs.flatMap(run => run.orderMs),
        0.999,
      ),
    ),
    statusP999Ms: rounded(
      percentile(
        runs.flatMap(run => run.statusMs),
        0.999,
      ),
    ),
    copiesPerOrder: rounded(mean(of('copiesPerOrder')), 2),
    copiesPerStatus: rounded(mean(of('copiesPerStatus')), 2),
    idleBytesPerSecond: rounded(Math.max(0, ...of('idleBytesPerSecond'))),
    survivorsReachedPercent: rounded(mean(of('survivorsReachedPercent')), 2),
    healMs: rounded(percentile(of('healMs'), 0.99)),
    catchUpBytes: rounded(mean(of('catchUpBytes'))),
    failedSeeds: runs.filter(run => Object.values(run.violations).some(count => count > 0)).map(run => run.seed),
  }
}
