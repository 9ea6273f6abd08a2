/**
 * Whether the slots are what was signed. Before the app is loaded: the sizes of its files, and the checksums of one that is not large, by one
 * look at the package's directory: that finds what a disk did. While the node serves: every byte, in threads. What differs is unpacked again
 * from the package, beside, and takes the place of what was there, which is kept aside. Files that an app wrote beside the package's own stay.
 */
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { codeOf, type Digest, messageOf, ShoalError } from '../model/index.ts'
import { comparePackage, type Differences, extraFiles, type FileMark, marksOf, unpackPackage } from '../packages/index.ts'
import {
  entryOf,
  hasFileList,
  type HomePaths,
  readSlotManifest,
  removeTree,
  renameDurable,
  slotDir,
  verifySlotAside,
} from '../slots/index.ts'
import type { Log } from './log.ts'

/** An app up to so many bytes and files is read whole before it is loaded, some 50 ms; a larger one when the node serves. */
const checkedBytes = 32 << 20
const checkedFiles = 2000

/** Entries of a slot's folders that are looked at before it is loaded: an app may have written any number of files there. */
const checkedEntries = 10_000
/** Times that what differed of one slot is kept aside; then the last is replaced. */
const maxKept = 5

/** `no-package`: there is nothing to compare with; `bad-package`: the package itself is not what its name says. */
export type Wholeness = ({ readonly is: 'whole' | 'differs' } & Differences) | { readonly is: 'no-package' | 'bad-package' }

/** What was mended: paths in the slot, and where what stood there lies now. */
export interface Mended {
  readonly changed: readonly string[]
  readonly keptIn: string
}

/** `mended`: it differed and is whole again; `damaged`: it stays out. */
export type FirstLook = 'whole' | 'mended' | 'damaged'

/**
 * Looks at the app's slot before it is loaded, and mends it if its package is here.
 * @throws ShoalError SLOT_DAMAGED in a trial, which goes back then
 */
export async function mendIfDamaged(paths: HomePaths, digest: Digest, isTrial: boolean, log: Log): Promise<FirstLook> {
  const [zip, dir] = [join(paths.packages, `${digest}.zip`), slotDir(paths.home, digest)]
  const damage = await quickLook(zip, dir)
  if (damage === null) return 'whole'
  log('alarm', { alarm: 'slot damaged', digest, damage })
  try {
    log('slot mended', { digest, ...(await mendSlot(zip, dir, digest)) })
    return 'mended'
  } catch (error) {
    log('slot not mended', { digest, error: messageOf(error) })
    // What differs is the package, perhaps; it was compared when the slot was made, and is fetched again while the node serves.
    if (isBadPackage(error) && lacksEntry(dir) === null) return 'whole'
    if (isTrial) throw new ShoalError('SLOT_DAMAGED', `slot ${digest}: ${damage}; ${messageOf(error)}`, { cause: error })
    return 'damaged'
  }
}

/** What differs of an app's slot, or null. Without a package only the manifest and the entry can be asked for. */
async function quickLook(zip: string, dir: string): Promise<string | null> {
  const marks = await marksIn(zip)
  if (marks === null) return lacksEntry(dir)
  let bytes = 0
  for (const [path, { size }] of marks) {
    const found = lstatSync(join(dir, path), { throwIfNoEntry: false })
    if (found?.isFile() !== true) return `${path} is missing`
    if (found.size !== size) return `${path} has ${found.size} bytes, its package says ${size}`
    bytes += size
  }
  if (bytes > checkedBytes || marks.size > checkedFiles) return null
  for (const [path, { crc }] of marks)
    if (crc32(readFileSync(join(dir, path))) !== crc) return `${path} has another checksum than its package`
  return shadowIn(dir, marks)
}

/** A file that an app, or somebody, put in front of one of the package. */
function shadowIn(dir: string, marks: ReadonlyMap<string, FileMark>): string | null {
  const [shadowing] = extraFiles(dir, [...marks.keys()], checkedEntries).shadowing
  return shadowing === undefined ? null : `${shadowing} is not in the package, and would be found in the place of a file that is`
}

/** How the files of a slot were on the disk when it was loaded: what did not change since needs not be read again. */
export interface SlotState {
  readonly marks: ReadonlyMap<string, FileMark>
  readonly stats: ReadonlyMap<string, string>
}

/** null: there is no package to compare with. */
export async function slotState(paths: HomePaths, digest: Digest): Promise<SlotState | null> {
  const marks = await marksIn(join(paths.packages, `${digest}.zip`))
  if (marks === null) return null
  const dir = slotDir(paths.home, digest)
  return { marks, stats: new Map([...marks.keys()].map(path => [path, statOf(join(dir, path))])) }
}

