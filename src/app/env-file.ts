/**
 * instance/app.env: the app's secrets, one KEY=VALUE a line, for this user's eyes only. They reach the app as `host.config.env` and
 * never the process's environment, which child processes inherit and crash reports print.
 */
import { open } from 'node:fs/promises'
import { ShoalError, systemCodeOf } from '../model/index.ts'
import { hasModes } from '../slots/index.ts'
import { maxEnvBytes } from './limits.ts'

/** Others may not even read it. */
const foreignBits = 0o077

/** A missing file has no variables. @throws ShoalError KEY_FILE_MODE, TOO_LARGE, BAD_REQUEST */
export async function readEnvFile(path: string): Promise<Record<string, string>> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return null
    throw error
  })
  if (file === null) return {}
  try {
    const { mode, size } = await file.stat()
    if (hasModes && (mode & foreignBits) !== 0) {
      throw new ShoalError('KEY_FILE_MODE', `${path}: mode is ${(mode & 0o777).toString(8)}, must be 600`)
    }
    if (size > maxEnvBytes) throw new ShoalError('TOO_LARGE', `${path}: ${size} bytes, at most ${maxEnvBytes}`)
    return parseEnv(await file.readFile('utf8'), path)
  } finally {
    await file.close()
  }
}

/** Blank lines and lines that begin with # are skipped; one pair of quotes around a value falls away. Never prints a value. */
export function parseEnv(text: string, where: string): Record<string, string> {
  const entries = text.split(/\r?\n/).flatMap((line, at): [string, string][] => {
    if (/^\s*(?:#|$)/.test(line)) return []
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line)
    if (match === null) throw new ShoalError('BAD_REQUEST', `${where}: line ${at + 1} is no KEY=VALUE`)
    const [, key = '', value = ''] = match
    return [[key, /^(["']).*\1$/.test(value) && value.length > 1 ? value.slice(1, -1) : value]]
  })
  return Object.fromEntries(entries)
}
