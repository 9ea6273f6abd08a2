import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { longestWait } from './faults.ts'
import { type CliResult, makeApp, must, TestFleet, type TestNode, until } from './fleet.ts'

/** The migration must not be done twice on the same data; v1 is slow to start, so that it can be killed in the middle. */
const v1 = { version: '1.0.0', onStart: `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)`, probationSeconds: 2 }
const v2 = {
  version: '2.0.0',
  extra: { dataVersion: 2 },
  extraModule: `export async function migrate({ dataDir, from, to }) { appendFileSync(join(dataDir, 'schema.txt'), from + '>' + to + '\\n') }`,
}

const data = (node: TestNode, path: string): string => join(node.home, 'instance/data', path)
const sales = (node: TestNode): string => readFileSync(data(node, 'sales.txt'), 'utf8')
const isMigrated = (node: TestNode): boolean => existsSync(data(node, 'schema.txt'))
const journal = (node: TestNode): { held: unknown; swap?: unknown; migration: unknown } => JSON.parse(node.file('instance/data.json'))
/** What was kept aside of data/ when something else took its place. */
const keptSales = (node: TestNode): string[] =>
  readdirSync(join(node.home, 'instance/backups'))
    .filter(id => id.includes('-swap-'))
    .map(id => join(node.home, 'instance/backups', id, 'after/sales.txt'))
    .filter(path => existsSync(path))
    .map(path => readFileSync(path, 'utf8'))

