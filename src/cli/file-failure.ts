/** What the file system refuses, as a code: a path that was mistyped, a full disk or a folder in the way is no fault of Shoal. Pure. */
import { type Code, ShoalError } from '../model/index.ts'

const codesOf: Readonly<Record<string, Code>> = {
  EISDIR: 'BAD_REQUEST',
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'NOT_FOUND',
  EACCES: 'NOT_WRITABLE',
  EPERM: 'NOT_WRITABLE',
  EROFS: 'NOT_WRITABLE',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
}

/** What is written goes beside under such a name first. */
const beside = /\.\d+\.[0-9a-f]{8}\.tmp$/

interface Refused extends Error {
  readonly code: string
  readonly path: string
  readonly dest?: unknown
}

const isRefused = (error: unknown): error is Refused =>
  error instanceof Error && 'path' in error && typeof error.path === 'string' && 'code' in error && typeof error.code === 'string'

/** The same error, where it is none of a file. */
export function ofFile(error: unknown): unknown {
  if (error instanceof ShoalError || !isRefused(error)) return error
  const { code: system, path, dest } = error
  const code = codesOf[system]
  if (code === undefined) return error
  const place = typeof dest === 'string' ? dest : path.replace(beside, '')
  if (code === 'BAD_REQUEST') return new ShoalError(code, `${place}: is a folder, a file is meant`, { cause: error })
  const isWriting = place !== path
  const isMissing = code === 'NOT_FOUND' && isWriting
  const what = isMissing ? 'its folder is not there' : isWriting ? 'cannot be written' : 'cannot be opened'
  return new ShoalError(isMissing ? 'NOT_WRITABLE' : code, `${place}: ${what} (${system})`, { cause: error })
}
