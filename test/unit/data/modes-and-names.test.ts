/** What apps leave in data/ that is not as one would make it: folders that may not be written to (as an ordinary user, since root may do all), names that are
 * no text. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import {
  backupId,
  createBackup,
  listKept,
  readBackup,
  realTreeDisk,
  snapshotId,
  stageRestore,
  verifyBackup,
} from '../../../src/data/index.ts'
import { nameOf, onDisk, shown } from '../../../src/data/names.ts'
import { defaultConfig, formatConfig, parseFleetId, parseNodeId } from '../../../src/model/index.ts'
import { copyDatabase } from '../../../src/store/index.ts'
import { isWindows, removeTree } from '../../../src/slots/index.ts'
import { picture, release, Rig, trialOf } from './rig.ts'

const v1 = release('1', 1)
const v2 = release('2', 2)
const isRoot = process.geteuid?.() === 0
const self = parseNodeId('a'.repeat(52))
const summer = 'sha256sum'
const nobody = 65_534

/** Gives all of it to an ordinary user, and is one meanwhile. */
async function asOrdinaryUser(home: string, work: () => Promise<void>): Promise<void> {
  if (!isRoot) return work()
  for (const path of ['', ...readdirSync(home, { recursive: true, encoding: 'utf8' })]) lchownSync(join(home, path), nobody, nobody)
  process.seteuid?.(nobody)
  try {
    await work()
  } finally {
    process.seteuid?.(0)
  }
}

void t.test('a folder that its owner may not write to', { skip: isWindows }, async t => {
  const withArchive = (t: Test, work: (rig: Rig) => Promise<void>): Promise<void> => {
    const rig = new Rig(t.testdir(), v1, [v2]).fill()
    return asOrdinaryUser(rig.paths.home, async () => {
      mkdirSync(join(rig.paths.data, 'archive/2025'), { recursive: true })
      writeFileSync(join(rig.paths.data, 'archive/2025/a'), '1')
      for (const name of ['archive/2025', 'archive']) chmodSync(join(rig.paths.data, name), 0o555)
      await rig.start(v1, null)
      rig.trial(v2, v1)
      await work(rig)
      await removeTree(rig.paths.instance)
      t.notOk(existsSync(rig.paths.instance))
    })
  }

  await t.test('the way back over a migration, byte for byte and mode for mode', t =>
    withArchive(t, async rig => {
      const before = picture(rig.paths.data)
      await rig.start(v2, trialOf(v2))
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      const kept = join(rig.paths.backups, dirname(rig.backups[0] ?? ''), 'after/archive')
      t.equal(lstatSync(kept).mode & 0o777, 0o555, 'what the new release had has its mode too')
    }),
  )

  await t.test('data/ itself: migrate() took the right to write', t =>
    withArchive(t, async rig => {
      const before = picture(rig.paths.data)
      await rig.start(v2, trialOf(v2))
      chmodSync(rig.paths.data, 0o500)
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      t.equal(lstatSync(rig.paths.data).mode & 0o777, 0o500)
    }),
  )

  await t.test('a copy is removed whole', t =>
    withArchive(t, async rig => {
      await realTreeDisk.removeTree(join(rig.paths.data, 'archive'))
      t.notOk(readdirSync(rig.paths.data).includes('archive'))
      await removeTree(join(rig.paths.data, 'archive'))
    }),
  )
})

void t.test('a folder of another user that cannot be put back is named before anything moves', { skip: !isRoot }, async t => {
  const rig = new Rig(t.testdir(), v1, [v2]).fill()
  const theirs = join(rig.paths.data, 'theirs')
  chmodSync(rig.paths.data, 0o755)
  mkdirSync(theirs)
  const module = new URL('../../../src/data/tree.ts', import.meta.url).href
  const program = `import { requireMovable } from ${JSON.stringify(module)}
    await requireMovable(process.argv[1]).then(() => console.log('movable'), error => console.log(error.code, error.message))`
  const asked = (): string => {
    // Options of this process for its own parts are none of the child's.
    const options = { uid: nobody, gid: nobody, encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'] } } as const
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, rig.paths.data], options)
    return stdout + stderr
  }
  for (const path of readdirSync(rig.paths.data)) if (path !== 'theirs') rmSync(join(rig.paths.data, path), { recursive: true })
  t.match(asked(), `NOT_WRITABLE ${theirs}: `)
  chmodSync(theirs, 0o777)
  t.match(asked(), /^movable/)
})

