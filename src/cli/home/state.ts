/**
 * What a home is before anything is written to it. A home is a node from the moment that its slots say so, which is the last thing that
 * init and join write; what a death in between leaves carries a mark and can be made again. Keys without slots and without the mark are
 * a damaged node: nobody founds anything over them.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ShoalError } from '../../model/index.ts'
import { hasModes, type HomePaths, homePaths, readCurrent } from '../../slots/index.ts'

/** Stands while a home is half made, or half taken apart. */
export const unfinishedMark = (paths: HomePaths): string => join(paths.instance, '.unfinished')

/** @throws ShoalError HOME_HAS_FLEET, HOME_DAMAGED; nothing was touched */
export function requireFreeHome(paths: HomePaths): void {
  if (readCurrent(paths.home) !== null) throw new ShoalError('HOME_HAS_FLEET', `${paths.home} is a node already`)
  if (existsSync(unfinishedMark(paths))) return
  const rest = [paths.nodePem, paths.db, paths.caKey].find(path => existsSync(path))
  if (rest !== undefined)
    throw new ShoalError('HOME_DAMAGED', `${paths.home}: has ${rest}, but no slots; move it away if the node is to be made anew`)
}

/** Private files of a home, where there are any. */
function secretsOf(paths: HomePaths): readonly string[] {
  const namesIn = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : [])
  const certs = namesIn(paths.certs).filter(name => name.endsWith('.key'))
  const operators = namesIn(paths.operators).filter(name => name.endsWith('.json'))
  return [
    ...certs.map(name => join(paths.certs, name)),
    ...operators.map(name => join(paths.operators, name)),
    ...[paths.recoveryKit, paths.firstOperator].filter(path => existsSync(path)),
  ]
}

/** Refuses keys that others on the machine may read. Windows has no such modes. @throws ShoalError KEY_FILE_MODE that names the file */
export function checkHome(home: string): void {
  if (!hasModes) return
  for (const path of secretsOf(homePaths(home))) {
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) throw new ShoalError('KEY_FILE_MODE', `${path}: its mode is 0${mode.toString(8)}, at most 0600 is allowed`)
  }
}
