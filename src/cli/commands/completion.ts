/**
 * completion: what a shell needs to complete commands, options and their values, printed from the command table. Only for names that a node knows is
 * a process started at a key press: it says nothing at all where something is amiss, and is done within a second.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { asOneOf, ShoalError } from '../../model/index.ts'
import { parseFleet, parseNodes, parseReleases, parseRollouts } from '../answers.ts'
import { bash, completionsOf, fish, type Groups, type NameKind, nameKinds, powershell, zsh } from '../completion/index.ts'
import type { Context } from '../context.ts'
import { completionDeadlineMs, completionLeastMs, maxCompletedNames } from '../limits.ts'
import { type Args, asUsage, type CommandSpec, type Outcome } from '../spec.ts'

const shells = ['bash', 'zsh', 'fish', 'powershell'] as const

/** What no shell takes for more than a word. */
const isPlain = (name: string): boolean => /^[\w.@/+:-]+$/.test(name)

const askFor: Readonly<Record<NameKind, (context: Context) => Promise<readonly string[]>>> = {
  nodes: async c =>
    parseNodes(await c.api().get(`nodes?limit=${maxCompletedNames}`)).map(node => (isPlain(node.name) ? node.name : node.id.slice(0, 8))),
  releases: async c => parseReleases(await c.api().get(`releases?limit=${maxCompletedNames}`)).map(r => `${r.name}@${r.version}`),
  rollouts: async c => ['latest', ...parseRollouts(await c.api().get('rollouts?limit=50')).map(r => r.id.slice(0, 8))],
  operators: async c => parseFleet(await c.api().get('fleet')).people.map(p => p.name),
}

async function names(context: Context, args: Args): Promise<Outcome> {
  const kind = args.read('names', (v, w) => asOneOf(v, w, nameKinds), 'nodes')
  const ask = async (): Promise<readonly string[]> => askFor[kind](context)
  const found = ask().catch((): readonly string[] => [])
  const none: readonly string[] = []
  const late = wait(Math.max(completionLeastMs, completionDeadlineMs - performance.now()), none, { ref: false })
  const list = [...new Set(await Promise.race([found, late]))].filter(isPlain)
  return { document: { names: list }, text: list }
}

/** @param specs gives the table, of which this command is a part */
export const completionCommands = (specs: () => readonly CommandSpec[], groups: Groups): readonly CommandSpec[] => [
  {
    path: 'completion',
    args: '[shell]',
    values: shells,
    about: `print what a shell (${shells.join(', ')}) needs to complete commands`,
    options: [
      { flags: '--names <what>', about: 'what its script asks: names of nodes, releases, rollouts or operators', values: nameKinds },
    ],
    run: (context, args) => {
      if (args.has('names')) return names(context, args)
      const word = args.word(0)
      if (word === undefined) throw new ShoalError('USAGE', `completion needs a shell: ${shells.join(', ')}`)
      const shell = asUsage(() => asOneOf(word, 'shell', shells))
      const script = { bash, zsh, fish, powershell }[shell](completionsOf(specs(), groups))
      return { document: { shell, script }, text: [script] }
    },
  },
]
