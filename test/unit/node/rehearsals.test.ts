import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { type Manifest, maxHoldMs, ShoalError, type SwitchTarget } from '../../../src/model/index.ts'
import { askForTime, askForWayBack, recallPreparation, Rehearsals, rememberPreparation } from '../../../src/node/rehearsals.ts'
import { slotDir } from '../../../src/slots/index.ts'
import { NodeStore } from '../../../src/store/index.ts'
import { picture, release, Rig, trialOf } from '../data/index.ts'

const v1 = release('1', 1)
const v2 = release('2', 2)
const v3 = release('3', 3)
const kiosk = release('4', 1, 'kiosk')
const sqlite = createRequire(import.meta.url).resolve('better-sqlite3')
const never = new AbortController().signal

interface Tried {
  readonly rig: Rig
  readonly store: NodeStore
  readonly events: string[]
  readonly rehearsals: Rehearsals
}

/** v1 runs; v2 is staged, with this body of its migrate(). */
async function staged(t: Test, body: string, more: { limitMs?: number; reserveBytes?: number; module?: string } = {}): Promise<Tried> {
  const rig = new Rig(t.testdir(), v1, [v2, v3, kiosk]).fill()
  await rig.start(v1, null)
  const head = `import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'\nimport { join } from 'node:path'\n${more.module ?? ''}`
  const code = `${head}\nexport default () => ({})\nexport async function migrate({ dataDir, from, to, log }) { ${body} }`
  for (const { digest } of [v2, kiosk]) writeFileSync(join(slotDir(rig.paths.home, digest), 'index.js'), code)
  writeFileSync(join(slotDir(rig.paths.home, v2.digest), 'package.json'), '{"type":"module"}')
  writeFileSync(join(slotDir(rig.paths.home, kiosk.digest), 'package.json'), '{"type":"module"}')
  const store = new NodeStore(':memory:')
  t.teardown(() => store.close())
  const events: string[] = []
  const { reserveBytes = 0, limitMs } = more
  const rehearsals = new Rehearsals({
    paths: rig.paths,
    memory: store,
    isAppRunning: () => true,
    reserveBytes: () => reserveBytes,
    rehearsed: ms => events.push(ms >= 0 ? 'rehearsed' : ''),
    log: event => events.push(event),
    ...(limitMs === undefined ? {} : { limitMs }),
  })
  return { rig, store, events, rehearsals }
}

void t.test('a migration that works: on a copy, once, and the switch is told how long it took', async t => {
  const wal = `
    const Database = createRequire(import.meta.url)(${JSON.stringify(sqlite)})
    const db = new Database(join(dataDir, 'sales.db'))
    const { n } = db.prepare('select count(*) n from sale').get()
    if (n !== 3 || from !== 1 || to !== 2) throw new Error([n, from, to].join())
    db.exec('alter table sale add column tax')
    appendFileSync(join(dataDir, 'till.db'), 'migrated')
    writeFileSync('relative.txt', 'x')
    process.send({ progress: 50 })
    log.info({ n }, 'sales migrated')`
  const tried = await staged(t, wal, { module: `import { createRequire } from 'node:module'` })
  const { rig, store, events, rehearsals } = tried
  const Database = createRequire(import.meta.url)(sqlite)
  const db = new Database(join(rig.paths.data, 'sales.db'))
  t.teardown(() => db.close())
  db.pragma('journal_mode = WAL')
  db.exec('create table sale (n); insert into sale values (1), (2), (3)')
  // Readers of a WAL leave their marks in its shared memory.
  const lies = (): object =>
    Object.fromEntries(Object.entries(picture(rig.paths.instance)).filter(([path]) => !/^backups$|-shm$/.test(path)))
  const before = lies()

  t.ok(rehearsals.needs(v2.digest))
  await rehearsals.rehearse(v2.digest, never)
  t.same(events, ['migration rehearsed', 'rehearsed'])
  t.notOk(existsSync(join(rig.paths.home, 'relative.txt')))
  t.same(lies(), before, 'nothing of the node has changed')
  t.same(rig.backups, [])
  const ms = recallPreparation(store, v2.digest)
  t.ok(ms > 0 && ms < maxHoldMs, `${ms} ms`)
  t.equal(recallPreparation(store, v1.digest), 0)
  rememberPreparation(store, v3.digest, Infinity)
  t.equal(recallPreparation(store, v3.digest), maxHoldMs)

  t.notOk(rehearsals.needs(v2.digest), 'known as long as the worker lives')
  await rehearsals.rehearse(v2.digest, never)
  t.equal(events.length, 2)
  t.ok(recallPreparation(store, v2.digest) > 0, 'told again for the switch that is next')
})

