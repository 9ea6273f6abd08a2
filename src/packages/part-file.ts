/**
 * A package that is being fetched: a sparse file of its full size and the knowledge which segments in it are right. What is known is
 * found out by hashing, never read from a note, so a cut at any moment costs at most the segments that were under way.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type Blockmap, type Digest, parseDigest, ShoalError } from '../model/index.ts'
import { isDiskFull } from '../slots/index.ts'
import { sha256Hex } from './blockmap.ts'

const chunkBytes = 1 << 20

export class PartFile {
  readonly path: string
  readonly blockmap: Blockmap
  readonly #file: FileHandle
  readonly #verified: Uint8Array

  private constructor(path: string, blockmap: Blockmap, file: FileHandle) {
    this.path = path
    this.blockmap = blockmap
    this.#file = file
    this.#verified = new Uint8Array(blockmap.segments.length)
  }

  /** Opens or makes the file and hashes what an earlier run left in it. */
  static async open(path: string, blockmap: Blockmap): Promise<PartFile> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    const part = new PartFile(path, blockmap, file)
    try {
      const { size } = await file.stat()
      await file.truncate(blockmap.size)
      if (size > 0) await part.#verifyAll(Math.min(size, blockmap.size))
      return part
    } catch (error) {
      await file.close()
      throw error
    }
  }

  isVerified(index: number): boolean {
    return this.#verified[index] === 1
  }

  get isComplete(): boolean {
    return !this.#verified.includes(0)
  }

  /** Whether every byte from `first` to `last`, both included, is in a verified segment. */
  covers(first: number, last: number): boolean {
    return this.blockmap.segments.every(([offset, length], n) => offset + length <= first || offset > last || this.isVerified(n))
  }

  /**
   * Writes whole neighbouring segments, the first of them `first`, up to the first one whose hash is wrong.
   * @returns how many were right; they are in the file
   * @throws ShoalError DISK_FULL
   */
  async write(first: number, bytes: Uint8Array): Promise<number> {
    let index = first
    let end = 0
    for (; end < bytes.length; index++) {
      const [, length, sha256] = this.#segment(index)
      if (end + length > bytes.length || sha256Hex(bytes.subarray(end, end + length)) !== sha256) break
      end += length
    }
    if (index > first) await this.#writeAt(this.#segment(first)[0], bytes.subarray(0, end))
    this.#verified.fill(1, first, index)
    return index - first
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    const { bytesRead } = await this.#file.read(bytes, 0, length, offset)
    return bytes.subarray(0, bytesRead)
  }

  /** Fsyncs, then hashes the whole file as it is on disk. */
  async digest(): Promise<Digest> {
    await this.#file.sync()
    const hash = createHash('sha256')
    for (let at = 0; at < this.blockmap.size; at += chunkBytes)
      hash.update(await this.read(at, Math.min(chunkBytes, this.blockmap.size - at)))
    return parseDigest(hash.digest('hex'))
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done)
        done += bytesWritten
      }
    } catch (cause) {
      if (!isDiskFull(cause)) throw cause
      throw new ShoalError('DISK_FULL', `${this.path}: no space left for ${bytes.length} bytes at ${offset}`, { cause })
    }
  }

  async #verifyAll(size: number): Promise<void> {
    let from = 0
    let held: Buffer = Buffer.alloc(0)
    for (const [n, [offset, length, sha256]] of this.blockmap.segments.entries()) {
      if (offset + length > size) return
      if (offset + length > from + held.length) {
        from = offset
        held = await this.read(from, Math.min(size - from, Math.max(chunkBytes, length)))
      }
      if (sha256Hex(held.subarray(offset - from, offset - from + length)) === sha256) this.#verified[n] = 1
    }
  }

  #segment(index: number): Blockmap['segments'][number] {
    const segment = this.blockmap.segments[index]
    if (segment === undefined) throw new RangeError(`segment ${index} of ${this.blockmap.segments.length}`)
    return segment
  }
}
