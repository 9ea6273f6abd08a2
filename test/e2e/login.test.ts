import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeApp, must, operator, passphrase, shoal, TestFleet, until } from './fleet.ts'

void t.test('a machine that is no node: login, work, logout', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const { first } = fleet
  const folder = join(fleet.dir, 'laptop')
  const key = join(first.home, 'certs/operators', `${operator}.json`)
  const env = { XDG_CONFIG_HOME: join(folder, 'config'), SHOAL_HOME: join(folder, 'nothing') }
  const at = (args: readonly string[], more: Record<string, string> = {}): ReturnType<typeof shoal> =>
    shoal(args, { env: { ...env, ...more } })
  const url = `https://127.0.0.1:${first.port}`
  const remembered = join(folder, 'config/shoal/servers.json')
  const text = (await must(first.cli(['status']))).stdout
  const fingerprint = /--fingerprint ([0-9a-f]{64})/.exec(text)?.[1] ?? ''

  await t.test('nothing is said to a server that is not the one', async t => {
    const cases: [string[], number, string][] = [
      [['login', url, '--operator', operator], 2, 'USAGE'],
      [['login', url, '--operator', operator, '--fingerprint', 'ab'.repeat(32)], 1, 'TOKEN_PIN_MISMATCH'],
      [['login', 'ftp://x/y/z', '--fingerprint', fingerprint], 2, 'USAGE'],
      [['login', 'https://127.0.0.1:1', '--fingerprint', fingerprint], 3, 'NO_NODE'],
      [['login', url, '--fingerprint', fingerprint], 2, 'USAGE'],
      [['nodes'], 2, 'HOME_EMPTY'],
      [['nodes', '--server', url], 4, 'UNAUTHENTICATED'],
    ]
    for (const [args, exit, code] of cases) {
      const refused = await at([...args, '--json'])
      t.equal(refused.json().error.code, code, args.join(' '))
      t.equal(refused.code, exit, code)
    }
    const wrong = await at(['login', url, '--operator', operator, '--fingerprint', fingerprint, '--json'], { SHOAL_PASSPHRASE: 'wrong' })
    t.equal(wrong.json().error.code, 'LOGIN_FAILED')
    t.notOk(existsSync(remembered))
  })

  await t.test('by a key file: commands work as at home, and sign here', async t => {
    const colons = fingerprint.toUpperCase().replaceAll(/(..)(?!$)/g, '$1:')
    const done = await must(at(['login', url, '--key', key, '--fingerprint', colons, '--json']))
    t.match(JSON.parse(done.stdout), { server: url, name: operator, role: 'admin', fingerprint })
    if (process.platform !== 'win32') t.equal(statSync(remembered).mode & 0o777, 0o600)
    t.notMatch(readFileSync(remembered, 'utf8'), passphrase)
    t.equal((await must(at(['nodes', '--json']))).json().nodes.length, 1)
    const app = makeApp(join(fleet.dir, 'apps'), { version: '1.0.0' })
    const deployed = await at(['deploy', app, '--soak', '300ms', '--json'])
    t.equal(deployed.code, 0, deployed.stderr)
    t.equal(deployed.json().state, 'completed')
    t.same(await fleet.versions(), ['1.0.0'])
    t.equal((await at(['leave', '--yes', '--force', '--json'])).json().error.code, 'NOT_ALLOWED', 'who stands at the node takes it out')
  })

  await t.test('session and certificate outlive the restart of the server', async t => {
    t.match((await must(at(['stop', '--json']))).json(), { state: 'stopped' }, 'an admin stops it from anywhere')
    t.equal((await at(['nodes', '--json'])).code, 3, 'and hears of it when it has stopped')
    await first.stop()
    await first.start()
    await until('it answers', async () => (await at(['status', '--json'])).code === 0)
    t.match((await must(first.cli(['status']))).stdout, fingerprint)
  })

  await t.test('by passphrase, where the key is kept; --server names it', async t => {
    t.equal((await must(at(['logout', '--json']))).json().error, undefined)
    t.equal((await at(['nodes', '--json'])).json().error.code, 'HOME_EMPTY')
    t.equal((await at(['logout', '--json'])).json().error.code, 'NOT_FOUND')
    await must(at(['login', `127.0.0.1:${first.port}`, '--operator', operator, '--fingerprint', fingerprint]))
    t.equal((await must(at(['nodes', '--server', url, '--json']))).json().nodes.length, 1)
    t.equal((await at(['rollout', 'pause', '--json'])).json().error.code, 'NO_OPERATOR_KEY', 'signing takes a key file')
  })
})
