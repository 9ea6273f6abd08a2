/**
 * Faults of what a node stands on, while it changes over (docs/reliability.md): files that are cut or locked, a disk that is full, a clock that is
 * set. It ends with one of both releases, whole, and takes the next one.
 */
import { chmodSync, existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { currentOf } from '../e2e/faults.ts'
import { TestFleet, type TestNode } from '../e2e/fleet.ts'
import { lockFile, onSmallDisk, settableClock } from '../e2e/surroundings.ts'
import { Changing, type Strike, twoNodes } from './changing.ts'

const inStates = ['transfer', 'switch', 'probation'] as const
type InState = (typeof inStates)[number]

const cut = (path: string, bytes: number): void => {
  chmodSync(path, 0o644)
  truncateSync(path, Math.min(bytes, statSync(path).size))
}

/** As a power cut on a bad disk: all ends, the file is damaged, and it starts. */
const cutWhileDown =
  (damage: (node: TestNode) => void): Strike =>
  async node => {
    await node.kill()
    damage(node)
    await node.start()
  }

/** What has come so far, while it comes; else a file of the slot that is being tried. */
function cutRelease(node: TestNode, state: InState): void {
  const instance = join(node.home, 'instance')
  if (state !== 'transfer') {
    cut(join(instance, 'slots', currentOf(node).app, 'index.js'), 100)
    return
  }
  const held = readdirSync(join(instance, 'packages')).map(name => join(instance, 'packages', name))
  // While it comes it is a part; if it came in the same moment, it is the newest package.
  const newest = held.filter(path => path.endsWith('.zip')).toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  const coming = [...held.filter(path => path.endsWith('.part')), ...newest][0]
  if (coming === undefined) throw new Error('nothing has come yet')
  cut(coming, statSync(coming).size >> 1)
}

const cuts: Readonly<Record<string, (node: TestNode, state: InState) => void>> = {
  'current.json cut': node => cut(join(node.home, 'instance/slots/current.json'), 40),
  'config.json cut': node => cut(join(node.home, 'instance/config.json'), 30),
  'the new release cut': cutRelease,
  'node.db overwritten': node => {
    writeFileSync(join(node.home, 'instance/node.db'), Buffer.alloc(40_000, 'x'))
    const wal = join(node.home, 'instance/node.db-wal')
    if (existsSync(wal)) truncateSync(wal, 0)
  },
}

void t.test('files that are cut', { timeout: 800_000 }, async t => {
  const fleet = await twoNodes(new TestFleet(t))
  const changing = new Changing(fleet, fleet.node(1))
  for (const [fault, damage] of Object.entries(cuts))
    for (const state of inStates)
      await changing.row(
        t,
        state,
        fault,
        cutWhileDown(node => damage(node, state)),
      )
  await changing.last(t)
})

async function lockedRows(t: Test, changing: Changing): Promise<void> {
  const { node } = changing
  for (const file of ['instance/config.json', 'instance/slots/current.json', 'instance/slots', 'instance/packages'])
    for (const state of inStates)
      await changing.row(t, state, `${file} locked for 10 s`, async () => {
        const free = lockFile(join(node.home, file))
        if (free === null) throw new Error(`${file} could not be locked`)
        t.teardown(free)
        await sleep(10_000)
        free()
      })
}

void t.test('files that are locked', { timeout: 800_000 }, async t => {
  const fleet = new TestFleet(t)
  const tried = lockFile(fleet.dir)
  if (tried === null) {
    t.comment('skipped: this user, or this file system, can make no file immutable')
    return
  }
  tried()
  const changing = new Changing(await twoNodes(fleet), fleet.node(1))
  await lockedRows(t, changing)
  await changing.last(t)
})

void t.test('a disk that is full for 10 s', { timeout: 560_000 }, async t => {
  const fleet = new TestFleet(t)
  // Room for a package of 24 MB, its slot and the reserve: else the order would be refused.
  const disk = onSmallDisk(t, fleet.dir, 800)
  if (disk === null) {
    t.comment('skipped: no right to mount a small tmpfs, so no full disk')
    return
  }
  const changing = new Changing(await twoNodes(fleet), fleet.first)
  const fill = async (): Promise<void> => {
    disk.fill()
    await sleep(10_000)
    disk.empty()
  }
  for (const state of inStates) await changing.row(t, state, 'disk full for 10 s', fill)
  await changing.last(t)
})

void t.test('a clock that is set', { timeout: 560_000 }, async t => {
  const fleet = new TestFleet(t)
  const clock = settableClock(join(fleet.dir, 'clock'))
  if (clock === null) {
    t.comment('skipped: libfaketime is not installed')
    return
  }
  const changing = new Changing(await twoNodes(fleet), fleet.node(1))
  const { node } = changing
  await node.stop()
  await node.start(clock.env)
  for (const year of [2000, 2040])
    for (const state of inStates) {
      await changing.row(t, state, `clock set to ${year}`, async () => {
        clock.set(year)
        await sleep(2000)
        const met = JSON.parse((await node.get()).body) as { readonly year: number }
        t.equal(met.year, year, 'it believes so')
      })
      clock.set(new Date().getFullYear())
    }
  await changing.last(t)
})
