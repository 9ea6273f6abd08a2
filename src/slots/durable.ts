/**
 * Durable writes: beside, fsync, rename, fsync the folder. After a power cut a file is the old one or the new one, never a part.
 * On Windows a rename over a file that somebody has open fails (EPERM, EBUSY, EACCES): it is tried again. A full disk is DISK_FULL.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, lstat, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ShoalError, systemCodeOf } from '../model/index.ts'
import { renameRetryMs } from './limits.ts'
import { hasFolderSync, hasModes, isDiskFull, isHeldOpen } from './platform.ts'

/** What a durable write asks of the disk; tests give one that fails. */
export interface Disk {
  /** Makes a new file and fsyncs it. */
  readonly writeNew: (path: string, bytes: string | Uint8Array, mode: number) => Promise<void>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly syncFolder: (path: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
  readonly wait: (ms: number) => Promise<unknown>
}

/** The same, for the supervisor, whose next step must not be taken before the write is done. */
export interface DiskSync {
  readonly writeNew: (path: string, bytes: string | Uint8Array, mode: number) => void
  readonly rename: (from: string, to: string) => void
  readonly syncFolder: (path: string) => void
  readonly remove: (path: string) => void
  readonly wait: (ms: number) => void
}

export const realDisk: Disk = {
  writeNew: async (path, bytes, mode) => {
    await using file = await open(path, 'wx', mode)
    await file.writeFile(bytes)
    await file.sync()
  },
  rename,
  syncFolder: async path => {
    if (!hasFolderSync) return
    await using folder = await open(path, 'r')
    await folder.sync()
  },
  remove: path => rm(path, { force: true }),
  wait,
}

const withFile = (path: string, flags: string, mode: number, use: (fd: number) => void): void => {
  const fd = openSync(path, flags, mode)
  try {
    use(fd)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

export const realDiskSync: DiskSync = {
  writeNew: (path, bytes, mode) => withFile(path, 'wx', mode, fd => writeFileSync(fd, bytes)),
  rename: renameSync,
  syncFolder: path => {
    if (hasFolderSync) withFile(path, 'r', 0, () => undefined)
  },
  remove: path => rmSync(path, { force: true }),
  wait: ms => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
}

const besideOf = (path: string): string => `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`

function explained(error: unknown, path: string): unknown {
  if (!isDiskFull(error)) return error
  return new ShoalError('DISK_FULL', `${path}: cannot be written, no space is left on the disk (${systemCodeOf(error)})`, { cause: error })
}

/** Renames a file or folder and fsyncs the folder that it is in then. Tries for 2 s while the old one is held open. */
export async function renameDurable(from: string, to: string, disk: Disk = realDisk): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await disk.rename(from, to)
      break
    } catch (error) {
      const ms = renameRetryMs[tries]
      if (ms === undefined || !isHeldOpen(error)) throw explained(error, to)
      await disk.wait(ms)
    }
  }
  await disk.syncFolder(dirname(to))
}

/**
 * Replaces a file whole, or makes it. `mode` counts only for the new file, which takes the place of the old one.
 * @throws ShoalError DISK_FULL; the old file is untouched then
 */
export async function writeDurable(path: string, bytes: string | Uint8Array, mode = 0o644, disk: Disk = realDisk): Promise<void> {
  const beside = besideOf(path)
  try {
    await disk.writeNew(beside, bytes, mode)
    await renameDurable(beside, path, disk)
  } catch (error) {
    await disk.remove(beside).catch(() => undefined) // the first error is the one to tell
    throw explained(error, path)
  }
}

/** Like renameDurable, and done when it returns. Blocks meanwhile, for 2 s while somebody holds the old file open. */
export function renameDurableSync(from: string, to: string, disk: DiskSync = realDiskSync): void {
  for (let tries = 0; ; tries++) {
    try {
      disk.rename(from, to)
      break
    } catch (error) {
      const ms = renameRetryMs[tries]
      if (ms === undefined || !isHeldOpen(error)) throw explained(error, to)
      disk.wait(ms)
    }
  }
  disk.syncFolder(dirname(to))
}

/** Like writeDurable, and done when it returns. Blocks the event loop: for small files of processes that serve nobody. */
export function writeDurableSync(path: string, bytes: string | Uint8Array, mode = 0o644, disk: DiskSync = realDiskSync): void {
  const beside = besideOf(path)
  try {
    disk.writeNew(beside, bytes, mode)
    renameDurableSync(beside, path, disk)
  } catch (error) {
    try {
      disk.remove(beside)
    } catch {
      // The first error is the one to tell.
    }
    throw explained(error, path)
  }
}

/**
 * Makes a folder, and those above it that are missing. Its name is on the disk when this returns, also where an earlier try made it and died: what is
 * written durably below a folder that a power cut takes away is gone with it.
 */
export function makeFolderSync(path: string, mode = 0o777, syncFolder: DiskSync['syncFolder'] = realDiskSync.syncFolder): void {
  const first = mkdirSync(path, { recursive: true, mode })
  for (let made = path; ; made = dirname(made)) {
    try {
      syncFolder(dirname(made))
    } catch (error) {
      // Of a folder that is none of ours nothing can be asked but to be passed through.
      if (systemCodeOf(error) !== 'EACCES' && systemCodeOf(error) !== 'EPERM') throw explained(error, path)
    }
    if (first === undefined || made === first || made === dirname(made)) return
  }
}

/**
 * Removes a file or a whole folder; that it is not there is no error. Tries again while Windows holds something of it open. Folders in it that their
 * owner may not write to are no reason to keep it: they are made writable.
 */
export async function removeTree(path: string | Buffer): Promise<void> {
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  try {
    await remove()
  } catch (error) {
    if (!hasModes || !['EACCES', 'EPERM'].includes(systemCodeOf(error) ?? '')) throw error
    await makeWritable(typeof path === 'string' ? Buffer.from(path) : path)
    await remove()
  }
}

/** All folders of a tree, as far as they are ours. Names are bytes: not every name is text. */
async function makeWritable(root: Buffer): Promise<void> {
  const folders = [root]
  for (const folder of folders) {
    const stats = await lstat(folder).catch(() => null)
    if (stats?.isDirectory() !== true) continue
    await chmod(folder, (stats.mode & 0o7777) | 0o700).catch(() => undefined) // what is not ours, the removal names
    const names = await readdir(folder, { encoding: 'buffer' }).catch(() => [])
    for (const name of names) folders.push(Buffer.concat([folder, Buffer.from('/'), name]))
  }
}

/** Bytes that this process may still write to the disk that holds `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
