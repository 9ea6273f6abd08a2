/**
 * Faults while a node changes over (docs/reliability.md): during transfer and staging, during the switch, in probation, at its start. Whatever
 * happens, it ends with one of both releases, whole, and takes the next one.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import { loaderOf, meet, suffer, supervisorOf } from '../e2e/faults.ts'
import { TestFleet, type TestNode, until } from '../e2e/fleet.ts'
import { Changing, newest, signal, type Strike, twoNodes } from './changing.ts'

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

/** In the switch nobody serves who could be asked: the new app does it when it has started. */
const atStart =
  (what: string): Strike =>
  async node =>
    writeFileSync(join(node.home, 'instance/data', what), '')
const inTheSwitch: Readonly<Record<string, Strike>> = {
  ...strikes,
  'a loop that stands still': atStart('spin'),
  'memory that runs out': atStart('leak'),
}

for (const state of ['transfer', 'switch', 'probation'] as const) {
  void t.test(`faults during ${state}`, { timeout: 800_000 }, async t => {
    const fleet = await twoNodes(new TestFleet(t))
    const changing = new Changing(fleet, fleet.node(1))
    for (const [fault, strike] of Object.entries(state === 'switch' ? inTheSwitch : strikes)) await changing.row(t, state, fault, strike)
    await changing.last(t)
  })
}

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
