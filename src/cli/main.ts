/** The `shoal` command: parse, run, print, exit code. Every failure ends here, in words and in a code of the closed list. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, Fields, parseJson, ShoalError } from '../model/index.ts'
import { commands, examples, groups } from './commands/index.ts'
import { overview } from './commands/overview.ts'
import { Context, NotLoggedIn } from './context.ts'
import { ofFile } from './file-failure.ts'
import { type Io, openIo } from './io.ts'
import { printFailure, printOutcome } from './output.ts'
import { parseCommandLine, Shown } from './parser.ts'
import { programDir } from './program.ts'
import { usageOf } from './usage.ts'

/**
 * Runs one command.
 * @param argv the words after `shoal`
 * @param options streams, environment, folder and signal, where they are not the process's own
 * @returns the exit code (CONTRACT section 1)
 */
export async function run(argv: readonly string[], options: Partial<Io> = {}): Promise<number> {
  const { io, release } = openIo(options)
  const end = argv.indexOf('--')
  const isJson = (end === -1 ? argv : argv.slice(0, end)).includes('--json')
  const opened: { context: Context | null } = { context: null }
  try {
    const { spec, args, home, server } = parseCommandLine(argv, {
      specs: commands,
      groups,
      examples,
      version: ownVersion(),
      alone: overview,
    })
    opened.context = new Context(io, { home, server, isJson })
    return printOutcome(io, isJson, await spec.run(opened.context, args), opened.context)
  } catch (thrown) {
    const error = thrown instanceof NotLoggedIn ? await thrown.orSilence(io.signal) : thrown
    if (error instanceof Shown) return printOutcome(io, isJson, { text: [error.text], document: { text: error.text } }, null)
    const cause =
      io.signal.aborted && codeOf(error) !== 'CANCELLED' ? new ShoalError('CANCELLED', 'interrupted', { cause: error }) : ofFile(error)
    return printFailure(io, isJson, cause, { context: opened.context, usage: usageOf(argv, { specs: commands, groups }) })
  } finally {
    opened.context?.close()
    release()
  }
}

const ownVersion = (): string => {
  const path = join(programDir, 'package.json')
  return new Fields(parseJson(readFileSync(path, 'utf8'), path), path).string('version')
}
