/** Private keys that others on the machine may read: the node does not start with them. Windows has no such modes. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ShoalError } from '../model/index.ts'
import { hasModes, type HomePaths } from '../slots/index.ts'

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** @throws ShoalError KEY_FILE_MODE that names the file and its mode */
export function checkKeyModes(paths: HomePaths): void {
  if (!hasModes) return
  const keys = namesIn(paths.certs).filter(name => name.endsWith('.key') || name === 'recovery-kit.json' || name === 'first-operator.txt')
  const operators = namesIn(paths.operators).filter(name => name.endsWith('.json'))
  for (const path of [...keys.map(name => join(paths.certs, name)), ...operators.map(name => join(paths.operators, name))]) {
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) throw new ShoalError('KEY_FILE_MODE', `${path}: its mode is 0${mode.toString(8)}, at most 0600 is allowed`)
  }
}
