/** Other versions of a packed Shoal, without deflating its Node.js again: entries that are not edited are copied as they are. */
import { readFileSync, writeFileSync } from 'node:fs'
import { crc32, inflateRawSync } from 'node:zlib'
import { judgePackage } from '../../src/packages/index.ts'
import { centralRecord, endRecord, localRecord, type ZipEntry } from '../../src/packages/zip-format.ts'

/** Text of a file to its new text; or the bytes that take its place; null: it is left out. */
export type Edits = Readonly<Record<string, ((text: string) => string) | Buffer | null>>

/** Without its Node.js a package is small: the machine's own serves then. */
export const withoutNode: Edits = { 'bin/node': null, 'bin/LICENSE': null }

/** Writes `to` as `from` with another version and the edits; every edit must change its file. */
export function repack(from: string, to: string, version: string, edits: Edits = {}): string {
  const bytes = readFileSync(from)
  const setVersion = (text: string): string => text.replace(/"version": "[^"]+"/, `"version": "${version}"`)
  const all: Edits = { 'shoal.json': setVersion, 'package.json': setVersion, ...edits }
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  const seen = new Set<string>()
  let offset = 0
  for (const entry of judgePackage(bytes).entries) {
    const held = bytes.subarray(entry.dataOffset, entry.dataOffset + entry.compressedSize)
    const edit = all[entry.path]
    if (edit !== undefined) seen.add(entry.path)
    if (edit === null) continue
    const { contents, made } = edit === undefined ? { contents: held, made: entry } : edited(entry, held, edit)
    const local = localRecord(made)
    parts.push(local, contents)
    directory.push(centralRecord(made, offset))
    offset += local.length + contents.length
  }
  const missing = Object.keys(all).filter(path => !seen.has(path))
  if (missing.length > 0) throw new Error(`not in the package: ${missing.join(', ')}`)
  const central = Buffer.concat(directory)
  writeFileSync(to, Buffer.concat([...parts, central, endRecord(directory.length, central.length, offset)]))
  return to
}

function edited(entry: ZipEntry, held: Buffer, edit: ((text: string) => string) | Buffer): { contents: Buffer; made: ZipEntry } {
  const contents = typeof edit === 'function' ? editedText(entry, held, edit) : edit
  return { contents, made: { ...entry, method: 0, crc: crc32(contents), size: contents.length, compressedSize: contents.length } }
}

function editedText(entry: ZipEntry, held: Buffer, edit: (text: string) => string): Buffer {
  const before = (entry.method === 0 ? held : inflateRawSync(held)).toString('utf8')
  const text = edit(before)
  if (text === before) throw new Error(`${entry.path}: nothing was edited`)
  return Buffer.from(text)
}
