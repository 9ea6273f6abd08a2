// docs/cli.md is the table of commands, no more and no less.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { commands, groups } from '../../../src/cli/commands/index.ts'
import { reference } from '../../helpers/reference.ts'

const text = readFileSync('docs/cli.md', 'utf8')

void t.test('is as `npm run docs:cli` writes it', t => {
  t.equal(text, reference())
  t.end()
})

void t.test('every command, argument and option of the table is in it, once as a heading', t => {
  const headings = [...text.matchAll(/^### `shoal ([^`]+)`$/gm)].map(([, line]) => line)
  t.strictSame(headings.toSorted(), commands.map(({ path, args }) => (args === undefined ? path : `${path} ${args}`)).toSorted())
  for (const { path, options = [], aliases = [] } of commands) {
    for (const { flags } of options) t.ok(text.includes(`| \`${flags.replaceAll('|', '\\|')}\` |`), `${path} ${flags}`)
    for (const alias of aliases) t.match(text, new RegExp(`Also .*\`shoal (?:\\w+ )?${alias}\``), alias)
  }
  for (const name of Object.keys(groups)) t.ok(text.includes(`## \`shoal ${name}\``), name)
  t.end()
})
