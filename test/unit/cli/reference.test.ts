// docs/cli.md is the table of commands, no more and no less.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { commands, groups } from '../../../src/cli/commands/index.ts'
import { codes } from '../../../src/model/index.ts'
import { reference, withCodes } from '../../helpers/reference.ts'
import { shoal } from './helpers.ts'

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

void t.test('docs/operate.md names every code, with what `explain` says of it', async t => {
  const page = readFileSync('docs/operate.md', 'utf8')
  t.equal(page, withCodes(page), 'is as `npm run docs:cli` writes it')
  const rows = [...page.slice(page.indexOf('## Every code')).matchAll(/^\| `(\w+)` \| (\d) \| (\d{3}) \| (.+) \| (.+) \|$/gm)]
  t.strictSame(
    rows.map(([, code]) => code),
    Object.keys(codes),
  )
  for (const [, code = '', exit, status, means, todo] of rows) {
    const { json } = await shoal(['explain', code, '--json'])
    t.strictSame([exit, status, means, todo], [String(json.exit), String(json.status), json.means, json.todo], code)
  }
})
