/** commander, fed from the command table. Whatever it refuses is USAGE with its own words; it never ends the process. */
import { Command, CommanderError, Help } from 'commander'
import { didYouMean, ShoalError } from '../model/index.ts'
import { Args, type CommandSpec } from './spec.ts'

/** A command line that was understood: what to run, with what. */
export interface Parsed {
  readonly spec: CommandSpec
  readonly args: Args
  readonly home: string | undefined
  readonly server: string | undefined
}

export interface Grammar {
  readonly specs: readonly CommandSpec[]
  /** Groups of commands: name, aliases, what they are about. */
  readonly groups: Readonly<Record<string, { readonly aliases?: readonly string[]; readonly about: string }>>
  readonly version: string
  readonly examples: string
  /** What runs where no command is named. */
  readonly alone: CommandSpec
}

/** Text that the command line asked for (help, version). */
export class Shown extends Error {
  readonly text: string
  constructor(text: string) {
    super('shown')
    this.text = text
  }
}

/** @throws ShoalError USAGE, Shown */
export function parseCommandLine(argv: readonly string[], grammar: Grammar): Parsed {
  const found: { parsed: Parsed | null } = { parsed: null }
  const out: string[] = []
  const program = programOf(grammar, parsed => {
    found.parsed = parsed
  })
  for (const each of [program, ...program.commands, ...program.commands.flatMap(c => c.commands)]) {
    each
      .exitOverride()
      .configureHelp({ showGlobalOptions: true, subcommandTerm })
      .configureOutput({ writeOut: text => out.push(text), writeErr: text => out.push(text), outputError: () => undefined })
  }
  try {
    program.parse([...argv], { from: 'user' })
  } catch (cause) {
    if (cause instanceof CommanderError && cause.code === 'commander.help' && cause.exitCode !== 0)
      return parsedOf(grammar.alone, program, [])
    // Help of what there is not is no help.
    if (cause instanceof CommanderError && cause.code === 'commander.helpDisplayed') commandNamed(program, program.args)
    throw explained(cause, out.join(''))
  }
  if (found.parsed === null) throw new ShoalError('USAGE', 'no command was given')
  return found.parsed
}

function explained(error: unknown, printed: string): unknown {
  if (!(error instanceof CommanderError)) return error
  if (error.exitCode === 0) return new Shown(printed.trimEnd())
  return new ShoalError('USAGE', error.message.replace(/^error: /, ''), { cause: error })
}

type Take = (parsed: Parsed) => void

function programOf(grammar: Grammar, take: Take): Command {
  const program = new Command('shoal')
    .description('Keeps a fleet of self-hosted Node.js servers on the same release.')
    .version(grammar.version, '-V, --version', 'print the version')
    .option('--home <dir>', "the node's home (else SHOAL_HOME, else the current folder)")
    .option('--server <url>', 'another node than the one at home, after `shoal login`')
    .option('--json', 'print one JSON document')
    .helpCommand(false)
    .addHelpText('before', grammar.examples)
  const groups = new Map(Object.entries(grammar.groups))
  for (const spec of grammar.specs) {
    const [name = '', command] = spec.path.split(' ')
    const group = groups.get(name)
    if (command === undefined) program.addCommand(leafOf(spec, take))
    else if (group !== undefined) {
      const specs = grammar.specs.filter(s => s.path.startsWith(`${name} `))
      program.addCommand(groupOf(name, specs, group, take))
      groups.delete(name)
    }
  }
  return program.addCommand(helpOf(program))
}

const helpOf = (program: Command): Command => {
  const command = new Command('help').description('print what a command does').argument('[command...]')
  return command.action(() => commandNamed(program, command.args).help())
}

/** The command that words before the first option name; what comes after a command without commands of its own is its arguments. */
function commandNamed(program: Command, args: readonly string[]): Command {
  const end = args.findIndex(arg => arg.startsWith('-'))
  const words = end === -1 ? args : args.slice(0, end)
  let command = program
  for (const [at, word] of words.entries()) {
    if (command.commands.length === 0) return command
    const named = command.commands.find(c => [c.name(), ...c.aliases()].includes(word))
    const names = command.commands.flatMap(c => [c.name(), ...c.aliases()])
    if (named === undefined)
      throw new ShoalError('USAGE', `unknown command '${words.slice(0, at + 1).join(' ')}'${didYouMean(word, names)}`)
    command = named
  }
  return command
}

const plain = new Help()
const subcommandTerm = (command: Command): string =>
  command.commands.length === 0 ? plain.subcommandTerm(command) : `${command.name()} ${command.commands.map(c => c.name()).join('|')}`

function leafOf(spec: CommandSpec, take: Take): Command {
  const command = new Command(spec.path.split(' ').at(-1)).description(spec.about)
  withSpec(command, spec)
  return command.action(() => take(parsedOf(spec, command, command.processedArgs)))
}

function withSpec(command: Command, spec: CommandSpec): void {
  for (const alias of spec.aliases ?? []) command.alias(alias)
  if (spec.args !== undefined) command.arguments(spec.args)
  for (const option of spec.options ?? []) command.option(option.flags, option.about)
}

/** A group runs its default command when none is named; an unknown word after it is an unknown command. */
function groupOf(name: string, specs: readonly CommandSpec[], group: { aliases?: readonly string[]; about: string }, take: Take): Command {
  const command = new Command(name).description(group.about).usage('[options] [command]').argument('[words...]')
  for (const alias of group.aliases ?? []) command.alias(alias)
  for (const spec of specs) command.addCommand(leafOf(spec, take))
  const chosen = specs.find(s => s.isDefault)
  for (const option of chosen?.options ?? []) command.option(option.flags, option.about)
  return command.action(() => {
    const [word] = command.args
    const names = specs.flatMap(s => [s.path.slice(name.length + 1), ...(s.aliases ?? [])])
    if (word !== undefined) throw new ShoalError('USAGE', `unknown command '${name} ${word}'${didYouMean(word, names)}`)
    if (chosen === undefined) throw new ShoalError('USAGE', `${name} needs a command: ${names.join(', ')}`)
    take(parsedOf(chosen, command, []))
  })
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function parsedOf(spec: CommandSpec, command: Command, words: readonly unknown[]): Parsed {
  const options = command.optsWithGlobals<Record<string, unknown>>()
  const { home, server } = options
  return { spec, args: new Args(words, options), home: textOf(home), server: textOf(server) }
}