/** Equal as long as nobody wrote to it. Times are only compared for being the same, so a clock that is set hides nothing. */
function statOf(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs}`
}

/** The file that the app changed, or put in front of another, since then: what differs from the package. null: none. */
export async function changedSince({ marks, stats }: SlotState, dir: string): Promise<string | null> {
  for (const [path, { size, crc }] of marks) {
    if (statOf(join(dir, path)) === stats.get(path)) continue
    const now = await readFile(join(dir, path)).catch(() => null)
    if (now === null) return `${path} is missing`
    if (now.length !== size || crc32(now) !== crc) return `${path} has another content than its package`
  }
  return shadowIn(dir, marks)
}

async function marksIn(zip: string): Promise<ReadonlyMap<string, FileMark> | null> {
  try {
    await using file = await open(zip, 'r')
    const { size } = await file.stat()
    return await marksOf(async (offset, length) => (await file.read(Buffer.alloc(length), 0, length, offset)).buffer, size)
  } catch {
    return null // None here, or none that can be read: `wholeness` says which.
  }
}

function lacksEntry(dir: string): string | null {
  try {
    const { entry } = readSlotManifest(dir)
    return lstatSync(join(dir, entry), { throwIfNoEntry: false })?.isFile() === true ? null : `${entry} is missing`
  } catch (error) {
    return messageOf(error)
  }
}

/** Compares every byte of a slot with its package. */
export async function wholeness(zip: string, dir: string, digest: Digest, signal: AbortSignal): Promise<Wholeness> {
  if (lstatSync(zip, { throwIfNoEntry: false }) === undefined) return { is: 'no-package' }
  if (lstatSync(dir, { throwIfNoEntry: false }) === undefined) return { is: 'differs', changed: ['.'], extra: [], extras: 0 }
  try {
    const differences = await comparePackage(zip, dir, digest, signal)
    return { is: differences.changed.length === 0 ? 'whole' : 'differs', ...differences }
  } catch (error) {
    signal.throwIfAborted()
    if (isBadPackage(error)) return { is: 'bad-package' }
    throw error
  }
}

const isBadPackage = (error: unknown): boolean => ['DIGEST_MISMATCH', 'NOT_A_ZIP', 'PACKAGE_REJECTED'].includes(codeOf(error))

/** What differs of a slot of kind `shoal` that has a file list; null: it has none. */
export async function listedProblems(home: string, digest: Digest, signal: AbortSignal): Promise<readonly string[] | null> {
  const dir = slotDir(home, digest)
  if (entryOf(dir) === null) return ['src/entry is missing']
  return hasFileList(dir) ? verifySlotAside(dir, signal) : null
}

/**
 * Unpacks the package afresh, and gives each file of it that the slot lacks or has otherwise its place. What stood there, and what would be found
 * in front of a file of the package, is kept aside: it may be an app's only copy. Cut in the middle a file is missing, which the next look sees.
 */
export async function mendSlot(zip: string, dir: string, digest: Digest, signal?: AbortSignal): Promise<Mended> {
  const fresh = join(dirname(dir), `.mended-${digest}`)
  await removeTree(fresh)
  await unpackPackage(zip, fresh, { expect: digest, ...(signal === undefined ? {} : { signal }) })
  const kept = await placeToKeep(dir)
  const changed = existsSync(dir) ? await differingFrom(fresh, dir, [...((await marksIn(zip))?.keys() ?? [])]) : null
  if (changed === null || !(await canBeMendedInside(dir, changed))) {
    if (lstatSync(dir, { throwIfNoEntry: false }) !== undefined) await renameDurable(dir, kept)
    await renameDurable(fresh, dir)
    return { changed: ['.'], keptIn: kept }
  }
  for (const path of changed) await putInPlace(path, { fresh, dir, kept })
  await removeTree(fresh)
  return { changed, keptIn: kept }
}

/** @param packaged paths of the package's files, which `fresh` has */
async function differingFrom(fresh: string, dir: string, packaged: readonly string[]): Promise<readonly string[]> {
  const changed: string[] = []
  for (const path of packaged) if (!(await isSameFile(join(fresh, path), join(dir, path)))) changed.push(path)
  return [...changed, ...extraFiles(dir, packaged).shadowing]
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const found = lstatSync(b, { throwIfNoEntry: false })
  if (found?.isFile() !== true || found.size !== lstatSync(a).size) return false
  return (await readFile(a)).equals(await readFile(b))
}

/** Where folders are what they should be. Else the whole slot is kept aside. */
async function canBeMendedInside(dir: string, changed: readonly string[]): Promise<boolean> {
  if (changed.some(path => lstatSync(join(dir, path), { throwIfNoEntry: false })?.isSymbolicLink() === true)) return false
  const folders = new Set(changed.map(path => dirname(join(dir, path))))
  try {
    for (const folder of folders) await mkdir(folder, { recursive: true })
  } catch {
    return false
  }
  return [...folders].every(folder => isInside(dir, folder))
}

/** No folder on the way is a link. */
const isInside = (dir: string, folder: string): boolean =>
  folder === dir || (lstatSync(folder).isDirectory() && isInside(dir, dirname(folder)))

interface Places {
  readonly fresh: string
  readonly dir: string
  readonly kept: string
}

async function putInPlace(path: string, { fresh, dir, kept }: Places): Promise<void> {
  if (lstatSync(join(dir, path), { throwIfNoEntry: false }) !== undefined) {
    await mkdir(dirname(join(kept, path)), { recursive: true })
    await renameDurable(join(dir, path), join(kept, path))
  }
  // What stood in front of a file of the package has none there.
  if (existsSync(join(fresh, path))) await renameDurable(join(fresh, path), join(dir, path))
}

/** Removed only when somebody says so (`shoal prune --all`). */
async function placeToKeep(dir: string): Promise<string> {
  const names = Array.from({ length: maxKept }, (_, n) => keptSlot(dir, n + 1))
  const free = names.find(name => !existsSync(name)) ?? keptSlot(dir, maxKept)
  await removeTree(free)
  return free
}

const keptSlot = (dir: string, n: number): string => join(dirname(dir), `.damaged-${basename(dir)}-${n}`)
