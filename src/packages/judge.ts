/**
 * Judges the bytes of a package before a byte of it is written anywhere: CONTRACT section 4, rule by rule. Pure and total: every
 * input gives a JudgedPackage or a ShoalError (NOT_A_ZIP, PACKAGE_REJECTED). It reads all three places where a zip tells of a file
 * and accepts only one layout of them, so no other tool can see other files than this one did. What is inside the files is judged in
 * contents.ts.
 */
import { inflateRawSync } from 'node:zlib'
import validRange from 'semver/ranges/valid.js'
import { type Manifest, messageOf, parseJson, parseManifest, ShoalError } from '../model/index.ts'
import { maxManifestBytes, packageLimits, type PackageLimits } from './limits.ts'
import { judgePath, PathBook } from './paths.ts'
import { reject, shown } from './rules.ts'
import * as zip from './zip-format.ts'

/** A file of a judged package; `offset` is its local record's, `dataOffset` its contents'. */
export interface JudgedEntry extends zip.ZipEntry {
  readonly offset: number
  readonly dataOffset: number
}

export interface JudgedPackage {
  readonly manifest: Manifest
  /** In the order of the zip; the first is shoal.json. */
  readonly entries: readonly JudgedEntry[]
  readonly directoryOffset: number
  /** Sum of the files' sizes in bytes. */
  readonly unpackedBytes: number
}

/** @throws ShoalError NOT_A_ZIP, or PACKAGE_REJECTED with the rule in its message */
export function judgePackage(bytes: Uint8Array, limits: PackageLimits = packageLimits): JudgedPackage {
  try {
    return judge(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits)
  } catch (cause) {
    if (cause instanceof ShoalError && (cause.code === 'NOT_A_ZIP' || cause.code === 'PACKAGE_REJECTED')) throw cause
    return reject('record', messageOf(cause), cause)
  }
}

function judge(bytes: Buffer, limits: PackageLimits): JudgedPackage {
  if (bytes.length > limits.maxBytes) reject('size', `${bytes.length} bytes, at most ${limits.maxBytes}`)
  const end = readEnd(bytes)
  if (end.count > limits.maxEntries) reject('count', `${end.count} entries, at most ${limits.maxEntries}`)
  const entries = readEntries(bytes, end)
  const unpackedBytes = judgeSizes(entries, bytes.length, limits)
  judgeNames(entries)
  const manifest = readManifest(bytes, entries[0])
  if (!entries.some(e => e.path === manifest.entry))
    reject('entry', `${shown(manifest.entry)} is the entry point, but there is no such file`)
  return { manifest, entries, directoryOffset: end.directoryOffset, unpackedBytes }
}

interface End {
  readonly count: number
  readonly directorySize: number
  readonly directoryOffset: number
}

function readEnd(bytes: Buffer): End {
  const at = findEnd(bytes)
  if (at + zip.endBytes !== bytes.length) {
    const declared = bytes.readUInt16LE(at + 20)
    if (at + zip.endBytes + declared === bytes.length) reject('comment', `the zip has a comment of ${declared} bytes`)
    reject('trailing-bytes', `${bytes.length - at - zip.endBytes} bytes after the end of the zip`)
  }
  if (bytes.readUInt16LE(at + 20) !== 0)
    reject('end-record', `a comment of ${bytes.readUInt16LE(at + 20)} bytes is announced, there is none`)
  if (at >= 20 && bytes.readUInt32LE(at - 20) === zip.zip64LocatorSignature) reject('zip64', 'the zip has a zip64 locator')
  const [disk, directoryDisk, here, count] = [4, 6, 8, 10].map(o => bytes.readUInt16LE(at + o)) as [number, number, number, number]
  const directorySize = bytes.readUInt32LE(at + 12)
  const directoryOffset = bytes.readUInt32LE(at + 16)
  if (count === 0xffff || here === 0xffff || directorySize === 0xffffffff || directoryOffset === 0xffffffff)
    reject('zip64', 'the end record points to zip64')
  if (disk !== 0 || directoryDisk !== 0 || here !== count)
    reject('end-record', `a zip of several disks (${disk}, ${directoryDisk}; ${here} of ${count} entries)`)
  if (directoryOffset + directorySize !== at) {
    reject('layout', `the directory is said to be at ${directoryOffset}, ${directorySize} bytes; the end record is at ${at}`)
  }
  return { count, directorySize, directoryOffset }
}

/** The last end record that may be meant: a comment of up to 65,535 bytes may follow it, or rubbish. */
function findEnd(bytes: Buffer): number {
  const lowest = Math.max(0, bytes.length - zip.endBytes - 0xffff)
  for (let at = bytes.length - zip.endBytes; at >= lowest; at--) {
    if (bytes[at] === 0x50 && bytes.readUInt32LE(at) === zip.endSignature) return at
  }
  throw new ShoalError('NOT_A_ZIP', `${bytes.length} bytes without the end record of a zip`)
}

