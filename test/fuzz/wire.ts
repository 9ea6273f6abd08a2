/** What anybody can send to the port, and members to each other. */
import assert from 'node:assert/strict'
import { formatFrame, parseFrame } from '../../src/mesh/core/codec.ts'
import { parseBlockmap } from '../../src/model/index.ts'
import { formatIndex, groupsOf, parseIndex, parseRecords } from '../../src/transfer/groups.ts'
import { formatRuns, indexesOf, parseRuns } from '../../src/transfer/core/runs.ts'
import { parseRange } from '../../src/transfer/range-header.ts'
import { type Hello, HelloReader } from '../../src/web/listener/client-hello.ts'
import { mutateBytes } from './mutate.ts'
import { type Target, textTarget } from './target.ts'

const digest = 'cd'.repeat(32)
const id = 'b'.repeat(52)
const entries = [
  ['0123456789abcdef', 1, 2, 3],
  ['fedcba9876543210', 1, 2, 0xffff_ffff],
] // prettier-ignore
const frames: readonly unknown[] = [
  {
    t: 'hello',
    protocol: 1,
    node: id,
    fleet: id,
    nonce: 'n0nce-n0nce',
    seen: [1, 2],
    app: digest,
    shoal: digest,
    trial: id,
    keep: true,
    caps: ['a'],
  },
  { t: 'facts', facts: [{ kind: 'status', owner: id, name: '', epoch: 1, version: 2, body: '{}', sig: 'c2ln' }], bulk: true },
  { t: 'have', entries, re: true, done: false },
  { t: 'want', ids: ['0123456789abcdef'] },
  { t: 'root', root: '0123456789abcdef' },
  { t: 'buckets', sums: '0123456789abcdef'.repeat(256) },
  { t: 'list', buckets: [0, 255], entries, last: true },
  { t: 'ack' },
] // prettier-ignore

const readFrame = (text: string): unknown => {
  const read = parseFrame(text)
  return read === null ? null : JSON.parse(formatFrame(read))
}
const cut: Target = {
  ...textTarget('cut frame', readFrame, frames),
  try: random => readFrame(mutateBytes(Buffer.from(JSON.stringify(random.pick(frames))), random).toString()),
}

const vector = (lengthBytes: 1 | 2 | 3, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(lengthBytes)
  head.writeUIntBE(body.length, 0, lengthBytes)
  return Buffer.concat([head, body])
}
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const text = (value: string): Buffer => Buffer.from(value, 'latin1')

/** RFC 8446, section 4.1.2, in records of this size. */
function helloBytes(recordBytes: number): Buffer {
  const serverName = [u16(0), vector(2, vector(2, Buffer.from([0]), vector(2, text(`${id}.shoal`))))]
  const alpn = [u16(16), vector(2, vector(2, vector(1, text('shoal/1')), vector(1, text('http/1.1'))))]
  const extensions = vector(2, ...serverName, ...alpn, u16(43), vector(2, vector(1, u16(0x0304))))
  const body = vector(
    3,
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32)),
    vector(2, u16(0x1301)),
    vector(1, Buffer.from([0])),
    extensions,
  )
  const message = Buffer.concat([Buffer.from([1]), body])
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += recordBytes)
    records.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + recordBytes)))
  return Buffer.concat(records)
}
const hellos = [helloBytes(16_384), helloBytes(7)]

/** Whole, or in pieces as a wire may bring it. */
function readHello(bytes: Buffer, pieceBytes: () => number): Hello {
  const reader = new HelloReader()
  for (let at = 0; at < bytes.length; ) {
    const end = at + pieceBytes()
    const seen = reader.push(bytes.subarray(at, end))
    if (seen.kind !== 'more') return seen
    at = end
  }
  return { kind: 'more' }
}

const hello: Target = {
  name: 'ClientHello',
  accepts: () => {
    for (const bytes of hellos)
      assert.deepEqual(
        readHello(bytes, () => 1),
        { kind: 'hello', alpn: ['shoal/1', 'http/1.1'], serverName: `${id}.shoal` },
      )
  },
  try: random => {
    const bytes = mutateBytes(random.pick(hellos), random)
    assert.deepEqual(
      readHello(bytes, () => 1 + random.integer(50)),
      readHello(bytes, () => bytes.length),
    )
  },
}

const maxSize = 1000
/** Whatever is asked, what is answered lies in the file. */
function readRange(header: string): void {
  const range = parseRange(header, maxSize)
  if (range.t === 'part') assert.ok(range.first >= 0 && range.first <= range.last && range.last < maxSize, header)
}
const range: Target = {
  name: 'Range',
  accepts: () => assert.deepEqual(parseRange('bytes=2-5', maxSize), { t: 'part', first: 2, last: 5 }),
  try: random =>
    readRange(mutateBytes(Buffer.from(random.pick(['bytes=2-5', 'bytes=-7', 'bytes=990-', 'bytes=0-0,5-6'])), random).toString()),
}

function readRuns(list: string): void {
  const indexes = indexesOf(parseRuns(list, maxSize, 50))
  assert.ok(
    indexes.every((index, at) => index < maxSize && index > (indexes[at - 1] ?? -1)),
    list,
  )
  assert.deepEqual(indexesOf(parseRuns(formatRuns(parseRuns(list, maxSize, 50)), maxSize, 50)), indexes)
}
const runs: Target = {
  name: 'list of segments',
  accepts: () => readRuns('3-5,9'),
  try: random => readRuns(mutateBytes(Buffer.from('3-5,9,20-30,999'), random).toString()),
}

const segments = Array.from({ length: 100 }, (_, n) => [n * 10, 10, digest] as const)
const groups = groupsOf(parseBlockmap(JSON.stringify({ size: 1000, segments })))
const records = Buffer.concat(groups.map(each => each.record))
const readGroups = (bytes: Buffer): void => assert.deepEqual(Buffer.concat(parseRecords(bytes).map(each => each.record)), bytes)
const readIndex = (bytes: Buffer): void => assert.equal(parseIndex(bytes).length * 32, bytes.length)
const blockmapGroups: Target = {
  name: 'groups of a blockmap',
  accepts: () => {
    readGroups(records)
    readIndex(formatIndex(groups))
  },
  try: random => {
    if (random.chance(0.5)) readGroups(mutateBytes(records, random))
    else readIndex(mutateBytes(formatIndex(groups), random))
  },
}

export const wireTargets: readonly Target[] = [textTarget('frame', readFrame, frames), cut, hello, range, runs, blockmapGroups]
