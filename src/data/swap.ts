/**
 * A swap of data/ with the switch that tries it: prepared while the app runs, noted before the switch is asked for, applied by the worker that is on
 * trial, closed when that is proven, undone when it is not. Killed anywhere, the next start reads from current.json which of these it is.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Digest, OrderId } from '../model/index.ts'
import { type DiskSync, type HomePaths, readCurrent, writeDurableSync } from '../slots/index.ts'
import type { TreeDisk } from './disk.ts'
import type { DataJournal, Swap } from './journal.ts'
import { bringIn, copyAside, isMoved, swapFolder, takeBack, tidySwap } from './swap-folder.ts'

/** tried: its switch is on trial. proven: it counts. over: it does not. */
type Fate = 'tried' | 'proven' | 'over'

interface Try {
  readonly order: OrderId | null
  readonly attempt: number
  /** The release that is tried, where that is part of the question. */
  readonly app?: Digest
}

/** What became of a switch; null: current.json does not know it (any more). */
export function fateOf({ home }: HomePaths, { order, attempt, app }: Try): Fate | null {
  if (order === null) return null
  const current = readCurrent(home)
  const isThis = (it: Omit<Try, 'app'> | null | undefined): boolean => it?.order === order && it.attempt === attempt
  const isSameApp = app === undefined || current?.trial?.digest === app
  if (current?.state === 'trial' && isThis(current.trial) && isSameApp) return 'tried'
  if (!isThis(current?.last)) return null
  return current?.last?.result === 'confirmed' ? 'proven' : 'over'
}

/** Who did it while the node was stopped meant it. */
const fateOfSwap = (paths: HomePaths, swap: Swap): Fate => (swap.order === null ? 'proven' : (fateOf(paths, swap) ?? 'over'))

export interface SwapOptions {
  readonly paths: HomePaths
  readonly log: (fields: Readonly<Record<string, unknown>>, event: string) => void
}

/**
 * Does to data/ what the swap's fate says; closing its journal is the caller's.
 * @returns tried: what came lies in data/, until its switch has ended; counts: it stays; over: what was there lies there
 */
export async function followSwap({ paths, log }: SwapOptions, swap: Swap, disk: TreeDisk): Promise<'tried' | 'counts' | 'over'> {
  const fate = fateOfSwap(paths, swap)
  if (fate === 'over') {
    const wasChanged = await takeBack(paths, swap.id, disk)
    if (wasChanged) log({ swap: swap.id, kept: swapFolder(paths, swap.id).tried }, 'data/ is again as it was before the switch')
    return 'over'
  }
  if (swap.kind === 'keep') await copyAside(paths, swap.id, disk)
  else if (!(await bringIn(paths, swap.id, disk))) {
    log({ swap: swap.id }, 'ALARM what was to be restored was removed: data/ stays as it is')
    return 'over'
  }
  return fate === 'tried' ? 'tried' : 'counts'
}

/** Settings and identity of the folder, where it has them, take their places. Done twice, it ends the same. */
export function applyFiles(paths: HomePaths, swap: Swap, disk: DiskSync): void {
  const { root } = swapFolder(paths, swap.id)
  const put = (name: string, path: string, mode: number): void => {
    const bytes = readIfThere(join(root, name))
    if (bytes === null || bytes.equals(readIfThere(path) ?? Buffer.alloc(0))) return
    const before = readIfThere(path)
    const kept = join(root, `${name}.before`)
    if (before !== null && readIfThere(kept) === null) writeDurableSync(kept, before, 0o600, disk)
    writeDurableSync(path, bytes, mode, disk)
  }
  if (swap.identity) {
    put('node.key', paths.nodeKey, 0o600)
    put('node.pem', paths.nodePem, 0o644)
    put('ca.pem', paths.caPem, 0o644)
  }
  put('app.env', paths.appEnv, 0o600)
  put('config.json', paths.config, 0o644)
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}

/** The journal once the swap's switch has ended, or unchanged while it lasts. Nothing of data/ is moved here. */
export function settledSwap(paths: HomePaths, journal: DataJournal, disk: DiskSync): DataJournal {
  const { swap } = journal
  if (swap === null) return journal
  const fate = fateOfSwap(paths, swap)
  if (fate === 'tried') return journal
  // What was moved goes back at the next start of an app, which has the time; until then it stays noted.
  if (fate === 'over') return isMoved(paths, swap.id) ? journal : { ...journal, swap: null }
  applyFiles(paths, swap, disk)
  tidySwap(paths, swap.id)
  return { ...journal, held: swap.to, swap: null }
}
