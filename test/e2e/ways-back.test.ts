import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { currentOf, keepSomething, makeFaultApp, meet, suffer } from './faults.ts'
import { must, shoal, TestFleet, until } from './fleet.ts'
import { standing } from './writes.ts'

void t.test('all slots are bad', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const apps = join(fleet.dir, 'apps')
  await must(fleet.deploy(fleet.first, makeFaultApp(apps, '1.0.0')))
  await must(fleet.deploy(fleet.first, makeFaultApp(apps, '1.1.0')))
  for (const node of fleet.nodes) keepSomething(node)
  const node = fleet.node(1)
  const slots = join(node.home, 'instance/slots')
  const kept = node.identity()

  await t.test('of the app, with their packages: safe mode until a peer gives them again', async t => {
    await fleet.first.stop()
    await node.kill()
    for (const name of readdirSync(slots).filter(each => each.length === 64 && each !== currentOf(node).shoal))
      rmSync(join(slots, name), { recursive: true })
    for (const name of readdirSync(join(node.home, 'instance/packages'))) rmSync(join(node.home, 'instance/packages', name))
    await node.start()
    t.equal(await meet(node), '503')
    t.same([(await node.get('/_shoal/livez')).status, (await node.api('nodes/self')).health], [200, 'safe-mode'])
    const row = { state: 'steady', version: '1.1.0', withinMs: 60_000, node }
    await suffer(t, { ...row, fault: 'both slots of the app and their packages gone, a peer is back', strike: () => fleet.first.start() })
    await fleet.linked()
    t.equal((await node.api('nodes/self')).health, 'ok')
  })

  await t.test('of Shoal: the built-in one starts', async t => {
    await node.kill()
    const current = JSON.parse(node.file('instance/slots/current.json')) as Record<string, unknown>
    const [bad, worse] = ['a'.repeat(64), 'b'.repeat(64)]
    for (const digest of [bad, worse]) {
      mkdirSync(join(slots, digest, 'src'), { recursive: true })
      writeFileSync(join(slots, digest, 'src/entry.ts'), digest === bad ? 'process.exit(1)' : 'no program')
    }
    const text = JSON.stringify({ ...current, shoal: bad, previous: { app: current['app'], shoal: worse }, supervisor: null })
    for (const name of ['current.json', 'current.json.bak']) writeFileSync(join(slots, name), text)
    const row = { state: 'at start', version: '1.1.0', withinMs: 60_000, node }
    await suffer(t, { ...row, fault: 'both slots of Shoal bad', strike: () => node.start() })
    t.equal(currentOf(node).shoal, current['builtIn'])
    await fleet.linked()
  })

  const done = await fleet.deploy(node, makeFaultApp(apps, '1.2.0'))
  t.equal(done.code, 0, done.stderr)
  t.same(node.identity(), kept)
})

void t.test('a join that is cut is made again with the same token', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const points = ['loader after node.key 1', 'loader before ca.key 1', 'loader before config.json 1']
  const caKey = fleet.first.file('certs/ca.key')
  const uses = String(points.length)
  const { token } = (
    await must(fleet.first.cli(['invite', '--uses', uses, '--can-invite', '--json', ...fleet.signing(fleet.first)]))
  ).json()
  for (const [at, point] of points.entries()) {
    const [log, arm] = [join(fleet.dir, `writes-${at}.log`), join(fleet.dir, `armed-${at}`)]
    writeFileSync(arm, '')
    const preload = `--import=${resolve('test/fixtures/faults/at-write.mjs')}`
    const home = join(fleet.dir, `box-${at + 2}`)
    const env = { NODE_OPTIONS: preload, FAULT_AT: point, FAULT_ARM: arm, FAULT_LOG: log }
    const cut = shoal(['join', '-', '--home', home, '--name', 'cut', '--listen', '127.0.0.1:0', '--json'], { stdin: token, env })
    await until(`${point} is reached`, async () => standing(log) !== null, 30_000)
    process.kill(standing(log) ?? 0, 'SIGKILL')
    rmSync(arm)
    t.not((await cut).code, 0)
    t.notOk(existsSync(join(home, 'instance/slots/current.json')), `${point}: it is no node yet`)
    const node = await fleet.join(token)
    t.equal(node.home, home)
    t.equal(node.file('certs/ca.key'), caKey, `${point}: the CA's key came at the second attempt`)
    if (process.platform !== 'win32') t.equal(statSync(join(home, 'certs/ca.key')).mode & 0o777, 0o600)
  }
  await fleet.linked()
  t.equal((await fleet.first.api('nodes')).nodes.length, points.length + 1)
  t.equal(JSON.parse(fleet.first.file('instance/config.json')).peers.length, points.length, 'each is a sync peer, where it listens now')
  const last = await shoal(['join', '-', '--home', join(fleet.dir, 'more'), '--listen', '127.0.0.1:0', '--json'], { stdin: token })
  t.equal(last.json().error.code, 'TOKEN_USED', 'no attempt took a second use')
  const other = (await must(fleet.node(1).cli(['invite', '--json', ...fleet.signing(fleet.node(1))]))).json().token
  await fleet.join(other)
  await fleet.linked()
})
