/** What may follow what on the command line, from the command table. Pure: the shells' scripts are printed from it, and know nothing else. */
import type { CommandSpec, OptionSpec } from '../spec.ts'

/** Names that only a node knows. */
export const nameKinds = ['nodes', 'releases', 'rollouts', 'operators'] as const
export type NameKind = (typeof nameKinds)[number]

/** What a value is taken from: words of a closed list, names that the node is asked for, or files. */
export interface Hint {
  readonly values: readonly string[]
  readonly names: NameKind | null
  readonly isFile: boolean
  /** Several, with commas. */
  readonly isList: boolean
}

export interface Place extends Hint {
  /** Commands of a group, or of the whole. */
  readonly commands: readonly string[]
  readonly options: readonly OptionSpec[]
}

export interface Completions {
  /** By what was typed: `` the commands, `nodes` its commands, `nodes show` its arguments and options. */
  readonly places: ReadonlyMap<string, Place>
  /** Options that take a value, by each of their names. */
  readonly valued: ReadonlyMap<string, Hint>
}

export type Groups = Readonly<Record<string, { readonly aliases?: readonly string[] }>>

/** Names under which a command is typed: those of its group, empty for a command in none, and its own. */
export function namesOf({ path, aliases = [] }: CommandSpec, groups: Groups): { heads: readonly string[]; names: readonly string[] } {
  const [group = '', command] = path.split(' ')
  const heads = command === undefined ? [''] : [group, ...(groups[group]?.aliases ?? [])]
  return { heads, names: [command ?? group, ...aliases] }
}

const everywhere: readonly OptionSpec[] = [
  { flags: '--home <dir>', about: "the node's home" },
  { flags: '--server <url>', about: 'another node, after login' },
  { flags: '--json', about: 'one JSON document' },
  { flags: '-h, --help', about: 'help' },
]

const byPlaceholder: Readonly<Record<string, Partial<Hint>>> = {
  nodes: { names: 'nodes', isList: true },
  node: { names: 'nodes' },
  peer: { names: 'nodes' },
  'nodes...': { names: 'nodes' },
  'name@version': { names: 'releases' },
}

/** Where a `<name>` is a person’s. */
const ofPeople: ReadonlySet<string> = new Set(['operators remove', 'operators export', 'keys rotate', '--operator', '--who'])

/** @param placeholder as in `--key <file>` or `<node>`; @param of the path of the command, or the option */
function hintOf(placeholder: string, of: string, values: readonly string[] = []): Hint {
  const inside = placeholder.replaceAll(/[<>[\]]/g, '')
  const isRollout = inside === 'id' && of.startsWith('rollout ')
  const known = isRollout ? { names: 'rollouts' as const } : ofPeople.has(of) ? { names: 'operators' as const } : byPlaceholder[inside]
  return { values, names: null, isFile: /file|dir/.test(inside), isList: false, ...known }
}

/** `-n, --lines <n>`: its names, and what stands for its value. */
export function partsOf({ flags }: OptionSpec): { readonly names: readonly string[]; readonly value: string | null } {
  return { names: flags.match(/(?<=^|\s)--?[a-z][a-z-]*/g) ?? [], value: /[<[].*$/.exec(flags)?.[0] ?? null }
}

const noHint: Hint = { values: [], names: null, isFile: false, isList: false }

function placesOf(specs: readonly CommandSpec[], groups: Groups): Map<string, Place> {
  const places = new Map<string, Place>([['', { ...noHint, commands: ['help'], options: everywhere }]])
  const put = (at: string, more: Partial<Place>): void => {
    const known = places.get(at) ?? { ...noHint, commands: [], options: everywhere }
    const options = [...new Set([...(more.options ?? []), ...known.options])]
    places.set(at, { ...known, ...more, commands: [...new Set([...known.commands, ...(more.commands ?? [])])], options })
  }
  for (const spec of specs) {
    const { heads, names } = namesOf(spec, groups)
    const [first = ''] = spec.args?.split(' ') ?? []
    const own = { options: spec.options ?? [], ...hintOf(first, spec.path, spec.values) }
    for (const head of heads) {
      if (head !== '') put('', { commands: [head] })
      put(head, { commands: names, ...(spec.isDefault === true ? { options: spec.options ?? [] } : {}) })
      for (const name of names) put(`${head} ${name}`.trim(), own)
    }
  }
  return places
}

export function completionsOf(specs: readonly CommandSpec[], groups: Groups = {}): Completions {
  const valued = new Map<string, Hint>()
  for (const option of [...everywhere, ...specs.flatMap(spec => spec.options ?? [])]) {
    const { names, value } = partsOf(option)
    if (value !== null) for (const name of names) valued.set(name, hintOf(value, name, option.values))
  }
  return { places: placesOf(specs, groups), valued }
}

/** The long name of each option, else the short one. */
export const optionWords = ({ options }: Place): readonly string[] => options.map(option => partsOf(option).names.at(-1) ?? '')
