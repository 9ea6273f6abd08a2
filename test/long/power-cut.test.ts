/**
 * The power goes while a node is founded, while one joins, while an identity is let go of, and while a node takes a release that migrates its data:
 * what real processes asked of the disk is recorded by strace, and for many moments the worst disk that POSIX allows is made
 * (test/helpers/power-cut) and a node started on it. What was said
 * before the cut is so afterwards; everything else is as before or as after. `SHOAL_SEED` repeats a run, `SHOAL_CUTS` makes more of them.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { currentOf, epochIn, keepSomething, treasures } from '../e2e/faults.ts'
import { makeApp, must, TestFleet, TestNode, until } from '../e2e/fleet.ts'
import { Random } from '../helpers/random.ts'
import { type Fate, fates, Recording, type Timed } from '../helpers/power-cut/index.ts'

const seed = Number(process.env['SHOAL_SEED'] ?? Date.now() % 100_000)
const random = new Random(seed)
const cutsOf = (usual: number): number => Math.ceil(usual * Number(process.env['SHOAL_CUTS'] ?? 1))

interface Cut {
  readonly at: number
  readonly name: string
  readonly fate: Fate
}

/** Moments right before and right after something is made durable or gets its name, by chance; each with every fate. */
function cutsIn(changes: readonly Timed[], count: number): readonly Cut[] {
  const isWeighty = (change: Timed): boolean => {
    const path = change.kind === 'rename' ? change.to : change.kind === 'sync' ? change.path : ''
    return path !== '' && !/\/node_modules|\/instance\/cache\//.test(path)
  }
  const points = changes.flatMap((change, at) => (isWeighty(change) ? [at, at + 1] : []))
  const chosen = new Set([changes.length])
  while (chosen.size < Math.min(count, points.length)) chosen.add(random.pick(points))
  return [...chosen]
    .toSorted((a, b) => a - b)
    .flatMap(at => [
      { at, name: `change ${at}, nothing more`, fate: fates.nothing },
      { at, name: `change ${at}, names`, fate: fates.names },
      { at, name: `change ${at}, some`, fate: fates.some(random.next) },
    ])
}

/** A folder that goes at the end, after the nodes in it. */
function folderOf(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-power-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  return dir
}

