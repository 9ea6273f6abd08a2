/**
 * The way back over a migration: an older release is ordered, and the data is newer than it knows. An operator says what becomes of the data: it is
 * kept as it is, or what lay there before the migration comes back. Which snapshot that is, the journal says.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Order } from '../model/index.ts'
import { type HomePaths, readCurrent } from '../slots/index.ts'
import { backupDir } from './backup.ts'
import { type Held, heldByApp, isSame, readJournal } from './journal.ts'
import { snapshotNamed } from './keeping.ts'
import { heldData } from './migration.ts'
import { safeNameOf } from './snapshot.ts'
import { treeBytes } from './tree.ts'

/** A snapshot in backups/. */
export interface Snapshot {
  readonly id: string
  readonly dataVersion: number
  /** Its data. */
  readonly dir: string
}

export interface WayBack {
  /** What lies in data/: newer than the release knows. */
  readonly held: Held
  /** The data before the migration; null: it never lay on this node, or was removed. */
  readonly snapshot: Snapshot | null
}

/** null: the release opens the data, or migrates it; or it is another app's. */
export function wayBackTo(paths: HomePaths, release: Held): WayBack | null {
  const held = heldData(paths)
  if (held?.name !== release.name || isSame(held, release) || held.dataVersion < release.dataVersion) return null
  return { held, snapshot: snapshotFor(paths, release) }
}

/** The newest that the release opens, or can migrate on. */
function snapshotFor(paths: HomePaths, { name, dataVersion }: Held): Snapshot | null {
  for (const id of readJournal(paths).snapshots.toReversed()) {
    const said = snapshotNamed(id)
    const dir = join(backupDir(paths, id), 'before')
    const fits = said !== null && said.app === safeNameOf(name) && said.dataVersion <= dataVersion
    if (fits && existsSync(dir)) return { id, dataVersion: said.dataVersion, dir }
  }
  return null
}

/**
 * Folders in backups/ that nobody may remove: those of a migration or swap that is not over, and what `rollback --data restore` puts back, over the
 * last migration and to the release before this one.
 */
export function neededFolders(paths: HomePaths): ReadonlySet<string> {
  const { migration, swap, snapshots } = readJournal(paths)
  const previous = heldByApp(paths.home, readCurrent(paths.home)?.previous?.app ?? null)
  const back = previous === null ? null : (wayBackTo(paths, previous)?.snapshot ?? null)
  return new Set([migration?.id, swap?.id, swap?.source, snapshots.at(-1), back?.id].filter(id => typeof id === 'string'))
}

/** Bytes of copies that a switch to this release makes of the data; 0: it reads the data as it is. */
export async function copyBytes(paths: HomePaths, release: Held, how: Order['data']): Promise<number> {
  if (isSame(heldData(paths), release)) return 0
  const back = wayBackTo(paths, release)
  if (back === null || how !== 'restore') return treeBytes(paths.data)
  if (back.snapshot === null) return 0
  const bytes = await treeBytes(back.snapshot.dir)
  // An older one yet is migrated, and for that copied once more.
  return back.snapshot.dataVersion === release.dataVersion ? bytes : 2 * bytes
}
