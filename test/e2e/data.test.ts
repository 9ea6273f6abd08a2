import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type AppTraits, contents, makeApp, must, type NodeAnswer, TestFleet, type TestNode, until } from './fleet.ts'

/** A migration that must not be done twice: it appends. */
const migrating = (then = ''): string => `
export async function migrate({ dataDir, from, to }) {
  appendFileSync(join(dataDir, 'schema.txt'), from + '>' + to + '\\n')
  ${then}
}`

const app = (version: number, traits: Partial<AppTraits> = {}): AppTraits => ({
  version: `${version}.0.0`,
  extra: { dataVersion: version },
  extraModule: migrating(),
  ...traits,
})

/** data/ without what each start appends, and that. */
function dataOf(node: TestNode): { readonly files: Record<string, string>; readonly starts: string } {
  const { [join(node.home, 'instance/data/starts.txt')]: starts, ...files } = contents(join(node.home, 'instance/data'))
  return { files, starts: Buffer.from(starts ?? '', 'base64').toString() }
}

/** What releases that were gone back from had made of the data. */
const kept = (node: TestNode): string[] =>
  readdirSync(join(node.home, 'instance/backups'), { recursive: true, encoding: 'utf8' })
    .filter(path => /after.schema\.txt$/.test(path))
    .map(path => node.file(join('instance/backups', path)))

void t.test('data versions: migrated once, put back, kept', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const apps = join(fleet.dir, 'apps')
  const [first, canary] = [fleet.first, fleet.node(1)]
  const record = (node: TestNode): unknown => JSON.parse(node.file('instance/data.json')).held

  await t.test('v1, then v2 with another data version', async t => {
    const photo = `appendFileSync(join(host.dataDir, 'photo.jpg'), Buffer.from([0, 255, 10]))`
    const v1 = app(1, { extraModule: '', onStart: photo })
    t.equal((await fleet.deploy(first, makeApp(apps, v1))).code, 0)
    const done = await fleet.deploy(first, makeApp(apps, app(2)))
    t.equal(done.code, 0, done.stderr)
    for (const node of fleet.nodes) {
      t.equal(node.file('instance/data/schema.txt'), '1>2\n')
      t.same(readFileSync(join(node.home, 'instance/data/photo.jpg')), Buffer.from([0, 255, 10]))
      t.same(record(node), { name: 'till', dataVersion: 2 })
    }
  })

  await t.test('v3 cannot migrate: refused before anybody has switched, also when it is tried again', async t => {
    const before = fleet.nodes.map(node => dataOf(node))
    const bad = makeApp(apps, app(3, { version: '3.0.0-bad', extraModule: migrating(`throw new Error('no such table')`) }))
    const done = await fleet.deploy(first, bad)
    t.equal(done.code, 5, done.stderr)
    t.equal(done.json().state, 'stalled')
    const refusal = {
      outcome: 'refused',
      reason: { code: 'MIGRATE_FAILED', message: /till@3\.0\.0-bad: data version 2 to 3: no such table/ },
    }
    const shown = async (): Promise<readonly NodeAnswer[]> => (await first.api(`rollouts/${done.json().id}`)).nodes
    await until('all have refused', async () => (await shown()).every(n => n.outcome === 'refused'))
    for (const node of await shown()) t.match(node, refusal)
    await must(first.cli(['rollout', 'retry', done.json().id, '--json', ...fleet.signing(first)]))
    await until('they tried again', async () => fleet.nodes.every(n => n.output.includes('preflight: no-go')))
    await until('and are heard', async () => (await shown()).every(n => n.outcome === 'refused'))
    for (const node of await shown()) t.match(node, refusal)
    t.same(
      fleet.nodes.map(node => dataOf(node)),
      before,
      'byte-identical, and nobody was started',
    )
    for (const node of fleet.nodes) {
      t.match(JSON.parse(node.file('instance/slots/current.json')), { state: 'good', last: { result: 'confirmed' } })
      t.same(record(node), { name: 'till', dataVersion: 2 })
      t.notMatch(readdirSync(join(node.home, 'instance/backups')).join(), 'rehearsal')
    }
  })

  await t.test('v3 migrates, then is ill; its retry the same again', async t => {
    const before = dataOf(canary)
    const others = dataOf(first)
    const ill = makeApp(apps, app(3, { health: `throw new Error('printer is on fire')` }))
    const done = await fleet.deploy(first, ill)
    t.equal(done.code, 5, done.stderr)
    t.equal(done.json().state, 'halted')
    t.same(dataOf(canary).files, before.files, 'byte-identical')
    t.equal(dataOf(canary).starts, `${before.starts}2.0.0\n`)
    t.same(kept(canary), ['1>2\n2>3\n'])

    const { id } = done.json()
    const again = await first.cli(['rollout', 'retry', id, ...fleet.signing(first), '--json'])
    t.equal(again.code, 0, again.stderr)
    await until('it went back again', async () => kept(canary).length === 2 && (await canary.version()) === '2.0.0')
    t.same(dataOf(canary).files, before.files, 'byte-identical')
    t.same(kept(canary), ['1>2\n2>3\n', '1>2\n2>3\n'])
    t.same(record(canary), { name: 'till', dataVersion: 2 })
    t.same(dataOf(first), others, 'no other node was touched')
  })

  await t.test('v4: everything is killed in the middle of its migration, and in its probation', async t => {
    const slow = migrating(`await new Promise(done => setTimeout(done, 1000))`)
    const v4 = makeApp(apps, app(4, { extraModule: slow, probationSeconds: 2 }))
    const deploying = fleet.deploy(first, v4, ['--only', canary.name])
    await until('it migrates', async () => canary.file('instance/data/schema.txt') === '1>2\n2>4\n')
    await canary.kill()
    await canary.start()
    t.equal(await canary.version(), '4.0.0')
    t.comment(`| migration, for 1 s | kill -9 of all | refused | ${Math.round(canary.readyMs / 100) / 10} | new |`)
    t.equal(JSON.parse(canary.file('instance/data.json')).migration.phase, 'migrated')
    await canary.kill()
    await canary.start()
    const done = await deploying
    t.equal(done.code, 0, done.stderr)
    t.equal(canary.file('instance/data/schema.txt'), '1>2\n2>4\n', 'migrated once')
    t.match(canary.output, /asks for \d{4,} ms: data\/ is copied and migrated/, 'the switch waits as long as the rehearsal took')
    t.same(record(canary), { name: 'till', dataVersion: 4 })
    t.same(record(first), { name: 'till', dataVersion: 2 })
    const backups = readdirSync(join(canary.home, 'instance/backups'))
    t.equal(backups.length, 4, `two confirmed, two that went back: ${backups.join()}`)
  })
})
