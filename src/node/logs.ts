/**
 * Reads this node's log, instance/logs/node.log and its predecessors, in bounded pages: the last lines, or what came after a cursor. Who
 * follows a log over a rotation misses nothing that is still there; what is gone is said to be gone.
 */
import { open, stat } from 'node:fs/promises'
import { asArray, asBoolean, asString, Fields, parseJson } from '../model/index.ts'

/** Bytes of the log that one page reads; a line has at most 8 KiB. */
const pageBytes = 256 << 10
/** node.log, node.log.1, node.log.2 */
const generations = 3

/** One event: `time`, `event`, and what belongs to it; a program's plain output is the event `output` with its `text`. */
export type LogEntry = Readonly<Record<string, unknown>>

export interface LogPage {
  readonly lines: readonly LogEntry[]
  /** Ask with it for what comes after. */
  readonly cursor: string
  /** Lines after the last cursor are gone. */
  readonly gap: boolean
}

export interface LogQuery {
  /** How many of the last lines, where there is no cursor. */
  readonly lines: number
  readonly after: string | null
}

interface LogFile {
  readonly path: string
  readonly ino: string
  readonly size: number
}

async function filesOf(path: string): Promise<readonly LogFile[]> {
  const names = Array.from({ length: generations }, (_, age) => (age === 0 ? path : `${path}.${age}`))
  const found = await Promise.all(
    names.map(async name => {
      const file = await stat(name, { bigint: true }).catch(() => null)
      return file === null ? null : { path: name, ino: String(file.ino), size: Number(file.size) }
    }),
  )
  return found.filter(file => file !== null)
}

async function bytesOf(file: LogFile, from: number, to: number): Promise<Buffer> {
  if (to <= from) return Buffer.alloc(0)
  await using handle = await open(file.path, 'r')
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from)
  return buffer.subarray(0, bytesRead)
}

/** What is whole: a line whose end is not written yet comes with the next page. */
const wholeLines = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.lastIndexOf(10) + 1)

const textsOf = (bytes: Buffer): readonly string[] =>
  bytes
    .toString('utf8')
    .split('\n')
    .filter(line => line !== '')

/** Logs of an earlier release have lines that are no JSON. */
export function entryOfLine(line: string): LogEntry {
  try {
    const value: unknown = parseJson(line, 'log line')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // A program's own words.
  }
  return { event: 'output', text: line }
}

/** @param path of node.log */
export async function readLog(path: string, query: LogQuery): Promise<LogPage> {
  const files = await filesOf(path)
  return query.after === null ? tail(files, query.lines) : after(files, query.after)
}

async function tail(files: readonly LogFile[], count: number): Promise<LogPage> {
  let left = pageBytes
  let texts: readonly string[] = []
  let cursor = ''
  for (const file of files) {
    const from = Math.max(0, file.size - left)
    const bytes = wholeLines(await bytesOf(file, from, file.size))
    if (cursor === '') cursor = `${file.ino}-${from + bytes.length}`
    // A page that begins in the middle of a line begins with the next one.
    const start = from === 0 ? 0 : bytes.indexOf(10) + 1
    texts = [...textsOf(bytes.subarray(start)), ...texts]
    left -= bytes.length
    if (texts.length >= count || left <= 0 || from > 0) break
  }
  return { lines: texts.slice(Math.max(0, texts.length - count)).map(entryOfLine), cursor, gap: false }
}

async function after(files: readonly LogFile[], cursor: string): Promise<LogPage> {
  const [ino, offset] = cursor.split('-')
  const at = files.findIndex(file => file.ino === ino && Number(offset) <= file.size)
  const file = files[at]
  const [newest] = files
  if (file === undefined) {
    const page = newest === undefined ? { lines: [], cursor: '' } : await after(files, `${newest.ino}-0`)
    return { ...page, gap: cursor !== '' }
  }
  const from = Number(offset)
  const bytes = wholeLines(await bytesOf(file, from, Math.min(file.size, from + pageBytes)))
  const next = files[at - 1]
  const isRead = from + bytes.length >= file.size || bytes.length === 0
  const position = isRead && next !== undefined ? `${next.ino}-0` : `${file.ino}-${from + bytes.length}`
  return { lines: textsOf(bytes).map(entryOfLine), cursor: position, gap: false }
}

/** A page as another node answered. */
export function parseLogPage(value: unknown): LogPage {
  const f = new Fields(value, 'logs')
  const entry = (each: unknown, where: string): LogEntry => {
    const e = new Fields(each, where)
    return Object.fromEntries(e.keys().map(key => [key, e.raw(key)]))
  }
  return {
    lines: asArray(f.raw('lines'), 'logs.lines', pageBytes).map((each, n) => entry(each, `logs.lines[${n}]`)),
    cursor: f.get('cursor', (v, w) => asString(v, w, 100)),
    gap: f.get('gap', asBoolean),
  }
}
