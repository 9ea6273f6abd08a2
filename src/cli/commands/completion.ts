/** completion: what a shell needs to complete commands and options, printed from the command table. No process is started at a key press. */
import { asOneOf } from '../../model/index.ts'
import { asUsage, type CommandSpec } from '../spec.ts'

const shells = ['bash', 'zsh', 'fish', 'powershell'] as const

/** Long options of a command. */
const optionsOf = (spec: CommandSpec): readonly string[] =>
  [...(spec.options ?? []).map(o => /--[a-z-]+/.exec(o.flags)?.[0] ?? ''), '--home', '--server', '--json', '--help'].filter(
    each => each !== '',
  )

type Groups = Readonly<Record<string, { readonly aliases?: readonly string[] }>>

/** Words that may follow: for `` the commands, for `nodes` its commands, for `nodes show` its options. */
export function completions(specs: readonly CommandSpec[], groups: Groups = {}): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>([['', ['help']]])
  const put = (after: string, more: readonly string[]): void => void words.set(after, [...new Set([...(words.get(after) ?? []), ...more])])
  for (const spec of specs) {
    const [group = '', command] = spec.path.split(' ')
    put('', [group, ...(command === undefined ? (spec.aliases ?? []) : [])])
    if (command !== undefined) put(group, [command, ...(spec.aliases ?? [])])
    for (const name of [spec.path, ...(spec.aliases ?? []).map(a => [group, a].slice(command === undefined ? 1 : 0).join(' '))])
      put(name, optionsOf(spec))
  }
  for (const [name, { aliases = [] }] of Object.entries(groups)) {
    put('', aliases)
    for (const [path, next] of [...words].filter(([each]) => each === name || each.startsWith(`${name} `)))
      for (const alias of aliases) words.set(alias + path.slice(name.length), [...next])
  }
  return words
}

function bash(words: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...words].map(([after, next]) => `    '${after}') words='${next.join(' ')}' ;;`)
  return `# shoal completion bash > /etc/bash_completion.d/shoal
_shoal() {
  local words='' path='' each
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $each == -* ]] && break
    case "$path $each" in
${pathCases(words, '      ')}
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _shoal shoal`
}

/** Words that go one level deeper. */
const pathCases = (words: ReadonlyMap<string, readonly string[]>, indent: string): string =>
  [...words.keys()]
    .filter(after => after !== '')
    .map(after => (after.includes(' ') ? `'${after}')` : `' ${after}')`) + ` path='${after}' ;;`)
    .map(line => indent + line)
    .join('\n')

const zsh = (words: ReadonlyMap<string, readonly string[]>): string => `#compdef shoal
# shoal completion zsh > a file named _shoal in a folder of $fpath
_shoal() {
  local path='' each
  for each in "\${(@)words[2,CURRENT-1]}"; do
    [[ $each == -* ]] && break
    case "$path $each" in
${pathCases(words, '      ')}
    esac
  done
  case "$path" in
${[...words].map(([after, next]) => `    '${after}') compadd -- ${next.join(' ')} ;;`).join('\n')}
  esac
  _files
}
_shoal "$@"`

function fish(words: ReadonlyMap<string, readonly string[]>): string {
  const lines = [...words].map(([after, next]) => {
    const seen =
      after === ''
        ? '__fish_use_subcommand'
        : after
            .split(' ')
            .map(word => `__fish_seen_subcommand_from ${word}`)
            .join('; and ')
    return `complete -c shoal -n '${seen}' -a '${next.join(' ')}'`
  })
  return ['# shoal completion fish > ~/.config/fish/completions/shoal.fish', ...lines].join('\n')
}

/** Single quotes hold every character of a word but themselves. */
const quoted = (word: string): string => `'${word.replaceAll("'", "''")}'`

function powershell(words: ReadonlyMap<string, readonly string[]>): string {
  const rows = [...words].map(([after, next]) => `    ${quoted(after)} = @(${next.map(quoted).join(', ')})`)
  return `# shoal completion powershell | Out-String | Invoke-Expression    # or add it to $PROFILE
Register-ArgumentCompleter -Native -CommandName shoal -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @{
${rows.join('\n')}
  }
  $path = ''
  foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
    if ($element.Extent.EndOffset -ge $cursorPosition) { break }
    $longer = ("$path $element").Trim()
    if (-not $words.ContainsKey($longer)) { break }
    $path = $longer
  }
  $words[$path] | Where-Object { $_ -like "$wordToComplete*" } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}`
}

/** @param specs gives the table, of which this command is a part */
export const completionCommands = (specs: () => readonly CommandSpec[], groups: Groups): readonly CommandSpec[] => [
  {
    path: 'completion',
    args: '<shell>',
    about: `print what a shell (${shells.join(', ')}) needs to complete commands`,
    run: (_context, args) => {
      const shell = asUsage(() => asOneOf(args.need(0, 'shell'), 'shell', shells))
      const script = { bash, zsh, fish, powershell }[shell](completions(specs(), groups))
      return { document: { shell, script }, text: [script] }
    },
  },
]
