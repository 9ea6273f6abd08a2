/**
 * data/ at the start of an app: migrated to its version, or put back to the version of an older release. Killed anywhere, the next start
 * goes on from the journal: a migration that came to its end is not done twice, one that was cut starts again from the snapshot. Only a
 * snapshot that is durable is migrated on, and only data that is durable counts as migrated.
 */
import { join } from 'node:path'
import { codeOf, type Digest, messageOf, ShoalError, type SwitchTarget } from '../model/index.ts'
import { type DiskSync, type HomePaths, readCurrent, realDiskSync, writeDurableSync } from '../slots/index.ts'
import { requireSpace } from './backup.ts'
import { explained, realTreeDisk, type TreeDisk } from './disk.ts'
import {
  confirmedMigration,
  type DataJournal,
  formatJournal,
  goodApp,
  type Held,
  heldByApp,
  isSame,
  type Migration,
  type ReadJournal,
  readJournal,
  type Swap,
} from './journal.ts'
import { keepSnapshot, keptAt, putBack, type SnapshotState, snapshotId, snapshotState, sweep, takeSnapshot } from './snapshot.ts'
import { applyFiles, fateOf, followSwap, settledSwap } from './swap.ts'
import { tidySwap } from './swap-folder.ts'
import { isOther, requireFolder, requireMovable, syncTree, treeBytes } from './tree.ts'

interface CareOptions {
  readonly paths: HomePaths
  readonly log: (fields: Readonly<Record<string, unknown>>, event: string) => void
  readonly disk?: TreeDisk
}

export interface DataOptions extends CareOptions {
  /** The release that is about to start, and what it reads. */
  readonly app: Held & { readonly digest: Digest }
  /** The switch in whose probation it is. */
  readonly trial: SwitchTarget | null
  /** Bytes of the disk that a switch leaves free; what starts for good takes what there is. */
  readonly reserveBytes?: number
  /** The app's own; `from` null: no data yet. */
  readonly migrate: (from: number | null) => Promise<void>
}

/**
 * Brings data/ to the version of the app. The folder exists afterwards.
 * @throws ShoalError DATA_NEWER, DISK_FULL, or what `migrate` throws
 */
export async function prepareData(o: DataOptions): Promise<void> {
  const disk = o.disk ?? realTreeDisk
  const journal = await swapped(o, await closed(o, await opened(o, disk), disk), disk)
  const { held } = journal.base
  if (journal.migration === null && !isSame(held, o.app)) await migrate(o, journal, disk)
}

/** The way back for a node whose app stays out: nothing is migrated, and what a switch brought that is over goes. @throws ShoalError DISK_FULL */
export async function undoSwap(o: CareOptions): Promise<void> {
  const disk = o.disk ?? realTreeDisk
  await swapped(o, await closed(o, await opened(o, disk), disk), disk)
}

/** What lies in data/ below the migration: what the journal holds, or what a swap brought that is being tried. */
interface Based extends DataJournal {
  readonly base: { readonly held: Held | null }
}

/** The journal, after what a death left has been cleared away. */
async function opened({ paths, log }: CareOptions, disk: TreeDisk): Promise<ReadJournal> {
  const journal = readJournal(paths)
  // What a migration left in place of the folder goes out of the way when that is gone back from.
  const isLeft = journal.migration !== null && (await isOther(paths.data))
  if (!isLeft) await explained(paths.data, () => disk.makeFolder(paths.data))
  try {
    const open = [journal.migration?.id, journal.swap?.id].filter(id => id !== undefined)
    await sweep(paths, { open, isKnown: journal.inferred === null }, disk)
  } catch (error) {
    log({ error: messageOf(error) }, 'unfinished snapshots not removed') // no reason to keep an app from its data
  }
  return journal
}

