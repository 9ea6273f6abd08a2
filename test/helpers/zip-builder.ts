// Builds zips byte by byte, right or wrong in any one field: what no well-meaning tool can write.
import { crc32, deflateRawSync } from 'node:zlib'

export interface Spec {
  readonly path: string | Buffer
  readonly data?: Buffer | string
  readonly raw?: Buffer
  readonly method?: number
  readonly flags?: number
  readonly time?: number
  readonly date?: number
  readonly crc?: number
  readonly size?: number
  readonly compressedSize?: number
  readonly madeBy?: number
  /** Version needed to extract. */
  readonly version?: number
  readonly attributes?: number
  readonly extra?: Buffer
  readonly comment?: Buffer
  readonly disk?: number
  readonly offset?: number
  /** What the local record says instead. */
  readonly local?: Omit<Spec, 'path'> & { readonly path?: string | Buffer }
}

export interface Ending {
  readonly comment?: Buffer
  readonly trailing?: Buffer
  readonly prefix?: Buffer
  readonly count?: number
  readonly here?: number
  readonly disk?: number
  readonly directorySize?: number
  readonly directoryOffset?: number
  readonly beforeEnd?: Buffer
  readonly gap?: Buffer
  readonly announcedComment?: number
}

const regular = (mode: number): number => ((0o100000 | mode) << 16) >>> 0
export const attributesOf = regular

interface Whole {
  name: Buffer
  raw: Buffer
  method: number
  flags: number
  time: number
  date: number
  crc: number
  size: number
  compressedSize: number
  extra: Buffer
  version: number
}

function wholeOf(spec: Spec): Whole {
  const data = Buffer.from(spec.data ?? '')
  const method = spec.method ?? 0
  const raw = spec.raw ?? (method === 8 ? deflateRawSync(data) : data)
  return {
    name: Buffer.from(spec.path as string),
    raw,
    method,
    flags: spec.flags ?? 0x0800,
    time: spec.time ?? 0,
    date: spec.date ?? 0x21,
    crc: spec.crc ?? crc32(data),
    size: spec.size ?? data.length,
    compressedSize: spec.compressedSize ?? raw.length,
    extra: spec.extra ?? Buffer.alloc(0),
    version: spec.version ?? 20,
  }
}

function common(record: Buffer, at: number, e: Whole): void {
  record.writeUInt16LE(e.version, at)
  record.writeUInt16LE(e.flags, at + 2)
  record.writeUInt16LE(e.method, at + 4)
  record.writeUInt16LE(e.time, at + 6)
  record.writeUInt16LE(e.date, at + 8)
  record.writeUInt32LE(e.crc, at + 10)
  record.writeUInt32LE(e.compressedSize, at + 14)
  record.writeUInt32LE(e.size, at + 18)
  record.writeUInt16LE(e.name.length, at + 22)
  record.writeUInt16LE(e.extra.length, at + 24)
}

export function buildZip(specs: readonly Spec[], ending: Ending = {}): Buffer {
  const parts: Buffer[] = [ending.prefix ?? Buffer.alloc(0)]
  const directory: Buffer[] = []
  let offset = parts[0]!.length
  for (const spec of specs) {
    const central = wholeOf(spec)
    const local = wholeOf({ ...spec, ...spec.local })
    const head = Buffer.alloc(30)
    head.writeUInt32LE(0x04034b50, 0)
    common(head, 4, local)
    const record = Buffer.alloc(46)
    record.writeUInt32LE(0x02014b50, 0)
    record.writeUInt16LE(((spec.madeBy ?? 3) << 8) | 20, 4)
    common(record, 6, central)
    record.writeUInt16LE(spec.comment?.length ?? 0, 32)
    record.writeUInt16LE(spec.disk ?? 0, 34)
    record.writeUInt32LE(spec.attributes ?? regular(0o644), 38)
    record.writeUInt32LE(spec.offset ?? offset, 42)
    directory.push(record, central.name, central.extra, spec.comment ?? Buffer.alloc(0))
    if (spec.offset === undefined) {
      parts.push(head, local.name, local.extra, local.raw)
      offset += 30 + local.name.length + local.extra.length + local.raw.length
    }
  }
  const gap = ending.gap ?? Buffer.alloc(0)
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(ending.disk ?? 0, 4)
  end.writeUInt16LE(ending.here ?? ending.count ?? specs.length, 8)
  end.writeUInt16LE(ending.count ?? specs.length, 10)
  end.writeUInt32LE(ending.directorySize ?? central.length, 12)
  end.writeUInt32LE(ending.directoryOffset ?? offset + gap.length, 16)
  end.writeUInt16LE(ending.announcedComment ?? ending.comment?.length ?? 0, 20)
  const tail = [ending.beforeEnd, end, ending.comment, ending.trailing].map(b => b ?? Buffer.alloc(0))
  return Buffer.concat([...parts, gap, central, ...tail])
}

export const manifestText = (over: Record<string, unknown> = {}): string =>
  JSON.stringify({ schema: 1, kind: 'app', name: 'shop', version: '1.0.0', platform: 'any', engines: {}, entry: 'app.js', ...over })

export const manifest = (over: Record<string, unknown> = {}): Spec => ({ path: 'shoal.json', data: manifestText(over) })
export const app: Spec = { path: 'app.js', data: 'export default () => ({})\n' }

/** A good package with these entries beside, which stand behind app.js in byte order unless told otherwise. */
export const withEntries = (...specs: readonly Spec[]): Buffer => buildZip([manifest(), app, ...specs])
