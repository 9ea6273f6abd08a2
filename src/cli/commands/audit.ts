/** audit: who did what at this node, and which signed acts it knows of. tokens: what scripts read with. */
import { asArray, asString, Fields, parseDisplayName } from '../../model/index.ts'
import type { Context } from '../context.ts'
import { ago, oneLine, plural, table } from '../output.ts'
import { yesOption } from '../signing.ts'
import { confirm } from '../prompt.ts'
import { type Args, asUsage, type CommandSpec, countWithin, durationWithin, type Outcome } from '../spec.ts'

const defaultRows = 50
const maxRows = 1000

const textOf = (f: Fields, key: string): string => f.maybe(key, (v, w) => asString(v, w, 4096), '')

async function audit(context: Context, args: Args): Promise<Outcome> {
  if (args.has('verify')) return verify(context)
  const query = new URLSearchParams({ limit: String(args.read('limit', countWithin(1, maxRows), defaultRows)) })
  for (const key of ['who', 'after', 'q']) if (args.text(key) !== undefined) query.set(key, args.text(key) ?? '')
  const document = await context.api().get(`audit?${query.toString()}`)
  const f = new Fields(document, 'audit')
  const rows = asArray(f.raw('audit'), 'audit', 1000).map((each, at) => {
    const row = new Fields(each, `audit[${at}]`)
    const from = [textOf(row, 'via'), textOf(row, 'address')].filter(Boolean).join(' ')
    const what = [textOf(row, 'object'), textOf(row, 'detail')].filter(Boolean).join(' ')
    return [textOf(row, 'at').slice(0, 19), textOf(row, 'who') || '-', textOf(row, 'action'), textOf(row, 'result'), from, what].map(
      oneLine,
    )
  })
  const next = textOf(f, 'next')
  const more = next === '' ? [] : [`older: shoal audit --after ${next}`]
  return { document, text: [...table(['at', 'who', 'did', 'result', 'from', 'what'], rows, context.width), ...more] }
}

async function verify(context: Context): Promise<Outcome> {
  const document = await context.api().get('audit/verify')
  const f = new Fields(document, 'audit')
  const rows = plural(f.integer('rows'), 'row')
  if (!f.has('brokenAt')) return { document, text: [`${rows}, none was changed or taken out`] }
  const message = `row ${f.integer('brokenAt')} is not what was written, or the one before it is gone`
  const todo = 'Somebody wrote to instance/node.db, or the disk changed it: trust no row from there on.'
  return { document, text: [message], failure: { code: 'DIGEST_MISMATCH', message, todo } }
}

async function listTokens(context: Context): Promise<Outcome> {
  const document = await context.api().getAll('tokens', 'tokens')
  const rows = asArray(document['tokens'], 'tokens', 100_000).map((each, at) => {
    const row = new Fields(each, `tokens[${at}]`)
    const when = (key: string): string => (row.has(key) ? ago(Math.max(0, Date.now() - Date.parse(textOf(row, key)))) : 'never')
    return [textOf(row, 'id'), oneLine(textOf(row, 'name')), textOf(row, 'madeBy'), textOf(row, 'expiresAt') || 'never', when('usedAt')]
  })
  const text =
    rows.length === 0
      ? ['no tokens; `shoal tokens add NAME` makes one']
      : table(['id', 'name', 'by', 'expires', 'used'], rows, context.width)
  return { document, text }
}

async function addToken(context: Context, args: Args): Promise<Outcome> {
  const name = asUsage(() => parseDisplayName(args.need(0, 'name'), 'name'))
  const expiresMs = args.read('expires', durationWithin('1s', '3660d'), null)
  const document = await context.api().post('tokens', { name, ...(expiresMs === null ? {} : { expiresMs }) })
  context.note('it reads everything of this node and changes nothing; it is shown this once')
  return { document, text: [new Fields(document, 'token').string('token', 200)] }
}

async function removeToken(context: Context, args: Args): Promise<Outcome> {
  const id = args.need(0, 'id')
  await confirm(context, args.has('yes'), [`Whatever uses token ${id} is refused from now on.`], 'Remove it?')
  return { document: await context.api().remove(`tokens/${encodeURIComponent(id)}`), text: [`token ${id} is good no more`] }
}

export const auditCommands: readonly CommandSpec[] = [
  {
    path: 'audit',
    about: 'who did what at this node, and what operators signed',
    options: [
      { flags: '--limit <n>', about: 'how many rows (default 50, at most 1000)' },
      { flags: '--after <seq>', about: 'only what is older than that row' },
      { flags: '--who <name>', about: 'only of that person' },
      { flags: '--q <text>', about: 'only rows that say this' },
      { flags: '--verify', about: 'check that no row was changed or taken out' },
    ],
    run: audit,
  },
  { path: 'tokens list', about: 'tokens of scripts', isDefault: true, run: listTokens },
  {
    path: 'tokens add',
    args: '<name>',
    about: 'make a token that reads everything of this node',
    options: [{ flags: '--expires <time>', about: 'how long it is good (default: until it is removed)' }],
    run: addToken,
  },
  { path: 'tokens remove', args: '<id>', about: 'end a token', options: [yesOption], run: removeToken },
]
