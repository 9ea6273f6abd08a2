/**
 * The file of `export`: a line that says what it is, a line of JSON that lists what follows with sizes and SHA-256, then the bytes, one after
 * the other. It is read whole and compared before anything of it is used; who signed what, the node judges.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import {
  type Digest,
  Fields,
  type FleetId,
  messageOf,
  parseDigest,
  parseFleetId,
  parseJson,
  ShoalError,
  systemCodeOf,
} from '../model/index.ts'
import { isDiskFull, removeTree, renameDurable } from '../slots/index.ts'

const magic = 'shoal-export 1\n'
const maxHeaderBytes = 8 << 20

export interface StickEntry {
  readonly kind: 'facts' | 'package'
  readonly size: number
  readonly sha256: Digest
}

export interface StickFile {
  readonly fleet: FleetId
  readonly at: string
  readonly entries: readonly (StickEntry & { readonly start: number })[]
}

export type StickPart = StickEntry & { readonly from: Buffer | string }

/** Written beside and renamed: a stick that is full leaves no half file. @throws ShoalError DISK_FULL, NOT_WRITABLE */
export async function writeStick(path: string, fleet: FleetId, at: string, parts: readonly StickPart[]): Promise<number> {
  const header = JSON.stringify({ fleet, at, entries: parts.map(({ kind, size, sha256 }) => ({ kind, size, sha256 })) })
  const beside = `${path}.part`
  async function* bytes(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${magic}${header}\n`)
    for (const { from } of parts) {
      if (Buffer.isBuffer(from)) yield from
      else yield* createReadStream(from) as AsyncIterable<Buffer>
    }
  }
  try {
    await pipeline(Readable.from(bytes()), createWriteStream(beside, { flush: true }))
    await renameDurable(beside, path)
  } catch (cause) {
    await removeTree(beside).catch(() => undefined)
    const code = systemCodeOf(cause) ?? messageOf(cause)
    throw new ShoalError(isDiskFull(cause) ? 'DISK_FULL' : 'NOT_WRITABLE', `${path}: cannot be written (${code})`, { cause })
  }
  return (await stat(path)).size
}

/** @throws ShoalError NOT_FOUND, BAD_REQUEST (no export at all), DIGEST_MISMATCH (cut or changed) */
export async function readStick(path: string): Promise<StickFile> {
  const { header, start } = await readHeader(path)
  const f = new Fields(parseJson(header, path, maxHeaderBytes), path)
  let next = start
  const entry = (value: unknown, where: string): StickFile['entries'][number] => {
    const e = new Fields(value, where)
    const kind = e.string('kind', 20)
    if (kind !== 'facts' && kind !== 'package') throw new ShoalError('BAD_REQUEST', `${where}: kind "${kind}" is unknown`)
    const one = { kind, size: e.integer('size'), sha256: e.get('sha256', parseDigest), start: next } as const
    next += one.size
    return one
  }
  const file = { fleet: f.get('fleet', parseFleetId), at: f.string('at', 40), entries: f.list('entries', entry, 10_000) }
  const { size } = await stat(path)
  if (size !== next) throw new ShoalError('DIGEST_MISMATCH', `${path}: has ${size} bytes, its list says ${next}`)
  for (const each of file.entries) await verifyEntry(path, each)
  return file
}

async function readHeader(path: string): Promise<{ readonly header: string; readonly start: number }> {
  try {
    await using handle = await open(path, 'r')
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxHeaderBytes), 0, maxHeaderBytes, 0)
    const bytes = buffer.subarray(0, bytesRead)
    const end = bytes.indexOf(10, magic.length)
    if (bytes.subarray(0, magic.length).toString() !== magic || end === -1)
      throw new ShoalError('BAD_REQUEST', `${path}: is no file that \`shoal export\` wrote`)
    return { header: bytes.subarray(magic.length, end).toString('utf8'), start: end + 1 }
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    if (systemCodeOf(cause) === 'EISDIR')
      throw new ShoalError('BAD_REQUEST', `${path}: is a folder, no file that \`shoal export\` wrote`, { cause })
    throw new ShoalError('NOT_FOUND', `${path}: cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })
  }
}

async function verifyEntry(path: string, entry: StickFile['entries'][number]): Promise<void> {
  const hash = createHash('sha256')
  if (entry.size > 0) for await (const chunk of createReadStream(path, rangeOf(entry)) as AsyncIterable<Buffer>) hash.update(chunk)
  const is = hash.digest('hex')
  if (is !== entry.sha256) throw new ShoalError('DIGEST_MISMATCH', `${path}: ${entry.kind} sha256 is ${is}, its list says ${entry.sha256}`)
}

export const rangeOf = ({ start, size }: { readonly start: number; readonly size: number }): { start: number; end: number } => ({
  start,
  end: start + size - 1,
})
