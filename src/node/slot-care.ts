/**
 * Whether the slots are what was signed. Before the app is loaded: the sizes of its files, and the checksums of one that is not large, by one
 * look at the package's directory: that finds what a disk did. While the node serves: every byte, in threads. A slot that differs is unpacked
 * again from its package, beside, and takes the old one's place.
 */
import { lstatSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { codeOf, type Digest, messageOf, ShoalError } from '../model/index.ts'
import { type FileMark, marksOf, unpackPackage } from '../packages/index.ts'
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

/** `no-package`: there is nothing to compare with; `bad-package`: the package itself is not what its name says. */
export type Wholeness = 'whole' | 'differs' | 'no-package' | 'bad-package'

/**
 * Looks at the app's slot before it is loaded, and mends it if its package is here.
 * @returns false: it is damaged and stays out
 * @throws ShoalError SLOT_DAMAGED in a trial, which goes back then
 */
export async function mendIfDamaged(paths: HomePaths, digest: Digest, isTrial: boolean, log: Log): Promise<boolean> {
  const [zip, dir] = [join(paths.packages, `${digest}.zip`), slotDir(paths.home, digest)]
  const damage = await quickLook(zip, dir)
  if (damage === null) return true
  log('alarm', { alarm: 'slot damaged', digest, damage })
  try {
    await mendSlot(zip, dir, digest)
    log('slot mended', { digest })
    return true
  } catch (error) {
    log('slot not mended', { digest, error: messageOf(error) })
    // What differs is the package, perhaps; it was compared when the slot was made, and is fetched again while the node serves.
    if (isBadPackage(error) && lacksEntry(dir) === null) return true
    if (isTrial) throw new ShoalError('SLOT_DAMAGED', `slot ${digest}: ${damage}; ${messageOf(error)}`, { cause: error })
    return false
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
  return null
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
  if (lstatSync(zip, { throwIfNoEntry: false }) === undefined) return 'no-package'
  if (lstatSync(dir, { throwIfNoEntry: false }) === undefined) return 'differs'
  try {
    await unpackPackage(zip, dir, { expect: digest, signal })
    return 'whole'
  } catch (error) {
    signal.throwIfAborted()
    if (codeOf(error) === 'CONFLICT') return 'differs'
    if (isBadPackage(error)) return 'bad-package'
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

/** Unpacks the package afresh and gives it the slot's place. Cut in the middle there is no slot, which the next look sees. */
export async function mendSlot(zip: string, dir: string, digest: Digest, signal?: AbortSignal): Promise<void> {
  const name = (what: string): string => join(dirname(dir), `.${what}-${digest}`)
  await removeTree(name('mended'))
  await unpackPackage(zip, name('mended'), { expect: digest, ...(signal === undefined ? {} : { signal }) })
  await removeTree(name('damaged'))
  if (lstatSync(dir, { throwIfNoEntry: false }) !== undefined) await renameDurable(dir, name('damaged'))
  await renameDurable(name('mended'), dir)
  await removeTree(name('damaged'))
}
