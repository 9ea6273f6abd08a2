/** The doctor on a real home: sound, and with one thing wrong at a time; nothing of it is changed. */
import { appendFileSync, chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { homePaths, readCurrent, slotDir } from '../../../src/slots/index.ts'
import { readNodeKey } from '../../../src/trust/index.ts'
import { shoal } from './helpers.ts'

interface Found {
  readonly check: string
  readonly state: string
  readonly code: string | null
  readonly message: string
  readonly todo: string
}

async function doctor(home: string): Promise<{ code: number; checks: readonly Found[]; problems: readonly string[] }> {
  const { code, json, err } = await shoal(['doctor', '--home', home, '--json'])
  const checks = json.checks as readonly Found[]
  const problems = checks.filter(each => each.state === 'problem').map(each => `${each.check} ${each.code ?? ''}`)
  t.equal(json.ok, problems.length === 0)
  t.match(err, code === 0 ? /^$/ : /^error: \d+ problems?; \S+: [^]*\([A-Z_]+\)\n/, 'what fails says so on standard error')
  return { code, checks, problems }
}

void t.test('a sound home that does not run: nothing is wrong, advice what could be better', async t => {
  const home = t.testdir({})
  t.equal((await shoal(['init', '--home', home, '--listen', '127.0.0.1:0', '--operator', 'anna'])).code, 0)
  const { code, checks, problems } = await doctor(home)
  t.same(problems, [])
  t.equal(code, 0)
  const named = new Set(checks.map(each => each.check))
  for (const check of [
    'nodejs',
    'home',
    'modes',
    'certificates',
    'database',
    'slots',
    'cloned',
    'config',
    'disk',
    'runs',
    'port',
    'restart',
  ])
    t.ok(named.has(check), check)
  t.match(
    checks.find(each => each.check === 'runs'),
    { state: 'advice', todo: /shoal start/ },
  )
  const text = await shoal(['doctor', '--home', home])
  t.match(text.out, /nothing is wrong$/m)
})

void t.test('each thing that is wrong has its code and what to do, and exit 1', async t => {
  const other = t.testdir({})
  const home = join(other, 'home')
  await shoal(['init', '--home', home, '--listen', '127.0.0.1:0', '--operator', 'anna'])
  const paths = homePaths(home)
  const config = JSON.parse(readFileSync(paths.config, 'utf8')) as { listen: string; limits: object }
  const port = Number(config.listen.split(':').at(-1))
  const entry = join(slotDir(home, readCurrent(home)?.builtIn ?? ('' as never)), 'src/entry.ts')
  await shoal(['init', '--home', join(other, 'other'), '--listen', '127.0.0.1:0', '--operator', 'anna'])
  const foreign = homePaths(join(other, 'other'))
  const kept = (path: string, change: () => void) => ({
    do: () => {
      copyFileSync(path, join(other, 'kept'))
      change()
    },
    undo: () => renameSync(join(other, 'kept'), path),
  })
  const peer = { id: 'b'.repeat(52), address: '127.0.0.1:1' }
  const rewrite = (more: object) => kept(paths.config, () => writeFileSync(paths.config, JSON.stringify({ ...config, ...more })))
  const cases: readonly (readonly [string, string, { do: () => unknown; undo: () => unknown }])[] = [
    ['modes', 'KEY_FILE_MODE', { do: () => chmodSync(paths.nodeKey, 0o644), undo: () => chmodSync(paths.nodeKey, 0o600) }],
    ['certificates', 'HOME_DAMAGED', kept(paths.nodePem, () => writeFileSync(paths.nodePem, 'x'))],
    ['certificates', 'HOME_DAMAGED', kept(paths.caPem, () => copyFileSync(foreign.caPem, paths.caPem))],
    ['certificates', 'HOME_DAMAGED', kept(paths.caKey, () => copyFileSync(foreign.caKey, paths.caKey))],
    ['database', 'HOME_DAMAGED', kept(paths.db, () => writeFileSync(paths.db, Buffer.alloc(8192, 7)))],
    ['slots', 'SLOT_DAMAGED', kept(entry, () => appendFileSync(entry, '// changed'))],
    ['slots', 'SLOT_DAMAGED', kept(entry, () => rmSync(entry))],
    ['config', 'HOME_DAMAGED', kept(paths.config, () => rmSync(paths.config))],
    ['config', 'BAD_REQUEST', rewrite({ listen: 'nowhere' })],
    ['settings', 'BAD_REQUEST', rewrite({ app: 42 })],
    ['settings', 'KEY_FILE_MODE', { do: () => writeFileSync(paths.appEnv, 'A=1', { mode: 0o644 }), undo: () => rmSync(paths.appEnv) }],
    ['disk', 'DISK_FULL', rewrite({ limits: { reserveMb: 1_000_000 } })],
    ['links', 'PEER_FAILED', rewrite({ peers: [peer] })],
    [
      'cloned',
      'CLONED_ID',
      {
        do: () =>
          writeFileSync(
            paths.nodeLog,
            `{"event":"alarm","alarm":"cloned","peer":"${readNodeKey(readFileSync(paths.nodeKey, 'utf8')).id}"}\n`,
          ),
        undo: () => rmSync(paths.nodeLog),
      },
    ],
  ]
  for (const [check, code, how] of cases) {
    await how.do()
    const found = await doctor(home)
    t.ok(found.problems.includes(`${check} ${code}`), `${check} ${code}: ${found.problems.join(', ')}`)
    t.equal(found.code, 1)
    t.ok(
      found.checks.filter(each => each.state === 'problem').every(each => each.todo !== '' && each.message !== ''),
      'each says what to do',
    )
    await how.undo()
  }
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.same((await doctor(home)).problems, ['port PORT_IN_USE'])
  server.close()
  t.same((await doctor(home)).problems, [], 'all of it was undone')
  const empty = await doctor(join(other, 'none'))
  t.same([empty.code, empty.problems], [1, ['home HOME_EMPTY']])
})
