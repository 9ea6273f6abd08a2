/** What this room changes on the disk, and nothing more: tests give one that dies or is full at any of these. */
import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, open, rmdir, symlink, utimes } from 'node:fs/promises'
import { ShoalError, systemCodeOf } from '../model/index.ts'
import { realDisk, removeTree, renameDurable, syncFlags, writeDurable } from '../slots/index.ts'

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
  /** Durable for the folder that it comes to. @throws the system's EXDEV from disk to disk */
  readonly rename: (from: string, to: string) => Promise<void>
  readonly removeEmpty: (path: string) => Promise<void>
  readonly removeTree: (path: string) => Promise<void>
  /** Replaces a file durably. */
  readonly write: (path: string, text: string) => Promise<void>
}

async function syncFile(path: string): Promise<void> {
  try {
    await using file = await open(path, syncFlags)
    await file.sync()
  } catch (error) {
    // What this process may not open, it has not written either.
    if (!['EACCES', 'EPERM'].includes(systemCodeOf(error) ?? '')) throw error
  }
}

export const realTreeDisk: TreeDisk = {
  makeFolder: async path => {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  copyFile: (from, to) => copyFile(from, to, constants.COPYFILE_FICLONE),
  link: symlink,
  setTimes: utimes,
  setMode: chmod,
  syncFile,
  syncFolder: realDisk.syncFolder,
  rename: (from, to) => renameDurable(from, to),
  removeEmpty: rmdir,
  removeTree,
  write: (path, text) => writeDurable(path, text),
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
