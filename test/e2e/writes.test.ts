import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { keepSomething, makeFaultApp } from './faults.ts'
import { must, TestFleet } from './fleet.ts'
import { WriteFaults } from './writes.ts'

/** One of each kind; all of them are in test/long. */
const few = [
  'worker after zip 1',
  'worker before slot 1',
  'worker after node.db 11',
  'supervisor after current.json 1',
  'worker before snapshot 1',
  'worker after data.json 1',
  'supervisor before current.json 2',
]

void t.test('one node, killed at its writes in a deployment', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  await must(fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '1.0.1')))
  keepSomething(fleet.first)
  const faults = new WriteFaults(fleet, fleet.first)
  const points = await faults.record()
  for (const point of few) {
    t.ok(points.includes(point), `a deployment makes the write ${point}`)
    await faults.killAt(t, point, false)
  }

  const { first } = fleet
  const nameOf = (): string => (JSON.parse(first.file('instance/config.json')) as { name: string }).name
  let name = nameOf()
  for (const point of ['worker before config.json 1', 'worker after config.json 1', 'worker before node.db 1', 'worker after node.db 1']) {
    const next = `kiosk-${point.replaceAll(/[ .]/g, '-')}`
    await faults.killIn(t, point, () => first.cli(['rename', next, '--json']))
    t.ok([name, next].includes(nameOf()), `${point}: ${nameOf()}`)
    await must(first.cli(['rename', next, '--json']))
    name = nameOf()
    t.equal(name, next, `${point}: asked again, it is done`)
  }
  for (const point of ['worker before web.json 1', 'worker after web.json 1', 'worker before node.db 1'])
    await faults.killAtStart(t, point, () => rmSync(join(first.home, 'instance/web.json'), { force: true }))
  const next = makeFaultApp(join(fleet.dir, 'apps'), '2.0.0', { dataVersion: 50 })
  t.equal((await fleet.deploy(first, next)).code, 0, 'the next release works')
})
