/**
 * A migration tried on a copy: data/ is copied beside, while the app runs and writes, and the new release migrates the copy. Nothing of data/ and of
 * its journal is touched. The folder has a name that the next start of an app removes, whatever was killed.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { HomePaths } from '../slots/index.ts'
import { requireSpace } from './backup.ts'
import { explained, type TreeDisk } from './disk.ts'
import { type Held, isSame } from './journal.ts'
import { type CopyDatabase, copyLive } from './live-copy.ts'
import { heldData, versionFor } from './migration.ts'
import { unfinishedPrefix } from './snapshot.ts'
import { copyTree, followed, requireFolder, requireMovable, syncTree, treeBytes } from './tree.ts'

export interface RehearsalOptions {
  readonly paths: HomePaths
  /** From `makeRehearsalFolder`. */
  readonly folder: string
  readonly from: number | null
  /** How databases are copied that the app writes to; null: no app has data/ open. */
  readonly copyDatabase: CopyDatabase | null
  readonly reserveBytes: number
  readonly disk: TreeDisk
  readonly migrate: (dataDir: string, from: number | null) => Promise<void>
}

/** How long the same will take in earnest: ms for the copy, which is the snapshot then, and for the migration. */
export interface Rehearsed {
  readonly bytes: number
  readonly copyMs: number
  readonly migrateMs: number
}

/** What a release would migrate that starts now. */
export interface DueMigration {
  /** Of the data as it lies there; null: it is another app's. */
  readonly from: number | null
  /** Names the data and its version: what was rehearsed for it need not be rehearsed again. */
  readonly key: string
}

/** null: nothing to rehearse. Where nothing lies yet there is nothing to lose; what is newer is not migrated. */
export function dueMigration(paths: HomePaths, release: Held): DueMigration | null {
  const held = heldData(paths)
  if (held === null || isSame(held, release)) return null
  const from = versionFor(held, release.name)
  if (from !== null && from > release.dataVersion) return null
  return { from, key: `${held.name} ${held.dataVersion}` }
}

/** Makes the folder of one rehearsal. @throws ShoalError DISK_FULL */
export async function makeRehearsalFolder(paths: HomePaths, disk: TreeDisk): Promise<string> {
  const folder = join(paths.backups, `${unfinishedPrefix}rehearsal-${randomBytes(6).toString('hex')}`)
  await explained(`rehearsal in ${paths.backups}`, () => disk.makeFolder(folder))
  return folder
}

/** @throws ShoalError NOT_WRITABLE, DISK_FULL, DB_LOCKED, MIGRATE_FAILED, or what `migrate` throws */
export async function rehearseMigration(o: RehearsalOptions): Promise<Rehearsed> {
  const { paths, folder, copyDatabase, disk } = o
  const copy = join(folder, 'data')
  await requireMovable(paths.data)
  const bytes = await treeBytes(paths.data)
  await requireSpace(paths, bytes, o.reserveBytes)
  const began = performance.now()
  await explained(`copy of ${paths.data}`, async () => {
    if (copyDatabase === null) await copyTree((await followed(paths.data)) ?? paths.data, copy, disk)
    else await copyLive(paths.data, copy, disk, copyDatabase)
  })
  const copied = performance.now()
  await o.migrate(copy, o.from)
  await requireFolder(copy)
  await explained(`migrated copy of ${paths.data}`, () => syncTree(copy, disk))
  return { bytes, copyMs: Math.ceil(copied - began), migrateMs: Math.ceil(performance.now() - copied) }
}
