/**
 * The list of a built-in slot's files (files.json): path, mode, SHA-256. Its digest names the slot, as a zip's digest names a
 * package's, and the list shows later whether anybody touched the slot.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  asArray,
  asOneOf,
  asString,
  type Digest,
  Fields,
  messageOf,
  parseDigest,
  parseJson,
  ShoalError,
  systemCodeOf,
} from '../model/index.ts'
import { filesAtOnce, hashChunkBytes, maxFileListLength, wholeFileBytes } from './limits.ts'

export interface ListedFile {
  /** With `/`, below the slot. */
  readonly path: string
  readonly mode: '0644' | '0755'
  readonly sha256: Digest
}

export const fileListName = 'files.json'

/** A built-in slot has one; what a package was unpacked into has not. */
export const hasFileList = (dir: string): boolean => existsSync(join(dir, fileListName))

const inByteOrder = (a: ListedFile, b: ListedFile): number => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))

/** SHA-256 over path, mode and hash of every file, in byte order of path. */
export function digestOfFiles(files: readonly ListedFile[]): Digest {
  const hash = createHash('sha256')
  for (const f of files.toSorted(inByteOrder)) hash.update(`${f.path}\0${f.mode}\0${f.sha256}\n`)
  return parseDigest(hash.digest('hex'))
}

export const formatFileList = (files: readonly ListedFile[]): string =>
  `${JSON.stringify({ schema: 1, files: files.toSorted(inByteOrder).map(f => [f.path, f.mode, f.sha256]) }, null, 0)}\n`

export function parseFileList(value: unknown): readonly ListedFile[] {
  const file = (each: unknown, where: string): ListedFile => {
    const [path, mode, sha256] = asArray(each, where, 3)
    return { path: asString(path, where), mode: asOneOf(mode, where, ['0644', '0755']), sha256: parseDigest(sha256, where) }
  }
  return new Fields(value, fileListName).list('files', file, 100_000)
}

/** Runs `use` for each item, a few at once; the first error ends it. */
export async function forEachAtOnce<T>(items: readonly T[], use: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const lane = async (): Promise<void> => {
    for (const item of queue) await use(item)
  }
  await Promise.all(Array.from({ length: filesAtOnce }, lane))
}

export async function sha256Of(path: string, bytes: number): Promise<Digest> {
  const hash = createHash('sha256')
  if (bytes <= wholeFileBytes) hash.update(await readFile(path))
  else for await (const chunk of createReadStream(path, { highWaterMark: hashChunkBytes })) hash.update(chunk as Buffer)
  return parseDigest(hash.digest('hex'))
}

/** Paths of all files below a folder, with `/`; `enter` says which folders to look into. Symbolic links are left out. */
export async function walk(root: string, enter: (path: string) => boolean = () => true): Promise<readonly string[]> {
  const found: string[] = []
  const folders = ['']
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of await readdir(join(root, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (entry.isDirectory()) {
        if (enter(path)) folders.push(path)
      } else if (entry.isFile()) found.push(path)
    }
  }
  return found
}

/** Hashes files of a folder into list entries. Modes are reduced to what a package has. */
export async function listFiles(root: string, paths: readonly string[]): Promise<readonly ListedFile[]> {
  const files: ListedFile[] = []
  await forEachAtOnce(paths, async path => {
    const { mode, size } = await stat(join(root, path))
    files.push({ path, mode: (mode & 0o100) === 0 ? '0644' : '0755', sha256: await sha256Of(join(root, path), size) })
  })
  return files.toSorted(inByteOrder)
}

/**
 * Compares a built-in slot with its files.json, byte for byte.
 * @returns what differs, one line each; none: as installed
 * @throws ShoalError HOME_DAMAGED if the list itself cannot be read
 */
export async function verifySlot(dir: string): Promise<readonly string[]> {
  const listed = new Map((await readFileList(dir)).map(f => [f.path, f]))
  const present = (await walk(dir)).filter(path => path !== fileListName)
  const problems = present.filter(path => !listed.has(path)).map(path => `${path}: is not in ${fileListName}`)
  const kept = new Set(present)
  for (const path of listed.keys()) if (!kept.has(path)) problems.push(`${path}: is missing`)
  const known = present.filter(path => listed.has(path))
  for (const found of await listFiles(dir, known)) {
    const want = listed.get(found.path)
    if (want === undefined) continue
    if (want.sha256 !== found.sha256) problems.push(`${found.path}: sha256 is ${found.sha256}, ${fileListName} says ${want.sha256}`)
    else if (want.mode !== found.mode) problems.push(`${found.path}: mode is ${found.mode}, ${fileListName} says ${want.mode}`)
  }
  return problems
}

async function readFileList(dir: string): Promise<readonly ListedFile[]> {
  const path = join(dir, fileListName)
  try {
    return parseFileList(parseJson(await readFile(path, 'utf8'), path, maxFileListLength))
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', `${path}: ${systemCodeOf(cause) ?? messageOf(cause)}`, { cause })
  }
}
