import { join } from 'node:path'
import t from 'tap'
import { keepSomething, makeFaultApp } from './faults.ts'
import { must, TestFleet } from './fleet.ts'
import { WriteFaults } from './writes.ts'

/** One of each kind; all of them are in test/long. */
const few = ['worker after zip 1', 'worker before slot 1', 'supervisor after current.json 1', 'supervisor before current.json 2']

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
  t.equal((await fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '2.0.0'))).code, 0, 'the next release works')
})
