/** What the tests of faults in the middle of a change share: a node that is met in a state, struck there, and followed to its end. */
import { join } from 'node:path'
import { currentOf, keepSomething, makeFaultApp, suffer } from '../e2e/faults.ts'
import { must, type TestFleet, type TestNode, until } from '../e2e/fleet.ts'

export type Strike = (node: TestNode) => Promise<void>

export const signal = (pids: readonly number[], name: NodeJS.Signals): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The youngest process below the supervisor: the new worker, where there are two. */
export const newest = (node: TestNode): number => node.pids().at(-1) ?? 0

export const states = {
  transfer: { steps: ['transfer'], traits: { bytes: 24 << 20 } },
  switch: { steps: ['switching'], traits: { startMs: 3000 } },
  probation: { steps: ['probation'], traits: { probationSeconds: 5 } },
} as const

export class Changing {
  readonly fleet: TestFleet
  readonly node: TestNode
  #version = 0

  constructor(fleet: TestFleet, node: TestNode) {
    this.fleet = fleet
    this.node = node
  }

  /** Deploys at the other node, strikes in the state, and waits for the end. */
  async row(t: Parameters<typeof suffer>[0], state: keyof typeof states, fault: string, strike: Strike): Promise<void> {
    const { node, fleet } = this
    const { steps, traits } = states[state]
    const before = `1.${this.#version}.0`
    const next = `1.${++this.#version}.0`
    const was = (JSON.parse((await node.get()).body) as { version: string }).version
    const app = makeFaultApp(join(fleet.dir, 'apps'), next, traits)
    const deployed = fleet.deploy(fleet.first === node ? fleet.node(1) : fleet.first, app)
    await until(
      `${node.name} is in ${state} of ${next}, after ${before}`,
      async () => (steps as readonly string[]).includes((await node.api('nodes/self')).step),
      100_000,
    )
    await suffer(t, {
      state,
      fault,
      node,
      version: [was, next],
      withinMs: 120_000,
      strike: () => strike(node),
      isSettled: async () => currentOf(node).state === 'good' && ['idle', 'waiting'].includes((await node.api('nodes/self')).step),
    })
    const done = await deployed
    const now = (JSON.parse((await node.get()).body) as { version: string }).version
    t.comment(`  ends with ${now === next ? 'the new release' : 'the old one'}; the rollout: exit ${done.code}`)
    await fleet.linked()
  }

  async last(t: Parameters<typeof suffer>[0]): Promise<void> {
    const done = await this.fleet.deploy(this.fleet.first, makeFaultApp(join(this.fleet.dir, 'apps'), '9.0.0'))
    t.equal(done.code, 0, done.stderr)
    t.same(await this.fleet.versions(), ['9.0.0', '9.0.0'], 'and the next release is taken')
  }
}

export async function twoNodes(fleet: TestFleet): Promise<TestFleet> {
  await fleet.found(2)
  await must(fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '1.0.0')))
  for (const node of fleet.nodes) keepSomething(node)
  return fleet
}