/** Reads directory and local records side by side: the files stand one behind the other from byte 0 to the directory. */
function readEntries(bytes: Buffer, end: End): readonly JudgedEntry[] {
  const entries: JudgedEntry[] = []
  const directoryEnd = end.directoryOffset + end.directorySize
  let at = end.directoryOffset
  let next = 0
  for (let n = 0; n < end.count; n++) {
    if (at + zip.centralBytes > directoryEnd) reject('count', `${end.count} entries are announced, the directory has ${n}`)
    const record = readCentral(bytes, at, directoryEnd)
    if (record.offset !== next)
      reject('layout', `${shown(record.path)} is at ${record.offset}, where ${next} is due: overlap, gap or order`)
    const dataOffset = judgeLocal(bytes, at, record, end.directoryOffset)
    entries.push({ ...record, dataOffset })
    next = dataOffset + record.compressedSize
    at += zip.centralBytes + record.nameBytes
  }
  if (at !== directoryEnd) reject('count', `${end.count} entries are announced, ${directoryEnd - at} bytes of the directory are left over`)
  if (next !== end.directoryOffset) reject('layout', `the files end at ${next}, the directory begins at ${end.directoryOffset}`)
  return entries
}

interface CentralRecord extends zip.ZipEntry {
  readonly offset: number
  readonly nameBytes: number
}

function readCentral(bytes: Buffer, at: number, limit: number): CentralRecord {
  if (bytes.readUInt32LE(at) !== zip.centralSignature) reject('record', `no directory record at ${at}`)
  const nameBytes = bytes.readUInt16LE(at + 28)
  if (at + zip.centralBytes + nameBytes > limit) reject('record', `the directory record at ${at} goes beyond the directory`)
  const path = decodeName(bytes.subarray(at + zip.centralBytes, at + zip.centralBytes + nameBytes))
  judgeVersion(bytes.readUInt16LE(at + 6), path)
  const flags = judgeFlags(bytes.readUInt16LE(at + 8), path)
  const method = judgeMethod(bytes.readUInt16LE(at + 10), path)
  const [crc, compressedSize, size] = [16, 20, 24].map(o => bytes.readUInt32LE(at + o)) as [number, number, number]
  const offset = bytes.readUInt32LE(at + 42)
  if (compressedSize === 0xffffffff || size === 0xffffffff || offset === 0xffffffff) reject('zip64', `${shown(path)} points to zip64`)
  if (bytes.readUInt16LE(at + 12) !== zip.fixedTime || bytes.readUInt16LE(at + 14) !== zip.fixedDate) {
    reject('time', `${shown(path)} has another time than 1980-01-01 00:00:00`)
  }
  if (bytes.readUInt16LE(at + 30) !== 0)
    reject('extra-field', `${shown(path)} has ${bytes.readUInt16LE(at + 30)} bytes of extra fields in the directory`)
  if (bytes.readUInt16LE(at + 32) !== 0) reject('comment', `${shown(path)} has a comment`)
  if (bytes.readUInt16LE(at + 34) !== 0) reject('record', `${shown(path)} begins on disk ${bytes.readUInt16LE(at + 34)}`)
  if (method === 0 && compressedSize !== size)
    reject('stored-size', `${shown(path)} is stored: ${compressedSize} bytes, said to be ${size}`)
  return { path, mode: judgeMode(bytes, at, path), method, flags, crc, compressedSize, size, offset, nameBytes }
}

function decodeName(name: Buffer): string {
  const path = name.toString('utf8')
  if (!Buffer.from(path).equals(name)) reject('path-text', `${shown(path)} is not UTF-8`)
  return path
}

/** What else a reader must know (zip64, encryption, other methods) no package uses; whoever asks for it is not sure what it says. */
function judgeVersion(version: number, path: string): void {
  if (!zip.versions.includes(version))
    reject('version', `${shown(path)} needs version ${version} of the format, allowed are ${zip.versions.join(' and ')}`)
}

function judgeFlags(flags: number, path: string): number {
  if ((flags & 0x2041) !== 0) reject('encrypted', `${shown(path)} is encrypted`)
  if ((flags & 0x0008) !== 0) reject('descriptor', `${shown(path)} has a data descriptor`)
  if ((flags & ~zip.utf8Flag) !== 0) reject('flags', `${shown(path)} has flags 0x${flags.toString(16)}`)
  if (flags === 0 && Buffer.byteLength(path) !== path.length) reject('path-text', `${shown(path)} is not marked as UTF-8`)
  return flags
}

function judgeMethod(method: number, path: string): zip.Method {
  if (method !== 0 && method !== 8) reject('method', `${shown(path)} has compression method ${method}, allowed are 0 and 8`)
  return method
}

