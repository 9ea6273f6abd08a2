/**
 * The package files of a node: `<digest>.zip`, `<digest>.blockmap` beside it, `<digest>.part` while it is fetched. A zip is here only
 * if its bytes were hashed; whether its release is signed is the caller's business.
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Blockmap, type Digest, maxHeldPackages, parseDigest, ShoalError, systemCodeOf } from '../model/index.ts'
import { freeBytes, isDiskFull, removeTree, renameDurable, writeDurable } from '../slots/index.ts'
import { formatBlockmap } from './blockmap.ts'
import { packageLimits, spaceCheckBytes } from './limits.ts'
import { PartFile } from './part-file.ts'
import type { Inspected } from './thread-jobs.ts'
import { inspectPackage } from './unpack.ts'

export interface StorePlaces {
  /** instance/packages */
  readonly dir: string
  /** instance/inbox, on the same file system */
  readonly inbox: string
  /** Bytes of the disk that stay free whatever comes. */
  readonly reserveBytes: number
}

export interface ReceiveOptions {
  /** What the sender, or a release, says that the digest is. */
  readonly expect?: Digest
  readonly maxBytes?: number
  /** Content-Length, if there is one: space is looked at before the first byte. */
  readonly announcedBytes?: number
  readonly signal?: AbortSignal
}

export class PackageStore {
  readonly #places: StorePlaces
  /** Whole packages and their sizes in bytes. */
  readonly #packages = new Map<Digest, number>()
  readonly #parts = new Map<Digest, PartFile>()
  /** Files of the inbox that are being written, and the announced bytes of each that are still to come. */
  readonly #uploads = new Map<string, number>()

  private constructor(places: StorePlaces) {
    this.#places = places
  }

  /** Makes the folders if need be and removes what killed uploads left. Parts stay: they are resumed or removed by name. */
  static async open(places: StorePlaces): Promise<PackageStore> {
    const store = new PackageStore(places)
    await mkdir(places.dir, { recursive: true })
    await mkdir(places.inbox, { recursive: true })
    for (const name of await readdir(places.inbox)) if (name.startsWith(uploadPrefix)) await removeTree(join(places.inbox, name))
    for (const name of await readdir(places.dir)) {
      if (name.endsWith('.tmp')) await removeTree(join(places.dir, name))
      const [, digest] = /^([0-9a-f]{64})\.zip$/.exec(name) ?? []
      if (digest !== undefined) store.#packages.set(parseDigest(digest), (await stat(join(places.dir, name))).size)
    }
    return store
  }

  has(digest: Digest): boolean {
    return this.#packages.has(digest)
  }

