import { join } from 'node:path'
import t from 'tap'
import { makeApp, must, TestFleet, until } from './fleet.ts'

void t.test('five nodes: deploy at any node, bad releases stop at the canary', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(5)
  const apps = join(fleet.dir, 'apps')
  const identities = fleet.nodes.map(n => n.identity())
  const stays = async (version: string, starts: string): Promise<void> => {
    t.same(await fleet.versions(), Array(5).fill(version))
    t.same(
      fleet.nodes.map(n => n.identity()),
      identities,
      'identity and config.json are byte-identical',
    )
    for (const node of fleet.nodes) t.ok(node.file('instance/data/starts.txt').startsWith(starts), 'data as the app left it')
    await fleet.linked()
  }

  await t.test('v1 at the first node', async t => {
    const done = await fleet.deploy(fleet.first, makeApp(apps, { version: '1.0.0' }))
    t.equal(done.code, 0, done.stderr)
    t.equal(done.json().state, 'completed')
    await stays('1.0.0', '1.0.0\n')
  })

  await t.test('v2 at another node', async t => {
    const done = await fleet.deploy(fleet.node(2), makeApp(apps, { version: '2.0.0' }))
    t.equal(done.code, 0, done.stderr)
    t.same(
      done.json().waves.map(w => w.state),
      ['passed', 'passed', 'passed'],
    )
    const moved = done.json().nodes.filter(n => n.id !== fleet.node(2).id)
    t.ok(
      moved.every(n => n.bytes.fetched + n.bytes.reused > 0),
      'what was fetched is told by the worker after the switch too',
    )
    await stays('2.0.0', '1.0.0\n2.0.0\n')
    const seen = await Promise.all(fleet.nodes.map(n => n.cli(['rollout', 'list', '--json'])))
    const pictures = seen.map(s => s.json().rollouts.map(r => [r.id, r.release, r.state, r.waves]))
    for (const picture of pictures) t.same(picture, pictures[0], 'any node shows the same picture')
  })

  const bad: [string, string, Partial<Parameters<typeof makeApp>[1]>][] = [
    [
      'throws at import',
      'APP_IMPORT_FAILED',
      { version: '3.0.1', onImport: `if (process.argv.includes('work')) throw new Error('no such table: till')` },
    ],
    ['never becomes healthy', 'APP_UNHEALTHY', { version: '3.0.2', health: `throw new Error('printer is on fire')` }],
    [
      'exits after 3 seconds',
      'WORKER_EXITED',
      { version: '3.0.3', onStart: 'setTimeout(() => process.exit(7), 3000)', probationSeconds: 8 },
    ],
  ]
  for (const [what, code, traits] of bad) {
    await t.test(`a release that ${what}`, async t => {
      const done = await fleet.deploy(fleet.node(1), makeApp(apps, { version: '0.0.0', ...traits }))
      t.equal(done.code, 5, done.stderr)
      const rollout = done.json()
      t.equal(rollout.state, 'halted')
      const touched = rollout.nodes.filter(n => n.outcome !== null)
      t.equal(touched.length, 1, 'only the canary was touched')
      t.equal(touched[0]?.reason?.code, code)
      t.match(done.stderr, code)
      await stays('2.0.0', '1.0.0\n2.0.0\n')
    })
  }

  await t.test('a release that needs a newer Node.js is refused in preflight', async t => {
    const done = await fleet.deploy(fleet.first, makeApp(apps, { version: '4.0.0', engines: '>=99' }))
    t.equal(done.code, 5, done.stderr)
    t.equal(done.json().state, 'stalled')
    t.same([...new Set(done.json().nodes.map(n => n.reason?.code))], ['ENGINE_UNSUPPORTED'])
    await stays('2.0.0', '1.0.0\n2.0.0\n')
  })

  await t.test('a release without a package for the platform is refused in preflight', async t => {
    const zip = join(fleet.dir, 'win.zip')
    await must(fleet.first.cli(['pack', makeApp(apps, { version: '5.0.0' }), '--platform', 'win32-x64', '--out', zip, '--json']))
    const done = await fleet.deploy(fleet.first, zip)
    t.equal(done.code, 5, done.stderr)
    t.equal(done.json().state, 'stalled')
    t.same([...new Set(done.json().nodes.map(n => n.reason?.code))], ['NO_PACKAGE_FOR_PLATFORM'])
    await stays('2.0.0', '1.0.0\n2.0.0\n')
  })

  await t.test('a downgrade needs its flag, a rollback does not', async t => {
    const zip = await fleet.first.cli(['rollout', 'start', 'till@1.0.0', ...fleet.signing(fleet.first), '--json'])
    t.equal(zip.code, 1)
    t.match(zip.stderr, 'DOWNGRADE')
    const back = (command: string[]) =>
      fleet.node(4).cli([...command, ...fleet.signing(fleet.node(4)), '--soak', '300ms', '--wait', '--json'])
    const left = await back(['rollout', 'abort', 'latest', '--rollback'])
    t.match([left.code, left.json()], [0, { release: 'till@2.0.0', state: 'completed' }], left.stderr)
    await stays('2.0.0', '1.0.0\n2.0.0\n') // it runs everywhere already: nobody restarts
    const done = await back(['rollback'])
    t.match([done.code, done.json()], [0, { release: 'till@1.0.0' }], done.stderr)
    await until('all serve 1.0.0', async () => (await fleet.versions()).every(v => v === '1.0.0'))
  })

  await t.test('all of it ends cleanly', async t => {
    const pids = fleet.nodes.flatMap(n => n.pids())
    t.same(await Promise.all(fleet.nodes.map(n => n.stop())), Array(5).fill(0))
    await until('no process is left', async () =>
      pids.every(pid => {
        try {
          process.kill(pid, 0)
          return false
        } catch {
          return true
        }
      }),
    )
  })
})
