import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { epochIn, keepSomething, logged, makeFaultApp, meet, suffer } from './faults.ts'
import { must, TestFleet, type TestNode, until } from './fleet.ts'

const db = (node: TestNode): string => join(node.home, 'instance/node.db')

function remove(node: TestNode): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(db(node) + suffix, { force: true })
}

void t.test('node.db is lost: the app is served, the sync peers tell what was in it', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(3)
  const apps = join(fleet.dir, 'apps')
  const [first, second, third] = [fleet.first, fleet.node(1), fleet.node(2)]
  await must(fleet.deploy(first, makeFaultApp(apps, '1.0.0')))
  for (const node of fleet.nodes) keepSomething(node)
  const row = { state: 'steady', version: '1.0.0', withinMs: 60_000 }
  const whileDown = async (node: TestNode, work: () => void): Promise<void> => {
    await node.kill()
    work()
    await node.start()
  }
  const isWhole = (node: TestNode): Promise<void> =>
    until(`${node.name} is whole`, async () => {
      const { health, reach } = await node.api('nodes/self')
      return health === 'ok' && reach === 'self' && (await node.api('nodes')).nodes.length === 3
    })

  await t.test('gone', async t => {
    const before = epochIn(second)
    await suffer(t, { ...row, node: second, fault: 'node.db gone', strike: () => whileDown(second, () => remove(second)) })
    await fleet.linked()
    await isWhole(second)
    t.equal(logged(second, 'node.db is whole again').length, 1)
    await second.stop()
    t.ok(epochIn(second) > before, 'it speaks from above all that it ever said')
    await second.start()
    await isWhole(second)
  })

  await t.test('damaged, at the node that redeems invites', async t => {
    await suffer(t, {
      ...row,
      node: first,
      fault: 'node.db overwritten',
      strike: () => whileDown(first, () => writeFileSync(db(first), Buffer.alloc(40_000, 'x'))),
    })
    await fleet.linked()
    await isWhole(first)
    const aside = readdirSync(join(first.home, 'instance')).filter(name => /^node\.db\.damaged-\d{8}T\d{6}Z$/.test(name))
    t.equal(aside.length, 1, 'what was damaged is kept')
    const { token } = (await must(first.cli(['invite', '--json', ...fleet.signing(first)]))).json()
    t.match(token, /^shoal1\./)
  })

  await t.test('no peer is there: the app is served, the node says that it is ill, and goes on trying', async t => {
    await first.stop()
    await second.stop()
    await suffer(t, { ...row, node: third, fault: 'node.db gone, no peer', strike: () => whileDown(third, () => remove(third)) })
    t.equal((await third.api('nodes/self')).health, 'degraded')
    t.equal((await third.get('/_shoal/readyz')).status, 200)
    const refused = await third.cli(['invite', '--json', ...fleet.signing(third)])
    t.equal(refused.json().error.code, 'FLEET_UNKNOWN')
    await third.kill()
    await third.start()
    t.equal((await third.api('nodes/self')).health, 'degraded', 'it has not forgotten that it is lost')
    t.equal(await meet(third), 'app 1.0.0')
    await first.start()
    await second.start()
    await fleet.linked()
    await isWhole(third)
  })

  const done = await fleet.deploy(third, makeFaultApp(apps, '1.1.0'))
  t.equal(done.code, 0, done.stderr)
  t.same(await fleet.versions(), ['1.1.0', '1.1.0', '1.1.0'])
  for (const node of fleet.nodes) t.equal(logged(node, '"conflict"').length, 0, 'nobody said two things under one version')
  t.ok(existsSync(db(first)))
})
