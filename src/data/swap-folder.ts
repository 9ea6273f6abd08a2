/**
 * The folder of a swap in backups/: `before` is what comes, `after` what was there, `tried` what a release made of it that was gone back from. How
 * far it came, there and back, is told by names that are in it; the parts are there from the beginning, so that every step is a rename and a full
 * disk stops none. Nobody has data/ open while this runs.
 */
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { explained, type TreeDisk } from './disk.ts'
import { putBack, type SnapshotPlaces, snapshotState, unfinishedPrefix } from './snapshot.ts'
import { copyTree, exists, followed, moveContents } from './tree.ts'

/**
 * staged: data/ is as it was. there: on its way. applied: it came. back: what was there is on its way back. undone: data/ is as it was.
 * gone: somebody removed the folder.
 */
type SwapState = 'staged' | 'there' | 'applied' | 'back' | 'undone' | 'gone'

interface Folder {
  readonly root: string
  readonly before: string
  readonly after: string
  readonly afterPart: string
  readonly tried: string
  /** Empty until the way back begins; then it has the next name. */
  readonly triedPart: string
  readonly undoing: string
}

export function swapFolder({ backups }: SnapshotPlaces, id: string, prefix = ''): Folder {
  const root = join(backups, prefix + id)
  return {
    root,
    before: join(root, 'before'),
    after: join(root, 'after'),
    afterPart: join(root, 'after.part'),
    tried: join(root, 'tried'),
    triedPart: join(root, 'tried.part'),
    undoing: join(root, 'tried.undoing'),
  }
}

/** Makes the folder whole or not at all. @param fill puts into it what belongs to it; it is durable when this returns */
export async function makeSwapFolder(
  places: SnapshotPlaces,
  id: string,
  disk: TreeDisk,
  fill: (dir: string) => Promise<void>,
): Promise<void> {
  const unfinished = swapFolder(places, id, unfinishedPrefix)
  try {
    for (const part of [unfinished.afterPart, unfinished.triedPart]) await disk.makeFolder(part)
    await fill(unfinished.root)
    await disk.syncFolder(unfinished.root)
    await disk.rename(unfinished.root, swapFolder(places, id).root)
  } catch (error) {
    await disk.removeTree(unfinished.root).catch(() => undefined) // the first error is the one to tell
    throw error
  }
}

async function stateOf(places: SnapshotPlaces, id: string): Promise<SwapState> {
  const f = swapFolder(places, id)
  const isBack = (await exists(f.undoing)) || (await exists(f.tried))
  if (isBack) return (await exists(f.after)) ? 'back' : 'undone'
  const state = await snapshotState(places, id)
  return state === 'whole' ? 'staged' : state === 'begun' ? 'there' : state === 'done' ? 'applied' : 'gone'
}

/** Whether nothing of it was moved yet. */
export const isStaged = async (places: SnapshotPlaces, id: string): Promise<boolean> => (await stateOf(places, id)) === 'staged'

/** What comes is in data/, what was there is in `after`. Cut, the next call goes on. @returns false: the folder was removed, data/ stays */
export async function bringIn(places: SnapshotPlaces, id: string, disk: TreeDisk): Promise<boolean> {
  const state = await stateOf(places, id)
  if (state === 'staged' || state === 'there') await putBack(places, id, disk)
  return state === 'staged' || state === 'there' || state === 'applied'
}

/** For a swap in which data/ stays: a copy of it goes into `after`. Called again, it finds that. */
export async function copyAside(places: SnapshotPlaces, id: string, disk: TreeDisk): Promise<void> {
  if (await exists(swapFolder(places, id).after)) return
  await explained(`copy of ${places.data}`, () =>
    makeSwapFolder(places, id, disk, async dir => copyTree((await followed(places.data)) ?? places.data, join(dir, 'after'), disk)),
  )
}

/** What was there is in data/ again, and what came in `tried`. Cut, the next call goes on. @returns false: nothing had been changed */
export async function takeBack(places: SnapshotPlaces, id: string, disk: TreeDisk): Promise<boolean> {
  const state = await stateOf(places, id)
  if (state === 'staged' || state === 'gone' || state === 'undone') return state === 'undone'
  if (state === 'there') await putBack(places, id, disk)
  const f = swapFolder(places, id)
  await explained(`putting back ${places.data}`, async () => {
    if (!(await exists(f.tried))) {
      if (!(await exists(f.undoing))) await disk.rename(f.triedPart, f.undoing)
      await moveContents(places.data, f.undoing, disk)
      await disk.syncFolder(f.undoing)
      await disk.rename(f.undoing, f.tried)
    }
    await moveContents(f.after, places.data, disk)
    await disk.syncFolder(places.data)
    await disk.removeEmpty(f.after)
    await disk.syncFolder(f.root)
  })
  return true
}

/** Something of data/ is not where it was before the swap. */
export function isMoved(places: SnapshotPlaces, id: string): boolean {
  const { after, afterPart } = swapFolder(places, id)
  return existsSync(after) || (existsSync(afterPart) && readdirSync(afterPart).length > 0)
}

/** It counts: only what was there is kept. Not durable; what is left does no harm. */
export function tidySwap(places: SnapshotPlaces, id: string): void {
  const { afterPart, triedPart } = swapFolder(places, id)
  for (const part of [afterPart, triedPart]) if (existsSync(part) && readdirSync(part).length === 0) rmdirSync(part)
}
