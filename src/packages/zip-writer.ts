/** Writes a package's zip: shoal.json first, the files in byte order of path, nothing that depends on time, place or machine. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { deflatePieces } from './pieces.ts'
import { centralRecord, comparePaths, endRecord, localRecord, manifestPath, type Mode, utf8Flag, type ZipEntry } from './zip-format.ts'

export interface PackFile {
  /** With `/`, relative. */
  readonly path: string
  readonly mode: Mode
  /** Called when the file's turn comes; of an addon once before, to see what it is. */
  read(): Uint8Array
}

const textFile = (path: string, text: string): PackFile => ({ path, mode: 0o644, read: () => Buffer.from(text) })

/** The bytes of the zip that has `manifest` as shoal.json. Yields to the event loop between files; ends when `signal` does. */
export async function writeZip(manifest: string, files: readonly PackFile[], signal?: AbortSignal): Promise<Buffer> {
  const sorted = files.filter(f => f.path !== manifestPath).toSorted((a, b) => comparePaths(a.path, b.path))
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const file of [textFile(manifestPath, manifest), ...sorted]) {
    signal?.throwIfAborted()
    const { entry, contents } = encode(file)
    const local = localRecord(entry)
    parts.push(local, contents)
    directory.push(centralRecord(entry, offset))
    offset += local.length + contents.length
    await nextTurn()
  }
  const central = Buffer.concat(directory)
  return Buffer.concat([...parts, central, endRecord(directory.length, central.length, offset)])
}

function encode(file: PackFile): { entry: ZipEntry; contents: Buffer } {
  const bytes = file.read()
  const deflated = deflatePieces(bytes)
  const isStored = deflated.length >= bytes.length
  const contents = isStored ? Buffer.from(bytes) : deflated
  const entry = {
    path: file.path,
    mode: file.mode,
    method: isStored ? 0 : 8,
    flags: utf8Flag,
    crc: crc32(bytes),
    compressedSize: contents.length,
    size: bytes.length,
  } as const
  return { entry, contents }
}
