/**
 * Faults while a node changes over (docs/reliability.md): during transfer and staging, during the switch, in probation, at its start. Whatever
 * happens, it ends with one of both releases, whole, and takes the next one.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import { currentOf, keepSomething, loaderOf, makeFaultApp, meet, suffer, supervisorOf } from '../e2e/faults.ts'
import { must, TestFleet, type TestNode, until } from '../e2e/fleet.ts'
import { onSmallDisk, type SmallDisk } from '../e2e/surroundings.ts'

type Strike = (node: TestNode) => Promise<void>

const signal = (pids: readonly number[], name: NodeJS.Signals): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The youngest process below the supervisor: the new worker, where there are two. */
const newest = (node: TestNode): number => node.pids().at(-1) ?? 0

/** As a service manager does. */
async function again(node: TestNode): Promise<void> {
  await until('it has ended', async () => node.child === null || node.child.exitCode !== null || node.child.signalCode !== null)
  await node.start()
}

const strikes: Readonly<Record<string, Strike>> = {
  'kill -9 of the newest worker': async node => signal([newest(node)], 'SIGKILL'),
  'kill -9 of the supervisor': async node => signal([supervisorOf(node)], 'SIGKILL'),
  'kill -9 of the loader': async node => {
    signal([loaderOf(node)], 'SIGKILL')
    await again(node)
  },
  'kill -9 of all': async node => {
    await node.kill()
    await node.start()
  },
  'SIGSTOP of all for 30 s': async node => {
    const pids = node.pids()
    signal(pids, 'SIGSTOP')
    await sleep(30_000)
    signal(pids, 'SIGCONT')
  },
  'SIGSTOP of the newest worker for 30 s': async node => {
    const pid = newest(node)
    signal([pid], 'SIGSTOP')
    await sleep(30_000)
    signal([pid], 'SIGCONT')
  },
  'node.db locked for 10 s': async node => {
    const db = new Database(join(node.home, 'instance/node.db'), { timeout: 5000 })
    db.exec('begin exclusive')
    await sleep(10_000)
    db.close()
  },
  'a loop that stands still': async node => void meet(node, '/spin'),
  'memory that runs out': async node => void meet(node, '/leak'),
}

const states = {
  transfer: { steps: ['transfer'], traits: { bytes: 24 << 20 } },
  switch: { steps: ['switching'], traits: { startMs: 3000 } },
  probation: { steps: ['probation'], traits: { probationSeconds: 5 } },
} as const

class Changing {
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

async function twoNodes(fleet: TestFleet): Promise<TestFleet> {
  await fleet.found(2)
  await must(fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '1.0.0')))
  for (const node of fleet.nodes) keepSomething(node)
  return fleet
}

for (const state of ['transfer', 'switch', 'probation'] as const) {
  void t.test(`faults during ${state}`, { timeout: 560_000 }, async t => {
    const fleet = await twoNodes(new TestFleet(t))
    const changing = new Changing(fleet, fleet.node(1))
    for (const [fault, strike] of Object.entries(strikes)) {
      // While the new app starts nobody serves who could be asked to spin or to leak.
      if (state === 'switch' && fault.startsWith('a loop')) continue
      if (state === 'switch' && fault.startsWith('memory')) continue
      await changing.row(t, state, fault, strike)
    }
    await changing.last(t)
  })
}

void t.test('a disk that is full for 10 s while the node changes over', { timeout: 560_000 }, async t => {
  const fleet = new TestFleet(t)
  const disk: SmallDisk | null = onSmallDisk(t, fleet.dir)
  if (disk === null) {
    t.comment('skipped: no right to mount a small tmpfs, so no full disk')
    return
  }
  await twoNodes(fleet)
  const changing = new Changing(fleet, fleet.first)
  const fill = async (): Promise<void> => {
    disk.fill()
    await sleep(10_000)
    disk.empty()
  }
  for (const state of ['switch', 'probation'] as const) await changing.row(t, state, 'disk full for 10 s', fill)
  await changing.last(t)
})

void t.test('faults at start', { timeout: 280_000 }, async t => {
  const fleet = await twoNodes(new TestFleet(t))
  const node = fleet.node(1)
  const beginStart = async (): Promise<{ readonly done: Promise<void> }> => {
    await node.kill()
    const done = node.start().catch(() => undefined)
    await until('a worker is there', async () => node.pids().length >= 3)
    return { done }
  }
  for (const [fault, strike] of Object.entries(strikes).filter(([name]) => /^(?:kill|SIGSTOP)/.test(name))) {
    await suffer(t, {
      state: 'at start',
      fault,
      version: '1.0.0',
      node,
      withinMs: 90_000,
      strike: async () => {
        const { done } = await beginStart()
        await strike(node)
        await done
      },
    })
    await fleet.linked()
  }
  await new Changing(fleet, node).last(t)
})
