/** Changes to what is right: bytes as a bad wire or a bad hand makes them, and JSON as somebody writes it who knows the format. */
import type { Random } from '../helpers/random.ts'

const edges = [0, 1, 4, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff]

type ByteChange = (bytes: Buffer, random: Random) => Buffer

/** A place in the buffer; the ends, where heads and directories stand, more often than the rest. */
function placeIn(bytes: Buffer, random: Random): number {
  if (random.chance(0.5)) return random.integer(bytes.length + 1)
  const near = random.integer(Math.min(200, bytes.length) + 1)
  return random.chance(0.5) ? near : bytes.length - near
}

const byteChanges: readonly ByteChange[] = [
  (bytes, random) => withByte(bytes, placeIn(bytes, random), 1 << random.integer(8)),
  (bytes, random) => {
    const copy = Buffer.from(bytes)
    const at = placeIn(bytes, random)
    const width = random.pick([1, 2, 4])
    if (at + width <= copy.length) copy.writeUIntLE(random.pick(edges) % 2 ** (8 * width), at, width)
    return copy
  },
  (bytes, random) => bytes.subarray(0, placeIn(bytes, random)),
  (bytes, random) => bytes.subarray(placeIn(bytes, random)),
  (bytes, random) => {
    const [from, to] = [placeIn(bytes, random), placeIn(bytes, random)].sort((a, b) => a - b) as [number, number]
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  (bytes, random) => {
    const [from, at] = [placeIn(bytes, random), placeIn(bytes, random)]
    const piece = bytes.subarray(from, from + random.integer(200))
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)])
  },
  (bytes, random) => {
    const at = placeIn(bytes, random)
    const noise = Buffer.from(Array.from({ length: random.integer(20) }, () => random.integer(256)))
    return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)])
  },
]

function withByte(bytes: Buffer, at: number, flip: number): Buffer {
  const copy = Buffer.from(bytes)
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ flip
  return copy
}

/** One to four changes. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let changed = bytes
  for (let n = random.integer(4); n >= 0; n--) changed = random.pick(byteChanges)(changed, random)
  return changed
}

const strange: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  ' ',
  '\u0000',
  '\ud800',
  '..',
  '../x',
  '/',
  'C:\\x',
  'con',
  '__proto__',
  'a'.repeat(5000),
  '9'.repeat(400),
  '1.0.0',
  '1.0.0-',
  '[::1]:1',
  ':0',
  'x:99999',
  [],
  {},
  [[]],
  { length: 9 },
  [null],
] // prettier-ignore

/** Stands for lists in lists, deeper than a writer that calls itself could go: they are put in as text. */
const deep = '<deep>'
const deepLists = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

type Json = Record<string, unknown> | unknown[]
const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null

/** All objects and lists of a document. */
function placesOf(value: Json): Json[] {
  return [value, ...Object.values(value).filter(isJson).flatMap(placesOf)]
}

function other(value: unknown, random: Random): unknown {
  if (typeof value === 'number' && random.chance(0.4)) return value + random.pick([-1, 1, 0.5, 1e15])
  if (typeof value === 'string' && random.chance(0.4)) return mutateBytes(Buffer.from(value), random).toString()
  if (Array.isArray(value) && random.chance(0.4)) return random.chance(0.5) ? [...value, ...value] : value.slice(1)
  return random.chance(0.02) ? deep : structuredClone(random.pick(strange))
}

/** As text: the document with one to four of its parts changed, gone, or beside others that it did not have. */
export function mutateJson(document: unknown, random: Random): string {
  const text = JSON.stringify(changed(document, random))
  return text.replaceAll(`"${deep}"`, deepLists(random.pick([100, 20_000])))
}

function changed(document: unknown, random: Random): unknown {
  const copy = structuredClone(document)
  if (!isJson(copy) || random.chance(0.02)) return other(copy, random)
  for (let n = random.integer(4); n >= 0; n--) {
    const place = random.pick(placesOf(copy)) as Record<string, unknown>
    const keys = Object.keys(place)
    const names = Array.isArray(place) ? ['0'] : ['t', 'name', 'constructor', '__proto__', 'size']
    const key = random.pick(keys.length === 0 || random.chance(0.1) ? names : keys)
    if (random.chance(0.2) && !Array.isArray(place)) Reflect.deleteProperty(place, key)
    else place[key] = other(place[key], random)
  }
  return copy
}
