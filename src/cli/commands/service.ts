/** service print, install, uninstall: the node as a service of this machine. */
import { ShoalError } from '../../model/index.ts'
import { runningSupervisor } from '../../slots/index.ts'
import type { Context } from '../context.ts'
import { filesOf, install, type Kind, kinds, serviceFacts, thisKind, uninstall } from '../service/index.ts'
import type { Args, CommandSpec, OptionSpec, Outcome } from '../spec.ts'

const serviceOptions: readonly OptionSpec[] = [
  { flags: '--kind <kind>', about: `${kinds.join(', ')} (default: this machine's)`, values: kinds },
  { flags: '--name <name>', about: 'name of the service (default: shoal)' },
]
const dryRun: OptionSpec = { flags: '--dry-run', about: 'only say what would be done' }

function kindOf(args: Args): Kind {
  const text = args.text('kind')
  const kind = text === undefined ? thisKind() : kinds.find(each => each === text)
  if (kind === undefined) throw new ShoalError('USAGE', `--kind: "${text ?? ''}" is none of ${kinds.join(', ')}`)
  return kind
}

function nameOf(args: Args): string {
  const name = args.text('name') ?? 'shoal'
  if (!/^[a-z][a-z0-9-]{0,39}$/i.test(name)) throw new ShoalError('USAGE', `--name: "${name}" is no name of letters, digits and dashes`)
  return name
}

async function planOf(context: Context, args: Args): Promise<Parameters<typeof install>[0]> {
  const kind = kindOf(args)
  const facts = await serviceFacts(context.paths, nameOf(args))
  const running = await runningSupervisor(context.paths)
  const isBusy = running !== null && running.service !== `${kind}:${facts.name}` && !(kind === 'task' && running.restart === 'loader')
  return { kind, facts, files: filesOf(kind, facts), isDryRun: args.has('dryRun'), isBusy }
}

async function print(context: Context, args: Args): Promise<Outcome> {
  const { kind, files } = await planOf(context, args)
  const several = files.length > 1
  const text = files.flatMap(file => [...(several ? [`# ${file.path}`] : []), file.text.trimEnd(), ...(several ? [''] : [])])
  return { document: { kind, files }, text }
}

async function change(context: Context, args: Args, act: typeof install): Promise<Outcome> {
  const plan = await planOf(context, args)
  const done = await act(plan)
  return { document: { kind: plan.kind, name: plan.facts.name, dryRun: plan.isDryRun, done }, text: done }
}

export const serviceCommands: readonly CommandSpec[] = [
  { path: 'service print', about: "print this home's service definition", options: serviceOptions, run: print },
  {
    path: 'service install',
    about: 'have this machine start the node at boot, and again when it ends',
    options: [...serviceOptions, dryRun],
    run: (context, args) => change(context, args, install),
  },
  {
    path: 'service uninstall',
    about: 'take the service away; the node and its home stay',
    options: [...serviceOptions, dryRun],
    run: (context, args) => change(context, args, uninstall),
  },
]
