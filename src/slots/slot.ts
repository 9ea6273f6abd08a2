/** What stands in a slot's folder: its manifest, its entry, its Node.js. And how a slot goes. */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type Current, type Digest, type Manifest, messageOf, parseJson, parseManifest, ShoalError, systemCodeOf } from '../model/index.ts'
import { removeTree, renameDurable } from './durable.ts'
import { homePaths } from './paths.ts'
import { isWindows } from './platform.ts'
import { readCurrent } from './pointer.ts'

export const slotDir = (home: string, digest: Digest): string => join(homePaths(home).slots, digest)

/** @throws ShoalError HOME_DAMAGED if shoal.json is missing or cannot be parsed */
export function readSlotManifest(dir: string): Manifest {
  const path = join(dir, 'shoal.json')
  try {
    return parseManifest(parseJson(readFileSync(path, 'utf8'), path))
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', `${path}: ${systemCodeOf(cause) ?? messageOf(cause)}`, { cause })
  }
}

/** The platform of this process as packages name it: `linux-x64`, `linuxmusl-x64`, `win32-x64`, `darwin-arm64`. */
export function thisPlatform(): string {
  return `${process.platform}${isMusl() ? 'musl' : ''}-${process.arch}`
}

/** Bytes of an ELF file in which its interpreter is named: the name follows the program headers, of which there are about ten. */
const elfHeadBytes = 4096

/** The first answer: the program's file may go while it runs. */
let knownMusl: boolean | null = null

function isMusl(): boolean {
  knownMusl ??= process.platform === 'linux' && isLinkedByMusl()
  return knownMusl
}

/**
 * By the dynamic linker that runs this process, whose name stands in the program's head; Node's own report of it costs 5 ms. A program that may be
 * run and not be read is taken for one of the usual kind.
 */
function isLinkedByMusl(): boolean {
  const head = Buffer.alloc(elfHeadBytes)
  try {
    const file = openSync(process.execPath, 'r')
    try {
      readSync(file, head, 0, elfHeadBytes, 0)
    } finally {
      closeSync(file)
    }
  } catch {
    return false
  }
  return head.includes('/ld-musl-')
}

/** Name of the npm package that carries Node.js for this machine. */
export const nodePackageName = (): string => `node-${isWindows ? 'win' : process.platform}-${process.arch}`
const nodeFile = isWindows ? 'node.exe' : 'node'

/** The Node.js that a slot or a checkout brings along for this machine; null: none. */
export function nodeBinaryOf(dir: string): string | null {
  const places = [join(dir, 'bin', nodeFile), join(dir, 'node_modules', nodePackageName(), 'bin', nodeFile)]
  return places.find(path => existsSync(path)) ?? null
}

/** The module that loader and supervisor start: source, or compiled as it is shipped. null: not a slot of kind `shoal`. */
export function entryOf(dir: string): string | null {
  return [join(dir, 'src', 'entry.ts'), join(dir, 'src', 'entry.js')].find(path => existsSync(path)) ?? null
}

/** What current.json names may not go, whoever asks. */
const isNamed = (c: Current | null, name: string): boolean =>
  [c?.app, c?.shoal, c?.previous?.app, c?.previous?.shoal, c?.supervisor, c?.builtIn].some(digest => digest === name)

/**
 * Removes one slot, or what is left of one that was half made. It leaves under another name first, so that no half of one ever has its digest.
 * @throws ShoalError CONFLICT if current.json names it; the system's error for what Windows holds open, which goes next time
 */
export async function removeSlot(home: string, name: string): Promise<void> {
  if (isNamed(readCurrent(home), name)) throw new ShoalError('CONFLICT', `slot ${name} is in use`)
  const { slots } = homePaths(home)
  if (name.startsWith('.')) return removeTree(join(slots, name))
  const leaving = join(slots, `.gone-${name}`)
  await removeTree(leaving)
  await renameDurable(join(slots, name), leaving)
  await removeTree(leaving)
}
