/** prune at a real home that is stopped. */
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { forgetKept } from '../../../src/data/index.ts'
import { type Digest, parseDigest } from '../../../src/model/index.ts'
import { homePaths, readCurrent, writeCurrent } from '../../../src/slots/index.ts'
import { shoal } from './helpers.ts'

const digest = (n: number): Digest => parseDigest(n.toString(16).padStart(64, '0'))

void t.test('shoal prune at a home that is stopped', async t => {
  const home = t.testdir({})
  await shoal(['init', '--home', home, '--listen', '127.0.0.1:0', '--operator', 'anna'])
  const paths = homePaths(home)
  t.equal((await shoal(['config', 'set', 'limits.packagesMb', '7', '--home', home])).code, 0)
  const plant = (path: string, isOld = true): string => {
    const file = join(paths.instance, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'x'.repeat(5000))
    const time = new Date(Date.now() - (isOld ? 3 : 0) * 86_400_000)
    utimesSync(file, time, time)
    return file
  }
  const before = digest(80)
  for (const slot of [digest(80), digest(81)]) plant(`slots/${slot}/shoal.json`)
  const current = readCurrent(home)
  if (current === null) throw new Error('no current.json')
  writeCurrent(home, { ...current, previous: { app: before, shoal: current.builtIn } })
  const going = [
    plant(`packages/${digest(82)}.zip`),
    plant(`packages/${digest(82)}.blockmap`),
    plant(`packages/${digest(83)}.part`),
    plant('inbox/upload-1'),
    plant(`slots/${digest(81)}/index.js`),
    ...[1].map(n => plant(`backups/till-1-to-2-${String(n).repeat(12)}/before/db`)),
  ]
  const staying = [
    plant(`slots/${before}/index.js`),
    plant(`packages/${before}.zip`),
    plant(`packages/${digest(84)}.zip`, false),
    ...[2, 3, 4, 5].map(n => plant(`backups/till-1-to-2-${String(n).repeat(12)}/before/db`)),
    plant('logs/node.log'),
    plant('logs/node.log.1'),
    plant('node.db.damaged-20260101T000000Z'),
  ]
  // Older than those that stay by their number: the journal says that the way back needs it.
  const wayBack = `till-1-to-2-${'2'.repeat(12)}`
  const held = { name: 'till', dataVersion: 2 }
  writeFileSync(paths.dataJournal, JSON.stringify({ schema: 1, held, migration: null, snapshots: [wayBack] }))
  // The folders' times tell which are the newest.
  for (const n of [1, 2, 3, 4, 5]) utimesSync(join(paths.backups, `till-1-to-2-${String(n).repeat(12)}`), 1000 + n, 1000 + n)
  const made = (await shoal(['backup', 'create', '--home', home, '--json'])).json
  const listed = (await shoal(['backup', 'list', '--home', home, '--json'])).json
  t.match(listed, { counts: { total: listed.backups.length }, next: null }, 'a list as all others, also of a node that is stopped')
  const dry = await shoal(['prune', '--dry-run', '--home', home, '--json'])
  t.equal(dry.code, 0, dry.err)
  t.ok([...going, ...staying].every(existsSync), 'a dry run removes nothing')
  t.same([dry.json.removed, dry.json.removedBytes, dry.json.packageLimitBytes], [[], 0, 7 << 20])
  t.match(
    (await shoal(['prune', '--dry-run', '--home', home])).out,
    /WHY IT STAYS[^]*previous[^]*CAN GO[^]*packages may take 7340 kB[^]*things can go/,
  )

  const done = await shoal(['prune', '--home', home, '--json'])
  t.equal(done.code, 0, done.err)
  t.same(going.filter(existsSync), [], 'what nothing needs is gone')
  t.same(
    staying.filter(each => !existsSync(each)),
    [],
    'what something needs is there',
  )
  t.same(done.json.failed, [])
  t.same(
    done.json.removed.map((each: { kind: string }) => each.kind),
    ['package', 'slot', 'transfer', 'transfer', 'snapshot'],
  )
  t.ok(done.json.removedBytes >= 25_000 && done.json.freeBytes > 0)
  t.same(done.json.items.find((each: { id: string }) => each.id === wayBack).needs, ['rollback'])
  await t.rejects(forgetKept(paths, wayBack), { code: 'CONFLICT' })
  t.match(
    done.json.totals.find((each: { kind: string }) => each.kind === 'backup'),
    { count: 1, reclaimable: 0 },
  )
  t.same((await shoal(['prune', '--home', home, '--json'])).json.removed, [], 'a second time there is nothing')
  t.equal((await shoal(['start', '--home', home])).code, 0, 'the home is a node still')

  await t.test('more goes if that is said, and the newest backup never', async t => {
    t.equal((await shoal(['prune', '--backups-older', 'soon', '--home', home])).code, 2)
    const all = await shoal(['prune', '--all', '--logs', '--backups-older', '0s', '--yes', '--home', home, '--json'])
    t.same(all.json.removed.map((each: { id: string }) => each.id).toSorted(), ['logs/node.log.1', 'node.db.damaged-20260101T000000Z'])
    t.ok(existsSync(join(paths.backups, made.id, 'backup.json')))
    t.same(readdirSync(paths.packages).sort(), [`${before}.zip`, `${digest(84)}.zip`].sort())
  })

  await t.test('without its database nobody says what the node needs', async t => {
    const db = readFileSync(paths.db)
    writeFileSync(paths.db, Buffer.alloc(8192, 7))
    const refused = await shoal(['prune', '--home', home, '--json'])
    t.match([refused.code, refused.json.error.code], [1, 'DB_DAMAGED'])
    writeFileSync(paths.db, db)
    t.equal((await shoal(['prune', '--home', join(home, 'none'), '--json'])).json.error.code, 'HOME_EMPTY')
  })
})
