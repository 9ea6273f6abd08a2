/**
 * What a command is: one row of the table from which the parser, the help, and the shells' completion are made. A row's `run` answers
 * with an outcome and prints nothing itself, so that --json is exactly one document.
 */
import { type Code, parseDurationMs, ShoalError } from '../model/index.ts'
import type { Context } from './context.ts'

export interface OptionSpec {
  /** As commander writes them: `--out <file>`, `-y, --yes`. */
  readonly flags: string
  readonly about: string
  /** Its values, where they are a closed list; for the shells' completion. */
  readonly values?: readonly string[]
}

/** How a command ended. `document` goes out with --json, `text` without. */
export interface Outcome {
  readonly exit?: number
  /** undefined: this command prints no document. */
  readonly document?: unknown
  readonly text: readonly string[]
  /** Why it ends with 1 although it has its answer: in words on standard error, whatever goes to standard output. */
  readonly failure?: { readonly code: Code; readonly message: string; readonly todo?: string }
}

export interface CommandSpec {
  /** `status`, or `nodes show`: a group and its command. */
  readonly path: string
  readonly aliases?: readonly string[]
  /** As commander writes them: `<dir>`, `[id]`, `<file...>`. */
  readonly args?: string
  /** Values of the first argument, where they are a closed list. */
  readonly values?: readonly string[]
  readonly about: string
  readonly options?: readonly OptionSpec[]
  /** The command of its group that runs when none is named. */
  readonly isDefault?: boolean
  readonly run: (context: Context, args: Args) => Outcome | Promise<Outcome>
}

/** The words of a command line after parsing, read with parsers whose complaints are wrong usage. */
export class Args {
  readonly #words: readonly unknown[]
  readonly #options: ReadonlyMap<string, unknown>

  constructor(words: readonly unknown[], options: Readonly<Record<string, unknown>>) {
    this.#words = words
    this.#options = new Map(Object.entries(options))
  }

  /** The nth word; undefined if it was left out. */
  word(at: number): string | undefined {
    const word = this.#words[at]
    return typeof word === 'string' ? word : undefined
  }

  /** The nth word, which the parser has demanded. */
  need(at: number, what: string): string {
    const word = this.word(at)
    if (word === undefined) throw new ShoalError('USAGE', `${what} is missing`)
    return word
  }

  /** The words of an argument that takes several. */
  words(at: number): readonly string[] {
    const words = this.#words[at]
    return Array.isArray(words) ? words.filter(word => typeof word === 'string') : []
  }

  /** Is the flag given? Names as commander derives them: `--can-invite` is `canInvite`. */
  has(option: string): boolean {
    const value = this.#options.get(option)
    return value !== undefined && value !== false
  }

  text(option: string): string | undefined {
    const value = this.#options.get(option)
    return typeof value === 'string' ? value : undefined
  }

  /** Texts of an option that takes `a,b`. @throws ShoalError USAGE: it is given and names nothing, as where a script's variable is empty */
  list(option: string): readonly string[] {
    const text = this.text(option)
    if (text === undefined) return []
    const names = text
      .split(',')
      .map(each => each.trim())
      .filter(each => each !== '')
    if (names.length === 0) throw new ShoalError('USAGE', `--${option}: "${text}" names nothing`)
    return names
  }

  /** @throws ShoalError USAGE if the parser refuses the value */
  read<T, D>(option: string, parse: (value: unknown, where: string) => T, otherwise: D): T | D {
    const value = this.text(option)
    return value === undefined ? otherwise : asUsage(() => parse(value, `--${option.replace(/[A-Z]/g, c => `-${c.toLowerCase()}`)}`))
  }
}

/** What a parser refuses on the command line is wrong usage. */
export function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof ShoalError && ['BAD_REQUEST', 'BAD_VERSION'].includes(cause.code))
      throw new ShoalError('USAGE', cause.message, { cause })
    throw cause
  }
}

/** A whole number on the command line. */
export function parseCount(value: unknown, where: string): number {
  const text = String(value)
  if (!/^\d{1,6}$/.test(text)) throw new ShoalError('USAGE', `${where}: "${text}" is no whole number`)
  return Number(text)
}

/** A whole number from `least` to `most`: what the node would refuse is wrong usage before anything is asked. */
export const countWithin =
  (least: number, most: number) =>
  (value: unknown, where: string): number => {
    const count = parseCount(value, where)
    if (count < least || count > most) throw new ShoalError('USAGE', `${where}: ${count}, from ${least} to ${most}`)
    return count
  }

/** A duration from `least` to `most`; a year is what most documents take. */
export const durationWithin =
  (least: string, most = '366d') =>
  (value: unknown, where: string): number => {
    const ms = parseDurationMs(value, where)
    if (ms < parseDurationMs(least) || ms > parseDurationMs(most))
      throw new ShoalError('USAGE', `${where}: ${String(value)}, from ${least} to ${most}`)
    return ms
  }
