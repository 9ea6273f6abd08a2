/**
 * One migration's folder in backups/: `before` is data/ as it was, `after` is what the new release made of it, if the node went back. Each try has
 * a folder of its own, so what is in it says how far that try came; nothing is copied on the way back, so that a full disk cannot stop it. Nobody
 * has data/ open while this runs.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { explained, type TreeDisk } from './disk.ts'
import { maxNameLength } from './limits.ts'
import { copyTree, exists, followed, isOther, moveContents, namesIn } from './tree.ts'

/** Where data and snapshots lie: instance/data and instance/backups. */
export interface SnapshotPlaces {
  readonly data: string
  readonly backups: string
}

/**
 * whole: the snapshot is as it was made. begun: data/ is on its way back. done: it is back. gone: somebody removed the snapshot.
 */
export type SnapshotState = 'whole' | 'begun' | 'done' | 'gone'

/** `after` while it is being filled; there from the beginning, since a full disk has no room for a new folder. */
const partName = 'after.part'
/** How the name of a folder in backups/ begins that is not whole: the next start of the app removes it. */
export const unfinishedPrefix = '.unfinished-'

interface Folder {
  readonly root: string
  readonly before: string
  readonly after: string
  readonly part: string
}

const folderOf = ({ backups }: SnapshotPlaces, id: string): Folder => {
  const root = join(backups, id)
  return { root, before: join(root, 'before'), after: join(root, 'after'), part: join(root, partName) }
}

/** An app's name as it stands in the name of a folder. */
export const safeNameOf = (name: string): string => name.replaceAll(/[^\w.@-]/g, '_').slice(0, maxNameLength)

/** A name for one try, that no other try has. @param how `to`: a migration. `swap`: other data takes the place */
export function snapshotId(name: string, from: number | null, to: number | null, how: 'to' | 'swap' = 'to'): string {
  return `${safeNameOf(name)}-${from ?? 'none'}-${how}-${to ?? 'none'}-${randomBytes(6).toString('hex')}`
}

/** What the new release wrote, as people find it. */
export const keptAt = (places: SnapshotPlaces, id: string): string => folderOf(places, id).after

/**
 * Copies data/ to backups/<id>/before. On the disk when it returns; cut, it leaves something that `sweep` removes.
 * @throws ShoalError DISK_FULL
 */
export function takeSnapshot(places: SnapshotPlaces, id: string, disk: TreeDisk): Promise<void> {
  return explained(`snapshot of ${places.data}`, async () => {
    const { backups } = places
    const unfinished = join(backups, `${unfinishedPrefix}${id}`)
    await disk.makeFolder(unfinished)
    await disk.makeFolder(join(unfinished, partName))
    await copyTree((await followed(places.data)) ?? places.data, join(unfinished, 'before'), disk)
    await disk.syncFolder(unfinished)
    await disk.rename(unfinished, join(backups, id))
    await disk.syncFolder(dirname(backups))
  })
}

export async function snapshotState(places: SnapshotPlaces, id: string): Promise<SnapshotState> {
  const { before, after, part } = folderOf(places, id)
  const isAside = await exists(after)
  if (!(await exists(before))) return isAside ? 'done' : 'gone'
  return isAside || (await namesIn(part)).length > 0 ? 'begun' : 'whole'
}

/** What is in data/ goes; if something else lies in its place, that goes, and data/ is an empty folder. */
async function moveAway(data: string, to: string, disk: TreeDisk): Promise<void> {
  if (await isOther(data)) {
    await disk.rename(data, join(to, basename(data)))
    await disk.makeFolder(data)
    await disk.syncFolder(dirname(data))
  }
  await moveContents(data, to, disk)
}

/**
 * Puts the snapshot back; what was in data/ is then in `after`. Cut in the middle, the next call goes on; it needs no space.
 * @throws ShoalError DISK_FULL where data/ is on another disk than backups/
 */
export function putBack(places: SnapshotPlaces, id: string, disk: TreeDisk): Promise<void> {
  return explained(`putting back ${places.data}`, async () => {
    const { root, before, after, part } = folderOf(places, id)
    if (!(await exists(before))) return
    if (!(await exists(after))) {
      await disk.makeFolder(part)
      await moveAway(places.data, part, disk)
      await disk.syncFolder(part)
      await disk.rename(part, after)
    }
    await moveContents(before, places.data, disk)
    await disk.syncFolder(places.data)
    await disk.removeEmpty(before)
    await disk.syncFolder(root)
  })
}

/**
 * The migration is confirmed: its snapshot stays as a backup, unless there was nothing in it, and is no longer one that `sweep` may
 * take for an orphan.
 */
export function keepSnapshot(places: SnapshotPlaces, id: string): void {
  const { root, before, part } = folderOf(places, id)
  if (existsSync(part)) rmdirSync(part)
  if (!existsSync(before) || readdirSync(before).length > 0) return
  rmdirSync(before)
  rmdirSync(root)
}

/** What the journal says to `sweep`; `isKnown`: it could be read. */
interface Known {
  readonly open: readonly string[]
  readonly isKnown: boolean
}

/** Removes copies that were cut, and those that were whole when everything died before the journal knew of them. */
export async function sweep(places: SnapshotPlaces, { open, isKnown }: Known, disk: TreeDisk): Promise<void> {
  for (const name of await namesIn(places.backups)) {
    const { root, before, part } = folderOf(places, name)
    const isOrphan = async (): Promise<boolean> =>
      isKnown && !open.includes(name) && (await exists(before)) && (await exists(part)) && (await namesIn(part)).length === 0
    if (name.startsWith(unfinishedPrefix) || (await isOrphan())) await disk.removeTree(root)
  }
}
