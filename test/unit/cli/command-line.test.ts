import { join } from 'node:path'
import t from 'tap'
import { commands } from '../../../src/cli/commands/index.ts'
import { cut, oneLine, table } from '../../../src/cli/output.ts'
import { closest, codes } from '../../../src/model/index.ts'
import { shoal } from './helpers.ts'

void t.test('wrong usage ends with 2, says so on standard error, and helps', async t => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['statsu'], /unknown command 'statsu'[^]*usage: shoal <command>[^]*Did you mean status\?/],
    [['nodes', 'shwo', 'x'], /unknown command 'nodes shwo'[^]*usage: shoal nodes list\|show[^]*Did you mean show\?[^]*shoal help nodes/],
    [['--home', '/nowhere', 'rollout', 'abrot'], /usage: shoal rollout start\|[^]*Did you mean abort\?/],
    [['keys'], /keys needs a command: rotate, kit, restore/],
    [['lgos'], /unknown command 'lgos'/],
    [['help', 'statsu'], /unknown command 'statsu'[^]*usage: shoal <command>[^]*Did you mean status\?/],
    [['help', 'nodes', 'shwo'], /unknown command 'nodes shwo'[^]*usage: shoal nodes list\|show[^]*Did you mean show\?/],
    [['statsu', '--help'], /unknown command 'statsu'[^]*Did you mean status\?/],
    [['nodes', 'shwo', '--help'], /unknown command 'nodes shwo'[^]*Did you mean show\?/],
    [['status', '--jsno'], /unknown option '--jsno'[^]*Did you mean --json\?/],
    [['nodes', 'show'], /missing required argument 'node'[^]*usage: shoal nodes show \[options\] <node>[^]*shoal nodes show --help/],
    [['nodes', 'show', 'a', 'b'], /too many arguments/],
    [['init', '--listen'], /argument missing/],
    [['init', '--listen', 'nonsense'], /--listen: "nonsense" is no HOST:PORT/],
    [['init', '--name', 'a\nb'], /--name/],
    [['pack', '.', '--platform', 'Lin ux'], /--platform/],
    [['completion', 'tcsh'], /bash \| zsh \| fish \| powershell/],
    [['demo', '--nodes', 'many'], /"many" is no whole number/],
    [['demo', '--nodes', '0'], /from 1 to/],
    [['tokens', 'add', 'ci', '--expires', '0s'], /--expires: 0s, from 1s to/],
    [['audit', '--limit', '0'], /--limit: 0, from 1 to 1000/],
    [['audit', '--limit', '1001'], /from 1 to 1000/],
    [['logs', '--lines', '0'], /--lines: 0, from 1 to/],
    [['nodes', 'hold', 'till', '--for', '0s'], /--for: 0s, from 1ms to 366d/],
    [['nodes', 'hold', 'till', '--for', '400d'], /from 1ms to 366d/],
    [['init', '--advertise', ' , '], /--advertise: " , " names nothing/],
  ]
  for (const [argv, message] of cases) {
    const { code, out, err } = await shoal(argv)
    t.equal(code, 2, argv.join(' '))
    t.equal(out, '', 'nothing on standard output')
    t.match(err, message)
    t.match(err, /\(USAGE\)/)
    t.equal(err.trimEnd().split('\n').length, 3, `${argv.join(' ')}: what, where, what to do`)
  }
})

void t.test('a folder where a file is meant, and a folder that is not there: what it is, and no fault of Shoal', async t => {
  const folder = t.testdir({
    app: { 'package.json': '{"name":"a","version":"1.0.0","shoal":{"app":"a.js"}}', 'a.js': 'export default () => ({})' },
  })
  const home = join(folder, 'home')
  t.equal((await shoal(['init', '--home', home, '--listen', '127.0.0.1:0', '--operator', 'ann'])).code, 0)
  const app = join(folder, 'app')
  const none = join(folder, 'none', 'out')
  const cases: readonly (readonly [readonly string[], string, RegExp])[] = [
    [['publish', app], 'NOT_A_ZIP', /app: is a folder; `shoal pack \S*app` makes the zip/],
    [['import', app], 'BAD_REQUEST|NOT_FOUND', /app: /],
    [['invite', '--key', app], 'NO_OPERATOR_KEY', /app: cannot be read/],
    [['pack', app, '--out', app], 'BAD_REQUEST|NOT_WRITABLE', /app: /],
    [['pack', app, '--out', none], 'NOT_WRITABLE', /none.out: its folder is not there \(ENOENT\)/],
    [['operators', 'export', 'ann', '--out', none], 'NOT_WRITABLE', /none.out: its folder is not there/],
    [['init', '--home', join(app, 'a.js')], 'NOT_FOUND|NOT_WRITABLE', /a\.js/],
  ]
  for (const [argv, code, message] of cases) {
    const { json, err } = await shoal([...argv, ...(argv.includes('--home') ? [] : ['--home', home]), '--json'])
    t.match(json.error.code, new RegExp(`^(?:${code})$`), argv.join(' '))
    t.match(json.error.message, message)
    t.notMatch(err, /fault of Shoal/)
  }
})

