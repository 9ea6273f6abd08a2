/**
 * `npm run docs:cli`: writes docs/cli.md from the table of commands, of which the parser, the help and the shells' completion are made too. A test
 * holds the two together.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { commands, groups } from '../../src/cli/commands/index.ts'
import { meanings } from '../../src/cli/meanings.ts'
import { orderOptions } from '../../src/cli/order.ts'
import { signingOptions } from '../../src/cli/signing.ts'
import type { CommandSpec, OptionSpec } from '../../src/cli/spec.ts'
import { type Code, codes } from '../../src/model/index.ts'

const head = `# The command line
Every command with every option, written from the program's own table (\`npm run docs:cli\`). \`shoal help COMMAND\` prints the same. What one does when, step by step, is in [get-started.md](get-started.md) and [operate.md](operate.md).

\`shoal <command> [--home DIR] [--server URL] [--json]\`

\`shoal\` alone shows the node at home, its fleet, the newest rollout, and what to do next; in a folder that is no node, the two commands to choose from (exit 2). A failure is three lines on standard error: what and its code, where, what to do.

| everywhere | means |
|---|---|
| \`--home <dir>\` | the node's home; else \`SHOAL_HOME\`, else the current folder |
| \`--server <url>\` | another node than the one at home, after \`shoal login\` |
| \`--json\` | exactly one JSON document on standard output, also on failure: \`{ "error": { "code", "message" } }\` |
| \`-h, --help\`, \`-V, --version\` | help on a command; the program's version |

Exit codes: 0 done · 1 failed · 2 wrong usage · 3 no node answers · 4 not allowed · 5 a rollout ended otherwise than ordered. \`shoal explain CODE\` says what the code of a failure means.

| variable | means |
|---|---|
| \`SHOAL_HOME\` | as \`--home\` |
| \`SHOAL_OPERATOR\` | as \`--operator\` |
| \`SHOAL_PASSPHRASE\` | the operator's passphrase; better \`--passphrase-file\`, since others may see a process's environment |
| \`SHOAL_TOKEN\` | the invite's token, for the first \`start\` of an empty home |
`

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

const cell = (text: string): string => text.replaceAll('|', '\\|')

const rowsOf = (options: readonly OptionSpec[]): readonly string[] =>
  options.map(({ flags, about }) => `| \`${cell(flags)}\` | ${cell(about)} |`)

const tableOf = (title: string, options: readonly OptionSpec[]): readonly string[] => [
  `| ${title} | means |`,
  '|---|---|',
  ...rowsOf(options),
]

/** Options that many commands share stand once. */
const shared = [
  { title: 'Options of an order', anchor: 'options-of-an-order', options: orderOptions },
  { title: 'Who signs', anchor: 'who-signs', options: signingOptions },
] as const

const has = (spec: CommandSpec, options: readonly OptionSpec[]): boolean => options.every(option => spec.options?.includes(option) === true)

function optionsOf(spec: CommandSpec): readonly string[] {
  const used = shared.find(each => has(spec, each.options))
  const own = (spec.options ?? []).filter(option => used?.options.includes(option) !== true)
  const link = used === undefined ? [] : [`And: [${used.title.toLowerCase()}](#${used.anchor}).`]
  return [...(own.length === 0 ? [] : ['', ...tableOf('option', own)]), ...(link.length === 0 ? [] : ['', ...link])]
}

function commandOf(spec: CommandSpec): readonly string[] {
  const [group = '', word] = spec.path.split(' ')
  const args = spec.args === undefined ? '' : ` ${spec.args}`
  const aliases = (spec.aliases ?? []).map(alias => `\`shoal ${word === undefined ? '' : `${group} `}${alias}\``)
  const also = [...(spec.isDefault === true ? [`\`shoal ${group}\``] : []), ...aliases]
  return [
    '',
    `### \`shoal ${spec.path}${args}\``,
    `${sentence(spec.about)}${also.length === 0 ? '' : ` Also ${also.join(', ')}.`}`,
    ...optionsOf(spec),
  ]
}

/** The text of docs/cli.md. */
export function reference(): string {
  const lines = [head]
  for (const { title, options } of shared) lines.push(`## ${title}`, ...tableOf('option', options), '')
  const alone = commands.filter(spec => !spec.path.includes(' '))
  lines.push('## Commands', ...alone.flatMap(commandOf))
  for (const [name, { about, aliases }] of Object.entries(groups)) {
    const also = (aliases ?? []).map(alias => ` Also \`shoal ${alias}\`.`).join('')
    lines.push(
      '',
      `## \`shoal ${name}\``,
      `${sentence(about)}${also}`,
      ...commands.filter(spec => spec.path.startsWith(`${name} `)).flatMap(commandOf),
    )
  }
  return `${lines.join('\n')}\n`
}

const codesHead = '## Every code\n'

/** The text of docs/operate.md with the table of codes at its end, as `explain` has them. */
export function withCodes(page: string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const rows = Object.entries(codes).map(
    ([code, { exit, status, todo }]) => `| \`${code}\` | ${exit} | ${status} | ${cell(meanings[code as Code] ?? '')} | ${cell(todo)} |`,
  )
  const lines = [
    codesHead.trimEnd(),
    'As `shoal explain CODE` says them (written by `npm run docs:cli`). Exit is that of a command that ends with the code, HTTP the status of a route.',
    '',
    '| code | exit | HTTP | means | do |',
    '|---|---|---|---|---|',
    ...rows,
  ]
  const before = page.includes(codesHead) ? page.slice(0, page.indexOf(codesHead)) : `${page.trimEnd()}\n\n`
  return `${before}${lines.join('\n')}\n`
}

if (import.meta.main) {
  writeFileSync(resolve('docs/cli.md'), reference())
  writeFileSync(resolve('docs/operate.md'), withCodes(readFileSync(resolve('docs/operate.md'), 'utf8')))
}
