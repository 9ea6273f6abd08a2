import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import t from 'tap'
import { ask, refused, tokenOf } from './ask.ts'
import { type AppTraits, contents, makeApp, must, TestFleet, type TestNode, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

const sqlite = createRequire(import.meta.url).resolve('better-sqlite3')
const sum = 'sha256sum'

/** An app that writes all the time: pairs of rows in one transaction, so that a torn copy shows. */
const writing = `
import { createRequire } from 'node:module'
const Database = createRequire(import.meta.url)(${JSON.stringify(sqlite)})
`
const onStart = `
  const db = new Database(join(host.dataDir, 'till.db'))
  db.pragma('journal_mode = WAL')
  db.exec('create table if not exists a (n integer, pad text); create table if not exists b (n integer, pad text)')
  const both = db.transaction(n => { for (const name of ['a', 'b']) db.prepare('insert into ' + name + ' values (?, ?)').run(n, 'x'.repeat(2000)) })
  let n = 0
  const timer = setInterval(() => both(n++), 5)
  const count = () => db.prepare('select (select count(*) from a) a, (select count(*) from b) b').get()
  const word = db.prepare('select name from sqlite_master where name = ?')
`
const app = (version: string, more: Partial<AppTraits> = {}): AppTraits => ({
  version,
  onImport: writing,
  onStart: `${onStart} ${more.onStart ?? ''}`,
  health: `if (existsSync(join(host.dataDir, 'poison'))) throw new Error('poisoned')`,
  extraModule: `import { existsSync } from 'node:fs'`,
  extra: { close: true },
})

interface Database {
  prepare(sql: string): { get(): Record<string, unknown> }
  close(): void
}

/** Opens a copy of a database, since opening it makes files beside it, and counts. */
function counts(of: string, dir: string): Json {
  const file = join(dir, 'counted.db')
  cpSync(of, file)
  const Db = createRequire(import.meta.url)(sqlite) as new (file: string, options: object) => Database
  const db = new Db(file, { readonly: true })
  try {
    return {
      ...db.prepare('select (select count(*) from a) a, (select count(*) from b) b').get(),
      ...db.prepare('pragma integrity_check').get(),
    }
  } finally {
    db.close()
  }
}

const backupOf = (node: TestNode, id: string, path = ''): string => join(node.home, 'instance/backups', id, path)
const asked = (node: TestNode): Promise<Json> => ask(node, tokenOf(node), 'backups').then(r => r.json)
const cli = (node: TestNode, ...args: string[]): ReturnType<TestNode['cli']> => node.cli(['backup', ...args, '--json'])

void t.test('backups', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const [first, other] = [fleet.first, fleet.node(1)]
  const apps = join(fleet.dir, 'apps')
  const done = await fleet.deploy(first, makeApp(apps, app('1.0.0')))
  t.equal(done.code, 0, done.stderr)
  const mark = join(first.home, 'instance/data/mark.txt')
  let id = ''

  await t.test('made while the app writes: whole, consistent, verified by sha256sum too', async t => {
    writeFileSync(mark, 'before')
    const made = await must(cli(first, 'create'))
    id = made.json().id
    const view = made.json() as Json
    t.match(view, { kind: 'backup', own: true, app: 'till@1.0.0', dataVersion: 1, state: 'ready', reason: null })
    t.ok(view.files >= 6, `${view.files} files`)
    const { a, b, integrity_check: integrity } = counts(backupOf(first, id, 'data/till.db'), fleet.dir)
    t.equal(integrity, 'ok')
    t.equal(a, b, 'of one moment')
    t.ok(a > 0)
    t.notOk(existsSync(backupOf(first, id, 'data/till.db-wal')))
    t.equal(spawnSync(sum, ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: backupOf(first, id) }).status, 0)
    t.equal((await cli(first, 'verify', id)).code, 0)
    t.equal(readFileSync(backupOf(first, id, 'config.json'), 'utf8'), first.file('instance/config.json'))
    t.notOk(contents(backupOf(first, id))[backupOf(first, id, 'node.db')])
    const list = await must(cli(first, 'list'))
    t.same(list.json(), await asked(first))
    t.equal((list.json() as Json).backups[0].id, id)
  })

  await t.test('restored while the node runs: through a switch, what was there is kept', async t => {
    writeFileSync(mark, 'after')
    writeFileSync(join(first.home, 'instance/data/new.txt'), 'x')
    const identity = first.identity()
    const restored = await cli(first, 'restore', id.slice(0, 18), '--yes')
    t.equal(restored.code, 0, restored.stderr)
    t.equal(readFileSync(mark, 'utf8'), 'before')
    t.notOk(existsSync(join(first.home, 'instance/data/new.txt')))
    t.equal(await first.version(), '1.0.0')
    t.same(first.identity(), identity)
    const kept = (await asked(first)).backups.find((b: Json) => b.kind === 'kept')
    t.equal(readFileSync(backupOf(first, kept.id, 'after/mark.txt'), 'utf8'), 'after')
    t.equal(JSON.parse(first.file('instance/data.json')).swap, undefined)
    t.equal((await cli(first, 'verify', id)).code, 0, 'the backup itself stays')
  })

  await t.test('data that the release cannot live with goes back, by itself', async t => {
    writeFileSync(join(first.home, 'instance/data/poison'), 'x')
    const bad = (await must(cli(first, 'create'))).json().id
    unlinkSync(join(first.home, 'instance/data/poison'))
    writeFileSync(mark, 'good')
    const restored = await cli(first, 'restore', bad, '--yes')
    t.equal(restored.code, 1)
    t.equal(restored.json().error.code, 'APP_UNHEALTHY', restored.stderr)
    t.equal(readFileSync(mark, 'utf8'), 'good')
    t.notOk(existsSync(join(first.home, 'instance/data/poison')))
    await until('it serves', async () => (await first.get()).status === 200)
  })

  await t.test('a damaged one is named, and restored by nobody', async t => {
    const bad = (await must(cli(first, 'create'))).json().id
    appendFileSync(backupOf(first, bad, 'data/mark.txt'), '!')
    const verified = await cli(first, 'verify', bad)
    t.equal(verified.code, 1)
    t.equal(verified.json().error.code, 'BACKUP_DAMAGED')
    t.match(verified.stderr, 'data/mark.txt')
    t.equal((await cli(first, 'restore', bad, '--yes')).json().error.code, 'BACKUP_DAMAGED')
    t.equal(readFileSync(mark, 'utf8'), 'good')
    refused(t, await ask(first, tokenOf(first), 'backups/20010101-000000-abcdef/restore', { body: {} }), 'NOT_FOUND', 'unknown')
    refused(t, await ask(first, tokenOf(first), 'backups/..%2F..%2Fdata/restore', { body: {} }), 'NOT_FOUND', 'a path')
  })

  await t.test('another node’s: its data, never its identity', async t => {
    cpSync(backupOf(first, id), backupOf(other, id), { recursive: true })
    const identity = other.identity()
    const restored = await cli(other, 'restore', id, '--yes')
    t.equal(restored.code, 0, restored.stderr)
    t.equal(other.file('instance/data/mark.txt'), 'before')
    t.same(other.identity(), identity, 'key, certificate, name, addresses and peers are its own')
    const running = await cli(other, 'restore', id, '--identity', '--yes')
    t.equal(running.json().error.code, 'ALREADY_RUNNING')
  })

  await t.test('with the node stopped: made, listed, verified, restored; a cut restore is finished by the start', async t => {
    await first.stop()
    const made = (await must(cli(first, 'create'))).json().id
    t.equal((await cli(first, 'verify', made)).code, 0)
    writeFileSync(mark, 'stopped')
    t.equal((await cli(first, 'restore', id, '--yes')).code, 0)
    t.equal(readFileSync(mark, 'utf8'), 'before')
    await first.start()
    t.equal(await first.version(), '1.0.0')
    t.equal(readFileSync(mark, 'utf8'), 'before')
  })

  await t.test('the identity too, when that is said: the node is the other one then', async t => {
    await Promise.all([first.stop(), other.stop()])
    const restored = await cli(other, 'restore', id, '--identity', '--yes')
    t.equal(restored.code, 0, restored.stderr)
    t.equal(other.file('certs/node.key'), first.file('certs/node.key'))
    const folder = readdirSync(join(other.home, 'instance/backups')).filter(name => existsSync(backupOf(other, name, 'node.key.before')))
    t.equal(folder.length, 1, 'its own is kept')
  })
})
