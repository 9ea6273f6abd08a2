/** Which command somebody meant who typed it wrong, and how it is used: the second and third line of a wrong usage. Pure. */
import { completionsOf, type Groups, namesOf } from './completion/index.ts'
import type { Grammar } from './parser.ts'
import type { CommandSpec } from './spec.ts'

export interface Usage {
  /** `shoal nodes show [options] <node>` */
  readonly line: string
  readonly help: string
}

/** A command, typed in any of its ways. */
function typedOf(spec: CommandSpec, groups: Groups): readonly string[] {
  const { heads, names } = namesOf(spec, groups)
  return heads.flatMap(head => names.map(name => `${head} ${name}`.trim()))
}

/** What was typed but options and their values. */
function wordsOf(argv: readonly string[], specs: Grammar['specs']): readonly string[] {
  const { valued } = completionsOf(specs)
  return argv.filter((word, at) => !word.startsWith('-') && !valued.has(argv[at - 1] ?? ''))
}

export function usageOf(argv: readonly string[], { specs, groups }: Pick<Grammar, 'specs' | 'groups'>): Usage {
  const typed = wordsOf(argv, specs)
  const words = typed[0] === 'help' ? typed.slice(1) : typed
  const [first = ''] = words
  const two = words.slice(0, 2).join(' ')
  const spec = specs.find(s => typedOf(s, groups).includes(two)) ?? specs.find(s => typedOf(s, groups).includes(first))
  if (spec !== undefined) {
    const args = spec.args === undefined ? '' : ` ${spec.args}`
    return { line: `shoal ${spec.path} [options]${args}`, help: `shoal ${spec.path} --help` }
  }
  const group = Object.entries(groups).find(([name, { aliases = [] }]) => [name, ...aliases].includes(first))?.[0]
  if (group === undefined) return { line: 'shoal <command> [options]', help: 'shoal help' }
  const commands = specs.filter(s => s.path.startsWith(`${group} `)).map(s => s.path.slice(group.length + 1))
  return { line: `shoal ${group} ${commands.join('|')} [options]`, help: `shoal help ${group}` }
}
