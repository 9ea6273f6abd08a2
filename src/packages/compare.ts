/** Compares a slot with its package: which files are not as they were signed, and which are there beside them. */
import { lstatSync, opendirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JudgedEntry, JudgedPackage } from './judge.ts'
import { shadowingOf } from './shadowing.ts'

/** Extra files that are named; of the others only how many there are. */
const namedExtras = 20

export interface Differences {
  /** Paths in the slot: another content, missing, no file, or not in the package and found by Node.js in the place of one that is. */
  readonly changed: readonly string[]
  /** Files that are not in the package and change nothing: the first of them, and how many. */
  readonly extra: readonly string[]
  readonly extras: number
}

export function differencesOf(dir: string, judged: JudgedPackage, read: (entry: JudgedEntry) => Buffer): Differences {
  const differs = (entry: JudgedEntry): boolean => {
    const path = join(dir, entry.path)
    const stat = lstatSync(path, { throwIfNoEntry: false })
    return stat?.isFile() !== true || stat.size !== entry.size || !readFileSync(path).equals(read(entry))
  }
  const changed = judged.entries.filter(differs).map(({ path }) => path)
  const beside = extraFiles(
    dir,
    judged.entries.map(({ path }) => path),
  )
  return { changed: [...changed, ...beside.shadowing], extra: beside.extra, extras: beside.extras }
}

export interface ExtraFiles {
  /** Found by Node.js in the place of files of the package. */
  readonly shadowing: readonly string[]
  readonly extra: readonly string[]
  readonly extras: number
}

/** @param packaged paths of the package's files; @param atMost entries of folders that are looked at */
export function extraFiles(dir: string, packaged: readonly string[], atMost = Infinity): ExtraFiles {
  const known = new Set(packaged)
  const isShadowing = shadowingOf(packaged)
  const shadowing: string[] = []
  const extra: string[] = []
  let extras = 0
  let left = atMost
  for (const path of filesBelow(dir)) {
    if (left-- <= 0) break
    if (known.has(path)) continue
    if (isShadowing(path)) shadowing.push(path)
    else if (++extras <= namedExtras) extra.push(path)
  }
  return { shadowing, extra, extras }
}

/** Whatever is no folder, one name at a time: an app may have written a million. */
function* filesBelow(dir: string): Generator<string> {
  const folders = ['']
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    const folder = opendirSync(join(dir, at))
    try {
      for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
        const path = at === '' ? entry.name : `${at}/${entry.name}`
        if (entry.isDirectory()) folders.push(path)
        else yield path
      }
    } finally {
      folder.closeSync()
    }
  }
}
