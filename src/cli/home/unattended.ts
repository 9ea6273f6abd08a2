/**
 * A join that nobody watches, for disk images: the token comes from a file or the environment, the first start joins, later ones ignore it.
 * A box may come up before its network, or before the node that lets it in: it tries again until somebody stops it.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { codeOf, messageOf, ShoalError, systemCodeOf } from '../../model/index.ts'
import { type HomePaths, removeTree } from '../../slots/index.ts'
import { joinRetryMaxMs, joinRetryMs, maxInputChars } from '../limits.ts'
import { enter, type Entered } from './enter.ts'
import type { NodeOptions } from './settings.ts'

/** Where a token was found; `path`: the file to delete once the node has joined. */
export interface GivenToken {
  readonly text: string
  readonly path: string | null
}

/**
 * The token of an unattended join: `--join FILE`, else SHOAL_TOKEN, else certs/join-token.
 * @throws ShoalError NOT_FOUND if the named file cannot be read, KEY_FILE_MODE if others may read certs/join-token
 */
export function givenToken(paths: HomePaths, file: string | null, variable: string | undefined): GivenToken | null {
  if (file !== null) return { text: readToken(file), path: null }
  if (variable !== undefined && variable !== '') return { text: variable, path: null }
  if (!existsSync(paths.joinToken)) return null
  const mode = statSync(paths.joinToken).mode & 0o777
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new ShoalError('KEY_FILE_MODE', `${paths.joinToken}: its mode is 0${mode.toString(8)}, at most 0600 is allowed`)
  return { text: readToken(paths.joinToken), path: paths.joinToken }
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, maxInputChars)
  } catch (cause) {
    throw new ShoalError('NOT_FOUND', `${path}: cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })
  }
}

/** What can pass by itself: nobody answers yet, or the node there is only starting. */
const passing: readonly string[] = ['JOIN_UNREACHABLE', 'NO_NODE', 'STARTING', 'BUSY', 'DISK_FULL']

/** @throws ShoalError as `enter`, but for what can pass */
export async function enterUnattended(
  paths: HomePaths,
  token: GivenToken,
  options: NodeOptions,
  around: { readonly signal: AbortSignal; readonly note: (line: string) => void },
): Promise<Entered> {
  for (let pauseMs = joinRetryMs; ; pauseMs = Math.min(joinRetryMaxMs, pauseMs * 2)) {
    try {
      const entered = await enter(paths, token.text, options, around.signal)
      if (token.path !== null) await removeTree(token.path)
      return entered
    } catch (error) {
      around.signal.throwIfAborted()
      if (!passing.includes(codeOf(error))) throw error
      around.note(`not joined yet: ${messageOf(error)} (${codeOf(error)}); again in ${pauseMs / 1000} s`)
    }
    await wait(pauseMs, undefined, { signal: around.signal })
  }
}