/** The journal with no migration open, unless it is this release's own and came to its end. */
async function closed(o: CareOptions & Partial<DataOptions>, read: ReadJournal, disk: TreeDisk): Promise<DataJournal> {
  const { paths, log } = o
  const { held, migration, swap, snapshots, inferred } = read
  if (migration === null) {
    if (inferred === null || held === null) return read
    log({ why: inferred, held }, 'data.json inferred from the app that runs')
    await closeJournal(o, read, disk)
    return read
  }
  if (isConfirmed(paths, migration)) {
    keepSnapshot(paths, migration.id)
    const journal = confirmedMigration(read, migration)
    await closeJournal(o, journal, disk)
    return journal
  }
  const state = await snapshotState(paths, migration.id)
  const isOwn = isOwnTry(o, migration) && fateOf(paths, migration) !== 'over'
  if (isOwn && migration.phase === 'migrated' && (state === 'whole' || state === 'gone')) return read
  const back = await backTo(o, swap === null ? held : swap.to, migration, state, disk)
  const journal = { held: swap === null ? back : held, migration: null, swap: swap === null ? null : { ...swap, to: back }, snapshots }
  const isWritten = await closeJournal(o, journal, disk)
  // What half a migration made, nobody has ever used: it goes if it is made again now, or if it is what fills the disk.
  if (migration.phase === 'snapshotted' && (isOwn || !isWritten)) {
    await disk.removeTree(join(paths.backups, migration.id))
    if (!isWritten) await closeJournal(o, journal, disk)
  }
  return journal
}

/** The same, after the swap that is noted was applied, closed or undone. */
async function swapped(o: CareOptions, journal: DataJournal, disk: TreeDisk): Promise<Based> {
  const { swap, migration } = journal
  // On top of a swap only the migration of its own switch is ever open.
  if (swap === null || migration !== null) return { ...journal, base: { held: swap === null ? journal.held : swap.to } }
  const became = await followSwap(o, swap, disk)
  if (became === 'tried') return { ...journal, base: { held: swap.to } }
  if (became === 'counts') applyFiles(o.paths, swap, realDiskSync)
  const done = { ...journal, held: became === 'counts' ? swap.to : journal.held, migration: null, swap: null }
  await closeJournal(o, done, disk)
  tidySwap(o.paths, swap.id)
  return { ...done, base: { held: done.held } }
}

/** Whether it is the same release in the same try: only then what was done to the data is its own. */
function isOwnTry({ app, trial }: Partial<DataOptions>, migration: Migration): boolean {
  if (app === undefined || migration.app !== app.digest) return false
  return trial?.kind !== 'app' || (trial.order === migration.order && trial.attempt === migration.attempt)
}

/** The release that made this migration runs for good. The supervisor's word is durable before anybody hears it. */
function isConfirmed(paths: HomePaths, migration: Migration): boolean {
  if (migration.phase !== 'migrated' || goodApp(readCurrent(paths.home)) !== migration.app) return false
  // A switch to the release that ran already, for other data: then the release says nothing.
  const fate = fateOf(paths, migration)
  return fate === null || fate === 'proven'
}

/** Puts the snapshot back. @returns what lies in data/ then */
async function backTo(o: CareOptions, held: Held | null, m: Migration, state: SnapshotState, disk: TreeDisk): Promise<Held | null> {
  const { paths, log } = o
  if (state === 'gone') {
    const lies = m.phase === 'migrated' ? m.to : held
    log({ snapshot: m.id, phase: m.phase, lies }, 'ALARM the snapshot of data/ was removed: the data stays as it is')
    return lies
  }
  await putBack(paths, m.id, disk)
  log({ to: held, from: m.to, kept: keptAt(paths, m.id) }, 'data/ is again as it was before the migration')
  return held
}

/**
 * Closes the journal, if the disk takes it. A full one keeps no app from its data: the folders of the try say the same, and the
 * journal is written at the next chance, at the latest before another switch begins.
 * @returns whether it is on the disk
 */
async function closeJournal({ paths, log }: CareOptions, journal: DataJournal, disk: TreeDisk): Promise<boolean> {
  try {
    await disk.write(paths.dataJournal, formatJournal({ ...journal, migration: null }))
    return true
  } catch (error) {
    if (codeOf(error) !== 'DISK_FULL') throw error
    log({ error: messageOf(error) }, 'data.json not written')
    return false
  }
}

