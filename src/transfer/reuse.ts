/** What a node has already: segments of other packages on disk, and the directory that follows from the files. Hashes decide, as for peers. */
import { type FileHandle, open } from 'node:fs/promises'
import { type Digest, parseBlockmap } from '../model/index.ts'
import { directoryPlace, modesOf, type PackageStore, type PartFile, rebuildDirectory } from '../packages/index.ts'
import { maxRequestBytes } from './limits.ts'

interface Source {
  readonly digest: Digest
  readonly offset: number
}

/** Copies what packages on disk have into the part. Returns bytes copied. */
export async function reuseSegments(part: PartFile, store: PackageStore, signal: AbortSignal): Promise<number> {
  const sources = await sourcesOf(store)
  await using files = new OpenFiles(store)
  let bytes = 0
  for (let first = 0; first < part.blockmap.segments.length; ) {
    signal.throwIfAborted()
    const run = runAt(part, sources, first)
    if (run !== null) bytes += await copy(part, first, run, files)
    first += run?.count ?? 1
  }
  return bytes
}

interface CopyRun {
  readonly source: Source
  readonly count: number
  readonly length: number
}

async function sourcesOf(store: PackageStore): Promise<ReadonlyMap<Digest, Source>> {
  const sources = new Map<Digest, Source>()
  for (const digest of store.list()) {
    const text = await store.blockmap(digest)
    for (const [offset, , sha256] of text === null ? [] : parseBlockmap(text).segments) sources.set(sha256, { digest, offset })
  }
  return sources
}

/** Missing segments from `first` on that stand one behind the other in one package. */
function runAt(part: PartFile, sources: ReadonlyMap<Digest, Source>, first: number): CopyRun | null {
  const { segments } = part.blockmap
  const source = segments[first] === undefined || part.isVerified(first) ? undefined : sources.get(segments[first][2])
  if (source === undefined) return null
  let length = 0
  let at = first
  for (; at < segments.length; at++) {
    const segment = segments[at]
    const found = segment === undefined || part.isVerified(at) ? undefined : sources.get(segment[2])
    if (segment === undefined || found === undefined) break
    if (found.digest !== source.digest || found.offset !== source.offset + length) break
    if (at > first && length + segment[1] > maxRequestBytes) break
    length += segment[1]
  }
  return { source, count: at - first, length }
}

async function copy(part: PartFile, first: number, { source, count, length }: CopyRun, files: OpenFiles): Promise<number> {
  const bytes = await files.read(source.digest, source.offset, length)
  const right = await part.write(first, bytes)
  if (right === count) return length
  // The disk gave other bytes than were verified once: these segments are fetched.
  return part.blockmap.segments.slice(first, first + right).reduce((sum, [, size]) => sum + size, 0)
}

class OpenFiles implements AsyncDisposable {
  readonly #store: PackageStore
  readonly #open = new Map<Digest, FileHandle>()

  constructor(store: PackageStore) {
    this.#store = store
  }

  async read(digest: Digest, offset: number, length: number): Promise<Buffer> {
    const file = this.#open.get(digest) ?? (await open(this.#store.path(digest), 'r'))
    this.#open.set(digest, file)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#open.values()) await file.close()
  }
}

/**
 * The first segment of the directory, once the part's last segment (the end record) is there; null if it cannot be told.
 */
export async function firstOfDirectory(part: PartFile): Promise<number | null> {
  const last = part.blockmap.segments.at(-1)
  if (last === undefined) return null
  const place = directoryPlace(await part.read(last[0], last[1]))
  const first = place === null ? -1 : part.blockmap.segments.findIndex(([offset]) => offset === place.offset)
  return first < 0 ? null : first
}

/** Makes the directory from the files before it; modes are those of the same paths in packages on disk. Returns bytes made. */
export async function makeDirectory(part: PartFile, store: PackageStore, first: number): Promise<number> {
  const start = part.blockmap.segments[first]?.[0] ?? 0
  const modes = new Map<string, 0o644 | 0o755>()
  await using files = new OpenFiles(store)
  for (const digest of store.list()) {
    const known = await modesOf((offset, length) => files.read(digest, offset, length), store.size(digest) ?? 0)
    for (const [path, mode] of known) modes.set(path, mode)
  }
  const directory = await rebuildDirectory(
    (offset, length) => part.read(offset, length),
    start,
    path => modes.get(path) ?? 0o644,
  )
  let made = 0
  for (const [n, [offset, length]] of part.blockmap.segments.entries()) {
    if (n < first || part.isVerified(n)) continue
    const bytes = directory.subarray(offset - start, offset - start + length)
    if (bytes.length === length && (await part.write(n, bytes)) === 1) made += length
  }
  return made
}