function judgeMode(bytes: Buffer, at: number, path: string): zip.Mode {
  const madeBy = bytes.readUInt8(at + 5)
  if (madeBy !== 3) reject('made-by', `${shown(path)} was made on system ${madeBy}, only 3 (Unix) tells modes`)
  const attributes = bytes.readUInt32LE(at + 38)
  const unixMode = attributes >>> 16
  if ((unixMode & 0o170000) !== 0o100000 || (attributes & 0xffff) !== 0 || path.endsWith('/')) {
    reject('file-kind', `${shown(path)} has mode ${unixMode.toString(8)}: only regular files are allowed, no folder, link or device`)
  }
  const mode = unixMode & 0o7777
  if (mode !== 0o644 && mode !== 0o755) reject('mode', `${shown(path)} has mode ${mode.toString(8)}, allowed are 644 and 755`)
  return mode
}

/** The local record says the same as the directory's at `central`. Returns where the contents begin. */
function judgeLocal(bytes: Buffer, central: number, e: CentralRecord, limit: number): number {
  const at = e.offset
  if (at + zip.localBytes + e.nameBytes > limit) reject('layout', `${shown(e.path)}: its record at ${at} is not before the directory`)
  if (bytes.readUInt32LE(at) !== zip.localSignature) reject('record', `${shown(e.path)}: no local record at ${at}`)
  judgeVersion(bytes.readUInt16LE(at + 4), e.path)
  // Flags to name length stand in the same order in both (APPNOTE 4.3.7, 4.3.12).
  const same = bytes.subarray(at + 6, at + 28).equals(bytes.subarray(central + 8, central + 30))
  const name = bytes.subarray(at + zip.localBytes, at + zip.localBytes + e.nameBytes)
  if (!same || !name.equals(bytes.subarray(central + zip.centralBytes, central + zip.centralBytes + e.nameBytes))) {
    reject('local-differs', `${shown(e.path)}: its local record says otherwise than the directory`)
  }
  if (bytes.readUInt16LE(at + 28) !== 0) reject('extra-field', `${shown(e.path)} has ${bytes.readUInt16LE(at + 28)} bytes of extra fields`)
  const dataOffset = at + zip.localBytes + e.nameBytes
  if (dataOffset + e.compressedSize > limit)
    reject('layout', `${shown(e.path)}: its contents go beyond ${limit}, where the directory begins`)
  return dataOffset
}

/** Bombs: what is declared is bounded here, and unpacking stops at what is declared. */
function judgeSizes(entries: readonly JudgedEntry[], zipBytes: number, limits: PackageLimits): number {
  let sum = 0
  for (const e of entries) {
    if (e.size > limits.maxFileBytes) reject('unpacked-size', `${shown(e.path)} would have ${e.size} bytes, at most ${limits.maxFileBytes}`)
    sum += e.size
  }
  if (sum > limits.maxUnpackedBytes) reject('unpacked-size', `${sum} bytes unpacked, at most ${limits.maxUnpackedBytes}`)
  if (sum > limits.freeBytes && sum > limits.maxRatio * zipBytes)
    reject('ratio', `${zipBytes} bytes would become ${sum}: more than ${limits.maxRatio} times as many`)
  return sum
}

function judgeNames(entries: readonly JudgedEntry[]): void {
  const book = new PathBook()
  if (entries[0]?.path !== zip.manifestPath) reject('first-entry', `the first entry is ${shown(entries[0]?.path ?? '')}, not shoal.json`)
  entries.forEach((e, n) => {
    judgePath(e.path)
    book.add(e.path)
    const before = n > 1 ? entries[n - 1] : undefined
    if (before !== undefined && zip.comparePaths(before.path, e.path) >= 0)
      reject('order', `${shown(e.path)} stands after ${shown(before.path)}`)
  })
}

function readManifest(bytes: Buffer, entry: JudgedEntry | undefined): Manifest {
  if (entry === undefined) return reject('first-entry', 'the zip is empty')
  if (entry.size > maxManifestBytes) reject('manifest', `shoal.json has ${entry.size} bytes, at most ${maxManifestBytes}`)
  try {
    const data = bytes.subarray(entry.dataOffset, entry.dataOffset + entry.compressedSize)
    const plain = entry.method === 0 ? data : inflateRawSync(data, { maxOutputLength: Math.max(1, entry.size) })
    const text = new TextDecoder('utf-8', { fatal: true }).decode(plain)
    const manifest = parseManifest(parseJson(text, 'shoal.json'))
    judgeEngines(manifest)
    return manifest
  } catch (cause) {
    return reject('manifest', messageOf(cause), cause)
  }
}

/** A range that nobody can read includes no Node.js: every node would refuse it, one by one. */
function judgeEngines({ engines: { node } }: Manifest): void {
  if (node !== undefined && validRange(node) === null) reject('manifest', `engines.node ${shown(node)} is no range of versions`)
}