async function migrate(o: DataOptions, { held, swap, snapshots, base }: Based, disk: TreeDisk): Promise<void> {
  const { paths, trial } = o
  const { name, dataVersion, digest } = o.app
  const from = versionFor(base.held, name)
  if (from !== null && from > dataVersion) throw new ShoalError('DATA_NEWER', `the data has version ${from}, ${name} knows ${dataVersion}`)
  const id = snapshotId(name, from, dataVersion)
  const inTrial = trial?.kind === 'app' ? { order: trial.order, attempt: trial.attempt } : { order: null, attempt: 0 }
  const migration = { id, app: digest, ...inTrial, to: { name, dataVersion } }
  const write = (phase: Migration['phase']): Promise<void> =>
    disk.write(paths.dataJournal, formatJournal({ held, migration: { ...migration, phase }, swap, snapshots }))
  await explained(paths.backups, () => disk.makeFolder(paths.backups))
  // Since the rehearsal somebody may have filled the disk: the release that runs has it then.
  if (trial !== null) await requireMovable(paths.data)
  if (trial !== null) await requireSpace(paths, await treeBytes(paths.data), o.reserveBytes ?? 0)
  await takeSnapshot(paths, id, disk)
  await write('snapshotted')
  await o.migrate(from)
  await requireFolder(paths.data)
  await explained(`data version ${dataVersion}`, () => syncTree(paths.data, disk))
  await write('migrated')
}

/** The version from which a release of that name migrates; null: the data is not its own. */
export const versionFor = (held: Held | null, name: string): number | null => (held?.name === name ? held.dataVersion : null)

/**
 * Closes the migration of a release that runs for good. Called when it is proven, and before any switch begins: so that what is open
 * always belongs to the switch that is being tried. Done when it returns, so that no other write can come in between.
 * @throws ShoalError DISK_FULL
 */
export function settleData(paths: HomePaths, disk: DiskSync = realDiskSync): void {
  const read = readJournal(paths)
  const { migration } = read
  if (migration !== null && !isConfirmed(paths, migration)) return
  const migrated = migration === null ? read : confirmedMigration(read, migration)
  const settled = withoutReader(paths, settledSwap(paths, migrated, disk))
  if (formatJournal(settled) === formatJournal(read)) return
  if (migration !== null) keepSnapshot(paths, migration.id)
  writeDurableSync(paths.dataJournal, formatJournal(settled), 0o644, disk)
}

/** An older release may open the data until one of its own version runs for good. */
function withoutReader(paths: HomePaths, journal: DataJournal): DataJournal {
  const { held } = journal
  const runs = held?.readBy === undefined ? null : heldByApp(paths.home, goodApp(readCurrent(paths.home)))
  if (held === null || runs?.dataVersion !== held.dataVersion || runs.name !== held.name) return journal
  return { ...journal, held: runs }
}

/**
 * Notes that the switch which is asked for next tries other data.
 * @throws ShoalError CONFLICT if another migration or swap is open; DISK_FULL
 */
export function noteSwap(paths: HomePaths, swap: Swap, disk: DiskSync = realDiskSync): void {
  const { held, migration, swap: open, snapshots } = readJournal(paths)
  if (migration !== null || open !== null)
    throw new ShoalError('CONFLICT', `data/ is being changed already (${(migration ?? open)?.id ?? ''})`)
  writeDurableSync(paths.dataJournal, formatJournal({ held, migration, swap, snapshots }), 0o644, disk)
}

/** What lies in data/, as far as it is proven; null: nothing yet. */
export function heldData(paths: HomePaths): Held | null {
  const { held, migration, swap } = readJournal(paths)
  if (migration !== null && isConfirmed(paths, migration)) return migration.to
  return swap !== null && fateOf(paths, swap) === 'proven' ? swap.to : held
}
