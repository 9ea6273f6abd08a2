/** Questions to a person at a terminal: a passphrase without echo, a yes or no. Both end with Ctrl-C. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { ShoalError } from '../model/index.ts'
import type { Context } from './context.ts'
import type { Io } from './io.ts'

/** Asks on standard error and reads one line. `isSecret`: what is typed is not shown. */
async function ask(io: Io, question: string, isSecret: boolean): Promise<string> {
  // A reader of what has ended would wait for ever.
  if (io.stdin.readableEnded) throw new ShoalError('CANCELLED', 'the question was not answered: standard input has ended')
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: io.stdin, output: isSecret ? silent : io.stderr, terminal: true })
  const stop = new AbortController()
  reader.once('SIGINT', () => stop.abort())
  reader.once('close', () => stop.abort())
  // The reader has switched the terminal's own echo off by now: what is typed after the question is not shown by it either.
  if (isSecret) io.stderr.write(question)
  try {
    return await reader.question(isSecret ? '' : question, { signal: AbortSignal.any([io.signal, stop.signal]) })
  } catch (cause) {
    throw new ShoalError('CANCELLED', 'the question was not answered', { cause })
  } finally {
    reader.close()
    if (isSecret) io.stderr.write('\n')
  }
}

export const askSecret = (io: Io, question: string): Promise<string> => ask(io, question, true)

/**
 * Shows what is about to happen to the fleet and asks, unless `--yes` was given or nobody is there.
 * @throws ShoalError CANCELLED
 */
export async function confirm(context: Context, isSure: boolean, plan: readonly string[], question: string): Promise<void> {
  for (const line of plan) context.note(line)
  if (isSure || !context.isTerminal) return
  const answer = await ask(context.io, `${question} [y/N] `, false)
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new ShoalError('CANCELLED', `answered "${answer.trim().slice(0, 40)}", not yes`)
}

/**
 * Asks for one of some words; anything else is no answer.
 * @throws ShoalError CANCELLED
 */
export async function choose<T extends string>(
  context: Context,
  lines: readonly string[],
  question: string,
  words: readonly T[],
): Promise<T> {
  for (const line of lines) context.note(line)
  const answer = (await ask(context.io, `${question} [${words.join('|')}] `, false)).trim().toLowerCase()
  const chosen = words.find(word => word === answer)
  if (chosen === undefined) throw new ShoalError('CANCELLED', `answered "${answer.slice(0, 40)}", none of ${words.join(', ')}`)
  return chosen
}

/** All of standard input, for `-`. */
export async function readInput(io: Io, maxChars: number): Promise<string> {
  let text = ''
  for await (const chunk of io.stdin as AsyncIterable<Buffer | string>) {
    text += chunk.toString()
    if (text.length > maxChars) throw new ShoalError('TOO_LARGE', `standard input: more than ${maxChars} characters`)
  }
  return text
}
