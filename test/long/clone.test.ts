import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { logged, makeFaultApp, meet } from '../e2e/faults.ts'
import { must, TestFleet, TestNode, until } from '../e2e/fleet.ts'
import { freePort } from '../helpers/free-port.ts'

void t.test('a cloned disk: both machines stop taking orders and say so', { timeout: 560_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const apps = join(fleet.dir, 'apps')
  await must(fleet.deploy(fleet.first, makeFaultApp(apps, '1.0.0')))
  const original = fleet.node(1)
  await original.stop()
  const clone = new TestNode(join(fleet.dir, 'clone'), 'clone')
  cpSync(original.home, clone.home, { recursive: true })
  const config = JSON.parse(clone.file('instance/config.json'))
  writeFileSync(join(clone.home, 'instance/config.json'), JSON.stringify({ ...config, listen: `127.0.0.1:${await freePort()}` }))
  fleet.nodes.push(clone)
  await Promise.all([original.start(), clone.start()])
  const both = [original, clone]
  await until('both say so', async () => (await Promise.all(both.map(n => n.api('nodes/self')))).every(n => n.health === 'degraded'))
  for (const node of both) t.equal(logged(node, 'this id lives on two machines').length, 1)
  t.ok(logged(fleet.first, '"cloned"').length > 0, 'their peer raises the alarm')
  const refused = await fleet.deploy(fleet.first, makeFaultApp(apps, '1.1.0'))
  t.equal(refused.code, 5)
  t.same(await Promise.all(both.map(n => meet(n))), ['app 1.0.0', 'app 1.0.0'], 'both serve')
  const seen = async () => (await fleet.first.api(`nodes/${original.id}`)).reason?.code
  await until('the fleet sees why', async () => (await seen()) === 'CLONED_ID', 180_000)

  await clone.stop()
  const dataBefore = readFileSync(join(clone.home, 'instance/data.json'), 'utf8')
  await must(clone.cli(['reset-identity', '--yes', '--json']))
  const { token } = (await must(fleet.first.cli(['invite', '--json', ...fleet.signing(fleet.first)]))).json()
  await must(clone.cli(['join', '-', '--name', 'clone', '--listen', '127.0.0.1:0', '--json'], { stdin: token }))
  t.equal(readFileSync(join(clone.home, 'instance/data.json'), 'utf8'), dataBefore)
  await original.stop()
  await original.start()
  await clone.start()
  t.not(clone.id, original.id)
  await fleet.linked()
  const done = await fleet.deploy(fleet.first, makeFaultApp(apps, '1.2.0'))
  t.equal(done.code, 0, done.stderr)
  t.same(await fleet.versions(), ['1.2.0', '1.2.0', '1.2.0'])
  t.equal((await original.api('nodes/self')).health, 'ok')
})
