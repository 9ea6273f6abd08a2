/**
 * What goes out: one JSON document or lines for people on standard output; errors always in words on standard error, in three lines:
 * what and its code, where, what to do.
 */
import { type Code, codeOf, codes, messageOf } from '../model/index.ts'
import { Refusal } from './client.ts'
import type { Context } from './context.ts'
import type { Io } from './io.ts'
import type { Outcome } from './spec.ts'
import type { Usage } from './usage.ts'

/** @param context of the command that ran; null: none did */
export function printOutcome(io: Io, isJson: boolean, outcome: Outcome, context: Context | null): number {
  if (isJson) {
    if (outcome.document !== undefined) io.stdout.write(`${JSON.stringify(outcome.document, null, 2)}\n`)
  } else if (outcome.text.length > 0) {
    io.stdout.write(`${outcome.text.join('\n')}\n`)
  }
  const { failure } = outcome
  if (failure === undefined) return outcome.exit ?? 0
  const { code, message, todo = codes[code].todo } = failure
  printError(io, { code, lines: message.split('\n'), where: context === null ? null : placeOf(context), todo })
  return outcome.exit ?? 1
}

interface PrintedError {
  readonly code: Code
  /** What, and more of it. */
  readonly lines: readonly string[]
  readonly where: string | null
  readonly todo: string
}

function printError(io: Io, { code, lines: [what = '', ...more], where, todo }: PrintedError): void {
  const lines = [`error: ${what} (${code})`, ...[...more, ...(where === null ? [] : [where]), todo].map(line => `  ${line}`)]
  io.stderr.write(`${lines.join('\n')}\n`)
}

/** @returns the exit code of the error */
export function printFailure(io: Io, isJson: boolean, error: unknown, around: Around): number {
  const code = codeOf(error)
  const message = messageOf(error)
  if (isJson) io.stdout.write(`${JSON.stringify({ error: { code, message } }, null, 2)}\n`)
  const [what = '', ...more] = message.split('\n')
  const isGuess = (line: string): boolean => line.startsWith('(Did you mean ')
  const todo = code === 'USAGE' ? `Read \`${around.usage.help}\`.` : codes[code].todo
  printError(io, {
    code,
    lines: [what, ...more.filter(line => !isGuess(line))],
    where: whereOf(error, around),
    todo: [...more.filter(isGuess), todo].join(' '),
  })
  if (code === 'INTERNAL' && error instanceof Error && io.env['SHOAL_DEBUG'] !== undefined) io.stderr.write(`${error.stack ?? ''}\n`)
  return codes[code].exit
}

/** What is known of a command that failed. */
interface Around {
  /** null: it never came to run. */
  readonly context: Context | null
  readonly usage: Usage
}

function whereOf(error: unknown, { context, usage }: Around): string {
  if (context === null || codeOf(error) === 'USAGE') return `usage: ${usage.line}`
  return placeOf(context) + (error instanceof Refusal && error.requestId !== '' ? `, request ${error.requestId}` : '')
}

const placeOf = ({ paths, asked }: Context): string => `home ${paths.home}${asked === null ? '' : `, node ${asked}`}`

/** Columns with two spaces between them, header in capitals; the last column is cut to the width. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): readonly string[] {
  const all = [header.map(h => h.toUpperCase()), ...rows.map(row => row.map(oneLine))]
  const widths = header.map((_, column) => Math.max(...all.map(row => lengthOf(row[column] ?? ''))))
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - lengthOf(cell)))).join('  ')
  return all.map(row => cut(line(row).trimEnd(), width))
}

/** Code points, not UTF-16 units. */
const lengthOf = (text: string): number => Array.from(text).length

export const cut = (text: string, width: number): string =>
  lengthOf(text) <= width
    ? text
    : `${Array.from(text)
        .slice(0, Math.max(0, width - 1))
        .join('')}…`

/** Text that came from others, for one line of a terminal: no control characters. */
export const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')

export const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** Milliseconds for people: `4 s`, `2 min`, `3 h`, `5 d`. */
export function ago(ms: number): string {
  if (ms < 90_000) return `${Math.round(ms / 1000)} s`
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`
}

/** Bytes for people. */
export function bytesText(bytes: number): string {
  if (bytes < 10_000) return `${bytes} B`
  return bytes < 10_000_000 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1_000_000)} MB`
}
