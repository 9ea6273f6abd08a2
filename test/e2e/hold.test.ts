import { join } from 'node:path'
import t from 'tap'
import { makeApp, must, TestFleet, until } from './fleet.ts'

void t.test('a held node waits, is shown as held by all, and goes on when it is released', { timeout: 250_000 }, async t => {
  const fleet = await new TestFleet(t).found(3)
  const apps = join(fleet.dir, 'apps')
  const [first, second, third] = [fleet.first, fleet.node(1), fleet.node(2)]
  t.equal((await fleet.deploy(first, makeApp(apps, { version: '1.0.0' }))).code, 0)
  const held = await must(second.cli(['nodes', 'hold', third.name, '--reason', 'inventory', '--json', ...fleet.signing(second)]))
  t.match(held.json(), { id: third.id, held: true })
  await until('every node shows it', async () => {
    const all = await Promise.all(fleet.nodes.map(n => n.api(`nodes/${third.id}`)))
    return all.every(n => JSON.stringify(n).includes('"health":"held","held":{"by":"anna","reason":"inventory","leftMs":null}'))
  })
  t.match((await first.cli(['nodes', 'show', third.name])).stdout, /health {3}held, held by anna: inventory/)

  const done = await fleet.deploy(first, makeApp(apps, { version: '2.0.0' }))
  t.equal(done.code, 5, done.stderr)
  t.equal(done.json().state, 'stalled')
  // That the last wave lacks box-3 is known before box-1, in the same wave, has confirmed.
  t.match(done.stderr, /not reached or held now, so last: box-3[^]*stalled: [12] of 3 nodes confirmed till@2\.0\.0; missing: box-3/)
  t.match(done.json().nodes.find(n => n.id === third.id)?.reason, { code: 'HELD', message: 'held by anna: inventory' })
  await until('box-1 goes on', async () => (await first.version()) === '2.0.0')
  t.same(await fleet.versions(), ['2.0.0', '2.0.0', '1.0.0'])

  await t.test('the hold outlives the node’s restart', async t => {
    await third.stop()
    await third.start()
    await fleet.linked()
    await until('held again', async () => JSON.stringify(await third.api('nodes/self')).includes('"health":"held"'))
    t.equal(await third.version(), '1.0.0')
  })

  await t.test('released, it does what was ordered', async t => {
    t.match((await must(third.cli(['nodes', 'unhold', 'self', '--json', ...fleet.signing(third)]))).json(), { id: third.id, held: false })
    await until('it serves 2.0.0', async () => (await third.version()) === '2.0.0')
    await until('completed', async () => (await first.api('rollouts/latest')).state === 'completed')
    t.notMatch(JSON.stringify(await first.api(`nodes/${third.id}`)), /"health":"held"/)
  })

  await t.test('a hold for a time ends by itself', async t => {
    await must(first.cli(['nodes', 'hold', second.id.slice(0, 8), '--for', '4s', '--json', ...fleet.signing(first)]))
    t.match(JSON.stringify(await first.api(`nodes/${second.id}`)), /"leftMs":[1-9]/)
    await until('over', async () => JSON.stringify(await second.api('nodes/self')).includes('"health":"ok","held":null'))
  })

  await t.test('refusals change nothing', async t => {
    t.equal((await first.cli(['nodes', 'hold', 'nobody', '--json', ...fleet.signing(first)])).json().error.code, 'NOT_FOUND')
    t.equal((await first.cli(['nodes', 'hold', 'self', '--for', 'soon', '--json', ...fleet.signing(first)])).code, 2)
  })
})