void t.test('the worker on trial asks for that time only where data is still to be changed', async t => {
  const { rig, store } = await staged(t, '')
  rememberPreparation(store, v2.digest, 5000)
  const asked = (app: typeof v1, trial: SwitchTarget | null): readonly number[] => {
    const times: number[] = []
    const running = { name: app.name, version: '1.0.0', digest: app.digest }
    askForTime({ app: { manifest: { ...app } as unknown as Manifest, running }, home: rig, trial, needTime: ms => times.push(ms) }, store)
    return times
  }
  rig.trial(v2, v1)
  t.same(asked(v2, trialOf(v2)), [5000])
  t.same(asked(v2, null), [], 'at an ordinary start')
  t.same(asked(v1, trialOf(v2)), [], 'not for another release')
  t.same(asked(v3, trialOf(v3)), [], 'what nobody prepared')
  await rig.start(v2, trialOf(v2))
  t.same(asked(v2, trialOf(v2)), [5000], 'after everything was killed')
  rig.good(v2)
  rig.settle()
  t.same(asked(v2, trialOf(v2, 2)), [], 'the same release again, on data that it reads as it is')
})

void t.test('who puts data back on another disk asks for the time of the copy', async t => {
  const rig = new Rig(t.testdir(), v1, [v2]).fill()
  const times: number[] = []
  const ask = (trial: SwitchTarget | null = null): Promise<void> => askForWayBack({ home: rig, trial, needTime: ms => times.push(ms) })
  rig.trial(v2, v1)
  await rig.start(v2, trialOf(v2))
  await ask()
  t.same(times, [], 'renames take no time')
  if (!existsSync('/dev/shm') || statSync('/dev/shm').dev === statSync(rig.paths.backups).dev) {
    t.comment('skipped: no other disk here')
    return
  }
  const other = mkdtempSync('/dev/shm/shoal-test-')
  t.teardown(() => rmSync(other, { recursive: true, force: true }))
  cpSync(rig.paths.data, other, { recursive: true })
  writeFileSync(join(other, 'big.bin'), Buffer.alloc(1 << 20))
  rmSync(rig.paths.data, { recursive: true })
  symlinkSync(other, rig.paths.data)
  await ask(trialOf(v2))
  t.same(times, [], 'the one on trial knows its time')
  await ask()
  t.ok((times[0] ?? 0) >= (2 * (1 << 20)) / 4096, `${times[0]} ms`)
  rig.good(v1)
  await rig.start(v1, null)
  t.equal(rig.db, 'v1')
  await ask()
  t.equal(times.length, 1, 'nothing is left to be put back')
})

void t.test('what needs a rehearsal: data that would be migrated, and nothing else', async t => {
  const { rig, rehearsals } = await staged(t, '')
  t.notOk(rehearsals.needs(v1.digest), 'read as it is')
  t.ok(rehearsals.needs(v2.digest))
  t.ok(rehearsals.needs(kiosk.digest), 'another app’s data')
  await rehearsals.rehearse(v2.digest, never)
  rig.trial(v2, v1)
  await rig.start(v2, trialOf(v2))
  rig.good(v2)
  rig.settle()
  t.ok(rehearsals.needs(v3.digest), 'other data than was rehearsed')
  t.notOk(rehearsals.needs(v2.digest))
  t.notOk(rehearsals.needs(v1.digest), 'newer data is not migrated')
})

