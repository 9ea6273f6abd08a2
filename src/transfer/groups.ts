/**
 * A blockmap in groups of about 32 segments, cut by content: a node fetches only the groups that none of its own packages has. Lengths and
 * hashes say everything, offsets follow. What came is put together and must have the digest that the release signs.
 */
import type { Blockmap, Digest, Segment } from '../model/index.ts'
import { parseDigest, ShoalError } from '../model/index.ts'
import { sha256Hex } from '../packages/index.ts'
import { groupOdds, maxGroupSegments } from './limits.ts'

const entryBytes = 36

/** Digest of a record, and the record: a count (2 bytes), then length (4 bytes) and SHA-256 of each segment, big-endian. */
export interface Group {
  readonly digest: Digest
  readonly record: Buffer
}

export function groupsOf(blockmap: Blockmap): readonly Group[] {
  const groups: Group[] = []
  let members: Segment[] = []
  blockmap.segments.forEach((segment, n) => {
    members.push(segment)
    const isCut = Number.parseInt(segment[2].slice(0, 2), 16) % groupOdds === 0 || members.length >= maxGroupSegments
    if (!isCut && n + 1 < blockmap.segments.length) return
    groups.push(groupOf(members))
    members = []
  })
  return groups
}

function groupOf(members: readonly Segment[]): Group {
  const record = Buffer.alloc(2 + members.length * entryBytes)
  record.writeUInt16BE(members.length, 0)
  members.forEach(([, length, sha256], n) => {
    record.writeUInt32BE(length, 2 + n * entryBytes)
    record.write(sha256, 6 + n * entryBytes, 'hex')
  })
  return { digest: sha256Hex(record), record }
}

/** The digests of all groups, 32 bytes each. */
export const formatIndex = (groups: readonly Group[]): Buffer => Buffer.concat(groups.map(g => Buffer.from(g.digest, 'hex')))

/** @throws ShoalError BAD_REQUEST */
export function parseIndex(bytes: Buffer): readonly Digest[] {
  if (bytes.length === 0 || bytes.length % 32 !== 0)
    throw new ShoalError('BAD_REQUEST', `blockmap groups: ${bytes.length} bytes are no list of digests`)
  return Array.from({ length: bytes.length / 32 }, (_, n) => parseDigest(bytes.toString('hex', n * 32, n * 32 + 32)))
}

/** Cuts concatenated records apart. @throws ShoalError BAD_REQUEST */
export function parseRecords(bytes: Buffer): readonly Group[] {
  const groups: Group[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + (at + 2 <= bytes.length ? bytes.readUInt16BE(at) : 0) * entryBytes
    if (end > bytes.length) throw new ShoalError('BAD_REQUEST', `blockmap groups: a record ends at ${end}, there are ${bytes.length} bytes`)
    const record = bytes.subarray(at, end)
    groups.push({ digest: sha256Hex(record), record })
    at = end
  }
  return groups
}

/** The blockmap that these records make, in order. */
export function assemble(records: readonly Buffer[]): Blockmap {
  const segments: Segment[] = []
  let offset = 0
  for (const record of records) {
    for (let at = 2; at < record.length; at += entryBytes) {
      const length = record.readUInt32BE(at)
      segments.push([offset, length, parseDigest(record.toString('hex', at + 4, at + entryBytes))])
      offset += length
    }
  }
  return { size: offset, segments }
}
