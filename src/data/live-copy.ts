/**
 * data/ copied while the app writes to it. Databases are copied by SQLite, each as it is at one moment; other files as they are found.
 * Never to be called in the process in which the app runs: opening and closing a database's file there would drop SQLite's locks on it.
 */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { TreeDisk } from './disk.ts'
import { onDisk } from './names.ts'
import { copyEntries, type Entry, followed, forEachAtOnce, list, unlessGone } from './tree.ts'

/** Copies a database that is in use. False: it is none that SQLite reads; nothing was copied then. */
export type CopyDatabase = (from: string, to: string) => Promise<boolean>

/** How a database file begins (SQLite's file format, section 1.3.1). */
const magic = Buffer.from('SQLite format 3\0')
/** What SQLite keeps beside a database: a copy of the database has all of it. */
const companions = ['-wal', '-shm', '-journal']

/** Copies data/ to a folder that is not there yet; on the disk when it returns. @throws ShoalError DB_LOCKED */
export async function copyLive(data: string, to: string, disk: TreeDisk, copyDatabase: CopyDatabase): Promise<void> {
  const from = (await followed(data)) ?? data
  const entries = await list(from)
  const databases = await databasesIn(from, entries)
  const isCompanion = ({ path }: Entry): boolean => companions.some(end => path.endsWith(end) && databases.has(path.slice(0, -end.length)))
  const plain = async (source: string, target: string): Promise<boolean> =>
    (await unlessGone(disk.copyFile(source, target).then(() => true))) ?? false
  const copyNamed: CopyDatabase = (source, target) =>
    (source + target).isWellFormed() ? copyDatabase(source, target) : copyAliased(source, target, to, disk, copyDatabase)
  await copyEntries(
    from,
    to,
    entries.filter(e => !isCompanion(e)),
    disk,
    async (source, target) =>
      databases.has(source.slice(from.length + 1)) && (await copyNamed(source, target)) ? true : plain(source, target),
  )
}

/** SQLite is given paths as text: for one that is none it has a link to the database, which it follows, and the copy gets its name afterwards. */
async function copyAliased(source: string, target: string, root: string, disk: TreeDisk, copyDatabase: CopyDatabase): Promise<boolean> {
  const folder = `${root}.${randomBytes(6).toString('hex')}`
  const [link, copy] = [join(folder, 'source'), join(folder, 'copy')]
  try {
    await disk.makeFolder(folder)
    await disk.link(source, link)
    if (!(await copyDatabase(link, copy))) return false
    await disk.rename(copy, target)
    return true
  } finally {
    await disk.removeTree(folder)
  }
}

async function databasesIn(root: string, entries: readonly Entry[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  await forEachAtOnce(
    entries.filter(e => e.stats.isFile() && e.stats.size >= magic.length),
    async ({ path }) => {
      if (await unlessGone(isDatabase(join(root, path)))) found.add(path)
    },
  )
  return found
}

/** SQLite databases under dataDir are known by their first bytes. */
async function isDatabase(path: string): Promise<boolean> {
  await using file = await open(onDisk(path), 'r')
  const head = Buffer.alloc(magic.length)
  await file.read(head, 0, magic.length, 0)
  return head.equals(magic)
}
