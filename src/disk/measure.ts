/** What a file or folder takes on the disk. What goes away while it is counted is left out. */
import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '../model/index.ts'
import { blockBytes } from './limits.ts'

export interface Named {
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly isFolder: boolean
  readonly changedMs: number
}

async function unlessGone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return null
    throw error
  }
}

/** A sparse file takes what was written of it; where the system does not tell blocks (Windows), its size. */
const bytesOf = ({ size, blocks }: Stats): number => (blocks > 0 ? blocks * blockBytes : size)

/** 0 if there is nothing. A link counts by itself and is not followed; what somebody else has closed to us (root's lost+found) as an empty folder. */
export async function usedBytes(path: string): Promise<number> {
  const stats = await unlessGone(lstat(path))
  if (stats === null) return 0
  if (!stats.isDirectory()) return bytesOf(stats)
  let sum = bytesOf(stats)
  for (const name of await namesIn(path)) sum += await usedBytes(join(path, name))
  return sum
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await unlessGone(readdir(folder))) ?? []
  } catch (error) {
    if (['EACCES', 'EPERM'].includes(systemCodeOf(error) ?? '')) return []
    throw error
  }
}

/** What is in a folder, by name; nothing if it is not there. @param isMeasured false: folders in it count as nothing */
export async function namedIn(folder: string, isMeasured = true): Promise<readonly Named[]> {
  const found: Named[] = []
  for (const name of ((await unlessGone(readdir(folder))) ?? []).toSorted()) {
    const path = join(folder, name)
    const stats = await unlessGone(lstat(path))
    if (stats === null) continue
    const bytes = stats.isDirectory() && !isMeasured ? 0 : await usedBytes(path)
    found.push({ name, path, bytes, isFolder: stats.isDirectory(), changedMs: stats.mtimeMs })
  }
  return found
}