void t.test('a migration that does not work: refused with its own message, nothing touched', async t => {
  const cases: readonly (readonly [what: string, body: string, code: string, message: RegExp, more?: object])[] = [
    ['throws', `throw new Error('no such table')`, 'MIGRATE_FAILED', /till@1\.0\.0.* 1 to 2: no such table/],
    ['throws no error', `throw 'a word'`, 'MIGRATE_FAILED', /a word/],
    ['never ends', `await new Promise(() => setInterval(() => {}, 1000))`, 'MIGRATE_FAILED', /did not end in 1500 ms/, { limitMs: 1500 }],
    ['keeps the event loop', `for (;;);`, 'MIGRATE_FAILED', /did not end in 1500 ms/, { limitMs: 1500 }],
    ['ends its process', `process.exit(0)`, 'MIGRATE_FAILED', /without an answer \(exit code 0\)/],
    [
      'kills itself',
      `process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})`,
      'MIGRATE_FAILED',
      /without an answer \(SIGKILL\)/,
    ],
    ['cannot be imported', '', 'APP_IMPORT_FAILED', /broken/, { module: `throw new Error('broken')` }],
    ['finds no room', '', 'DISK_FULL', /bytes/, { reserveBytes: 1e15 }],
  ]
  for (const [what, body, code, message, more = {}] of cases) {
    await t.test(what, async t => {
      const { rig, store, events, rehearsals } = await staged(t, `appendFileSync(join(dataDir, 'till.db'), 'half')\n${body}`, more)
      const before = picture(rig.paths.data)
      const error: unknown = await rehearsals.rehearse(v2.digest, never).catch((e: unknown) => e)
      t.ok(error instanceof ShoalError)
      t.match(error, { code, message })
      t.same(picture(rig.paths.data), before)
      t.same(rig.backups, [])
      t.same(events, [])
      t.equal(recallPreparation(store, v2.digest), 0)
      t.ok(rehearsals.needs(v2.digest), 'tried again when it is ordered again')
    })
  }
})

/** A migrate() that says that it runs by a file, starts a process of its own, and stays. */
const staying = (sign: string): string => `
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
  writeFileSync(${JSON.stringify(sign)}, 'x')
  for (;;);`
const spawning = { module: `import { spawn } from 'node:child_process'` }

async function appears(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise(done => setImmediate(done))
}

void t.test('it ends with the node', async t => {
  for (const [how, code] of [
    ['parks', 'ABORT_ERR'],
    ['switches', 'BUSY'],
  ] as const) {
    await t.test(how, async t => {
      const sign = join(t.testdirName, 'sign')
      const { rig, rehearsals } = await staged(t, staying(sign), spawning)
      const parks = new AbortController()
      const ended = rehearsals.rehearse(v2.digest, parks.signal)
      await appears(sign)
      if (how === 'parks') parks.abort(Object.assign(new Error('parked'), { code }))
      else rehearsals.interrupt()
      await t.rejects(ended, { code })
      t.same(rig.backups, [])
      t.equal(rig.db, 'v1')
    })
  }

  await t.test('kill -9 of the node: all that it started is gone, the next start clears its folder away', async t => {
    const sign = join(t.testdirName, 'sign')
    const { rig } = await staged(t, staying(sign), spawning)
    const code = `
      import { Rehearsals } from ${JSON.stringify(resolve('src/node/rehearsals.ts'))}
      import { homePaths } from ${JSON.stringify(resolve('src/slots/index.ts'))}
      const nothing = () => undefined
      const memory = { remember: nothing, remembered: nothing }
      const o = { paths: homePaths(process.argv[1]), memory, isAppRunning: () => true, reserveBytes: () => 0, rehearsed: nothing, log: nothing }
      await new Rehearsals(o).rehearse(process.argv[2], new AbortController().signal)`
    const node = spawn(process.execPath, ['--input-type=module', '-e', code, rig.paths.home, v2.digest], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    // Its output ends when the last process that has it is gone.
    const allGone = once(node.stdout.resume(), 'end')
    await appears(sign)
    node.kill('SIGKILL')
    await allGone
    t.equal(rig.backups.length, 1)
    await rig.start(v1, null)
    t.same(rig.backups, [])
    t.equal(readFileSync(join(rig.paths.data, 'till.db'), 'utf8'), 'v1')
  })
})
