/**
 * Backups: backups/<id>/ holds data/, config.json, app.env and the node's identity, SHA256SUMS over all of it, and backup.json that says what it is.
 * One appears whole or not at all. node.db is never part of one: what the fleet knows comes from the fleet.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import {
  asInteger,
  asString,
  Fields,
  type FleetId,
  type NodeId,
  parseFleetId,
  parseJson,
  parseNodeId,
  ShoalError,
  systemCodeOf,
  messageOf,
} from '../model/index.ts'
import { freeBytes, type HomePaths } from '../slots/index.ts'
import { explained, type TreeDisk } from './disk.ts'
import { type Held, parseHeld } from './journal.ts'
import { maxHeadLength, maxProblems } from './limits.ts'
import { type CopyDatabase, copyLive } from './live-copy.ts'
import { bytesOf, nameOf } from './names.ts'
import { unfinishedPrefix } from './snapshot.ts'
import { differences, formatSums, parseSums, sha256OfFile, sumsOf } from './sums.ts'
import { copyTree, exists, followed, list, targetOf, treeBytes } from './tree.ts'

/** Of which node a backup is, and what ran there. */
export interface Origin {
  readonly node: NodeId
  readonly name: string
  readonly fleet: FleetId
  /** `name@version`, or null. */
  readonly app: string | null
  readonly held: Held | null
}

export interface Backup extends Origin {
  readonly id: string
  /** By this node's clock, for people. */
  readonly at: string
  readonly files: number
  readonly bytes: number
  /** Hash of SHA256SUMS. */
  readonly sums: string
  /** Symbolic links in it and what they point to. */
  readonly links: readonly (readonly [path: string, target: string])[]
}

export interface CreateOptions {
  readonly paths: HomePaths
  readonly id: string
  readonly origin: Origin
  readonly at: string
  /** How databases are copied that the app writes to; null: the node is stopped. */
  readonly copyDatabase: CopyDatabase | null
  readonly reserveBytes: number
  readonly disk: TreeDisk
}

const headName = 'backup.json'
const sumsName = 'SHA256SUMS'
/** What is copied beside data/, under which names; what is not there is left out. */
const besides = (paths: HomePaths): readonly (readonly [path: string, name: string])[] => [
  [paths.config, 'config.json'],
  [paths.appEnv, 'app.env'],
  [paths.nodeKey, 'identity/node.key'],
  [paths.nodePem, 'identity/node.pem'],
  [paths.caPem, 'identity/ca.pem'],
]

/** By time, so that names sort; random, so that no two are the same. */
export function backupId(now: Date): string {
  const [date = '', time = ''] = now
    .toISOString()
    .replaceAll(/[-:]|\..*/g, '')
    .split('T')
  return `${date}-${time}-${randomBytes(3).toString('hex')}`
}

export const backupDir = (paths: HomePaths, id: string): string => join(paths.backups, id)

/** On the disk when it returns; cut, it leaves something that the next start of the app removes. @throws ShoalError DISK_FULL, DB_LOCKED */
export function createBackup(o: CreateOptions): Promise<Backup> {
  const { paths, id, disk } = o
  return explained(`backup ${id}`, async () => {
    await disk.makeFolder(paths.backups)
    await requireSpace(paths, await treeBytes(paths.data), o.reserveBytes)
    const unfinished = join(paths.backups, `${unfinishedPrefix}${id}`)
    try {
      const backup = await fill(unfinished, o)
      await disk.rename(unfinished, backupDir(paths, id))
      await disk.syncFolder(dirname(paths.backups)) // it may be the first that is there
      return backup
    } catch (error) {
      await disk.removeTree(unfinished).catch(() => undefined) // the first error is the one to tell
      throw error
    }
  })
}

async function fill(dir: string, o: CreateOptions): Promise<Backup> {
  const { paths, disk, copyDatabase } = o
  await disk.makeFolder(join(dir, 'identity'))
  const data = join(dir, 'data')
  if (copyDatabase === null) await copyTree((await followed(paths.data)) ?? paths.data, data, disk)
  else await copyLive(paths.data, data, disk, copyDatabase)
  for (const [path, name] of besides(paths)) if (await exists(path)) await copyTree(path, join(dir, name), disk)
  const { sums, bytes } = await sumsOf(dir, [])
  await disk.write(join(dir, sumsName), bytesOf(formatSums(sums)))
  const sumsHash = await sha256OfFile(join(dir, sumsName))
  const { id, at, origin } = o
  const backup = { id, at, ...origin, files: sums.size, bytes, sums: sumsHash, links: await linksIn(dir) }
  await disk.write(join(dir, headName), `${JSON.stringify({ schema: 1, ...backup }, null, 2)}\n`)
  await disk.syncFolder(join(dir, 'identity'))
  await disk.syncFolder(dir)
  return backup
}

