/**
 * Folders as wholes: listed, copied so that the copy survives a power cut, moved, counted. Copies have the same bytes, modes, times and
 * symbolic links; sockets and pipes are nobody's data and are left out. Nothing here knows what a migration is.
 */
import { constants, type Stats } from 'node:fs'
import { access, lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ShoalError, systemCodeOf } from '../model/index.ts'
import type { TreeDisk } from './disk.ts'
import { blockBytes, filesAtOnce } from './limits.ts'
import { nameOf, onDisk, shown } from './names.ts'

export interface Entry {
  /** Below the root; the root itself is ''. */
  readonly path: string
  readonly stats: Stats
}

export const exists = (path: string): Promise<boolean> =>
  lstat(onDisk(path)).then(
    () => true,
    () => false,
  )

/** Where the folder really is, since `data/` may be a symbolic link; null: nowhere. */
export async function followed(path: string): Promise<string | null> {
  try {
    return await realpath(path)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Names in a folder, as `names.ts` has them; none if it is not there. */
export async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(onDisk(path), { encoding: 'buffer' })).map(nameOf)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** The root and all below it, folders before what is in them. What goes away meanwhile is left out. */
export async function list(root: string): Promise<readonly Entry[]> {
  const found: Entry[] = [{ path: '', stats: await lstat(onDisk(root)) }]
  for (const { path, stats } of found) {
    if (!stats.isDirectory()) continue
    for (const name of await namesIn(join(root, path))) {
      const below = join(path, name)
      const stats = await unlessGone(lstat(onDisk(join(root, below))))
      if (stats !== null) found.push({ path: below, stats })
    }
  }
  return found
}

/** null: it is not there any more. */
export async function unlessGone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Runs `use` for each item, a few at once. After the first error no more begin; it is thrown when none is under way. */
export async function forEachAtOnce<T>(items: readonly T[], use: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const errors: unknown[] = []
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      await use(item).catch((error: unknown) => errors.push(error))
      if (errors.length > 0) return
    }
  }
  await Promise.all(Array.from({ length: filesAtOnce }, lane))
  if (errors.length > 0) throw errors[0]
}

/** What a symbolic link points to. */
export const targetOf = async (link: string): Promise<string> => nameOf(await readlink(onDisk(link), { encoding: 'buffer' }))

/** Copies a file, or a folder with all in it; `to` must not exist. It is on the disk when this returns. */
export async function copyTree(from: string, to: string, disk: TreeDisk): Promise<void> {
  return copyEntries(from, to, await list(from), disk)
}

/** Copies what is listed. @param copyFile in place of the disk's, for files that somebody writes to; false: it is gone */
export async function copyEntries(
  from: string,
  to: string,
  entries: readonly Entry[],
  disk: TreeDisk,
  copyFile?: (from: string, to: string) => Promise<boolean>,
): Promise<void> {
  const folders = entries.filter(e => e.stats.isDirectory())
  for (const { path } of folders) await disk.makeFolder(join(to, path))
  await forEachAtOnce(
    entries.filter(e => !e.stats.isDirectory()),
    async ({ path, stats }) => {
      const [source, target] = [join(from, path), join(to, path)]
      if (stats.isSymbolicLink()) await disk.link(await targetOf(source), target)
      if (!stats.isFile()) return
      if (copyFile === undefined) await disk.copyFile(source, target)
      else if (!(await copyFile(source, target))) return
      await disk.setTimes(target, stats.atime, stats.mtime)
      await disk.syncFile(target)
    },
  )
  for (const { path, stats } of folders.toReversed()) {
    await disk.syncFolder(join(to, path))
    await disk.setMode(join(to, path), stats.mode & 0o7777)
    await disk.setTimes(join(to, path), stats.atime, stats.mtime)
  }
}

/** What was copied to another disk bears this name while it goes: half of it must not look like the whole. */
const copiedName = '.shoal-copied-to-another-disk'

/**
 * Moves all that is in one folder into another. Neither folder itself is touched, so `data/` may be a mount or a symbolic link. Cut in
 * the middle, the next call goes on: what is still in `from` is at best a part in `to`.
 */
export async function moveContents(from: string, to: string, disk: TreeDisk): Promise<void> {
  const copied = join(from, copiedName)
  if (await exists(copied)) await disk.removeTree(copied)
  for (const name of await namesIn(from)) {
    const [source, target] = [join(from, name), join(to, name)]
    if (await exists(target)) await disk.removeTree(target)
    try {
      await disk.rename(source, target)
    } catch (error) {
      if (systemCodeOf(error) !== 'EXDEV') throw error
      await copyTree(source, target, disk)
      await disk.syncFolder(to)
      await disk.rename(source, copied)
      await disk.removeTree(copied)
    }
  }
  await disk.syncFolder(from)
}

/**
 * Whether all in a folder can be moved, asked before the first of it is: half moved helps nobody. What is ours can (`TreeDisk.rename`); a folder of
 * somebody else's only if we may write to it.
 * @throws ShoalError NOT_WRITABLE, with the name
 */
export async function requireMovable(path: string): Promise<void> {
  const user = process.geteuid?.() ?? 0
  const root = user === 0 ? null : await followed(path)
  if (root === null) return
  for (const name of await namesIn(root)) {
    const entry = join(root, name)
    const stats = await unlessGone(lstat(onDisk(entry)))
    if (stats?.isDirectory() !== true || stats.uid === user) continue
    if (await isAllowed(entry)) continue
    throw new ShoalError(
      'NOT_WRITABLE',
      `${shown(entry)}: belongs to user ${stats.uid}, the node runs as ${user} and could not put it back`,
    )
  }
}

const isAllowed = (path: string): Promise<boolean> =>
  access(onDisk(path), constants.W_OK).then(
    () => true,
    () => false,
  )

/** Something that is no folder lies there, nor a link to one. */
export async function isOther(path: string): Promise<boolean> {
  return (await unlessGone(stat(path)))?.isDirectory() === false
}

/** @throws ShoalError MIGRATE_FAILED */
export async function requireFolder(path: string): Promise<void> {
  const isFolder = (await unlessGone(stat(path)))?.isDirectory() === true
  if (!isFolder) throw new ShoalError('MIGRATE_FAILED', `migrate() left no folder at ${path}`)
}

/** What was written below a folder is on the disk when this returns. */
export async function syncTree(path: string, disk: TreeDisk): Promise<void> {
  const root = await followed(path)
  if (root === null) return
  const entries = await list(root)
  await forEachAtOnce(
    entries.filter(e => e.stats.isFile()),
    file => disk.syncFile(join(root, file.path)),
  )
  const folders = entries.filter(e => e.stats.isDirectory())
  for (const folder of folders.toReversed()) await disk.syncFolder(join(root, folder.path))
}

/** Bytes that a copy takes, in whole blocks; 0 if there is nothing. */
export async function treeBytes(path: string): Promise<number> {
  const root = await followed(path)
  if (root === null) return 0
  const blocks = (await list(root)).map(({ stats }) => (stats.isFile() ? Math.ceil(stats.size / blockBytes) : 1))
  return blocks.reduce((sum, each) => sum + each, 0) * blockBytes
}
