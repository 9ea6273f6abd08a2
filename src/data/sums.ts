/**
 * SHA256SUMS: the hash of every file of a backup, in the form of sha256sum, so that a backup can be verified where Shoal is not. A path
 * with a backslash or a line break is escaped as sha256sum does it; one that is not UTF-8 has its own bytes (`bytesOf`), as there.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join, sep } from 'node:path'
import { ShoalError } from '../model/index.ts'
import { hashChunkBytes } from './limits.ts'
import { onDisk, shown } from './names.ts'
import { forEachAtOnce, list } from './tree.ts'

/** Paths with `/` and their hashes, in order of path. */
export type Sums = ReadonlyMap<string, string>

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(onDisk(path), { highWaterMark: hashChunkBytes })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Hashes every file below a folder but those named. */
export async function sumsOf(root: string, except: readonly string[]): Promise<{ readonly sums: Sums; readonly bytes: number }> {
  const found = new Map<string, string>()
  let bytes = 0
  const files = (await list(root)).filter(e => e.stats.isFile()).map(e => ({ ...e, path: e.path.split(sep).join('/') }))
  await forEachAtOnce(
    files.filter(f => !except.includes(f.path)),
    async ({ path, stats }) => {
      found.set(path, await sha256OfFile(join(root, path)))
      bytes += stats.size
    },
  )
  return { sums: new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1))), bytes }
}

export const formatSums = (sums: Sums): string => [...sums].map(([path, hash]) => `${line(hash, path)}\n`).join('')

function line(hash: string, path: string): string {
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `${escaped === path ? '' : '\\'}${hash}  ${escaped}`
}

/** @throws ShoalError BACKUP_DAMAGED */
export function parseSums(text: string): Sums {
  const lines = text.split('\n').filter(each => each !== '')
  return new Map(
    lines.map(each => {
      const [, mark, hash, path] = /^(\\?)([0-9a-f]{64}) [ *](.+)$/.exec(each) ?? []
      if (hash === undefined || path === undefined)
        throw new ShoalError('BACKUP_DAMAGED', `SHA256SUMS: "${each.slice(0, 80)}" is no line of it`)
      return [mark === '' ? path : unescaped(path), hash]
    }),
  )
}

const meant: Readonly<Record<string, string>> = { n: '\n', r: '\r', '\\': '\\' }
const unescaped = (path: string): string => path.replaceAll(/\\(.)/g, (all, c: string) => meant[c] ?? all)

/** What differs, one line each; none: all is as it was. */
export function differences(want: Sums, found: Sums): readonly string[] {
  const problems: string[] = []
  for (const [path, hash] of want) {
    const is = found.get(path)
    if (is === undefined) problems.push(`${shown(path)}: is missing`)
    else if (is !== hash) problems.push(`${shown(path)}: sha256 is ${is}, was ${hash}`)
  }
  for (const path of found.keys()) if (!want.has(path)) problems.push(`${shown(path)}: was not in the backup`)
  return problems
}