/** Compares a copy of a backup's data/ with its lists. @returns what differs @throws ShoalError BACKUP_DAMAGED */
export async function verifyCopy(paths: HomePaths, backup: Backup, copy: string): Promise<readonly string[]> {
  const path = join(backupDir(paths, backup.id), sumsName)
  const hash = await sha256OfFile(path).catch(() => 'missing')
  if (hash !== backup.sums) return [`${sumsName}: sha256 is ${hash}, ${headName} says ${backup.sums}`]
  const below = 'data/'
  const listed = [...parseSums(nameOf(await readFile(path)))].filter(([name]) => name.startsWith(below))
  const want = new Map(listed.map(([name, sum]) => [name.slice(below.length), sum]))
  return differences(want, (await sumsOf(copy, [])).sums).slice(0, maxProblems)
}

async function linksIn(dir: string): Promise<Backup['links']> {
  const links = (await list(dir)).filter(e => e.stats.isSymbolicLink())
  const read = links.map(async ({ path }) => [path.split(sep).join('/'), await targetOf(join(dir, path))] as const)
  return (await Promise.all(read)).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** @throws ShoalError DISK_FULL, with both values */
export async function requireSpace(paths: HomePaths, bytes: number, reserveBytes: number): Promise<void> {
  const free = await freeBytes(paths.backups)
  const needs = bytes + reserveBytes
  if (free >= needs) return
  const parts = `a copy of ${bytes} bytes and a reserve of ${reserveBytes}`
  throw new ShoalError('DISK_FULL', `${paths.backups}: has ${free} bytes free, needs ${needs} (${parts}): ${needs - free} are missing`)
}

/** null: the folder is no backup, but what a migration or a restore left. @throws ShoalError BACKUP_DAMAGED */
export async function readBackup(paths: HomePaths, id: string): Promise<Backup | null> {
  const path = join(backupDir(paths, id), headName)
  try {
    return parseBackup(parseJson(await readFile(path, 'utf8'), `${id}/${headName}`, maxHeadLength), id)
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT' || systemCodeOf(cause) === 'ENOTDIR') return null
    throw new ShoalError('BACKUP_DAMAGED', messageOf(cause), { cause })
  }
}

function parseBackup(value: unknown, id: string): Backup {
  const f = new Fields(value, `${id}/${headName}`)
  const link = (each: unknown, where: string): readonly [string, string] => {
    const [path, target] = Array.isArray(each) ? (each as readonly unknown[]) : []
    return [asString(path, where), asString(target, where)]
  }
  return {
    id,
    at: f.string('at', 40),
    node: f.get('node', parseNodeId),
    name: f.string('name', 64),
    fleet: f.get('fleet', parseFleetId),
    app: f.maybe('app', (v, w) => asString(v, w, 300), null),
    held: f.maybe('held', parseHeld, null),
    files: f.get('files', asInteger),
    bytes: f.get('bytes', asInteger),
    sums: f.string('sums', 64),
    links: f.list('links', link, 1_000_000),
  }
}

/**
 * Reads every byte of a backup again.
 * @returns what is not as it was made, one line each; none: it is whole
 * @throws ShoalError BACKUP_DAMAGED if its lists cannot be read
 */
export async function verifyBackup(paths: HomePaths, backup: Backup): Promise<readonly string[]> {
  const dir = backupDir(paths, backup.id)
  const path = join(dir, sumsName)
  const hash = await sha256OfFile(path).catch(() => 'missing')
  if (hash !== backup.sums) return [`${sumsName}: sha256 is ${hash}, ${headName} says ${backup.sums}`]
  const { sums } = await sumsOf(dir, [headName, sumsName])
  const links = await linksIn(dir)
  const asSums = (each: Backup['links']): ReadonlyMap<string, string> => new Map(each.map(([name, target]) => [name, `-> ${target}`]))
  const problems = [...differences(parseSums(nameOf(await readFile(path))), sums), ...differences(asSums(backup.links), asSums(links))]
  return problems.slice(0, maxProblems)
}
