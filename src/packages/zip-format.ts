/**
 * The three records of a zip in the one form that a package has (APPNOTE 4.3.7, 4.3.12, 4.3.16): writer, judge and the rebuilding
 * of a directory share it. Fixed: version 2.0, made on Unix, UTF-8 names, time 1980-01-01 00:00:00, no extra fields, no comments.
 */
export const localBytes = 30
export const centralBytes = 46
export const endBytes = 22
export const localSignature = 0x04034b50
export const centralSignature = 0x02014b50
export const endSignature = 0x06054b50
export const zip64LocatorSignature = 0x07064b50

/** DOS date and time of every entry. */
export const fixedTime = 0
export const fixedDate = 0x0021
export const utf8Flag = 0x0800
const version = 20
/** Versions needed to extract that a file of a package may name: 1.0 is enough for what is stored, 2.0 is what the writer says. */
export const versions: readonly number[] = [10, version]
const unix = 3

export type Mode = 0o644 | 0o755
export type Method = 0 | 8

/** One file of a package as the zip tells it. */
export interface ZipEntry {
  readonly path: string
  readonly mode: Mode
  readonly method: Method
  readonly flags: number
  readonly crc: number
  readonly compressedSize: number
  readonly size: number
}

const shared = (record: Buffer, at: number, e: ZipEntry, name: Buffer): void => {
  record.writeUInt16LE(version, at)
  record.writeUInt16LE(e.flags, at + 2)
  record.writeUInt16LE(e.method, at + 4)
  record.writeUInt16LE(fixedTime, at + 6)
  record.writeUInt16LE(fixedDate, at + 8)
  record.writeUInt32LE(e.crc, at + 10)
  record.writeUInt32LE(e.compressedSize, at + 14)
  record.writeUInt32LE(e.size, at + 18)
  record.writeUInt16LE(name.length, at + 22)
}

export function localRecord(e: ZipEntry): Buffer {
  const name = Buffer.from(e.path)
  const record = Buffer.alloc(localBytes)
  record.writeUInt32LE(localSignature, 0)
  shared(record, 4, e, name)
  return Buffer.concat([record, name])
}

/** The directory's record of an entry whose local record begins at `offset`. */
export function centralRecord(e: ZipEntry, offset: number): Buffer {
  const name = Buffer.from(e.path)
  const record = Buffer.alloc(centralBytes)
  record.writeUInt32LE(centralSignature, 0)
  record.writeUInt16LE((unix << 8) | version, 4)
  shared(record, 6, e, name)
  record.writeUInt32LE(((0o100000 | e.mode) << 16) >>> 0, 38)
  record.writeUInt32LE(offset, 42)
  return Buffer.concat([record, name])
}

export function endRecord(count: number, directorySize: number, directoryOffset: number): Buffer {
  const record = Buffer.alloc(endBytes)
  record.writeUInt32LE(endSignature, 0)
  record.writeUInt16LE(count, 8)
  record.writeUInt16LE(count, 10)
  record.writeUInt32LE(directorySize, 12)
  record.writeUInt32LE(directoryOffset, 16)
  return record
}

/** Byte order of paths, as UTF-8. */
export const comparePaths = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** The name of the first entry. */
export const manifestPath = 'shoal.json'