  list(): readonly Digest[] {
    return [...this.#packages.keys()].toSorted()
  }

  /** Bytes of a whole package, or null. */
  size(digest: Digest): number | null {
    return this.#packages.get(digest) ?? null
  }

  /** Where the zip is, or would be. */
  path(digest: Digest): string {
    return join(this.#places.dir, `${digest}.zip`)
  }

  /** Text of the blockmap, or null. It is known before the package is whole. */
  async blockmap(digest: Digest): Promise<string | null> {
    try {
      return await readFile(this.#blockmapPath(digest), 'utf8')
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return null
      throw error
    }
  }

  async putBlockmap(digest: Digest, text: string): Promise<void> {
    await writeDurable(this.#blockmapPath(digest), text)
  }

  /**
   * Takes an upload: streamed into the inbox, hashed, judged with all contents, then adopted.
   * @throws ShoalError TOO_LARGE, DISK_FULL, DIGEST_MISMATCH, NOT_A_ZIP, PACKAGE_REJECTED; nothing of it stays then
   */
  async receive(stream: AsyncIterable<Uint8Array>, options: ReceiveOptions = {}): Promise<Inspected> {
    const name = `${uploadPrefix}${randomUUID()}`
    const temp = join(this.#places.inbox, name)
    this.#uploads.set(name, 0)
    try {
      const digest = await this.#stream(stream, name, options)
      if (options.expect !== undefined && options.expect !== digest) {
        throw new ShoalError('DIGEST_MISMATCH', `the upload's sha256 is ${digest}, expected ${options.expect}`)
      }
      const inspected = await inspectPackage(temp, { expect: digest, ...(options.signal === undefined ? {} : { signal: options.signal }) })
      await this.adopt(temp, digest, inspected.blockmapText)
      return inspected
    } finally {
      await removeTree(temp)
      this.#uploads.delete(name)
    }
  }

  /** What is being taken in: parts by their digest, uploads by their file's name. */
  underWay(): ReadonlySet<string> {
    return new Set([...this.#parts.keys(), ...this.#uploads.keys()])
  }

  /** Gives a verified and fsynced file its place. The blockmap comes first: a zip without one could not be served. */
  async adopt(file: string, digest: Digest, blockmapText: string): Promise<void> {
    await this.putBlockmap(digest, blockmapText)
    const { size } = await stat(file)
    await renameDurable(file, this.path(digest))
    this.#packages.set(digest, size)
  }

  /** Removes zip, blockmap and part. That they are not there is no error. */
  async remove(digest: Digest): Promise<void> {
    this.#packages.delete(digest)
    await this.closePart(digest)
    for (const path of [this.path(digest), this.#partPath(digest), this.#blockmapPath(digest)]) await removeTree(path)
  }

  /**
   * Opens the part of a package for one fetch at a time, with what earlier fetches left.
   * @throws ShoalError CONFLICT if it is open; DISK_FULL if what is missing does not fit beside the reserve
   */
  async openPart(digest: Digest, blockmap: Blockmap): Promise<PartFile> {
    if (this.#parts.has(digest)) throw new ShoalError('CONFLICT', `package ${digest} is being fetched already`)
    const part = await PartFile.open(this.#partPath(digest), blockmap)
    this.#parts.set(digest, part)
    try {
      const missing = blockmap.segments.reduce((sum, [, length], n) => sum + (part.isVerified(n) ? 0 : length), 0)
      await this.requireSpace(missing)
      return part
    } catch (error) {
      await this.closePart(digest)
      throw error
    }
  }

  /** The part that is being fetched, or null. */
  part(digest: Digest): PartFile | null {
    return this.#parts.get(digest) ?? null
  }

  /** Packages of which a part is on disk. */
  async parts(): Promise<readonly Digest[]> {
    const names = await readdir(this.#places.dir)
    return names.filter(name => /^[0-9a-f]{64}\.part$/.test(name)).map(name => parseDigest(name.slice(0, 64)))
  }

  async closePart(digest: Digest): Promise<void> {
    const part = this.#parts.get(digest)
    this.#parts.delete(digest)
    await part?.close()
  }

  /** Turns the open part into a package if the whole of it has the digest. @throws ShoalError DIGEST_MISMATCH; the part is gone then */
  async adoptPart(digest: Digest): Promise<void> {
    const part = this.#parts.get(digest)
    if (part === undefined) throw new ShoalError('NOT_FOUND', `package ${digest} is not being fetched`)
    const found = await part.digest()
    await this.closePart(digest)
    if (found === digest) return this.adopt(part.path, digest, formatBlockmap(part.blockmap))
    await this.remove(digest)
    throw new ShoalError('DIGEST_MISMATCH', `package: sha256 is ${found}, the release says ${digest}`)
  }

  /** What other uploads have announced is not free any more. @throws ShoalError DISK_FULL, with what is missing */
  async requireSpace(bytes: number): Promise<void> {
    const free = await freeBytes(this.#places.dir)
    const coming = this.#uploads.values().reduce((sum, each) => sum + each, 0)
    const lacking = bytes + coming + this.#places.reserveBytes - free
    if (lacking <= 0) return
    const others = coming === 0 ? '' : `, ${coming} that other uploads announced`
    const needs = `${bytes} bytes${others} and a reserve of ${this.#places.reserveBytes}`
    throw new ShoalError('DISK_FULL', `${needs} need ${lacking} bytes more than the ${free} that are free`)
  }

  /**
   * Whether all packages stay below a limit, and are few enough to be told of.
   * @param maxBytes 0: no limit
   * @throws ShoalError DISK_FULL, with what is missing
   */
  requireBelow(maxBytes: number, bytes: number): void {
    const used = this.#packages.values().reduce((sum, each) => sum + each, 0)
    const lacking = used + bytes - maxBytes
    if (maxBytes > 0 && lacking > 0) {
      const why = `packages take ${used} bytes of the ${maxBytes} that limits.packagesMb allows`
      throw new ShoalError('DISK_FULL', `${bytes} bytes more: ${why}; ${lacking} are missing`)
    }
    if (this.#packages.size >= maxHeldPackages)
      throw new ShoalError('DISK_FULL', `${this.#packages.size} packages lie here, at most ${maxHeldPackages} are kept`)
  }

  async #stream(stream: AsyncIterable<Uint8Array>, name: string, options: ReceiveOptions): Promise<Digest> {
    const { maxBytes = packageLimits.maxBytes, announcedBytes = 0, signal } = options
    if (announcedBytes > maxBytes) throw new ShoalError('TOO_LARGE', `${announcedBytes} bytes, at most ${maxBytes}`)
    await this.requireSpace(announcedBytes)
    this.#uploads.set(name, announcedBytes)
    await using file = await open(join(this.#places.inbox, name), 'wx', 0o600)
    const hash = createHash('sha256')
    let size = 0
    let checkAt = spaceCheckBytes
    for await (const chunk of stream) {
      signal?.throwIfAborted()
      size += chunk.length
      if (size > maxBytes) throw new ShoalError('TOO_LARGE', `more than ${maxBytes} bytes`)
      this.#uploads.set(name, Math.max(0, announcedBytes - size))
      if (size >= checkAt) {
        await this.requireSpace(0)
        checkAt = size + spaceCheckBytes
      }
      hash.update(chunk)
      await writeOrFull(file, chunk)
    }
    await file.sync()
    return parseDigest(hash.digest('hex'))
  }

  #blockmapPath(digest: Digest): string {
    return join(this.#places.dir, `${digest}.blockmap`)
  }

  #partPath(digest: Digest): string {
    return join(this.#places.dir, `${digest}.part`)
  }
}

const uploadPrefix = 'upload-'

async function writeOrFull(file: { writeFile(bytes: Uint8Array): Promise<void> }, chunk: Uint8Array): Promise<void> {
  try {
    await file.writeFile(chunk)
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause
    throw new ShoalError('DISK_FULL', `the upload does not fit: no space is left on the disk (${systemCodeOf(cause)})`, { cause })
  }
}
