/** Looks at what lies under a home and measures it. It judges nothing. */
import { realpath } from 'node:fs/promises'
import { type Kept, listKept } from '../data/index.ts'
import { freeBytes, type HomePaths } from '../slots/index.ts'
import { type Named, namedIn, usedBytes } from './measure.ts'

export interface Found {
  /** instance/packages: zips, blockmaps, parts. */
  readonly packages: readonly Named[]
  readonly slots: readonly Named[]
  readonly inbox: readonly Named[]
  /** Newest first. */
  readonly kept: readonly Kept[]
  readonly logs: readonly Named[]
  /** instance/ itself: node.db and what was put aside of it. */
  readonly instance: readonly Named[]
  readonly dataBytes: number
  readonly cacheBytes: number
  readonly freeBytes: number
}

/** Packages, slots and transfers, without the sizes of folders. */
export async function lookAtPackages(paths: HomePaths): Promise<Found> {
  return {
    packages: await namedIn(paths.packages),
    slots: await namedIn(paths.slots, false),
    inbox: await namedIn(paths.inbox),
    kept: [],
    logs: [],
    instance: [],
    dataBytes: 0,
    cacheBytes: 0,
    freeBytes: await freeBytes(paths.instance),
  }
}

export async function look(paths: HomePaths): Promise<Found> {
  // Only files: the folders of instance/ are looked at one by one.
  const top = (await namedIn(paths.instance, false)).filter(each => !each.isFolder)
  return {
    packages: await namedIn(paths.packages),
    slots: await namedIn(paths.slots),
    inbox: await namedIn(paths.inbox),
    kept: await listKept(paths),
    logs: await namedIn(paths.logs),
    instance: top,
    dataBytes: await usedBytes(await realpath(paths.data).catch(() => paths.data)),
    cacheBytes: await usedBytes(paths.cache),
    freeBytes: await freeBytes(paths.instance),
  }
}
