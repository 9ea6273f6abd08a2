/** What `strace -f -ttt -y -xx` wrote of processes, as changes of a disk. Of a line only what is below the root counts. */
import type { Change } from './disk.ts'

/** A change, and when it was answered: ms since 1970. */
export type Timed = Change & { readonly atMs: number }

export const syscalls =
  'openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,' +
  'unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,copy_file_range,sendfile,chmod,fchmod,fchmodat'

/** Options of strace under which its lines are what is read here: strings whole, and as hexadecimal digits alone. */
export const straceOptions = ['-f', '--seccomp-bpf', '-ttt', '-y', '-xx', '-s', '4194304', '-e', `trace=${syscalls}`]

interface Call {
  readonly name: string
  readonly args: string
  readonly result: string
  readonly begunAtMs: number
  readonly atMs: number
}

const decode = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex')
const strings = (args: string): readonly string[] => [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g)].map(textOf)

function textOf([all, hex, more]: RegExpMatchArray): string {
  if (more !== undefined) throw new Error(`strace cut a string: ${all.slice(0, 100)}`)
  return hex ?? ''
}

/** Lines of one process or several, each call where it was answered. */
export function* callsOf(lines: Iterable<string>): Generator<Call> {
  const open = new Map<string, Omit<Call, 'result' | 'atMs'>>()
  for (const line of lines) {
    const [, pid = '', at = '', rest = ''] = /^(\d+) +(\d+\.\d+) (.*)$/.exec(line) ?? []
    const atMs = Number(at) * 1000
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest)
    const begun = /^(\w+)\((.*)$/.exec(resumed === null ? rest : '')
    const before = open.get(pid)
    if (resumed === null && begun === null) continue
    const name = resumed?.[1] ?? begun?.[1] ?? ''
    const text = resumed === null ? (begun?.[2] ?? '') : (before?.args ?? '') + (resumed[2] ?? '')
    const begunAtMs = resumed === null ? atMs : (before?.begunAtMs ?? atMs)
    open.delete(pid)
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(text)
    if (unfinished !== null) open.set(pid, { name, args: unfinished[1] ?? '', begunAtMs })
    else {
      const end = text.lastIndexOf(' = ')
      yield { name, args: text.slice(0, end), result: text.slice(end + 3), begunAtMs, atMs }
    }
  }
}

/**
 * @param calls of all processes that wrote, by the time of their answer
 * @param root what the record is about
 * @param readOutside bytes of a file that was copied from
 */
export function changesOf(
  calls: readonly Call[],
  root: string,
  readOutside: (path: string, at: number, size: number) => Buffer,
): readonly Timed[] {
  const changes: Timed[] = []
  const isInside = (path: string): boolean => path === root || path.startsWith(`${root}/`)
  const offsets = new Offsets()
  for (const call of calls) {
    if (call.result.startsWith('-1') || call.result.startsWith('?')) continue
    const since = sinceOf(changes, call.begunAtMs)
    for (const change of read(call, offsets, since, readOutside)) {
      const paths = 'to' in change ? [change.from, change.to] : [change.path]
      const inside = paths.filter(isInside)
      if (inside.length === paths.length || (change.kind === 'link' && isInside(change.to))) changes.push({ ...change, atMs: call.atMs })
      else if (inside.length > 0) throw new Error(`moved over the border of the record: ${paths.join(' ')}`)
    }
  }
  return changes
}

/** How many changes were answered before that moment. */
function sinceOf(changes: readonly Timed[], ms: number): number {
  let at = changes.length
  while (at > 0 && (changes[at - 1]?.atMs ?? 0) >= ms) at--
  return at
}

/** Where the next plain write of an open file goes. One that is opened to append has none. */
class Offsets {
  readonly #at = new Map<string, number | null>()

  opened(file: string, isAppending: boolean): void {
    this.#at.set(file, isAppending ? null : 0)
  }

