/**
 * Judges what is inside the files of a package: each inflates to exactly its size, with its CRC, from all of its bytes. Bounded by the
 * sizes that the judge allowed; nothing is written.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { messageOf } from '../model/index.ts'
import type { JudgedEntry, JudgedPackage } from './judge.ts'
import { reject, shown } from './rules.ts'

/** @throws ShoalError PACKAGE_REJECTED, rule `contents` */
export function judgeContents(bytes: Uint8Array, judged: JudgedPackage): void {
  for (const entry of judged.entries) {
    const data = bytes.subarray(entry.dataOffset, entry.dataOffset + entry.compressedSize)
    judgeContent(entry, entry.method === 0 ? data : inflate(data, entry))
  }
}

/** @throws ShoalError PACKAGE_REJECTED if these are not the contents that the entry promises */
export function judgeContent(entry: JudgedEntry, contents: Uint8Array): void {
  if (contents.length !== entry.size) reject('contents', `${shown(entry.path)} has ${contents.length} bytes, said to be ${entry.size}`)
  const crc = crc32(contents)
  if (crc !== entry.crc) reject('contents', `${shown(entry.path)}: CRC is ${crc.toString(16)}, said to be ${entry.crc.toString(16)}`)
}

function inflate(data: Uint8Array, entry: JudgedEntry): Buffer {
  let used: number
  let contents: Buffer
  try {
    // With `info` zlib also gives its engine, which knows how many bytes it took: the types do not tell.
    const result = inflateRawSync(data, { maxOutputLength: Math.max(1, entry.size), info: true }) as unknown as {
      buffer: Buffer
      engine: { bytesWritten: number }
    }
    used = result.engine.bytesWritten
    contents = result.buffer
  } catch (cause) {
    return reject('contents', `${shown(entry.path)}: ${messageOf(cause)}`, cause)
  }
  if (used !== data.length) reject('contents', `${shown(entry.path)}: ${data.length - used} bytes are hidden behind its deflate stream`)
  return contents
}
