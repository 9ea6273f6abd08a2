/** A bar for a package on its way to the node: on a terminal only, and gone when it is there. */
import type { Context } from './context.ts'
import { columnsOf } from './io.ts'
import { LiveBlock } from './live-block.ts'
import { cut, oneLine } from './output.ts'

const cells = 24

/** `demo@1.5.0  [######..................]  25 % of 12 MB`; pure. */
export function barLine(what: string, sent: number, total: number, width: number): string {
  const share = total === 0 ? 1 : Math.min(1, sent / total)
  const full = Math.floor(share * cells)
  const size = total < 1_000_000 ? `${Math.ceil(total / 1000)} kB` : `${Math.round(total / 1_000_000)} MB`
  return cut(
    `${oneLine(what)}  [${'#'.repeat(full)}${'.'.repeat(cells - full)}] ${String(Math.floor(share * 100)).padStart(3)} % of ${size}`,
    width,
  )
}

/** Draws while the work lasts. @param work is given a function that hears how many bytes of how many are sent */
export async function withBar<T>(
  context: Context,
  what: string,
  work: (sent: (bytes: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const { stderr, env } = context.io
  if (stderr.isTTY !== true || env['TERM'] === 'dumb') return work(() => undefined)
  const block = new LiveBlock(stderr)
  try {
    return await work((bytes, total) => block.draw([barLine(what, bytes, total, columnsOf(stderr) - 1)]))
  } finally {
    block.clear()
  }
}
