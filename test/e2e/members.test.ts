import { join } from 'node:path'
import t from 'tap'
import { contents, makeApp, must, operator, passphrase, shoal, TestFleet, until } from './fleet.ts'

void t.test('fleets of one and of two', { timeout: 200_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const apps = join(fleet.dir, 'apps')
  const alone = await fleet.deploy(fleet.first, makeApp(apps, { version: '1.0.0' }))
  t.equal(alone.code, 0, alone.stderr)
  t.same(await fleet.versions(), ['1.0.0'])

  const { token } = (await must(fleet.first.cli(['invite', '--json', ...fleet.signing(fleet.first)]))).json()
  const second = await fleet.join(token)
  await fleet.linked()
  await until('who joins later takes the newest completed release', async () => (await second.version()) === '1.0.0')

  const together = await fleet.deploy(second, makeApp(apps, { version: '2.0.0' }))
  t.equal(together.code, 0, together.stderr)
  t.same(await fleet.versions(), ['2.0.0', '2.0.0'])
  t.equal(fleet.first.file('instance/data/starts.txt'), '1.0.0\n2.0.0\n')

  await t.test('restart and stop', async () => {
    await must(second.cli(['restart']))
    await until('it is back', async () => (await second.version()) === '2.0.0' && (await second.api('nodes/self')).self)
    await must(second.cli(['stop']))
    await until('it is down', async () => (await second.cli(['status'])).code === 3)
    await second.stop()
    await second.start()
    await until('it serves again', async () => (await second.version()) === '2.0.0')
  })

  await t.test('rename and peers', async t => {
    await must(second.cli(['rename', 'shop-7']))
    await until('the other one knows', async () => (await fleet.first.api('nodes')).nodes.some(n => n.name === 'shop-7'))
    const { tests } = (await must(fleet.first.cli(['peers', 'test', 'shop-7', '--json']))).json()
    t.same([tests[0]?.ok, tests[0]?.step], [true, null])
    const dead = (await fleet.first.cli(['peers', 'test', '127.0.0.1:1', '--json'])).json()
    t.equal(dead.tests[0]?.step, 'tcp')
    const { peers } = (await must(second.cli(['peers', 'list', '--json']))).json()
    t.ok(
      peers.some(p => p.pinned && p.reach === 'direct'),
      'join pins who let it in',
    )
  })

  await t.test('a removed node can neither link, nor fetch, nor return', async t => {
    const { token: spare } = (await must(fleet.first.cli(['invite', '--uses', '5', '--json', ...fleet.signing(fleet.first)]))).json()
    await must(fleet.first.cli(['nodes', 'remove', second.id, '--reason', 'stolen', '--yes', '--json', ...fleet.signing(fleet.first)]))
    await until('it is out', async () => (await fleet.first.api('nodes')).nodes.length === 1)
    const { tests } = (await second.cli(['peers', 'test', '--json'])).json()
    t.ok(tests.every(each => !each.ok))
    await second.kill()
    await second.start()
    await new Promise(done => setTimeout(done, 3000))
    const seen = (await must(fleet.first.cli(['nodes', '--json', '--all']))).json().nodes.find(n => n.id === second.id)
    t.equal(seen?.reach, 'lost')
    const again = await second.cli(['join', spare, '--json'])
    t.equal(again.code, 1)
    t.match(again.stderr, 'HOME_HAS_FLEET')
    await second.kill()
  })
})

void t.test('tokens and passphrases', { timeout: 200_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const other = await new TestFleet(t).found(1)
  const invite = async (...options: string[]): Promise<string> =>
    (await must(fleet.first.cli(['invite', '--json', ...options, ...fleet.signing(fleet.first)]))).json().token
  const home = join(fleet.dir, 'new')
  const refused = async (token: string, code: string): Promise<void> => {
    const done = await shoal(['join', '-', '--home', home, '--listen', '127.0.0.1:0', '--json'], { stdin: token })
    t.not(done.code, 0)
    t.match(done.stderr, code)
    t.equal(done.json().error.code, code)
    t.notOk(
      Object.keys(contents(home)).some(f => f.endsWith('current.json')),
      'no half node is left',
    )
  }
  const token = await invite()
  await refused(token.slice(0, -7), 'TOKEN_MALFORMED')
  await refused('nonsense', 'TOKEN_MALFORMED')
  const brief = await invite('--expires', '1s')
  await new Promise(done => setTimeout(done, 1200))
  await refused(brief, 'TOKEN_EXPIRED')
  await fleet.join(token)
  await refused(token, 'TOKEN_USED')

  const before = contents(join(other.first.home, 'certs'))
  const full = await other.first.cli(['join', await invite(), '--json'])
  t.equal(full.json().error.code, 'HOME_HAS_FLEET')
  const init = await other.first.cli(['init', '--json'])
  t.equal(init.code, 1)
  t.equal(init.json().error.code, 'HOME_HAS_FLEET')
  t.same(contents(join(other.first.home, 'certs')), before, 'untouched')

  const wrong = await fleet.first.cli(['invite', '--json'], { env: { SHOAL_PASSPHRASE: `${passphrase}r` } })
  t.equal(wrong.code, 4)
  t.equal(wrong.json().error.code, 'BAD_PASSPHRASE')
  const nobody = await fleet.first.cli(['invite', '--json', '--operator', 'nobody'])
  t.equal(nobody.code, 4)
  const stranger = await fleet.first.cli(['invite', '--json', '--key', join(other.first.home, `certs/operators/${operator}.json`)])
  t.match(stranger.json().error.code, /BAD_SIGNATURE|NOT_ALLOWED|NO_OPERATOR_KEY/, 'another fleet’s operator is nobody here')

  await t.test('a second operator', async t => {
    const added = (
      await must(fleet.first.cli(['operators', 'add', 'ben', '--role', 'operator', '--json', ...fleet.signing(fleet.first)]))
    ).json()
    t.equal(added.role, 'operator')
    const as = { env: { SHOAL_PASSPHRASE: added.passphrase } }
    const ok = await fleet.first.cli(['invite', '--json', '--operator', 'ben'], as)
    t.equal(ok.code, 0, ok.stderr)
    const no = await fleet.first.cli(['nodes', 'remove', fleet.node(1).id, '--reason', 'x', '--yes', '--json', '--operator', 'ben'], as)
    t.not(no.code, 0, 'removals are an admin’s')
    const list = (await must(fleet.node(1).cli(['operators', 'list', '--json']))).json()
    t.same(list.operators.map(o => o.name).toSorted(), ['anna', 'ben'])
  })
})