/** Makes each home that a cut leaves, and looks at it. */
async function eachCut(
  t: Test,
  recording: Recording,
  dir: string,
  count: number,
  look: (node: TestNode, said: ReadonlySet<string>, name: string, done: readonly Timed[]) => Promise<void>,
): Promise<void> {
  const changes = recording.read()
  const cuts = cutsIn(changes, cutsOf(count))
  t.comment(`SHOAL_SEED=${seed}; ${changes.length} changes, ${cuts.length} cuts`)
  for (const cut of cuts) {
    const into = join(dir, 'crashed')
    recording.crash(cut.at, cut.fate, into)
    const node = new TestNode(join(into, 'box'), 'box')
    mkdirSync(node.home, { recursive: true })
    const said = recording.saidBefore(cut.at)
    try {
      await look(node, said, `${cut.name}, after ${[...said].join(', ') || 'nothing'}`, changes.slice(0, cut.at))
    } catch (error) {
      t.fail(`${cut.name}, after ${[...said].join(', ')}: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      await node.kill()
      rmSync(into, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

const isPossible = Recording.isPossible()
const skipped = (t: Test): boolean => {
  if (!isPossible) t.comment('skipped: strace is not here, or may watch nobody')
  return !isPossible
}

void t.test('the power goes while a fleet is founded', { timeout: 800_000 }, async t => {
  if (skipped(t)) return
  const dir = folderOf(t)
  const root = join(dir, 'root')
  mkdirSync(join(root, 'box'), { recursive: true })
  const recording = new Recording(root, join(dir, 'record'))
  const found = ['init', '--name', 'box', '--listen', '127.0.0.1:0', '--operator', 'anna', '--json']
  await recording.run('init', [...found, '--home', join(root, 'box')])
  const files = ['certs/node.key', 'certs/ca.key', 'certs/recovery-kit.json', 'certs/operators/anna.json', 'instance/config.json']
  const made = new Map(files.map(file => [file, readFileSync(join(root, 'box', file), 'utf8')]))
  await eachCut(t, recording, dir, 8, async (node, said, name) => {
    if (said.has('init')) for (const [file, text] of made) t.equal(node.file(file), text, `${name}: ${file} is there`)
    else if (!existsSync(join(node.home, 'instance/slots/current.json'))) {
      const again = await node.cli(found)
      if (again.code !== 0) t.equal(again.json().error.code, 'HOME_HAS_FLEET', `${name}: founded again, unless it is a node`)
    }
    await node.start()
    t.equal((await node.api('nodes/self')).health, 'ok', name)
  })
})

/** Joins where a cut left no node; what is one by its slots needs no second try. false: the token was used with another key. */
async function isEntered(node: TestNode, token: string): Promise<boolean> {
  if (existsSync(join(node.home, 'instance/slots/current.json'))) return true
  const again = await node.cli(['join', '-', '--name', 'box', '--listen', '127.0.0.1:0', '--json'], { stdin: token })
  if (again.code === 0) return true
  const { code } = again.json().error
  if (code !== 'TOKEN_USED' && code !== 'HOME_HAS_FLEET') throw new Error(`join, again: ${code}: ${again.stderr}`)
  return code === 'HOME_HAS_FLEET'
}

void t.test('the power goes while a node joins', { timeout: 800_000 }, async t => {
  if (skipped(t)) return
  const fleet = await new TestFleet(t).found(1)
  const dir = folderOf(t)
  const root = join(dir, 'root')
  mkdirSync(join(root, 'box'), { recursive: true })
  const recording = new Recording(root, join(dir, 'record'))
  // One use: whoever lost the power in the middle must not need a second one.
  const { token } = (await must(fleet.first.cli(['invite', '--can-invite', '--json', ...fleet.signing(fleet.first)]))).json()
  const args = ['join', '-', '--name', 'box', '--listen', '127.0.0.1:0', '--json', '--home', join(root, 'box')]
  const joined = await recording.run('join', args, { stdin: token })
  const files = ['certs/node.key', 'certs/ca.key', 'instance/config.json']
  const made = new Map(files.map(file => [file, readFileSync(join(root, 'box', file), 'utf8')]))
  await eachCut(t, recording, dir, 8, async (node, said, name, done) => {
    if (said.has('join')) for (const [file, text] of made) t.equal(node.file(file), text, `${name}: ${file} is there`)
    else if (!(await isEntered(node, token))) {
      t.notOk(existsSync(join(node.home, 'certs/node.key')), `${name}: with its key it joins again`)
      t.notOk(
        done.some(change => 'path' in change && change.path.includes('/box/instance')),
        `${name}: its key was on the disk before it spoke`,
      )
      return
    }
    await node.start()
    t.equal(node.id, joined.json().id, name)
    t.equal(JSON.parse(node.file('instance/config.json')).peers[0].id, fleet.first.id, `${name}: the sync peer is there`)
  })
})

void t.test('the power goes while a node lets go of its identity', { timeout: 800_000 }, async t => {
  if (skipped(t)) return
  const dir = folderOf(t)
  const old = new TestNode(join(dir, 'root/box'), 'box')
  mkdirSync(old.home, { recursive: true })
  const found = ['init', '--name', 'box', '--listen', '127.0.0.1:0', '--operator', 'anna', '--json']
  const { id } = (await must(old.cli(found))).json()
  writeFileSync(join(old.home, 'instance/data/keep.txt'), 'kept')
  const recording = new Recording(join(dir, 'root'), join(dir, 'record'))
  await recording.run('reset', ['reset-identity', '--yes', '--json', '--home', old.home])
  await eachCut(t, recording, dir, 6, async (node, said, name) => {
    const isOld = await node.start().then(
      () => true,
      () => false,
    )
    t.notOk(isOld && said.has('reset'), `${name}: what was let go of does not come back`)
    if (isOld) t.equal(node.id, id, `${name}: whole as before`)
    if (isOld) return
    if (!said.has('reset')) await node.cli(['reset-identity', '--yes', '--json']) // for what was cut
    await must(node.cli(found))
    await node.start()
    t.not(node.id, id, `${name}: somebody new`)
    t.equal(node.file('instance/data/keep.txt'), 'kept', `${name}: with the old data`)
  })
})

/** An app that starts only on data of its version, and says which that is. */
const migrating = (apps: string, version: string, dataVersion: number): string =>
  makeApp(apps, {
    version,
    onImport: "import { readFileSync, writeFileSync } from 'node:fs'",
    extraModule: `export async function migrate({ dataDir, to }) { writeFileSync(join(dataDir, 'version'), String(to)) }`,
    onStart: `if (readFileSync(join(host.dataDir, 'version'), 'utf8') !== '${dataVersion}') throw new Error('not my data')`,
    extra: { dataVersion },
  })

void t.test('the power goes while a node takes a release, and is told things', { timeout: 1_600_000 }, async t => {
  if (skipped(t)) return
  const fleet = await new TestFleet(t).found(1)
  const dir = folderOf(t)
  const apps = join(dir, 'apps')
  await must(fleet.deploy(fleet.first, migrating(apps, '1.0.0', 1)))
  keepSomething(fleet.first)
  await fleet.first.stop()
  const before = treasures(fleet.first)
  const root = join(dir, 'root')
  mkdirSync(root)
  const live = new TestNode(join(root, 'box'), 'box')
  cpSync(fleet.first.home, live.home, { recursive: true, preserveTimestamps: true })
  t.teardown(() => live.kill())
  const recording = new Recording(root, join(dir, 'record'))
  const held = epochIn(fleet.first)
  const epochs = { held, started: held + 1, after: 0 }
  await recording.start(live)
  recording.mark('start')
  const signing = ['--operator', 'anna', '--json', '--home', live.home]
  await recording.run('deploy', ['deploy', migrating(apps, '1.1.0', 2), '--soak', '300ms', ...signing])
  await recording.run('rename', ['rename', 'kiosk', '--json', '--home', live.home])
  await recording.run('operator', ['operators', 'add', 'bob', '--role', 'viewer', ...signing])
  await recording.run('config', ['config', 'set', 'app.greeting', 'moin', '--json', '--home', live.home])
  const backup = await recording.run('backup', ['backup', 'create', '--json', '--home', live.home])
  const ended = new Promise(done => live.child?.once('exit', done))
  await must(live.cli(['stop', '--json']))
  await ended
  epochs.after = epochIn(live)
  t.comment(`epochs ${epochs.held}, ${epochs.after}`)
  t.ok(epochs.after > epochs.started, 'the switch raised it too')
  await eachCut(t, recording, dir, 24, async (node, said, name) => {
    await node.start()
    const versions = said.has('deploy') ? ['1.1.0'] : ['1.0.0', '1.1.0']
    await until(`${name}: the app answers`, async () => versions.includes(await node.version()), 30_000)
    const { 'instance/config.json': config, ...rest } = treasures(node)
    const { 'instance/config.json': oldConfig, ...oldRest } = before
    t.same(rest, oldRest, `${name}: identity and data`)
    const names = said.has('rename') ? ['kiosk'] : ['box-1', 'kiosk']
    const { app, ...told } = JSON.parse(config ?? '') as { readonly name: string; readonly app?: { readonly greeting?: string } }
    const { app: oldApp, ...old } = JSON.parse(oldConfig ?? '') as { readonly name: string; readonly app?: unknown }
    t.ok(names.includes(told.name), `${name}: the name is ${told.name}`)
    t.same({ ...told, name: old.name }, old, `${name}: config.json is whole`)
    if (said.has('config')) t.equal(app?.greeting, 'moin', `${name}: what was set is there`)
    else if (app?.greeting !== 'moin') t.same(app, oldApp, name)
    if (said.has('operator'))
      t.ok(
        (await node.api('operators')).operators.some(each => each.name === 'bob'),
        `${name}: bob is there`,
      )
    if (said.has('backup'))
      t.equal((await must(node.cli(['backup', 'verify', backup.json().id, '--json']))).code, 0, `${name}: the backup is whole`)
    await until(`${name}: nothing is half done`, async () => currentOf(node).state === 'good')
    await node.kill()
    const spokenWith = said.has('deploy') ? epochs.after : said.has('start') ? epochs.started : epochs.held
    t.ok(epochIn(node) > spokenWith, `${name}: its epoch is above what it spoke with`)
  })
})
