/**
 * instance/config.json at start. It is the only truth, so a word in it that makes no sense is for its writer to mend, and the start
 * refuses. A file that is cut or empty nobody wrote so: it is put back from its copy, and kept beside.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Config, parseConfig, parseJson, ShoalError, messageOf, systemCodeOf } from '../model/index.ts'
import { writeDurableSync } from './durable.ts'
import type { HomePaths } from './paths.ts'

/** @throws ShoalError HOME_DAMAGED if it cannot be read, BAD_REQUEST if it makes no sense and there is no copy, or it is JSON */
export function readConfigFile(paths: HomePaths, say: (line: string) => void): Config {
  const text = read(paths.config)
  if (!isJson(text)) {
    const copy = readCopy(paths)
    if (copy !== null) return putBack(paths, text, copy, say)
  }
  const config = parse(text, paths.config)
  keepCopy(paths, text)
  return config
}

/** Of what was started with, and of every change. Not fsynced: a copy that is cut is no copy, and config.json itself is safe. */
export function keepCopy(paths: HomePaths, text: string): void {
  try {
    if (readCopy(paths) !== text) writeFileSync(paths.configCopy, text, { mode: 0o600 })
  } catch {
    // A full disk: the older copy, or none.
  }
}

function putBack(paths: HomePaths, damaged: string, copy: string, say: (line: string) => void): Config {
  const config = parse(copy, paths.configCopy)
  try {
    writeFileSync(`${paths.config}.damaged`, damaged)
    writeDurableSync(paths.config, copy)
  } catch (error) {
    say(`${paths.config}: cannot be written: ${messageOf(error)}`)
  }
  say(`ALARM ${paths.config} was cut: put back from its copy; what was in it is in ${paths.config}.damaged`)
  return config
}

const parse = (text: string, path: string): Config => parseConfig(parseJson(text, path), path)

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ShoalError('HOME_DAMAGED', `${path}: cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })
  }
}

/** null: none, or one that is cut itself. */
function readCopy(paths: HomePaths): string | null {
  try {
    const text = readFileSync(paths.configCopy, 'utf8')
    return isJson(text) ? text : null
  } catch {
    return null
  }
}