void t.test('going back over a migration: the data is kept or put back, as the operator says', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const apps = join(fleet.dir, 'apps')
  const { first } = fleet
  const canary = fleet.node(1)
  const run = (...args: string[]): Promise<CliResult> =>
    first.cli([...args, '--soak', '300ms', '--wait', '--json', ...fleet.signing(first)])
  const sell = (text: string): void => {
    for (const node of fleet.nodes) writeFileSync(data(node, 'sales.txt'), text)
  }
  t.equal((await fleet.deploy(first, makeApp(apps, v1))).code, 0)
  sell('by v1')
  t.equal((await fleet.deploy(first, makeApp(apps, v2))).code, 0)
  sell('by v2')

  await t.test('without a word about the data it is refused, before anything is published', async t => {
    const before = (await first.api('rollouts')).rollouts.length
    for (const args of [['rollback'], ['rollout', 'start', 'till@1.0.0', '--allow-downgrade']]) {
      const refused = await run(...args)
      t.equal(refused.code, 1)
      t.match(refused.json().error, { code: 'DATA_NEWER', message: /--data keep .*--data restore/ })
    }
    t.equal((await first.api('rollouts')).rollouts.length, before)
    t.equal((await run('rollback', '--data', 'burn')).code, 2)
  })

  await t.test('restore: what lay there before the migration, and what the newer release wrote beside it', async t => {
    const done = await run('rollback', '--data', 'restore')
    t.equal(done.code, 0, done.stderr)
    t.same(await fleet.versions(), ['1.0.0', '1.0.0'])
    for (const node of fleet.nodes) {
      t.equal(sales(node), 'by v1')
      t.notOk(isMigrated(node))
      t.same(journal(node).held, { name: 'till', dataVersion: 1 })
      t.same(keptSales(node), ['by v2'])
    }
  })

  await t.test('keep: the older release opens the data as it is', async t => {
    sell('by v1 again')
    t.equal((await run('rollout', 'start', 'till@2.0.0')).code, 0)
    sell('by v2 again')
    const done = await run('rollback', '--data', 'keep')
    t.equal(done.code, 0, done.stderr)
    t.same(await fleet.versions(), ['1.0.0', '1.0.0'])
    for (const node of fleet.nodes) {
      t.equal(sales(node), 'by v2 again')
      t.equal(readFileSync(data(node, 'schema.txt'), 'utf8'), '1>2\n')
      t.same(journal(node).held, { name: 'till', dataVersion: 2, readBy: 1 })
      t.same(keptSales(node).toSorted(), ['by v2', 'by v2 again'])
    }
    t.equal((await run('rollout', 'start', 'till@2.0.0')).code, 0)
    for (const node of fleet.nodes) {
      t.equal(readFileSync(data(node, 'schema.txt'), 'utf8'), '1>2\n', 'and nothing is migrated twice')
      t.same(journal(node).held, { name: 'till', dataVersion: 2 })
    }
  })

  await t.test('everything killed in the middle: one or the other, and the data whole', async t => {
    for (const how of ['restore', 'keep'] as const) {
      const ended = run('rollback', '--data', how, '--only', canary.name)
      await until('the data is being changed', async () => journal(canary).swap !== undefined && (how === 'keep' || !isMigrated(canary)))
      const times: number[] = []
      for (let kill = 0; kill < 2; kill++) {
        const from = performance.now()
        await canary.kill()
        await canary.start()
        await until('it answers', async () => ['1.0.0', '2.0.0'].includes(await canary.version()))
        times.push(Math.round((performance.now() - from) / 100) / 10)
      }
      await until('the switch is over', async () => journal(canary).swap === undefined)
      const version = await canary.version()
      t.comment(`| going back, ${how} | kill -9 of all, twice | refused | ${times.join(', ')} | ${version} |`)
      const isBack = version === '1.0.0'
      t.equal(isMigrated(canary), !(isBack && how === 'restore'), `${how}: ${version}`)
      t.equal(sales(canary), isBack && how === 'restore' ? 'by v1 again' : 'by v2 again')
      t.equal(journal(canary).migration, null)
      // Who looked while the node was gone was told that it stalled.
      t.equal([0, 5].includes((await ended).code), true)
      if (isBack) await until('completed', async () => (await first.api('rollouts/latest')).state === 'completed')
      t.equal((await run('rollout', 'start', 'till@2.0.0', '--only', canary.name, '--force')).code, 0)
      t.equal(readFileSync(data(canary, 'schema.txt'), 'utf8'), '1>2\n')
      writeFileSync(data(canary, 'sales.txt'), 'by v2 again')
    }
  })

  await t.test('a release that the data makes ill goes back, and so does the data', async t => {
    const ill = makeApp(apps, { version: '1.5.0', health: `throw new Error('what is this?')` })
    for (const how of ['restore', 'keep']) {
      const asking = new AbortController()
      const met = longestWait(canary, asking.signal)
      const done = await fleet.deploy(first, ill, ['--allow-downgrade', '--force', '--data', how, '--only', canary.name])
      asking.abort()
      const { seconds, statuses } = await met
      t.equal(statuses, '200', 'nobody noticed')
      t.comment(`| going back, ${how} | the older release is ill | requests wait | ${seconds} |`)
      t.equal(done.code, 5, done.stderr)
      t.match(done.json().nodes[0], { outcome: 'rolled-back', reason: { code: 'APP_UNHEALTHY' } })
      t.equal(await canary.version(), '2.0.0')
      t.equal(sales(canary), 'by v2 again')
      t.equal(readFileSync(data(canary, 'schema.txt'), 'utf8'), '1>2\n')
      t.equal(journal(canary).swap, undefined)
      t.same(journal(canary).held, { name: 'till', dataVersion: 2 })
    }
  })

  await t.test('a node that joined later has nothing to put back: it says so, and can keep', async t => {
    const { token } = (await must(first.cli(['invite', '--json']))).json()
    const late = await fleet.join(token)
    await until('it runs what the others run', async () => (await late.version()) === '2.0.0' && journal(late).migration === null)
    const refused = await run('rollback', '--to', '1.0.0', '--data', 'restore', '--only', late.name)
    t.equal(refused.code, 5, refused.stderr)
    t.match(refused.json().nodes[0]?.reason, { code: 'NO_SNAPSHOT' })
    t.equal(await late.version(), '2.0.0')
    const kept = await run('rollback', '--to', '1.0.0', '--data', 'keep', '--only', late.name)
    t.equal(kept.code, 0, kept.stderr)
    t.equal(await late.version(), '1.0.0')
  })
})
