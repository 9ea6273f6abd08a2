/** Frames as JSON text and back. What a peer sends is unknown until it went through here; limits hold for every list and text. */
import { bucketCount, type Entry, sumText } from '../../facts/index.ts'
import {
  asArray,
  asBoolean,
  asInteger,
  asString,
  Fields,
  parseDigest,
  parseFact,
  parseFleetId,
  parseJson,
  parseNodeId,
  parseOrderId,
  quote,
  ShoalError,
} from '../../model/index.ts'
import type { Frame, Hello } from './frames.ts'
import { maxCaps, maxEntriesPerFrame, maxFactsPerFrame, maxFrameBytes } from './limits.ts'

const maxUint32 = 0xffff_ffff
const id16 = /^[0-9a-f]{16}$/
const sums = new RegExp(`^[0-9a-f]{${bucketCount * 16}}$`)

const asMatch =
  (pattern: RegExp, what: string) =>
  (value: unknown, where: string): string => {
    if (typeof value === 'string' && pattern.test(value)) return value
    throw new ShoalError('BAD_REQUEST', `${where}: ${quote(value)} is no ${what}`)
  }

const asId = asMatch(id16, '16 hex digits')
const asNonce = asMatch(/^[0-9a-zA-Z._-]{8,64}$/, 'nonce')

function asEntry(value: unknown, where: string): Entry {
  const [id, e, v, h] = asArray(value, where, 8)
  return { id: asId(id, where), e: asInteger(e, where), v: asInteger(v, where), h: asInteger(h, where, 0, maxUint32) }
}

function asSeen(value: unknown, where: string): Hello['seen'] {
  const [epoch, version] = asArray(value, where, 4)
  return { epoch: asInteger(epoch, where), version: asInteger(version, where) }
}

function parseHello(f: Fields): Hello {
  return {
    protocol: f.integer('protocol', 1, 1000),
    node: f.get('node', parseNodeId),
    fleet: f.get('fleet', parseFleetId),
    nonce: f.get('nonce', asNonce),
    seen: f.maybe('seen', asSeen, null),
    app: f.maybe('app', parseDigest, null),
    shoal: f.get('shoal', parseDigest),
    trial: f.maybe('trial', parseOrderId, null),
    keep: f.maybe('keep', asBoolean, false),
    caps: f.has('caps') ? f.list('caps', (v, w) => asString(v, w, 64), maxCaps) : [],
  }
}

const parseSums = (text: string): Uint32Array =>
  Uint32Array.from({ length: bucketCount * 2 }, (_, at) => Number.parseInt(text.slice(at * 8, at * 8 + 8), 16))

/** null: a frame that this version does not know; an ordinary case. @throws ShoalError BAD_REQUEST, TOO_LARGE */
export function parseFrame(text: string): Frame | null {
  const f = new Fields(parseJson(text, 'frame', maxFrameBytes), 'frame')
  const t = f.string('t', 32)
  const entries = (): readonly Entry[] => f.list('entries', asEntry, maxEntriesPerFrame)
  switch (t) {
    case 'hello':
      return { t, hello: parseHello(f) }
    case 'facts':
      return { t, facts: f.list('facts', parseFact, maxFactsPerFrame), bulk: f.maybe('bulk', asBoolean, false) }
    case 'have':
      return { t, entries: entries(), re: f.maybe('re', asBoolean, false), done: f.maybe('done', asBoolean, false) }
    case 'want':
      return { t, ids: f.list('ids', asId, maxEntriesPerFrame) }
    case 'root':
      return { t, root: f.get('root', asId) }
    case 'buckets':
      return { t, sums: parseSums(f.get('sums', asMatch(sums, `${bucketCount} sums`))) }
    case 'list':
      return {
        t,
        buckets: f.list('buckets', (v, w) => asInteger(v, w, 0, bucketCount - 1), bucketCount),
        entries: entries(),
        last: f.boolean('last'),
      }
    case 'ack':
    case 'same':
    case 'later':
      return { t }
    default:
      return null
  }
}

const flat = (entries: readonly Entry[]): unknown => entries.map(each => [each.id, each.e, each.v, each.h])

function formatSums(words: Uint32Array): string {
  let text = ''
  for (let at = 0; at < words.length; at += 2) text += sumText(words[at] ?? 0, words[at + 1] ?? 0)
  return text
}

const seenPair = (seen: Hello['seen']): unknown => (seen === null ? null : [seen.epoch, seen.version])

export function formatFrame(frame: Frame): string {
  switch (frame.t) {
    case 'hello':
      return JSON.stringify({ t: frame.t, ...frame.hello, seen: seenPair(frame.hello.seen) })
    case 'have':
    case 'list':
      return JSON.stringify({ ...frame, entries: flat(frame.entries) })
    case 'buckets':
      return JSON.stringify({ t: frame.t, sums: formatSums(frame.sums) })
    case 'facts':
    case 'want':
    case 'root':
    case 'ack':
    case 'same':
    case 'later':
      return JSON.stringify(frame)
  }
}
