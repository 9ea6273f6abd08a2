/** The one error class of Shoal: a literal code, a message with both values, the cause where there is one. */
import { type Code, isCode } from './codes.ts'

export class ShoalError extends Error {
  readonly code: Code
  constructor(code: Code, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'ShoalError'
    this.code = code
  }
}

/** The code of whatever was thrown; what is not ours is INTERNAL. */
export const codeOf = (error: unknown): Code => (error instanceof ShoalError ? error.code : 'INTERNAL')

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The system's code (ENOENT, EADDRINUSE …) of a thrown thing, or undefined. */
export const systemCodeOf = (error: unknown): string | undefined => {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** A value as it was given, for messages: JSON, cut to 80 characters. */
export function quote(value: unknown): string {
  try {
    const text = JSON.stringify(value) as string | undefined
    return (text ?? String(value)).slice(0, 80)
  } catch {
    return 'something nested too deeply' // JSON that was read without recursion can be too deep to write
  }
}

/** A code that came from outside: unknown ones stay readable as INTERNAL. */
export const codeFrom = (text: string): Code => (isCode(text) ? text : 'INTERNAL')

export function assertNever(value: never): never {
  throw new ShoalError('INTERNAL', `unexpected value ${JSON.stringify(value)}`)
}
