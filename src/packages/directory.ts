/**
 * A zip's directory tells nothing that the records before each file do not, but for the modes. So who has all files can make it instead
 * of fetching it: it is larger than what changes between two releases. A mode that is guessed wrong shows in the segment's hash.
 */
import * as zip from './zip-format.ts'

/** Reads `length` bytes at `offset`; fewer at the end. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>

/** Where the directory begins and ends, from the end record of a judged or signed zip; null if these bytes are none. */
export function directoryPlace(end: Uint8Array): { readonly offset: number; readonly size: number } | null {
  const record = Buffer.from(end.buffer, end.byteOffset, end.byteLength)
  if (record.length !== zip.endBytes || record.readUInt32LE(0) !== zip.endSignature) return null
  return { size: record.readUInt32LE(12), offset: record.readUInt32LE(16) }
}

/** Modes by path, as a zip's directory tells them. */
export async function modesOf(readAt: ReadAt, size: number): Promise<ReadonlyMap<string, zip.Mode>> {
  const modes = new Map<string, zip.Mode>()
  const place = directoryPlace(await readAt(size - zip.endBytes, zip.endBytes))
  if (place === null) return modes
  const directory = await readAt(place.offset, place.size)
  for (let at = 0; at + zip.centralBytes <= directory.length; ) {
    const nameBytes = directory.readUInt16LE(at + 28)
    const path = directory.toString('utf8', at + zip.centralBytes, at + zip.centralBytes + nameBytes)
    modes.set(path, ((directory.readUInt32LE(at + 38) >>> 16) & 0o111) === 0 ? 0o644 : 0o755)
    at += zip.centralBytes + nameBytes
  }
  return modes
}

/** What a zip's directory tells of an unpacked file. */
export interface FileMark {
  readonly size: number
  readonly crc: number
}

/** Sizes and checksums of the unpacked files by path; null if these bytes have no directory. */
export async function marksOf(readAt: ReadAt, size: number): Promise<ReadonlyMap<string, FileMark> | null> {
  const place = size < zip.endBytes ? null : directoryPlace(await readAt(size - zip.endBytes, zip.endBytes))
  if (place === null || place.offset + place.size + zip.endBytes !== size) return null
  const directory = await readAt(place.offset, place.size)
  const marks = new Map<string, FileMark>()
  for (let at = 0; at + zip.centralBytes <= directory.length; ) {
    const nameBytes = directory.readUInt16LE(at + 28)
    const path = directory.toString('utf8', at + zip.centralBytes, at + zip.centralBytes + nameBytes)
    marks.set(path, { crc: directory.readUInt32LE(at + 16), size: directory.readUInt32LE(at + 24) })
    at += zip.centralBytes + nameBytes
  }
  return marks
}

/** The directory of the files that stand before `directoryOffset`, or as much of it as they make sense. */
export async function rebuildDirectory(readAt: ReadAt, directoryOffset: number, modeOf: (path: string) => zip.Mode): Promise<Buffer> {
  const records: Buffer[] = []
  let from = 0
  let held = await readAt(0, windowBytes)
  for (let at = 0; at + zip.localBytes <= directoryOffset; ) {
    if (at + maxRecordBytes > from + held.length) {
      from = at
      held = await readAt(from, windowBytes)
    }
    const entry = localEntry(held, at - from, modeOf)
    if (entry === null) break
    records.push(zip.centralRecord(entry, at))
    at += zip.localBytes + Buffer.byteLength(entry.path) + entry.compressedSize
  }
  return Buffer.concat(records)
}

const windowBytes = 64 << 10
const maxRecordBytes = 4 << 10

function localEntry(bytes: Buffer, at: number, modeOf: (path: string) => zip.Mode): zip.ZipEntry | null {
  if (at + zip.localBytes > bytes.length || bytes.readUInt32LE(at) !== zip.localSignature) return null
  const nameBytes = bytes.readUInt16LE(at + 26)
  const path = bytes.toString('utf8', at + zip.localBytes, at + zip.localBytes + nameBytes)
  return {
    path,
    mode: modeOf(path),
    method: bytes.readUInt16LE(at + 8) === 0 ? 0 : 8,
    flags: bytes.readUInt16LE(at + 6),
    crc: bytes.readUInt32LE(at + 14),
    compressedSize: bytes.readUInt32LE(at + 18),
    size: bytes.readUInt32LE(at + 22),
  }
}
