/**
 * data/ at the start of an app: migrated to its version, or put back to the version of an older release. Killed anywhere, the next start
 * goes on from the journal: a migration that came to its end is not done twice, one that was cut starts again from the snapshot. Only a
 * snapshot that is durable is migrated on, and only data that is durable counts as migrated.
 */
import { join } from 'node:path'
import { codeOf, type Digest, messageOf, ShoalError, type SwitchTarget } from '../model/index.ts'
import { type DiskSync, type HomePaths, readCurrent, realDiskSync, writeDurableSync } from '../slots/index.ts'
import { explained, realTreeDisk, type TreeDisk } from './disk.ts'
import { type DataJournal, formatJournal, goodApp, type Held, isSame, type Migration, type ReadJournal, readJournal } from './journal.ts'
import { keepSnapshot, keptAt, putBack, type SnapshotState, snapshotId, snapshotState, sweep, takeSnapshot } from './snapshot.ts'
import { syncTree, treeBytes } from './tree.ts'

export interface DataOptions {
  readonly paths: HomePaths
  /** The release that is about to start, and what it reads. */
  readonly app: Held & { readonly digest: Digest }
  /** The switch in whose probation it is. */
  readonly trial: SwitchTarget | null
  /** The app's own; `from` null: no data yet. */
  readonly migrate: (from: number | null) => Promise<void>
  readonly log: (fields: Readonly<Record<string, unknown>>, event: string) => void
  readonly disk?: TreeDisk
}

/**
 * Brings data/ to the version of the app. The folder exists afterwards.
 * @throws ShoalError DATA_NEWER, DISK_FULL, or what `migrate` throws
 */
export async function prepareData(o: DataOptions): Promise<void> {
  const disk = o.disk ?? realTreeDisk
  const read = await opened(o, disk)
  const journal = await closed(o, read, disk)
  if (journal.migration === null && !isSame(journal.held, o.app)) await migrate(o, journal.held, disk)
}

/** The journal, after what a death left has been cleared away. */
async function opened({ paths, log }: DataOptions, disk: TreeDisk): Promise<ReadJournal> {
  await explained(paths.data, () => disk.makeFolder(paths.data))
  const journal = readJournal(paths)
  try {
    await sweep(paths, { open: journal.migration?.id ?? null, isKnown: journal.inferred === null }, disk)
  } catch (error) {
    log({ error: messageOf(error) }, 'unfinished snapshots not removed') // no reason to keep an app from its data
  }
  return journal
}

/** The journal with no migration open, unless it is this release's own and came to its end. */
async function closed(o: DataOptions, read: ReadJournal, disk: TreeDisk): Promise<DataJournal> {
  const { paths, log } = o
  const { held, migration, inferred } = read
  if (migration === null) {
    if (inferred === null || held === null) return read
    log({ why: inferred, held }, 'data.json inferred from the app that runs')
    await closeJournal(o, held, disk)
    return read
  }
  if (isConfirmed(paths, migration)) {
    keepSnapshot(paths, migration.id)
    await closeJournal(o, migration.to, disk)
    return { held: migration.to, migration: null }
  }
  const state = await snapshotState(paths, migration.id)
  const isOwn = isOwnTry(o, migration)
  if (isOwn && migration.phase === 'migrated' && (state === 'whole' || state === 'gone')) return read
  const back = await backTo(o, read, migration, state, disk)
  const isWritten = await closeJournal(o, back, disk)
  // What half a migration made, nobody has ever used: it goes if it is made again now, or if it is what fills the disk.
  if (migration.phase === 'snapshotted' && (isOwn || !isWritten)) {
    await disk.removeTree(join(paths.backups, migration.id))
    if (!isWritten) await closeJournal(o, back, disk)
  }
  return { held: back, migration: null }
}

/** Whether it is the same release in the same try: only then what was done to the data is its own. */
function isOwnTry({ app, trial }: DataOptions, migration: Migration): boolean {
  if (migration.app !== app.digest) return false
  return trial?.kind !== 'app' || (trial.order === migration.order && trial.attempt === migration.attempt)
}

/** The release that made this migration runs for good. The supervisor's word is durable before anybody hears it. */
function isConfirmed({ home }: HomePaths, { app, phase }: Migration): boolean {
  return phase === 'migrated' && goodApp(readCurrent(home)) === app
}

/** Puts the snapshot back. @returns what lies in data/ then */
async function backTo(o: DataOptions, { held }: DataJournal, m: Migration, state: SnapshotState, disk: TreeDisk): Promise<Held | null> {
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
async function closeJournal({ paths, log }: DataOptions, held: Held | null, disk: TreeDisk): Promise<boolean> {
  try {
    await disk.write(paths.dataJournal, formatJournal({ held, migration: null }))
    return true
  } catch (error) {
    if (codeOf(error) !== 'DISK_FULL') throw error
    log({ error: messageOf(error) }, 'data.json not written')
    return false
  }
}

async function migrate(o: DataOptions, held: Held | null, disk: TreeDisk): Promise<void> {
  const { paths, trial } = o
  const { name, dataVersion, digest } = o.app
  const from = held?.name === name ? held.dataVersion : null
  if (from !== null && from > dataVersion) throw new ShoalError('DATA_NEWER', `the data has version ${from}, ${name} knows ${dataVersion}`)
  const id = snapshotId(name, from, dataVersion)
  const inTrial = trial?.kind === 'app' ? { order: trial.order, attempt: trial.attempt } : { order: null, attempt: 0 }
  const migration = { id, app: digest, ...inTrial, to: { name, dataVersion } }
  const write = (phase: Migration['phase']): Promise<void> =>
    disk.write(paths.dataJournal, formatJournal({ held, migration: { ...migration, phase } }))
  await takeSnapshot(paths, id, disk)
  await write('snapshotted')
  await o.migrate(from)
  await explained(`data version ${dataVersion}`, () => syncTree(paths.data, disk))
  await write('migrated')
}

/**
 * Closes the migration of a release that runs for good. Called when it is proven, and before any switch begins: so that what is open
 * always belongs to the switch that is being tried. Done when it returns, so that no other write can come in between.
 * @throws ShoalError DISK_FULL
 */
export function settleData(paths: HomePaths, disk: DiskSync = realDiskSync): void {
  const { migration } = readJournal(paths)
  if (migration === null || !isConfirmed(paths, migration)) return
  keepSnapshot(paths, migration.id)
  writeDurableSync(paths.dataJournal, formatJournal({ held: migration.to, migration: null }), 0o644, disk)
}

/** What lies in data/, as far as it is proven; null: nothing yet. */
export function heldData(paths: HomePaths): Held | null {
  const { held, migration } = readJournal(paths)
  return migration !== null && isConfirmed(paths, migration) ? migration.to : held
}

/** Bytes that the snapshot takes which this release needs; 0: it reads the data as it is. */
export function snapshotBytes(paths: HomePaths, release: Held): Promise<number> {
  return isSame(heldData(paths), release) ? Promise.resolve(0) : treeBytes(paths.data)
}
