/** Which command somebody meant who typed it wrong, and how it is used: the second and third line of a wrong usage. Pure. */
import { completionsOf } from './completion/index.ts'
import type { Grammar } from './parser.ts'
import type { CommandSpec } from './spec.ts'

export interface Usage {
  /** `shoal nodes show [options] <node>` */
  readonly line: string
  readonly help: string
}

/** Names under which a command is typed. */
function namesOf(spec: CommandSpec, groups: Grammar['groups']): readonly string[] {
  const [group = '', command] = spec.path.split(' ')
  if (command === undefined) return [group, ...(spec.aliases ?? [])]
  const groupNames = [group, ...(groups[group]?.aliases ?? [])]
  return groupNames.flatMap(g => [command, ...(spec.aliases ?? [])].map(c => `${g} ${c}`))
}

/** What was typed but options and their values. */
function wordsOf(argv: readonly string[], specs: Grammar['specs']): readonly string[] {
  const { valued } = completionsOf(specs)
  return argv.filter((word, at) => !word.startsWith('-') && !valued.has(argv[at - 1] ?? ''))
}

export function usageOf(argv: readonly string[], { specs, groups }: Pick<Grammar, 'specs' | 'groups'>): Usage {
  const words = wordsOf(argv, specs)
  const [first = ''] = words
  const two = words.slice(0, 2).join(' ')
  const spec = specs.find(s => namesOf(s, groups).includes(two)) ?? specs.find(s => namesOf(s, groups).includes(first))
  if (spec !== undefined) {
    const args = spec.args === undefined ? '' : ` ${spec.args}`
    return { line: `shoal ${spec.path} [options]${args}`, help: `shoal ${spec.path} --help` }
  }
  const group = Object.entries(groups).find(([name, { aliases = [] }]) => [name, ...aliases].includes(first))?.[0]
  if (group === undefined) return { line: 'shoal <command> [options]', help: 'shoal help' }
  const commands = specs.filter(s => s.path.startsWith(`${group} `)).map(s => s.path.slice(group.length + 1))
  return { line: `shoal ${group} ${commands.join('|')} [options]`, help: `shoal help ${group}` }
}
