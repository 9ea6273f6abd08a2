import { join } from 'node:path'
import t from 'tap'
import { makeApp, must, TestFleet, until } from './fleet.ts'

void t.test('five nodes: a rollout that is interrupted, steered, or met by another', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(5)
  const apps = join(fleet.dir, 'apps')
  const initiator = fleet.node(1)
  const show = (node = fleet.first) => node.api('rollouts/latest')
  const start = async (node: typeof initiator, version: string, options: readonly string[] = []): Promise<string> => {
    await must(node.cli(['publish', await packed(version), ...fleet.signing(node), '--json']))
    const made = await must(
      node.cli(['rollout', 'start', `till@${version}`, ...fleet.signing(node), '--soak', '300ms', '--json', ...options]),
    )
    return made.json().id
  }
  const packed = async (version: string): Promise<string> => {
    const zip = join(fleet.dir, `${version}.zip`)
    await must(fleet.first.cli(['pack', makeApp(apps, { version }), '--out', zip, '--json']))
    return zip
  }
  const steer = (verb: string, id: string, ...more: string[]) =>
    fleet.first.cli(['rollout', verb, id, ...more, ...fleet.signing(fleet.first), '--json'])
  const allServe = (version: string): Promise<void> =>
    until(`all serve ${version}`, async () => (await fleet.versions()).every(v => v === version))
  await must(fleet.deploy(fleet.first, makeApp(apps, { version: '1.0.0' })))
  const identities = fleet.nodes.map(n => n.identity())

  await t.test('the initiator is killed after the first confirmation and the rest completes', async () => {
    await start(initiator, '1.1.0')
    await until('the canary has confirmed', async () => (await show()).waves[0]?.state === 'passed')
    await initiator.kill()
    const others = fleet.nodes.filter(n => n !== initiator)
    await until('the others serve 1.1.0', async () => (await Promise.all(others.map(n => n.version()))).every(v => v === '1.1.0'))
    await initiator.start()
    await allServe('1.1.0')
    await until('completed', async () => (await show(initiator)).state === 'completed')
  })

  await t.test('a node that was off during the whole rollout catches up at its return', async t => {
    const away = fleet.node(3)
    await away.stop()
    const done = await fleet.deploy(fleet.first, makeApp(apps, { version: '1.2.0' }))
    t.equal(done.code, 5, done.stderr)
    t.equal(done.json().state, 'stalled')
    t.match(done.stderr, away.name, 'it names who is missing')
    await away.start()
    await allServe('1.2.0')
    await until('completed', async () => (await show()).state === 'completed')
  })

  await t.test('pause, resume, abort', async t => {
    const id = await start(fleet.first, '1.3.0', ['--soak', '5s'])
    const confirmed = async (): Promise<readonly number[]> => (await show(fleet.node(4))).waves.map(w => w.confirmed)
    await until('the canary has confirmed', async () => (await show()).waves[0]?.confirmed === 1)
    await must(steer('pause', id))
    t.equal((await show(fleet.node(4))).state, 'paused')
    const whoIsOnItsWay = async (): Promise<number> =>
      (await show()).nodes.filter(n => n.step === 'switching' || n.step === 'probation').length
    await until('nobody is in the middle', async () => (await whoIsOnItsWay()) === 0)
    const before = await confirmed()
    await new Promise(done => setTimeout(done, 6000))
    t.same(await confirmed(), before, 'nobody starts while it is paused')
    t.equal(before[2], 0)
    await must(steer('resume', id))
    await until('the second wave has begun', async () => (await whoIsOnItsWay()) > 0 || ((await confirmed())[1] ?? 0) > 0)
    await must(steer('abort', id))
    await new Promise(done => setTimeout(done, 9000))
    const aborted = await show(fleet.node(2))
    t.equal(aborted.state, 'aborted')
    t.equal(aborted.waves[2]?.confirmed, 0, 'nobody starts after the abort')
    const closed = await steer('resume', id)
    t.equal(closed.code, 1)
    t.match(closed.stderr, 'ORDER_CLOSED')
  })

  await t.test('two orders at two nodes at once: one result, nobody flips twice', async t => {
    await must(fleet.node(1).cli(['publish', await packed('1.4.0'), ...fleet.signing(fleet.node(1)), '--json']))
    await must(fleet.node(2).cli(['publish', await packed('1.5.0'), ...fleet.signing(fleet.node(2)), '--json']))
    await until('both releases are known', async () => (await fleet.first.api('releases')).releases.length >= 6)
    const before = fleet.nodes.map(n => n.file('instance/data/starts.txt').split('\n').length)
    const order = (at: number, version: string) =>
      fleet.node(at).cli(['rollout', 'start', `till@${version}`, ...fleet.signing(fleet.node(at)), '--soak', '300ms', '--json'])
    const made = await Promise.all([order(1, '1.4.0'), order(2, '1.5.0')])
    t.ok(made.some(m => m.code === 0))
    for (const m of made) if (m.code !== 0) t.match(m.stderr, 'CONFLICT')
    await until('one of them is completed', async () => {
      const all = (await fleet.first.api('rollouts')).rollouts
      return all.filter(r => ['till@1.4.0', 'till@1.5.0'].includes(r.release) && r.state === 'completed').length === 1
    })
    t.equal(new Set(await fleet.versions()).size, 1)
    for (const [at, node] of fleet.nodes.entries())
      t.equal(node.file('instance/data/starts.txt').split('\n').length - (before[at] ?? 0), 1, 'one start each')
  })

  t.same(
    fleet.nodes.map(n => n.identity()),
    identities,
  )
  await fleet.linked()
})