  take(file: string, length: number): number | null {
    const at = this.#at.get(file) ?? null
    if (at !== null) this.#at.set(file, at + length)
    return at
  }
}

/** `12</path>`, and `AT_FDCWD</path>`. */
const descriptors = (args: string): readonly (readonly [string, string])[] =>
  [...args.matchAll(/(?:^|[ (])(AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})+)>(?:\(deleted\))?/g)].map(([, fd = '', hex = '']) => [
    fd,
    decode(hex).toString(),
  ])

const numbersAtEnd = (args: string): readonly number[] =>
  args
    .replace(/\)\s*$/, '')
    .split(', ')
    .map(each => Number(each.startsWith('0') && each.length > 1 ? `0o${each.slice(1)}` : each))

const resolved = (path: string, from: string): string => (path.startsWith('/') ? path : `${from}/${path}`)

function* read(
  call: Call,
  offsets: Offsets,
  since: number,
  readOutside: (path: string, at: number, size: number) => Buffer,
): Generator<Change> {
  const { name, args, result } = call
  const files = descriptors(args)
  const [fd = '', file = ''] = files[0] ?? []
  const count = Number.parseInt(result, 10)
  const texts = (): readonly string[] => strings(args).map(hex => decode(hex).toString())
  const numbers = numbersAtEnd(args)
  const last = numbers.at(-1) ?? 0
  switch (name) {
    case 'openat': {
      const path = resolved(texts()[0] ?? '', file)
      const [own = ''] = descriptors(` ${result}`)[0] ?? []
      offsets.opened(`${own}<${path}`, args.includes('O_APPEND'))
      const isEmptied = args.includes('O_TRUNC')
      if (args.includes('O_CREAT') || isEmptied) yield { kind: 'open', path, mode: last & 0o755, isEmptied }
      return
    }
    case 'write':
    case 'writev': {
      const bytes = Buffer.concat(strings(args).map(decode)).subarray(0, count)
      yield { kind: 'write', path: file, at: offsets.take(`${fd}<${file}`, count), bytes }
      return
    }
    case 'pwrite64':
    case 'pwritev':
      yield { kind: 'write', path: file, at: last, bytes: Buffer.concat(strings(args).map(decode)).subarray(0, count) }
      return
    case 'copy_file_range':
    case 'sendfile': {
      // Where it reads is told in brackets, and follows the copy from its beginning.
      const [from, to] = name === 'sendfile' ? [files[1], files[0]] : [files[0], files[1]]
      if (from === undefined || to === undefined) return
      const at = offsets.take(`${to[0]}<${to[1]}`, count)
      yield { kind: 'write', path: to[1], at, bytes: readOutside(from[1], at ?? 0, count) }
      return
    }
    case 'ftruncate':
      yield { kind: 'size', path: file, size: last }
      return
    case 'fsync':
    case 'fdatasync':
      yield { kind: 'sync', path: file, since }
      return
    case 'fchmod':
      yield { kind: 'mode', path: file, mode: last & 0o7777 }
      return
    case 'chmod':
    case 'fchmodat':
      yield { kind: 'mode', path: resolved(texts()[0] ?? '', file), mode: (numbers.findLast(each => each > 0) ?? 0) & 0o7777 }
      return
    case 'mkdir':
    case 'mkdirat':
      yield { kind: 'folder', path: resolved(texts()[0] ?? '', file), mode: last & 0o755 }
      return
    case 'unlink':
    case 'unlinkat':
    case 'rmdir':
      yield { kind: 'remove', path: resolved(texts()[0] ?? '', file) }
      return
    case 'rename':
    case 'renameat':
    case 'renameat2':
    case 'link':
    case 'linkat': {
      const [from = '', to = ''] = texts()
      const kind = name.startsWith('link') ? 'link' : 'rename'
      yield { kind, from: resolved(from, file), to: resolved(to, files[1]?.[1] ?? file) }
      return
    }
    default:
      throw new Error(`strace told of ${name}, which is not understood here: ${args.slice(0, 200)}`)
  }
}
