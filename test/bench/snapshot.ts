/**
 * `npm run bench:snapshot`: what a migration's copies of data/ cost: the one for the rehearsal (databases by SQLite's online backup), the snapshot in
 * the switch, and the way back.
 * On the file system of the temporary folder, and on XFS and btrfs, which share blocks between copies, where this machine can make and mount one.
 * `--mb N` (1024), of which half is SQLite.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomFillSync } from 'node:crypto'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { makeRehearsalFolder, prepareData, realTreeDisk, rehearseMigration } from '../../src/data/index.ts'
import { type Digest, parseCurrent, parseDigest, parseOrderId, type SwitchTarget } from '../../src/model/index.ts'
import { type HomePaths, homePaths, removeTree, writeCurrent } from '../../src/slots/index.ts'
import { copyDatabase } from '../../src/store/index.ts'
import { table } from './figures.ts'
import { bench } from './teardowns.ts'

const mib = 1 << 20
const [shoal, v1, v2] = ['f', '1', '2'].map(mark => parseDigest(mark.repeat(64))) as [Digest, Digest, Digest]
const trial: SwitchTarget = {
  order: parseOrderId('a'.repeat(52)),
  attempt: 1,
  kind: 'app',
  digest: v2,
  handover: 'exclusive',
  probationMs: 1000,
  linked: 0,
}
/** File systems that share blocks, each in a file of its own. */
const shared = { xfs: ['mkfs.xfs', '-q'], btrfs: ['mkfs.btrfs', '-q'] } as const
const tools = { attach: 'mount', detach: 'umount' }

interface Figures {
  readonly ms: number
  readonly usedMb: number
}

/** 4 databases and 64 files, as large as asked for together. */
function fill(data: string, mb: number): void {
  const row = Buffer.alloc(64 << 10)
  for (let n = 0; n < 4; n++) {
    const db = new Database(join(data, `sales-${n}.db`))
    db.pragma('journal_mode = WAL')
    db.exec('create table sale (id integer primary key, body blob)')
    const put = db.prepare('insert into sale (body) values (?)')
    db.transaction(() => {
      for (let i = 0; i < (mb / 8) * 16; i++) put.run(randomFillSync(row))
    })()
    db.close()
  }
  const file = Buffer.alloc((mb / 128) * mib)
  for (let n = 0; n < 64; n++) writeFileSync(join(data, `photo-${n}.jpg`), randomFillSync(file))
}

/** How long the work takes, and how much less is free after it. */
async function measured(dir: string, work: () => Promise<unknown>): Promise<Figures> {
  const free = (): number => {
    spawnSync('sync', ['-f', dir])
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize
  }
  const before = free()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  return { ms, usedMb: (before - free()) / mib }
}

async function measure(dir: string, mb: number): Promise<readonly (readonly [string, Figures])[]> {
  const paths = homePaths(join(dir, 'home'))
  for (const each of [paths.data, paths.slots]) mkdirSync(each, { recursive: true })
  fill(paths.data, mb)
  writeFileSync(paths.dataJournal, JSON.stringify({ schema: 1, held: { name: 'till', dataVersion: 1 } }))
  const folder = await makeRehearsalFolder(paths, realTreeDisk)
  const rehearsal = { paths, folder, from: 1, copyDatabase, reserveBytes: 0, disk: realTreeDisk, migrate: async () => undefined }
  const rehearsed = await measured(dir, () => rehearseMigration(rehearsal))
  await removeTree(folder)
  writeCurrent(paths.home, parseCurrent({ app: v2, shoal, builtIn: shoal, state: 'trial', previous: { app: v1, shoal }, trial }))
  const snapshot = await measured(dir, () => started(paths, v2, 2, trial))
  writeCurrent(paths.home, parseCurrent({ app: v1, shoal, builtIn: shoal, state: 'good' }))
  const back = await measured(dir, () => started(paths, v1, 1, null))
  return [
    ['copy of the rehearsal, as of a running app', rehearsed],
    ['snapshot in the switch', snapshot],
    ['the way back', back],
  ]
}

const started = (paths: HomePaths, digest: Digest, dataVersion: number, on: SwitchTarget | null): Promise<void> =>
  prepareData({ paths, app: { name: 'till', dataVersion, digest }, trial: on, migrate: async () => undefined, log: () => undefined })

/** A folder on a file system of that kind; null: this machine cannot. */
function mounted(kind: keyof typeof shared, dir: string, mb: number): string | null {
  const [image, at] = [join(dir, `${kind}.img`), join(dir, kind)]
  writeFileSync(image, '')
  truncateSync(image, (mb * 4 + 1024) * mib)
  mkdirSync(at)
  const [make, ...options] = shared[kind]
  const isMade = spawnSync(make, [...options, image]).status === 0
  return isMade && spawnSync(tools.attach, ['-o', 'loop', image, at]).status === 0 ? at : null
}

await bench(async teardowns => {
  const mb = Number(parseArgs({ options: { mb: { type: 'string', default: '1024' } } }).values.mb)
  const dir = mkdtempSync(join(tmpdir(), 'shoal-snapshot-'))
  teardowns.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const rows: (string | number)[][] = []
  const run = async (name: string, at: string): Promise<void> => {
    for (const [what, { ms, usedMb }] of await measure(at, mb)) rows.push([name, what, ms / 1000, usedMb])
  }
  const [, kind = 'temporary folder'] = spawnSync('df', ['--output=fstype', dir], { encoding: 'utf8' }).stdout.split('\n')
  await run(kind, dir)
  for (const each of ['xfs', 'btrfs'] as const) {
    const at = mounted(each, dir, mb)
    if (at === null) {
      console.log(`${each}: not measured, this machine cannot make or mount one (mkfs.${each}, the right to mount)`)
      continue
    }
    teardowns.teardown(() => void spawnSync(tools.detach, ['-l', at]))
    await run(`${each}, shared blocks`, at)
  }
  console.log(table(['file system', `${mb} MB of data`, 's', 'MB of space'], rows))
})
