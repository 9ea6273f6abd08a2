/** What this room changes on the disk, and nothing more: tests give one that dies or is full at any of these. Paths are as `names.ts` has them. */
import { constants } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, open, rename, rmdir, symlink, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ShoalError, systemCodeOf } from '../model/index.ts'
import { onDisk } from './names.ts'
import { type Disk, hasModes, realDisk, removeTree, renameDurable, syncFlags, writeDurable } from '../slots/index.ts'

export interface TreeDisk {
  /** 0700; that it is there already is no error. */
  readonly makeFolder: (path: string) => Promise<void>
  /** Contents and mode; a reflink where the file system can. */
  readonly copyFile: (from: string, to: string) => Promise<void>
  readonly link: (target: string, path: string) => Promise<void>
  readonly setTimes: (path: string, atime: Date, mtime: Date) => Promise<void>
  readonly setMode: (path: string, mode: number) => Promise<void>
  readonly syncFile: (path: string) => Promise<void>
  readonly syncFolder: (path: string) => Promise<void>
  /** Durable for the folder that it comes to; what its owner may not write to is moved all the same. @throws the system's EXDEV from disk to disk */
  readonly rename: (from: string, to: string) => Promise<void>
  readonly removeEmpty: (path: string) => Promise<void>
  readonly removeTree: (path: string) => Promise<void>
  /** Replaces a file durably. */
  readonly write: (path: string, bytes: string | Uint8Array) => Promise<void>
}

async function syncFile(path: string): Promise<void> {
  try {
    await using file = await open(onDisk(path), syncFlags)
    await file.sync()
  } catch (error) {
    // What this process may not open, it has not written either.
    if (!['EACCES', 'EPERM'].includes(systemCodeOf(error) ?? '')) throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  if (!hasModes) return
  await using folder = await open(onDisk(path), 'r')
  await folder.sync()
}

const namedDisk: Disk = { ...realDisk, rename: (from, to) => rename(onDisk(from), onDisk(to)), syncFolder }

/** A folder whose owner took the right to write from himself has it for a moment. @returns its mode then; null: nothing to give */
async function makeWritable(path: string): Promise<number | null> {
  const stats = await lstat(onDisk(path))
  if (!stats.isDirectory() || (stats.mode & 0o200) !== 0 || stats.uid !== process.geteuid?.()) return null
  await chmod(onDisk(path), (stats.mode & 0o7777) | 0o200)
  return stats.mode & 0o7777
}

/** Linux moves a folder only if one may write to it, since its `..` changes, and to both that it is in. Killed in between, it may be written to. */
async function renameAnyway(from: string, to: string): Promise<void> {
  if (!hasModes) return renameDurable(from, to, namedDisk)
  const given: (readonly [path: string, mode: number])[] = []
  const give = async (path: string, later = path): Promise<void> => {
    const mode = await makeWritable(path)
    if (mode !== null) given.push([later, mode])
  }
  await give(dirname(from))
  await give(dirname(to))
  await give(from, to)
  try {
    await renameDurable(from, to, namedDisk)
  } catch (error) {
    // It stays where it was, and as it was.
    for (const [path, mode] of given) await chmod(onDisk(path === to ? from : path), mode)
    throw error
  }
  for (const [path, mode] of given) await chmod(onDisk(path), mode)
}

export const realTreeDisk: TreeDisk = {
  makeFolder: async path => {
    await mkdir(onDisk(path), { recursive: true, mode: 0o700 })
  },
  copyFile: (from, to) => copyFile(onDisk(from), onDisk(to), constants.COPYFILE_FICLONE),
  link: (target, path) => symlink(onDisk(target), onDisk(path)),
  setTimes: (path, atime, mtime) => utimes(onDisk(path), atime, mtime),
  setMode: (path, mode) => chmod(onDisk(path), mode),
  syncFile,
  syncFolder,
  rename: renameAnyway,
  removeEmpty: path => rmdir(onDisk(path)),
  removeTree: path => removeTree(onDisk(path)),
  write: (path, bytes) => writeDurable(path, bytes),
}

/** Does the work; a full disk becomes DISK_FULL. */
export async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause
    throw new ShoalError('DISK_FULL', `${what}: no space is left on the disk (${code})`, { cause })
  }
}