void t.test('names that are not UTF-8', { skip: process.platform !== 'linux' }, async t => {
  const named = (dir: string, latin1: string): Buffer => Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(latin1, 'latin1')])
  const names = (dir: string | Buffer): string[] =>
    readdirSync(dir, { encoding: 'buffer' })
      .map(name => name.toString('latin1'))
      .sort()
  /** A file, a folder with a file, a link that points to such a name, and a name in which U+FFFD was written. */
  const withMenu = async (home: string): Promise<Rig> => {
    const rig = new Rig(home, v1, [v2]).fill()
    const { data } = rig.paths
    writeFileSync(named(data, 'Men\xfc.txt'), 'precious')
    mkdirSync(named(data, 'Gr\xfc\xdfe'))
    writeFileSync(named(join(data, 'photos'), '\xe9t\xe9'), 'summer')
    writeFileSync(Buffer.concat([named(data, 'Gr\xfc\xdfe'), Buffer.from('/\u00fc\ufffd')]), 'both')
    symlinkSync(Buffer.from('Men\xfc.txt', 'latin1'), join(data, 'menu'))
    await rig.start(v1, null)
    return rig
  }
  const isWhole = (t: Test, data: string): void => {
    t.equal(readFileSync(named(data, 'Men\xfc.txt'), 'utf8'), 'precious')
    t.equal(readFileSync(named(join(data, 'photos'), '\xe9t\xe9'), 'utf8'), 'summer')
    t.same(names(named(data, 'Gr\xfc\xdfe')), [Buffer.from('\u00fc\ufffd').toString('latin1')])
    t.equal(readlinkSync(join(data, 'menu'), { encoding: 'buffer' }).toString('latin1'), 'Men\xfc.txt')
  }

  await t.test('are strings that give the same bytes again', t => {
    for (const bytes of [
      [0xfc],
      [0x4d, 0xe9, 0x61, 0x62],
      [0xed, 0xb3, 0xbc],
      [0xf0, 0x90, 0x82, 0x80],
      [0xc3, 0xbc, 0xff],
      [0xef, 0xbf, 0xbd, 0x80],
    ]) {
      const name = nameOf(Buffer.from(bytes))
      t.same([...Buffer.from(onDisk(name))], bytes)
      t.equal(JSON.parse(JSON.stringify(name)), name)
    }
    t.equal(shown(nameOf(Buffer.from('Men\xfc', 'latin1'))), 'Men\\xfc')
    t.end()
  })

  await t.test('are in the snapshot, and come back', async t => {
    const rig = await withMenu(t.testdir())
    const before = names(rig.paths.data)
    rig.trial(v2, v1)
    await rig.start(v2, trialOf(v2))
    const [id = ''] = readdirSync(rig.paths.backups)
    isWhole(t, join(rig.paths.backups, id, 'before'))
    rig.good(v1)
    await rig.start(v1, null)
    t.same(names(rig.paths.data), before)
    isWhole(t, rig.paths.data)
    isWhole(t, join(rig.paths.backups, id, 'after'))
  })

  for (const isLive of [false, true]) {
    await t.test(`are in a backup ${isLive ? 'of a node that runs, databases too' : ''}, verified and restored`, async t => {
      const rig = await withMenu(t.testdir())
      const { paths } = rig
      writeFileSync(paths.config, formatConfig(defaultConfig('till')))
      const database = named(paths.data, 'Umsatz-M\xe4rz.db')
      const open = new Database(':memory:')
      open.exec("create table sale (what text); insert into sale values ('soup')")
      writeFileSync(database, open.serialize())
      open.close()
      const origin = { node: self, name: 'till', fleet: parseFleetId('b'.repeat(52)), app: null, held: { name: 'till', dataVersion: 1 } }
      const copy = isLive ? copyDatabase : null
      const id = backupId(new Date())
      const made = await createBackup({ paths, id, origin, at: '', copyDatabase: copy, reserveBytes: 0, disk: realTreeDisk })
      const backup = await readBackup(paths, id)
      t.same(backup, made, 'the head reads as it was written')
      if (backup === null) throw new Error('no backup')
      t.same(await verifyBackup(paths, backup), [])
      isWhole(t, join(paths.backups, id, 'data'))
      t.ok(existsSync(named(join(paths.backups, id, 'data'), 'Umsatz-M\xe4rz.db')))
      t.same(names(paths.backups), [id], 'no link to a database is left')
      const summed = spawnSync(summer, ['--check', '--quiet', 'SHA256SUMS'], { cwd: join(paths.backups, id), encoding: 'utf8' })
      if (summed.error === undefined) t.equal(summed.status, 0, summed.stderr)
      const [source] = await listKept(paths)
      if (source === undefined) throw new Error('no backup is listed')
      const o = { paths, source, into: snapshotId('till', 1, 1, 'swap'), self, identity: false, reserveBytes: 0, disk: realTreeDisk }
      await stageRestore(o)
      isWhole(t, join(paths.backups, o.into, 'before'))
      rmSync(named(join(paths.backups, id, 'data'), 'Men\xfc.txt'))
      t.same(await verifyBackup(paths, backup), ['data/Men\\xfc.txt: is missing'])
    })
  }
})
