/**
 * slots/current.json and what is believed when it cannot be read. The supervisor is its only writer once a node runs (`init` and
 * `join` write the first one). It never makes a node unable to start: a cut file ends in its copy, then in the built-in slot.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Current, type Digest, parseCurrent, parseDigest, parseJson, ShoalError, systemCodeOf } from '../model/index.ts'
import { type DiskSync, realDiskSync, writeDurableSync } from './durable.ts'
import { maxCurrentLength } from './limits.ts'
import { homePaths } from './paths.ts'

/** What a node starts with when only its built-in slot is known. */
export const builtInCurrent = (builtIn: Digest): Current => ({
  app: null,
  shoal: builtIn,
  builtIn,
  previous: null,
  supervisor: null,
  state: 'good',
  attempts: 0,
  trial: null,
  last: null,
})

/** null: unreadable or not there. */
const readText = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function tryParse<T>(path: string, parse: (text: string) => T): T | null {
  const text = readText(path)
  if (text === null) return null
  try {
    return parse(text)
  } catch {
    return null // A cut file: the caller has the next source.
  }
}

const parseText = (text: string): Current => parseCurrent(parseJson(text, 'current.json', maxCurrentLength))

/**
 * The slots of this home; null if it has none and never had.
 * @throws ShoalError HOME_DAMAGED if there was one, and neither it nor its copy nor the name of the built-in slot can be read
 */
export function readCurrent(home: string): Current | null {
  const paths = homePaths(home)
  const found = tryParse(paths.current, parseText) ?? tryParse(paths.currentCopy, parseText)
  if (found !== null) return found
  const builtIn = tryParse(paths.builtIn, text => parseDigest(text.trim()))
  // Which app ran is not known here: it stays out until the worker, which has the orders, says so.
  if (builtIn !== null) return { ...builtInCurrent(builtIn), state: 'safe' }
  if (isMissing(paths.current)) return null
  throw new ShoalError('HOME_DAMAGED', `${paths.current}: neither it nor ${paths.currentCopy} nor ${paths.builtIn} can be read`)
}

/** What was believed instead of a current.json that cannot be read is written down, so that the next damage finds two again. */
export function mendCurrent(home: string, current: Current): void {
  if (tryParse(homePaths(home).current, parseText) !== null) return
  try {
    writeCurrent(home, current)
  } catch {
    // A full disk: it is read from its copy once more.
  }
}

function isMissing(path: string): boolean {
  try {
    readFileSync(path)
    return false
  } catch (error) {
    return systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR'
  }
}

/**
 * Durable when it returns. The copy is written after it, without fsync: it is for damage, not for power cuts.
 * @throws ShoalError DISK_FULL
 */
export function writeCurrent(home: string, current: Current, disk: DiskSync = realDiskSync): void {
  const paths = homePaths(home)
  const text = `${JSON.stringify(current, null, 2)}\n`
  writeDurableSync(paths.current, text, 0o644, disk)
  try {
    writeFileSync(paths.currentCopy, text)
  } catch {
    // current.json itself is safe; the copy is the next line of defence, and a cut one is refused by its parser.
  }
}