void t.test('with --json a failure is exactly one document, and words on standard error', async t => {
  const { code, json, err } = await shoal(['statsu', '--json'])
  t.equal(code, 2)
  t.equal(json.error.code, 'USAGE')
  t.match(err, /^error: unknown command 'statsu' \(USAGE\)\n {2}usage: \S[^]*\n {2}\(Did you mean status\?\) \S/)
  const after = await shoal(['statsu', '--', '--json'])
  t.equal(after.out, '', 'behind -- it is a word, no option')
})

void t.test('options of the whole command stand anywhere', async t => {
  const home = t.testdir()
  for (const argv of [
    ['--home', home, '--json', 'status'],
    ['status', '--json', '--home', home],
    ['nodes', '--json', 'list', `--home=${home}`],
  ]) {
    const { code, json } = await shoal(argv)
    t.equal(code, 2, argv.join(' '))
    t.equal(json.error.code, 'HOME_EMPTY')
    t.match(json.error.message, home)
  }
  t.equal((await shoal(['status', '--json'], { env: { SHOAL_HOME: home } })).json.error.code, 'HOME_EMPTY')
  t.match((await shoal(['status'], { cwd: home })).err, new RegExp(`home ${home}`))
})

void t.test('help and version are asked for, so they end with 0', async t => {
  const help = await shoal(['--help'])
  t.equal(help.code, 0)
  t.match(help.out, /Examples:[^]*Usage: shoal[^]*nodes list\|show\|remove/)
  t.match((await shoal(['help'])).out, /Examples:[^]*Usage: shoal[^]*help \[command\.\.\.\]/)
  t.match((await shoal(['help', 'invite'])).out, /--can-invite/)
  t.match((await shoal(['help', 'fleet', 'show'])).out, /Usage: shoal nodes show/)
  t.match((await shoal(['nodes', 'list', '--all', '--help'])).out, /Usage: shoal nodes list/)
  t.match((await shoal(['help', '--help'])).out, /Usage: shoal help/)
  t.match((await shoal(['nodes', 'show', 'nobody', '--help'])).out, /Usage: shoal nodes show/)
  t.match((await shoal(['rollout', 'start', '--help'])).out, /--max-missing[^]*--home/)
  t.match((await shoal(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

void t.test('every command can print its help, and aliases lead to the same', async t => {
  for (const { path } of commands) t.equal((await shoal([...path.split(' '), '--help'])).code, 0, path)
  const aliases = [
    ['fleet', 'nodes'],
    ['undo', 'rollback'],
    ['update', 'deploy'],
  ]
  for (const [alias = '', name] of aliases) t.match((await shoal([alias, '--help'])).out, new RegExp(`Usage: shoal ${name}\\|${alias}`))
  t.match((await shoal(['rollout', 'status', '--help'])).out, /Usage: shoal rollout show\|status/)
})

void t.test('start of an empty home names the two commands to choose from', async t => {
  const { code, err } = await shoal(['start', '--home', t.testdir()])
  t.equal(code, 2)
  t.match(err, /shoal init[^]*shoal join TOKEN/)
  const alone = await shoal(['--json', '--home', t.testdir()])
  t.equal(alone.code, 2, 'and so does the command without a word')
  t.equal(alone.json.error.code, 'HOME_EMPTY')
  t.match(alone.err, /shoal start --init[^]*shoal join TOKEN/)
})

void t.test('explain prints every code, and guesses', async t => {
  for (const [code, entry] of Object.entries(codes)) {
    const { json } = await shoal(['explain', code, '--json'])
    t.match(json, { code, exit: entry.exit, status: entry.status, todo: entry.todo })
    t.match(json.means, /^[A-Z].{15,}\.$/, `${code} is explained`)
    t.match(json.todo, /\.$/, `${code} has a cure`)
  }
  t.match((await shoal(['explain', 'disk-full'])).out, /DISK_FULL \(exit code 1, HTTP status 507\)\nThe disk [^\n]+\nFree what/)
  const unknown = await shoal(['explain', 'DISK_FUL'])
  t.equal(unknown.code, 1)
  t.match(unknown.err, /NOT_FOUND[^]*Did you mean DISK_FULL\?/)
})

void t.test('words are near or not', async t => {
  t.equal(closest('statsu', ['status', 'start']), 'status')
  t.equal(closest('invtie', ['invite', 'init']), 'invite')
  t.equal(closest('xyz', ['status', 'start']), null)
})

void t.test('tables have two spaces, capitals, and fit the width', async t => {
  const rows = [
    ['shop-7', 'a', 'something long at the end'],
    ['köln', 'bbb', 'x\u001b[31m\ny'],
  ]
  t.strictSame(table(['name', 'id', 'doing'], rows, 24), ['NAME    ID   DOING', 'shop-7  a    something …', 'köln    bbb  x [31m y'])
  t.equal(cut('abcdef', 3), 'ab…')
  t.equal(oneLine('a\u202eb\r\nc'), 'a b c')
})
