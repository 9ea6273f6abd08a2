/**
 * The app's data across a migration: copied before, put back when the node goes back. Both workers are out of it while this runs, so plain
 * copies are consistent; where the file system can, they are reflinks. What the new release wrote is kept beside, never thrown away.
 */
import { constants } from 'node:fs'
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, ShoalError, systemCodeOf } from '../model/index.ts'

/** Where snapshots and what was put aside lie: instance/backups. */
export interface SnapshotPlaces {
  readonly data: string
  readonly backups: string
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

const copyTree = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, errorOnExist: true, force: false, preserveTimestamps: true, mode: constants.COPYFILE_FICLONE })

/**
 * Copies data/ to backups/<id>. A copy that was cut has another name and is not taken for one.
 * @throws ShoalError DISK_FULL
 */
export async function snapshot(places: SnapshotPlaces, id: string): Promise<string> {
  const target = join(places.backups, id)
  if (await exists(target)) return target
  const unfinished = join(places.backups, `.${id}.${process.pid}.${Date.now()}`)
  await mkdir(places.backups, { recursive: true })
  try {
    await copyTree(places.data, unfinished)
    await rename(unfinished, target)
    return target
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOSPC') throw new ShoalError('DISK_FULL', `snapshot of ${places.data}: ${messageOf(cause)}`, { cause })
    throw cause
  }
}

/** Puts a snapshot back; what was in data/ goes to backups/<id>-aside. Cut in the middle, the next call finishes it. */
export async function restore(places: SnapshotPlaces, id: string): Promise<void> {
  const source = join(places.backups, id)
  const aside = join(places.backups, `${id}-aside`)
  const coming = join(places.backups, `.${id}-coming`)
  if (!(await exists(coming))) {
    const unfinished = `${coming}.${process.pid}.${Date.now()}`
    await copyTree(source, unfinished)
    await rename(unfinished, coming)
  }
  if ((await exists(places.data)) && !(await exists(aside))) await rename(places.data, aside)
  if (!(await exists(places.data))) await rename(coming, places.data)
  await rm(coming, { recursive: true, force: true })
}
