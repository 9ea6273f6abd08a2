/** Commands that make a home a node: init, start, join. */
import { readSettings } from '../../app/index.ts'
import { codeOf, messageOf, parseAddress, parseDisplayName, parseOperatorName, ShoalError } from '../../model/index.ts'
import { readCurrent } from '../../slots/index.ts'
import {
  checkHome,
  enter,
  enterUnattended,
  found,
  givenToken,
  type Founded,
  type FoundOptions,
  type NodeOptions,
  readConfig,
} from '../home/index.ts'
import type { Context } from '../context.ts'
import { withDashboard } from '../dashboard.ts'
import { maxInputChars } from '../limits.ts'
import { readInput } from '../prompt.ts'
import { givenPassphrase } from '../signing.ts'
import { type Args, asUsage, type CommandSpec, type OptionSpec, type Outcome } from '../spec.ts'

const nodeOptions: readonly OptionSpec[] = [
  { flags: '--name <name>', about: "the node's name (default: the machine's)" },
  { flags: '--listen <host:port>', about: 'what to listen on (default 0.0.0.0:8443; port 0 takes a free one)' },
  { flags: '--advertise <addresses>', about: "where others reach it, with commas (default: the machine's addresses)" },
]

const foundOptions: readonly OptionSpec[] = [
  ...nodeOptions,
  { flags: '--fleet <name>', about: "the fleet's name" },
  { flags: '--operator <name>', about: 'the first operator (default: your user name)' },
  { flags: '--passphrase-file <file>', about: "the operator's passphrase (else SHOAL_PASSPHRASE, else one is made)" },
]

/** @throws ShoalError USAGE */
function nodeOptionsOf(args: Args): NodeOptions {
  const advertise = args.list('advertise').map(each => asUsage(() => parseAddress(each, '--advertise')))
  return {
    name: args.read('name', parseDisplayName, undefined),
    listen: args.read('listen', parseAddress, undefined),
    advertise: advertise.length === 0 ? undefined : advertise,
  }
}

function foundOptionsOf(context: Context, args: Args): FoundOptions {
  return {
    ...nodeOptionsOf(args),
    fleet: args.read('fleet', parseDisplayName, undefined),
    operator: args.read('operator', parseOperatorName, undefined),
    passphrase: givenPassphrase(context, args),
    writesSecrets: context.io.stderr.isTTY !== true,
  }
}

/** Founds, and shows secrets to whoever sits there. */
async function foundAndTell(context: Context, args: Args): Promise<Founded> {
  const options = foundOptionsOf(context, args)
  await withDashboard(context)
  const made = await found(context.paths, options)
  if (options.writesSecrets) {
    context.note(`secrets are in ${context.paths.firstOperator}: read them, then delete the file`)
  } else {
    if (made.passphrase !== null) context.note(`passphrase of ${made.operator}, shown once:  ${made.passphrase}`)
    context.note(`passphrase of the recovery kit, shown once:  ${made.recoveryPassphrase}`)
  }
  context.note(`recovery kit: ${context.paths.recoveryKit}; keep a copy away from this machine`)
  return made
}

const foundedText = (context: Context, made: Founded): readonly string[] => [
  `${made.name} (${made.id.slice(0, 8)}) is the first node of fleet ${made.fleet.slice(0, 8)}, operator ${made.operator}`,
  `it will listen at https://${made.address}`,
  `next: shoal start --home ${context.paths.home}`,
]

async function init(context: Context, args: Args): Promise<Outcome> {
  const made = await foundAndTell(context, args)
  const { id, name, fleet, address, operator } = made
  return { document: { id, name, fleet, address, operator }, text: foundedText(context, made) }
}

async function joinAndTell(context: Context, args: Args, token: NonNullable<ReturnType<typeof givenToken>>): Promise<void> {
  const around = { signal: context.io.signal, note: (line: string) => context.note(line) }
  const { name, id, fleetName } = await enterUnattended(context.paths, token, nodeOptionsOf(args), around)
  context.note(`joined: ${name} (${id.slice(0, 8)}) is a node of ${fleetName}`)
}

/** The loader starts the node itself; here is what comes before: an empty home, keys that others may read. */
async function start(context: Context, args: Args): Promise<Outcome> {
  const { home } = context.paths
  if (readCurrent(home) === null) {
    const file = args.text('join')
    if (file !== undefined && args.has('init')) throw new ShoalError('USAGE', '--join and --init: a node enters a fleet or founds one')
    const token = givenToken(context.paths, file === undefined ? null : context.path(file), context.io.env['SHOAL_TOKEN'])
    if (token !== null) await joinAndTell(context, args, token)
    else if (!args.has('init')) throw new ShoalError('HOME_EMPTY', `${home} is no node yet`)
    else for (const line of foundedText(context, await foundAndTell(context, args)).slice(0, 2)) context.note(line)
  }
  checkHome(home)
  await warnOfSettings(context)
  return { text: [] }
}

/** With settings that no app can read the node serves in safe mode, where it can still be reached: said, not refused. */
async function warnOfSettings(context: Context): Promise<void> {
  try {
    await readSettings(readConfig(context.paths).app, context.paths.appEnv)
  } catch (error) {
    context.note(`the app stays out: ${messageOf(error)} (${codeOf(error)})`)
  }
}

async function join(context: Context, args: Args): Promise<Outcome> {
  const options = nodeOptionsOf(args)
  const word = args.need(0, 'token')
  const token = word === '-' ? await readInput(context.io, maxInputChars) : word
  await withDashboard(context)
  const { id, name, fleet, address, fleetName, redeemer } = await enter(context.paths, token, options, context.io.signal)
  return {
    document: { id, name, fleet, address },
    text: [
      `joined: ${name} (${id.slice(0, 8)}) is a node of ${fleetName} (${fleet.slice(0, 8)}), let in by ${redeemer.slice(0, 8)}`,
      `next: shoal start --home ${context.paths.home}`,
    ],
  }
}

export const homeCommands: readonly CommandSpec[] = [
  { path: 'init', about: 'found a fleet; this home becomes its first node', options: foundOptions, run: init },
  {
    path: 'start',
    about: 'run the node in the foreground',
    options: [
      { flags: '--init', about: 'found a fleet first if the home is empty' },
      {
        flags: '--join <file>',
        about: 'enter a fleet first if the home is empty; the file holds the token (else SHOAL_TOKEN, else certs/join-token)',
      },
      ...foundOptions,
    ],
    run: start,
  },
  {
    path: 'join',
    args: '<token>',
    about: 'make this home a node of the token’s fleet; - reads the token from standard input',
    options: nodeOptions,
    run: join,
  },
]
