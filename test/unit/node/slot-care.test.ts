// Slots that differ from their packages: mended with what was there kept aside, and at most once in one life of the node while it serves.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { parseDigest } from '../../../src/model/index.ts'
import { Mending } from '../../../src/node/mending.ts'
import { changedSince, mendIfDamaged, slotState } from '../../../src/node/slot-care.ts'
import { PackageStore, sha256Hex, unpackPackage } from '../../../src/packages/index.ts'
import { homePaths, slotDir } from '../../../src/slots/index.ts'
import { withEntries } from '../packages/index.ts'

const files = [
  { path: 'db.json', data: '{"n":0}' },
  { path: 'lib/x.json', data: '{}' },
]

async function rigOf(t: Test) {
  const paths = homePaths(t.testdir({ instance: { packages: {}, slots: {} } }))
  const bytes = withEntries(...files)
  const digest = sha256Hex(bytes)
  const zip = join(paths.packages, `${digest}.zip`)
  writeFileSync(zip, bytes)
  const dir = slotDir(paths.home, digest)
  await unpackPackage(zip, dir, { expect: digest })
  const logged: string[] = []
  const log = (event: string, fields?: object): void => void logged.push(`${event} ${JSON.stringify(fields)}`)
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    if (existsSync(join(dir, path))) chmodSync(join(dir, path), 0o644)
    writeFileSync(join(dir, path), text)
  }
  const kept = (n: number): string => join(paths.slots, `.damaged-${digest}-${n}`)
  const text = (path: string): string => readFileSync(join(dir, path), 'utf8')
  return { paths, digest, zip, dir, log, logged, write, kept, text, look: () => mendIfDamaged(paths, digest, false, log) }
}

void t.test('before it is loaded, what differs of a slot is mended, and what stood there is kept', async t => {
  const { write, look, text, kept, logged, dir, paths, zip } = await rigOf(t)
  write('cache.tmp', 'mine')
  write('uploads/photo', 'mine')
  t.equal(await look(), 'whole', 'files beside those of the package are no damage')
  write('db.json', '{"n":7}')
  t.equal(await look(), 'mended')
  t.equal(text('db.json'), '{"n":0}')
  t.equal(readFileSync(join(kept(1), 'db.json'), 'utf8'), '{"n":7}')
  t.same([text('cache.tmp'), text('uploads/photo')], ['mine', 'mine'], 'what the app wrote beside them stays')
  t.match(logged.join('\n'), /slot mended .*db\.json/)
  write('lib/x.js', 'in front')
  t.equal(await look(), 'mended', 'what Node.js would find in front of a file')
  t.notOk(existsSync(join(dir, 'lib/x.js')))
  t.equal(readFileSync(join(kept(2), 'lib/x.js'), 'utf8'), 'in front')
  renameSync(join(dir, 'lib'), join(paths.slots, 'elsewhere'))
  symlinkSync(join(paths.slots, 'elsewhere'), join(dir, 'lib'))
  t.equal(await look(), 'mended', 'a folder that is a link')
  t.equal(text('lib/x.json'), '{}')
  t.ok(existsSync(join(kept(3), 'cache.tmp')), 'then all of it is kept')
  rmSync(dir, { recursive: true })
  t.equal(await look(), 'mended', 'gone')
  t.equal(await look(), 'whole')
  for (let n = 0; n < 4; n++) {
    write('db.json', `${n}`)
    await look()
  }
  t.same(
    readdirSync(paths.slots)
      .filter(name => name.startsWith('.'))
      .map(name => name.slice(-2)),
    ['-1', '-2', '-3', '-4', '-5'],
    'no more than five, and nothing half done',
  )
  t.equal(readFileSync(join(kept(5), 'db.json'), 'utf8'), '3', 'the last of them the newest')
  rmSync(zip)
  rmSync(join(dir, 'app.js'))
  t.equal(await look(), 'damaged', 'no package to mend it from')
})

void t.test('what an app changed of its own files while it ran is named', async t => {
  const { write, paths, digest, dir, text } = await rigOf(t)
  const state = await slotState(paths, digest)
  t.not(state, null)
  if (state === null) return
  t.equal(await changedSince(state, dir), null)
  write('cache.tmp', 'mine')
  write('db.json', text('db.json'))
  t.equal(await changedSince(state, dir), null, 'written again as it was, and files beside')
  write('db.json', '{"n":1}')
  t.match(await changedSince(state, dir), /^db\.json has another content/, 'of the same length')
  write('db.json', '{"n":0}')
  write('package.json', '{}')
  t.match(await changedSince(state, dir), /^package\.json is not in the package/)
  rmSync(join(dir, 'lib/x.json'))
  t.match(await changedSince(state, dir), /^lib\/x\.json is missing/)
})

void t.test('while it serves a slot is mended once in one life of the node, then served as it is', async t => {
  const rig = await rigOf(t)
  const { paths, digest, write, text, kept, logged } = rig
  const packages = await PackageStore.open({ dir: paths.packages, inbox: paths.inbox, reserveBytes: 0 })
  const remembered = new Map<string, string>()
  const memory = {
    remembered: (key: string) => remembered.get(key),
    remember: (key: string, value: string) => void remembered.set(key, value),
  }
  const shoal = parseDigest('5'.repeat(64))
  const shoalEntry = join(slotDir(paths.home, shoal), 'src/entry.js')
  mkdirSync(dirname(shoalEntry), { recursive: true })
  writeFileSync(shoalEntry, '')
  const slots = { app: digest, shoal, builtIn: shoal }
  const serve = async (life: string, isAppMended = false): Promise<'mended' | 'ill' | 'whole'> => {
    const mended: string[] = []
    const checked = Promise.withResolvers<undefined>()
    const mending = new Mending({
      home: paths.home,
      slots,
      isAppDamaged: false,
      isAppMended,
      memory,
      life,
      packages,
      fetch: () => Promise.resolve(false),
      holdingsChanged: () => undefined,
      damaged: () => undefined,
      mended: message => mended.push(message),
      log: (event, fields) => {
        rig.log(event, fields)
        if (event === 'slots checked') checked.resolve(undefined)
      },
      lookAfterMs: 0,
    })
    t.teardown(() => mending.stop())
    mending.start()
    await checked.promise
    return mending.hasDamage ? 'ill' : mended.length > 0 ? 'mended' : 'whole'
  }
  write('cache.tmp', 'mine')
  t.equal(await serve('1'), 'whole')
  t.match(
    logged.filter(line => line.startsWith('slot has files')),
    [/cache\.tmp/],
    'named once',
  )
  write('db.json', '{"n":1}')
  t.equal(await serve('1'), 'mended')
  t.equal(text('db.json'), '{"n":0}')
  write('db.json', '{"n":2}')
  t.equal(await serve('1'), 'ill', 'not by another worker of this life either')
  t.equal(text('db.json'), '{"n":2}', 'and it is left as it is')
  t.match(logged.join('\n'), /alarm .*served as it is.*db\.json/)
  t.equal(await serve('2'), 'mended', 'the node was started again')
  t.equal(readFileSync(join(kept(2), 'db.json'), 'utf8'), '{"n":2}')
  write('db.json', '{"n":3}')
  t.equal(await serve('3', true), 'ill', 'it was mended before it was loaded')
})
