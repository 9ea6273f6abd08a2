import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseRollout, type RolloutAnswer } from '../../../src/cli/answers.ts'
import { changes, nothingTold } from '../../../src/cli/progress.ts'
import { asciiGlyphs, glyphsFor, render, unicodeGlyphs } from '../../../src/cli/render.ts'
import { found } from '../../../src/cli/home/index.ts'
import { barLine } from '../../../src/cli/upload-bar.ts'
import { verdictOf } from '../../../src/cli/verdict.ts'
import { watch } from '../../../src/cli/watch.ts'
import { maxFactBody, parseControl, parseOrder, parseRelease, parseRemoval, ShoalError } from '../../../src/model/index.ts'
import { homePaths } from '../../../src/slots/index.ts'
import { NodeStore } from '../../../src/store/index.ts'
import {
  newOperatorKey,
  openOperatorKey,
  parseToken,
  sha256,
  signingKeys,
  trustFirstRoot,
  trustNextRoot,
  type TrustedRoot,
  verifyDocument,
} from '../../../src/trust/index.ts'
import { type Answerer, type Asked, fakeNode, refusal, shoal } from './helpers.ts'
import type { Json } from '../../helpers/json.ts'

// --- what is drawn and said

const idOf = (n: number): string => 'abcdefghijklmnopqrstuvwxyz'[Math.floor(n) % 26]!.repeat(8).padEnd(52, '2')
const nodeRow = (n: number, more: object = {}): object => ({
  id: idOf(n),
  name: `shop-${n}`,
  reach: 'direct',
  ageMs: 0,
  app: { name: 'demo', version: '1.4.0' },
  step: 'waiting',
  outcome: null,
  ...more,
})
const confirmed = { outcome: 'confirmed', app: { name: 'demo', version: '1.5.0' }, step: 'idle' }

function rollout(state: string, rows: readonly object[], more: object = {}): RolloutAnswer {
  const ids = rows.map((_, n) => idOf(n))
  const waves = [
    { state: 'passed', nodes: ids.slice(0, 1), need: 1, confirmed: 1, failed: 0, missing: 0 },
    { state: 'open', nodes: ids.slice(1), need: rows.length - 1, confirmed: 0, failed: 1, missing: 0 },
  ]
  return parseRollout({
    id: 'r'.repeat(52),
    release: 'demo@1.5.0',
    state,
    initiatedBy: 'ann',
    opensWhen: 'wave 2 of 2 passes when 3 more have confirmed',
    waves,
    nodes: rows,
    ...more,
  })
}
const mixed = [
  nodeRow(0, confirmed),
  nodeRow(1, { step: 'transfer', percent: 40 }),
  nodeRow(2, { outcome: 'rolled-back', reason: { code: 'APP_UNHEALTHY', message: 'no database' }, log: ['starting', 'boom'] }),
  nodeRow(3, { step: 'probation' }),
  nodeRow(4, { outcome: 'missing', reach: 'lost' }),
  nodeRow(5),
]

void t.test('a rollout is drawn in the width there is', async t => {
  t.strictSame(render(rollout('open', mixed), 72), [
    'demo@1.5.0  open  1 of 6 confirmed  by ann',
    'wave 1  passed  ✓  1 of 1, needs 1',
    'wave 2  open    ↓↩◔?·  0 of 5, needs 5, 1 failed',
    'wave 2 of 2 passes when 3 more have confirmed',
    '  ↩ shop-2  rolled-back  APP_UNHEALTHY: no database',
    '  ? shop-4  missing',
    '  ↓ shop-1  transfer 40 %',
    '  ◔ shop-3  probation',
  ])
  t.strictSame(
    render(rollout('open', mixed), 40, asciiGlyphs),
    [
      'demo@1.5.0  open  1 of 6 confirmed  by …',
      'wave 1  passed  +  1 of 1, needs 1',
      'wave 2  open    0 of 5, needs 5, 1 faile…',
      'wave 2 of 2 passes when 3 more have con…',
      '  < shop-2  rolled-back  APP_UNHEALTHY:…',
      '  ? shop-4  missing',
      '  v shop-1  transfer 40 %',
      '  o shop-3  probation',
    ].map(line => (line.length > 40 ? `${line.slice(0, 39)}…` : line)),
  )
  const many = Array.from({ length: 300 }, (_, n) =>
    nodeRow(n, { outcome: 'failed', platform: `p-${n}`, reason: { code: 'INTERNAL', message: 'x\u001b[2Jy' } }),
  )
  const lines = render(rollout('halted', many), 80)
  t.equal(lines.length, 3 + 1 + 8 + 1)
  t.match(lines.at(-1), /and 292 more/)
  t.notMatch(lines.join(''), '\u001b')
  for (const line of lines) t.ok(line.length <= 80)
  const alike = many.map(row => ({ ...row, platform: 'linux-x64' }))
  t.equal(
    render(rollout('halted', [...alike, nodeRow(300, { step: 'switching' })]), 200)[4],
    `  ✕ 300 nodes on linux-x64  failed  INTERNAL: x [2Jy  (${Array.from({ length: 10 }, (_, n) => `shop-${n}`).join(', ')} and 290 more)`,
    'one fault of many nodes is one line',
  )
})

void t.test('a bar for bytes fits its line', async t => {
  t.equal(barLine('demo@1.5.0', 3_000_000, 12_000_000, 80), 'demo@1.5.0  [######..................]  25 % of 12 MB')
  t.equal(barLine('demo@1.5.0', 900, 900, 80), 'demo@1.5.0  [########################] 100 % of 1 kB')
  t.equal(barLine('a'.repeat(90), 0, 0, 20).length, 20)
})

void t.test('glyphs follow the terminal', async t => {
  t.equal(glyphsFor({ LANG: 'de_DE.UTF-8', TERM: 'xterm' }), unicodeGlyphs)
  t.equal(glyphsFor({ LANG: 'C', TERM: 'xterm' }), asciiGlyphs)
  t.equal(glyphsFor({ LANG: 'de_DE.UTF-8', TERM: 'dumb' }), asciiGlyphs)
})

void t.test('without a terminal each change is one full line', async t => {
  const first = changes(nothingTold, rollout('open', [nodeRow(0), nodeRow(1)]), 0)
  t.strictSame(first.lines, ['wave 2 of 2 passes when 3 more have confirmed'])
  const second = changes(
    first.told,
    rollout('open', [nodeRow(0, { step: 'switching' }), nodeRow(1, { step: 'transfer', percent: 3 })]),
    1000,
  )
  t.strictSame(second.lines, ['[0/2] shop-0 switching', '[0/2] shop-1 transfer'])
  t.strictSame(
    changes(second.told, rollout('open', [nodeRow(0, { step: 'switching' }), nodeRow(1, { step: 'transfer', percent: 70 })]), 2000).lines,
    [],
    'percents are no change',
  )
  t.strictSame(
    changes(second.told, rollout('open', [nodeRow(0, { outcome: 'missing' }), nodeRow(1, { step: 'transfer' })]), 2000).lines.length,
    0,
    'a node that switches is silent for a moment',
  )
  const last = changes(
    second.told,
    rollout('open', [nodeRow(0, confirmed), nodeRow(1, { outcome: 'failed', reason: { code: 'DISK_FULL', message: '1 GB is missing' } })], {
      opensWhen: 'now',
    }),
    13_000,
  )
  t.strictSame(last.lines, ['[2/2] shop-0 confirmed 1.5.0 (12 s)', '[2/2] shop-1 failed  DISK_FULL: 1 GB is missing', 'now'])
})

void t.test('the verdict is the last line, in words, and the exit code', async t => {
  const all = [nodeRow(0, confirmed), nodeRow(1, confirmed)]
  t.strictSame(verdictOf(rollout('completed', all)), {
    exit: 0,
    lines: ['completed: 2 nodes confirmed demo@1.5.0'],
    sentence: 'completed: 2 nodes confirmed demo@1.5.0',
  })
  const bad = verdictOf(rollout('halted', mixed))
  t.equal(bad.exit, 5)
  t.strictSame(bad.lines.slice(0, 3), [
    'shop-2 (cccccccc) rolled-back: APP_UNHEALTHY: no database, runs demo@1.4.0',
    '    starting',
    '    boom',
  ])
  const ill = (n: number, more: object = {}): object =>
    nodeRow(n, { outcome: 'rolled-back', platform: 'win-x64', reason: { code: 'APP_UNHEALTHY', message: `no database ${n}` }, ...more })
  const groups = [ill(0), ill(1, { platform: 'linux-x64', log: ['boom'] }), ill(2), ill(3, { log: ['late', 'words'] })]
  t.strictSame(
    verdictOf(rollout('halted', groups)).lines.slice(0, -1),
    [
      '3 nodes on win-x64 rolled-back: APP_UNHEALTHY: no database 0, runs demo@1.4.0',
      '  shop-0, shop-2, shop-3',
      '    late',
      '    words',
      'shop-1 (bbbbbbbb) rolled-back: APP_UNHEALTHY: no database 1, runs demo@1.4.0',
      '    boom',
    ],
    'by cause and platform, with the first message and the first log lines that there are',
  )
  t.match(
    bad.lines.at(-1),
    /^halted: 1 of 6 nodes confirmed demo@1\.5\.0; went back: shop-2; missing: shop-4\. Nobody else starts; .*retry rrrrrrrr/,
  )
  const cases = [
    ['stalled', /^stalled: .*missing: shop-4.*skip rrrrrrrr/],
    ['completed-with-exceptions', /^completed with exceptions: /],
    ['aborted', /^aborted: /],
    ['expired', /^expired: /],
  ] as const
  for (const [state, words] of cases) {
    const { exit, sentence } = verdictOf(rollout(state, mixed))
    t.equal(exit, 5)
    t.match(sentence, words)
  }
})

/** A world in which time passes only by waiting. */
function world(script: readonly (object | ShoalError)[]): Parameters<typeof watch>[0] & { said: string[]; ms: () => number } {
  let now = 0
  let turn = 0
  const said: string[] = []
  return {
    said,
    ms: () => now,
    ask: async () => {
      const next = script[Math.min(turn++, script.length - 1)]
      if (next instanceof ShoalError) throw next
      return next
    },
    now: () => now,
    wait: async ms => (now += ms),
    show: () => undefined,
    say: line => said.push(line),
  }
}
const doc = (state: string): object => ({ id: 'r'.repeat(52), release: 'demo@1.5.0', state, waves: [], nodes: [] })
const gone = new ShoalError('NO_NODE', '127.0.0.1:1 does not answer: ECONNREFUSED')

void t.test('a watch ends at once when it is decided, and waits where a late success may change it', async t => {
  for (const state of ['completed', 'completed-with-exceptions', 'aborted', 'expired']) {
    const deps = world([doc('open'), doc('paused'), doc(state)])
    t.equal((await watch(deps)).rollout.state, state)
    t.equal(deps.ms(), 500)
  }
  for (const state of ['halted', 'stalled']) {
    const deps = world([doc('open'), doc(state)])
    t.equal((await watch(deps)).rollout.state, state)
    t.equal(deps.ms(), 3250, 'stood for 3 s')
    t.equal((await watch(world([doc(state), doc('open'), doc(state), doc('completed')]))).rollout.state, 'completed')
  }
})

void t.test('a standstill is no verdict while a node is in the middle of its switch', async t => {
  const stalled = (row: object): object => ({ ...doc('stalled'), nodes: [nodeRow(0, row)] })
  const busy = Array.from({ length: 40 }, () => stalled({ step: 'probation' }))
  const deps = world([...busy, stalled(confirmed)])
  t.match((await watch(deps)).rollout.nodes[0], { outcome: 'confirmed' })
  t.equal(deps.ms(), 39 * 250 + 3000, 'then it stood for 3 s')
  t.equal((await watch(world([stalled({ step: 'probation', reach: 'lost' })]))).rollout.state, 'stalled', 'who is away is not waited for')
})

void t.test('a watch asks less often where an answer is slow', async t => {
  for (const [tookMs, waitedMs] of [
    [10, 250],
    [400, 800],
    [30_000, 2000],
  ] as const) {
    const deps = world([doc('open'), doc('completed')])
    let now = 0
    const waited: number[] = []
    const ask = async (): Promise<unknown> => {
      now += tookMs
      return deps.ask()
    }
    await watch({ ...deps, ask, now: () => now, wait: async ms => waited.push(ms) })
    t.strictSame(waited, [waitedMs], `${tookMs} ms`)
  }
})

void t.test('a watch outlives its node’s restart, but not for ever', async t => {
  const deps = world([
    doc('open'),
    gone,
    new ShoalError('STARTING', 'a moment'),
    new ShoalError('UNAUTHENTICATED', 'new token'),
    doc('open'),
    doc('completed'),
  ])
  t.equal((await watch(deps)).rollout.state, 'completed')
  t.match(deps.said, [/waiting for the node to come back/, /answers again/])
  const dead = world([doc('open'), gone])
  await t.rejects(watch(dead), { code: 'NO_NODE' })
  t.ok(dead.ms() > 60_000 && dead.ms() < 61_000)
  await t.rejects(watch(world([gone])), { code: 'NO_NODE' })
  await t.rejects(watch(world([new ShoalError('NOT_FOUND', 'no such')])), { code: 'NOT_FOUND' })
})

// --- what is signed

const folder = t.testdir()
const home = join(folder, 'home')
const paths = homePaths(home)
const made = await found(paths, { passphrase: 'words', writesSecrets: false, listen: { host: '127.0.0.1', port: 0 }, operator: 'ann' })
const env = { SHOAL_PASSPHRASE: 'words' }
const store = new NodeStore(paths.db)
const root = trustFirstRoot(store.facts().find(f => f.kind === 'root')?.body ?? '', made.fleet)
store.close()

const other = idOf(3)
const fleetDoc = (more: object = {}): object => ({
  fleet: made.fleet,
  name: 'shoal',
  root: root.text,
  generation: 7,
  caPin: root.caPin,
  self: { id: made.id, addresses: [made.address] },
  redeems: true,
  people: root.people,
  ...more,
})

function draftOf(body: Json, more: object = {}): object {
  const planText = JSON.stringify({ waves: [{ nodes: [other, made.id], maxFailed: 0, maxMissing: 0 }], lost: [] })
  const [name, version] = body.release?.split('@') ?? ['demo', '1.0.0']
  const { soakMs, witnesses, deadlineMs, window, allowDowngrade, data, replaceApp, force, dryRun, by } = body
  const order = {
    fleet: made.fleet,
    generation: 8,
    kind: 'app',
    name,
    version,
    release: 'd'.repeat(64),
    plan: sha256(planText),
    selector: { only: [], tags: body.tags },
    ...{ soakMs, witnesses, deadlineMs, window, data, replaceApp, force, dryRun, by },
    allowDowngrade: allowDowngrade || body.rollback !== null,
    at: 'now',
    node: made.id,
    future: 'kept',
    ...more,
  }
  return { order, planText, plan: JSON.parse(planText), names: { [other]: 'shop-3', [made.id]: 'till' } }
}

const rolloutDoc = (state = 'completed', more: object = {}): object => ({
  id: 'r'.repeat(52),
  release: 'demo@1.5.0',
  state,
  waves: [{ state: 'passed', nodes: [other, made.id], need: 2, confirmed: 2, failed: 0, missing: 0 }],
  nodes: [
    { ...nodeRow(3), ...confirmed },
    { ...nodeRow(0), id: made.id, ...confirmed },
  ],
  ...more,
})

/** A node that agrees with everything; `more` answers first. */
const agreeing =
  (more: (asked: Asked) => { status?: number; body: unknown } | undefined = () => undefined): Answerer =>
  asked => {
    const special = more(asked)
    if (special !== undefined) return special
    const what = `${asked.method} ${asked.path.replace(/^\/_shoal\/api\/v1\//, '').split('?')[0] ?? ''}`
    if (what === 'GET fleet') return { body: fleetDoc() }
    if (what === 'GET releases') return { body: { releases: [], next: null } }
    if (what === 'POST rollouts/draft') return { body: draftOf(asked.body) }
    if (what === 'POST rollouts') return { status: 201, body: { id: 'r'.repeat(52), release: 'demo@1.5.0' } }
    if (what === 'POST releases') return { status: 201, body: { id: 'd'.repeat(64) } }
    if (what === 'POST packages') return { status: 201, body: {} }
    if (what === 'POST invites') return { status: 201, body: { id: 'i' } }
    if (what === 'POST root') return { status: 201, body: { version: 2 } }
    if (what.startsWith('GET rollouts/')) return { body: rolloutDoc() }
    if (what.startsWith('GET nodes/')) return { body: { ...nodeRow(3) } }
    if (/^POST rollouts\/r+\/\w+$/.test(what)) return { body: { id: 'r'.repeat(52), state: 'open' } }
    if (/^POST nodes\/\w+\/remove$/.test(what)) return { body: { id: other } }
    return { status: 404, body: refusal('NOT_FOUND', what) }
  }

const bodyOf = (asked: readonly Asked[], path: string): Json =>
  asked.find(a => a.path === `/_shoal/api/v1/${path}` && a.method === 'POST')?.body
const payload = (envelope: Json, kind: 'release' | 'order' | 'control' | 'invite' | 'removal'): unknown =>
  verifyDocument(envelope, kind, signingKeys(root, kind)).payload

void t.test('an order is drafted, checked, and signed as it was drafted', async t => {
  const { asked } = await fakeNode(w => t.teardown(w), home, agreeing())
  const argv = [
    'rollout',
    'start',
    'demo@1.5.0',
    '--soak',
    '1s',
    '--select',
    'tag=till,site=berlin',
    '--only',
    'shop-3, till',
    '--waves',
    '1,100%',
    '--max-failed',
    '2',
    '--data',
    'keep',
    '--json',
    '--home',
    home,
  ]
  const { code, json, err } = await shoal(argv, { env })
  t.equal(code, 0)
  t.strictSame(json, { id: 'r'.repeat(52), release: 'demo@1.5.0' })
  t.match(bodyOf(asked, 'rollouts/draft'), {
    release: 'demo@1.5.0',
    rollback: null,
    only: ['shop-3', 'till'],
    tags: ['till', 'tag=till', 'site=berlin'],
    waves: '1,100%',
    maxFailed: 2,
    maxMissing: null,
    soakMs: 1000,
    witnesses: 1,
    deadlineMs: 604_800_000,
    data: 'keep',
    dryRun: false,
    by: 'ann',
  })
  const { envelope, planText } = bodyOf(asked, 'rollouts')
  const signed = payload(envelope, 'order') as Record<string, unknown>
  t.equal(parseOrder(signed).plan, sha256(planText))
  t.equal(signed['future'], 'kept', 'fields that this version does not know are signed as they came')
  t.match(err, /demo@1\.5\.0 to 2 nodes in 1 wave, by ann\n {2}wave 1: shop-3, till/)
})

void t.test('going back over a migration: a person is asked what becomes of the data, a script is refused', async t => {
  const newer = (asked: Asked): { status: number; body: object } | undefined =>
    asked.path.endsWith('/draft') && asked.body.data === null
      ? { status: 422, body: refusal('DATA_NEWER', 'data of version 2') }
      : undefined
  const { asked } = await fakeNode(work => t.teardown(work), home, agreeing(newer))
  const drafts = (): readonly Json[] => asked.splice(0).flatMap(a => (a.path.endsWith('/draft') ? [a.body.data] : []))
  const back = (stdin: string, isTTY: boolean, more: readonly string[] = []): ReturnType<typeof shoal> =>
    shoal(['rollback', '--json', '--home', home, ...more], { env, stdin, isTTY })
  for (const word of ['keep', 'restore']) {
    const { json, err } = await back(`${word}\n`, true)
    t.equal(json.error.code, 'CANCELLED', 'the plan is asked for after that, and nobody answers here')
    t.match(err, /keep [^]*restore [^]*What becomes of the data\?[^]*demo@1\.0\.0 to 2 nodes/)
    t.strictSame(drafts(), [null, word])
  }
  t.equal((await back('maybe\n', true)).json.error.code, 'CANCELLED')
  t.strictSame(drafts(), [null])
  for (const [isTTY, more] of [
    [false, []],
    [true, ['--yes']],
  ] as const)
    t.equal((await back('keep\n', isTTY, more)).json.error.code, 'DATA_NEWER', 'nobody is there to be asked')
  t.strictSame(drafts(), [null, null])
})

void t.test('`shoal` alone: the node, its fleet, and the next step', async t => {
  const self = { ...nodeRow(0), id: made.id, self: true, health: 'ok', step: 'idle' }
  const cases: readonly (readonly [object, readonly object[], readonly object[], RegExp])[] = [
    [{ ...self, app: null }, [], [], /no app, health ok\nfleet: 1 node, all well\nnext: shoal invite /],
    [{ ...self, app: null }, [nodeRow(1, { health: 'ok' })], [], /next: shoal deploy DIR /],
    [self, [nodeRow(1, { health: 'ok' })], [rolloutDoc('completed')], /rollout rrrrrrrr: demo@1\.5\.0 completed\nnext: shoal help /],
    [self, [nodeRow(1, { reach: 'lost', health: 'ok' })], [], /1 not well: shop-1\nnext: shoal peers test shop-1 /],
    [self, [nodeRow(1, { health: 'safe-mode' })], [], /next: shoal logs shop-1 /],
    [{ ...self, health: 'degraded' }, [], [], /next: shoal doctor /],
    [self, [], [rolloutDoc('halted')], /next: shoal rollout show rrrrrrrr /],
    [self, [], [rolloutDoc('paused')], /next: shoal rollout resume rrrrrrrr /],
    [self, [], [rolloutDoc('open')], /next: shoal rollout watch rrrrrrrr /],
  ]
  for (const [own, others, rollouts, wanted] of cases) {
    const { server } = await fakeNode(
      work => t.teardown(work),
      home,
      asked => {
        if (asked.path.includes('nodes/self')) return { body: own }
        if (asked.path.includes('rollouts')) return { body: { rollouts, counts: { total: rollouts.length }, next: null } }
        return { body: { fleet: made.fleet, nodes: [own, ...others], counts: { total: 1 }, next: null } }
      },
    )
    const { code, out } = await shoal(['--home', home])
    t.equal(code, 0)
    t.match(out, wanted)
    const { json } = await shoal(['--home', home, '--json'])
    t.match(json, { node: { id: made.id }, counts: { total: 1 + others.length }, next: /^shoal / })
    server.closeAllConnections()
    server.close()
  }
  t.equal((await shoal(['--home', home, '--json'])).json.error.code, 'NO_NODE', 'a node that is stopped')
})

void t.test('a draft that is not what was asked for is not signed', async t => {
  const cases: readonly (readonly [object, string])[] = [
    [{ version: '6.6.6' }, 'BAD_REQUEST'],
    [{ name: 'evil' }, 'BAD_REQUEST'],
    [{ fleet: 'b'.repeat(52) }, 'BAD_REQUEST'],
    [{ force: true }, 'BAD_REQUEST'],
    [{ allowDowngrade: true }, 'BAD_REQUEST'],
    [{ soakMs: 0 }, 'BAD_REQUEST'],
    [{ by: 'eve' }, 'BAD_REQUEST'],
    [{ plan: 'e'.repeat(64) }, 'DIGEST_MISMATCH'],
  ]
  let more: object = {}
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.path.endsWith('/draft') ? { body: draftOf(a.body, more) } : undefined)),
  )
  for (const [change, code] of cases) {
    more = change
    const ran = await shoal(['rollout', 'start', 'demo@1.5.0', '--json', '--home', home], { env })
    t.equal(ran.json.error.code, code, JSON.stringify(change))
    t.equal(ran.code, 1)
  }
  more = { version: '2.0.0' }
  t.equal((await shoal(['rollback', '--to', '1.0.0', '--json', '--home', home], { env })).json.error.code, 'BAD_REQUEST')
  t.notOk(bodyOf(asked, 'rollouts'))
  more = {}
  t.equal((await shoal(['undo', '--to', '1.0.0', '--json', '--home', home], { env })).code, 0)
})

void t.test('who signs: the only one, the named one, a key file; each way of not having it is exit 4', async t => {
  const key = join(folder, 'copy.json')
  copyFileSync(join(paths.operators, 'ann.json'), key)
  writeFileSync(join(folder, 'pass'), 'words\n')
  writeFileSync(join(folder, 'note'), 'operator: ann\npassphrase: words\nrecovery passphrase: other\n')
  writeFileSync(join(folder, 'empty'), 'operator: ann\nrecovery passphrase: other\n')
  const stranger = newOperatorKey('eve', 'words')
  writeFileSync(join(folder, 'eve.json'), stranger.file)
  const { asked } = await fakeNode(w => t.teardown(w), home, agreeing())
  const pause = ['rollout', 'pause', 'rrrrrrrr', '--json', '--home', home]
  const good: readonly (readonly [readonly string[], Record<string, string>])[] = [
    [[], env],
    [['--operator', 'ann'], env],
    [[], { ...env, SHOAL_OPERATOR: 'ann' }],
    [['--key', key, '--passphrase-file', join(folder, 'pass')], {}],
    [['--passphrase-file', join(folder, 'note')], { SHOAL_PASSPHRASE: 'wrong' }],
  ]
  for (const [more, env] of good) t.equal((await shoal([...pause, ...more], { env })).code, 0, more.join(' '))
  const bad: readonly (readonly [readonly string[], Record<string, string>, string])[] = [
    [[], {}, 'BAD_PASSPHRASE'],
    [[], { SHOAL_PASSPHRASE: 'wrong' }, 'BAD_PASSPHRASE'],
    [['--passphrase-file', join(folder, 'nowhere')], {}, 'BAD_PASSPHRASE'],
    [['--passphrase-file', join(folder, 'empty')], env, 'BAD_PASSPHRASE'],
    [['--operator', 'bob'], env, 'NO_OPERATOR_KEY'],
    [['--key', join(folder, 'nowhere')], env, 'NO_OPERATOR_KEY'],
    [['--key', join(folder, 'eve.json')], env, 'NOT_ALLOWED'],
  ]
  for (const [more, env, code] of bad) {
    const ran = await shoal([...pause, ...more], { env })
    t.equal(ran.json.error.code, code, more.join(' '))
    t.equal(ran.code, 4)
  }
  const secrets = JSON.stringify(asked)
  t.notMatch(secrets, 'words', 'neither passphrase nor key is ever sent')
})

void t.test('controls are signed with full ids and the next generation', async t => {
  const rows = [
    { ...nodeRow(3), outcome: 'rolled-back' },
    { ...nodeRow(0), id: made.id, ...confirmed },
    { ...nodeRow(5), reach: 'lost' },
  ]
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.method === 'GET' && a.path.includes('/rollouts/') ? { body: rolloutDoc('halted', { nodes: rows }) } : undefined)),
  )
  const cases: readonly (readonly [readonly string[], string, readonly string[]])[] = [
    [['pause'], 'pause', []],
    [['resume', 'rrrrrr'], 'resume', []],
    [['abort', 'rrrrrr', '--yes'], 'abort', []],
    [['skip', 'rrrrrr', 'shop-3'], 'skip', [other]],
    [['skip', 'rrrrrr'], 'skip', [other, idOf(5)]],
    [['retry', 'rrrrrr'], 'retry', []],
    [['retry', 'rrrrrr', other.slice(0, 8), 'shop-5'], 'retry', [other, idOf(5)]],
  ]
  for (const [words, action, nodes] of cases) {
    asked.length = 0
    const { code, json } = await shoal(['rollout', ...words, '--json', '--home', home], { env })
    t.equal(code, 0, words.join(' '))
    t.strictSame(json, { id: 'r'.repeat(52), state: 'open' })
    const control = parseControl(payload(bodyOf(asked, `rollouts/${'r'.repeat(52)}/${action}`).envelope, 'control'))
    t.match(control, { action, order: 'r'.repeat(52), generation: 8, by: 'ann', nodes })
  }
  t.equal((await shoal(['rollout', 'skip', 'rrrrrr', 'nobody', '--json', '--home', home], { env })).json.error.code, 'NOT_FOUND')
  asked.length = 0
  t.equal((await shoal(['rollout', 'abort', '--rollback', '--json', '--home', home], { env })).code, 0)
  t.match(bodyOf(asked, 'rollouts/draft'), { release: null, rollback: { to: null } })
})

void t.test('more nodes than one control can name take several, each made when the one before it counts', async t => {
  const rows = Array.from({ length: 300 }, (_, n) => ({
    ...nodeRow(n),
    id: idOf(n).slice(0, 44) + idOf(n / 26).slice(0, 8),
    outcome: 'failed',
  }))
  let generation = 7
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => {
      if (a.path.endsWith('/fleet')) return { body: fleetDoc({ generation }) }
      if (a.method === 'POST') generation += 2
      return a.method === 'GET' && a.path.includes('/rollouts/') ? { body: rolloutDoc('halted', { nodes: rows }) } : undefined
    }),
  )
  const { code, out } = await shoal(['rollout', 'skip', 'rrrrrr', '--home', home], { env })
  t.equal(code, 0)
  t.match(out, /300 nodes/)
  const made = asked.filter(a => a.method === 'POST').map(a => parseControl(payload(a.body.envelope, 'control')))
  t.match(made, [{ generation: 8 }, { generation: 10 }])
  t.strictSame(
    made.flatMap(control => control.nodes),
    rows.map(row => row.id),
  )
  for (const a of asked) t.ok(JSON.stringify(a.body?.envelope ?? null).length <= maxFactBody, 'it fits a fact')
})

void t.test('--wait ends with the verdict: exit 5 and the document with its error', async t => {
  let state = 'completed'
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a =>
      a.method === 'GET' && a.path.includes('/rollouts/') ? { body: rolloutDoc(state, { dryRun: state === 'stalled' }) } : undefined,
    ),
  )
  const argv = ['rollout', 'start', 'demo@1.5.0', '--wait', '--json', '--home', home]
  t.match(await shoal(argv, { env }), { code: 0, json: { id: 'r'.repeat(52), state: 'completed', error: undefined } })
  state = 'completed-with-exceptions'
  const { code, json, err } = await shoal(argv, { env })
  t.equal(code, 5)
  t.match(json, { state, release: 'demo@1.5.0', error: { code: 'ROLLOUT_NOT_DONE', message: /^completed with exceptions/ } })
  t.match(err, /completed with exceptions/)
  t.equal(asked.filter(a => a.method === 'GET' && a.path.includes('/rollouts/')).length, 2, 'no further look')
  state = 'completed'
  const shown = await shoal(['rollout', 'show', '--home', home])
  t.match(shown.out, /^r{52}\ndemo@1\.5\.0 {2}completed {2}2 of 2 confirmed[^]*completed: 2 nodes confirmed demo@1\.5\.0\n$/)
  t.equal((await shoal(['rollout', 'watch', '--home', home])).code, 0)
})

void t.test('a dry run prints who said go and who did not', async t => {
  const rows = [nodeRow(0, { go: true }), nodeRow(1, { outcome: 'refused', reason: { code: 'DISK_FULL', message: '1 GB is missing' } })]
  let state = 'completed'
  await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a =>
      a.method === 'GET' && a.path.includes('/rollouts/') ? { body: rolloutDoc(state, { nodes: rows, dryRun: true }) } : undefined,
    ),
  )
  const { code, out } = await shoal(['rollout', 'start', 'demo@1.5.0', '--dry-run', '--home', home], { env })
  t.equal(code, 0)
  t.match(
    out,
    /NODE +ID +ANSWER +WHY\nshop-0 +aaaaaaaa +go\nshop-1 +bbbbbbbb +no-go +DISK_FULL: 1 GB is missing\ngo, as many may be missing: 1 of 2 nodes/,
  )
  state = 'stalled'
  const shown = await shoal(['rollout', 'show', '--home', home])
  t.match(shown.out, /no-go: 1 of 2 nodes did not say go to demo@1\.5\.0\n$/)
  t.notMatch(shown.out, /goes on when they come back/, 'a dry run has nothing to go on with')
})

void t.test('Ctrl-C ends the watch, never the rollout', async t => {
  const stop = new AbortController()
  await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => {
      if (a.method !== 'GET' || !a.path.includes('/rollouts/')) return undefined
      setImmediate(() => stop.abort())
      return { body: rolloutDoc('open') }
    }),
  )
  const { code, err } = await shoal(['rollout', 'start', 'demo@1.5.0', '--wait', '--home', home], { env, signal: stop.signal })
  t.equal(code, 1)
  t.match(err, /the rollout goes on[^]*shoal rollout pause rrrrrrrr/)
})

void t.test('deploy packs, signs a release, hands in the bytes, orders and watches', async t => {
  const app = join(folder, 'app')
  mkdirSync(app)
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({ name: 'demo', version: '1.5.0', type: 'module', shoal: { app: 'app.js', probation: { seconds: 3 } } }),
  )
  writeFileSync(join(app, 'app.js'), 'export default () => ({ handler: (req, res) => res.end() })')
  let known: object[] = []
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.path.includes('/releases?') ? { body: { releases: known, next: null } } : undefined)),
  )
  const { code, json } = await shoal(['deploy', app, '--json', '--home', home], { env })
  t.equal(code, 0)
  t.match(json, { id: 'r'.repeat(52), state: 'completed' })
  const order = asked.map(a => `${a.method} ${a.path.split('/').slice(4).join('/').split('?')[0] ?? ''}`)
  t.ok(order.indexOf('POST releases') < order.indexOf('POST packages') && order.indexOf('POST packages') < order.indexOf('POST rollouts'))
  const release = parseRelease(payload(bodyOf(asked, 'releases').envelope, 'release'))
  const upload = asked.find(a => a.path.endsWith('/packages'))
  t.match(release, {
    name: 'demo',
    version: '1.5.0',
    kind: 'app',
    fleet: made.fleet,
    probationMs: 3000,
    packages: { any: { digest: sha256(upload?.raw ?? ''), size: upload?.raw.length } },
  })

  asked.length = 0
  const id = 'e'.repeat(64)
  known = [{ id, kind: 'app', name: 'demo', version: '1.5.0', packages: { any: release.packages['any']?.digest }, nodes: 2 }]
  t.match((await shoal(['update', app, '--home', home], { env })).err, /demo@1\.5\.0 was published already/)
  t.notOk(bodyOf(asked, 'releases'), 'the identical release is not signed again')

  const zip = join(folder, 'demo.zip')
  const packed = await shoal(['pack', app, '--out', zip, '--json'])
  t.match(packed.json, { file: zip, name: 'demo', version: '1.5.0', platform: 'any', digest: release.packages['any']?.digest })
  t.match((await shoal(['publish', zip, '--json', '--home', home], { env })).json, { id, name: 'demo', version: '1.5.0', isNew: false })
  t.match((await shoal(['publish', zip, zip, '--json', '--home', home], { env })).json.error, {
    code: 'USAGE',
    message: /a second package/,
  })
  t.equal((await shoal(['deploy', join(folder, 'nowhere'), '--json', '--home', home], { env })).json.error.code, 'NOT_AN_APP')
  t.equal((await shoal(['publish', join(folder, 'nowhere'), '--json', '--home', home], { env })).json.error.code, 'NOT_FOUND')
  t.equal((await shoal(['publish', join(app, 'app.js'), '--json', '--home', home], { env })).json.error.code, 'NOT_A_ZIP')
  known = []
  t.match((await shoal(['releases', 'show', 'demo@1.5.0', '--json', '--home', home], { env })).json.error.code, 'UNKNOWN_RELEASE')
})

void t.test('an invite’s token holds the one-time key, the node gets its public half', async t => {
  let redeems = true
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.path.endsWith('/fleet') ? { body: fleetDoc({ redeems }) } : undefined)),
  )
  const { json } = await shoal(['invite', '--uses', '3', '--expires', '2h', '--can-invite', '--json', '--home', home], { env })
  t.strictSame(Object.keys(json), ['id', 'token', 'expiresAt'])
  const token = parseToken(json.token)
  t.match(token, { fleet: made.fleet, ca: root.caPin, redeemer: made.id, addresses: [made.address], invite: json.id })
  t.match(payload(bodyOf(asked, 'invites').envelope, 'invite'), {
    id: json.id,
    uses: 3,
    canInvite: true,
    console: false,
    generation: 8,
    redeemer: made.id,
  })
  t.notMatch(JSON.stringify(asked), token.key)
  t.match((await shoal(['invite', '--home', home], { env })).out, /^shoal1\.\S+\n$/, 'the token and nothing else, for pipes')
  t.equal((await shoal(['invite', '--uses', '0', '--home', home], { env })).code, 2)
  for (const expires of ['0s', '999ms', '367d', '99999999d'])
    t.equal((await shoal(['invite', '--expires', expires, '--home', home], { env })).code, 2, expires)
  redeems = false
  t.match(await shoal(['invite', '--json', '--home', home], { env }), { code: 4, json: { error: { code: 'NOT_ALLOWED' } } })
})

void t.test('a removal names the node by its full id and says why', async t => {
  let redeemers: readonly string[] = []
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.path.endsWith('/fleet') ? { body: fleetDoc({ redeemers }) } : undefined)),
  )
  t.equal((await shoal(['nodes', 'remove', 'shop-3', '--home', home], { env })).code, 2, 'a reason is needed')
  redeemers = [other]
  const last = await shoal(['nodes', 'remove', 'shop-3', '--reason', 'stolen', '--json', '--home', home], { env })
  t.equal(last.json.error.code, 'LAST_REDEEMER', 'nobody would be left who lets others in')
  redeemers = []
  t.strictSame((await shoal(['nodes', 'remove', 'shop-3', '--reason', 'stolen', '--json', '--home', home], { env })).json, { id: other })
  t.match(parseRemoval(payload(bodyOf(asked, `nodes/${other}/remove`).envelope, 'removal')), {
    node: other,
    reason: 'stolen',
    generation: 8,
    by: 'ann',
  })
})

void t.test('people: each change is the next root, signed by an admin', async t => {
  let status = 201
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.path.endsWith('/root') && status !== 201 ? { status, body: refusal('BAD_ROOT', 'no') } : undefined)),
  )
  const nextRoot = (): TrustedRoot => trustNextRoot(bodyOf(asked, 'root').root, root)
  t.match((await shoal(['operators', '--json', '--home', home])).json, {
    operators: [{ name: 'ann', role: 'admin' }],
    counts: { total: 1 },
    next: null,
  })
  const added = await shoal(['operators', 'add', 'bob', '--role', 'operator', '--json', '--home', home], { env })
  t.strictSame(Object.keys(added.json), ['name', 'role', 'keyid', 'passphrase'])
  t.match(nextRoot().people, [{ name: 'ann' }, { name: 'bob', role: 'operator', keyid: added.json.keyid }])
  t.equal(
    (await shoal(['operators', 'add', 'bob', '--role', 'viewer', '--json', '--home', home], { env: { ...env, SHOAL_OPERATOR: 'ann' } }))
      .json.error.code,
    'CONFLICT',
  )
  const out = join(folder, 'bob.json')
  t.equal((await shoal(['operators', 'export', 'bob', '--out', out, '--home', home])).code, 0)
  t.equal((await shoal(['operators', 'export', 'bob', '--out', out, '--json', '--home', home])).json.error.code, 'CONFLICT')
  const last = await shoal(['operators', 'remove', 'ann', '--operator', 'ann', '--json', '--home', home], { env })
  t.equal(last.json.error.code, 'LAST_ADMIN')
  const asBob = await shoal(['operators', 'add', 'eve', '--role', 'admin', '--key', out, '--json', '--home', home], {
    env: { SHOAL_PASSPHRASE: added.json.passphrase },
  })
  t.equal(asBob.json.error.code, 'NOT_ALLOWED')
  t.equal(asBob.code, 4)
  t.equal((await shoal(['operators', 'add', 'x', '--role', 'king', '--home', home], { env })).code, 2)
  status = 422
  const failed = await shoal(['operators', 'add', 'cy', '--role', 'viewer', '--operator', 'ann', '--json', '--home', home], { env })
  t.equal(failed.json.error.code, 'BAD_ROOT')
  t.notMatch(
    (await shoal(['operators', 'export', 'cy', '--out', join(folder, 'cy.json'), '--json', '--home', home])).json,
    { name: 'cy' },
    'no key of somebody who was not taken in',
  )
  status = 201
  asked.length = 0
  const makeKit = (): ReturnType<typeof shoal> =>
    shoal(['keys', 'kit', '--out', join(folder, 'kit.json'), '--operator', 'ann', '--json', '--home', home], { env })
  const kit = await makeKit()
  t.equal(kit.code, 0)
  t.equal((await makeKit()).json.error.code, 'CONFLICT', 'no file is written over')
  t.ok(nextRoot().text.includes(JSON.parse(readFileSync(join(folder, 'kit.json'), 'utf8')).keyid))
  asked.length = 0
  const rescued = await shoal(['operators', 'add', 'new', '--role', 'admin', '--key', paths.recoveryKit, '--json', '--home', home], {
    env: { SHOAL_PASSPHRASE: made.recoveryPassphrase },
  })
  t.equal(rescued.code, 0, 'the recovery kit names a new admin')
  t.match(nextRoot().people, [{ name: 'ann' }, { name: 'new', role: 'admin' }])
})

void t.test('each option of an order is asked for as the contract says', async t => {
  const { asked } = await fakeNode(w => t.teardown(w), home, agreeing())
  const draft = async (options: readonly string[]): Promise<Json> => {
    asked.length = 0
    const { code, err } = await shoal(['rollout', 'start', 'demo@1.5.0', '--operator', 'ann', '--json', '--home', home, ...options], {
      env,
    })
    t.equal(code, 0, err)
    return bodyOf(asked, 'rollouts/draft')
  }
  const usual = await draft([])
  t.strictSame(usual, {
    release: 'demo@1.5.0',
    rollback: null,
    only: [],
    tags: [],
    canary: [],
    maxFailed: null,
    maxMissing: null,
    waves: '1,10%,50%,100%',
    soakMs: 10_000,
    witnesses: 1,
    deadlineMs: 7 * 86_400_000,
    window: null,
    allowDowngrade: false,
    data: null,
    replaceApp: false,
    force: false,
    dryRun: false,
    by: 'ann',
  })
  const cases: readonly (readonly [readonly string[], object])[] = [
    [['--only', 'shop-3,till'], { only: ['shop-3', 'till'] }],
    [['--select', 'site=berlin'], { tags: ['site=berlin'] }],
    [['--select', 'tag=till'], { tags: ['till', 'tag=till'] }],
    [['--canary', 'shop-3,till'], { canary: ['shop-3', 'till'] }],
    [['--waves', '2,25%'], { waves: '2,25%' }],
    [['--max-failed', '3'], { maxFailed: 3 }],
    [['--max-missing', '2'], { maxMissing: 2 }],
    [['--soak', '2m'], { soakMs: 120_000 }],
    [['--witnesses', '0'], { witnesses: 0 }],
    [['--deadline', '12h'], { deadlineMs: 43_200_000 }],
    [['--window', 'Sat 02:00-04:00 Europe/Berlin'], { window: 'Sat 02:00-04:00 Europe/Berlin' }],
    [['--allow-downgrade'], { allowDowngrade: true }],
    [['--data', 'restore'], { data: 'restore' }],
    [['--replace-app'], { replaceApp: true }],
    [['--force'], { force: true }],
    [['--dry-run'], { dryRun: true }],
  ]
  for (const [options, wanted] of cases) t.strictSame(await draft(options), { ...usual, ...wanted }, options.join(' '))
})

void t.test('an option of an order that no order takes is wrong usage, before anything is signed or published', async t => {
  const { asked } = await fakeNode(w => t.teardown(w), home, agreeing())
  const cases: readonly (readonly [string, string])[] = [
    ['--deadline', '0s'],
    ['--deadline', '367d'],
    ['--soak', '367d'],
    ['--soak', '-1s'],
    ['--witnesses', '101'],
    ['--max-failed', '-1'],
    ['--max-missing', '1.5'],
    ['--waves', '0'],
    ['--waves', '101%'],
    ['--waves', ''],
    ['--waves', Array.from({ length: 101 }, () => '1').join(',')],
    ['--window', Array.from({ length: 30 }, () => 'Sat').join(',') + ' 02:00-04:00'],
    ['--only', ''],
    ['--select', ','],
    ['--canary', ' '],
  ]
  for (const [option, value] of cases) {
    const { code, err } = await shoal(['rollout', 'start', 'demo@1.5.0', '--operator', 'ann', '--home', home, option, value], { env })
    t.equal(code, 2, `${option} ${value}`)
    t.match(err, /\(USAGE\)/)
  }
  t.notOk(asked.some(({ method }) => method === 'POST'))
})

void t.test('a rotated key: signed by the old and the new one, what the old one signed is named', async t => {
  let status = 422
  const why = (): string => (status === 503 ? 'NO_NODE' : 'BAD_ROOT')
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    agreeing(a => (a.path.endsWith('/root') && status !== 201 ? { status, body: refusal(why(), 'no') } : undefined)),
  )
  const file = join(paths.operators, 'ann.json')
  const before = readFileSync(file, 'utf8')
  const argv = ['keys', 'rotate', '--operator', 'ann', '--json', '--home', home]
  t.equal((await shoal(argv, { env })).json.error.code, 'BAD_ROOT')
  t.equal(readFileSync(file, 'utf8'), before, 'a refusal changes nothing')
  t.equal(
    (await shoal(['keys', 'rotate', 'nobody', '--json', '--home', home], { env: { ...env, SHOAL_OPERATOR: 'ann' } })).json.error.code,
    'NOT_FOUND',
  )
  status = 503
  t.equal((await shoal(argv, { env })).code, 3, 'nobody knows whether it was taken')
  const doubtful = readFileSync(`${file}.new`, 'utf8')
  asked.length = 0
  t.equal((await shoal(argv, { env })).json.error.code, 'CONFLICT')
  t.equal(readFileSync(`${file}.new`, 'utf8'), doubtful, 'it may be the key that counts')
  t.equal(bodyOf(asked, 'root'), undefined)
  rmSync(`${file}.new`)
  status = 201
  asked.length = 0
  const { code, json } = await shoal(argv, { env })
  t.equal(code, 0)
  const next = trustNextRoot(bodyOf(asked, 'root').root, root)
  t.match(next.people, [{ name: 'ann', role: 'admin', keyid: json.keyid }])
  t.match(next.retired, [{ name: 'ann', keyid: root.people[0]?.keyid, until: 7 }])
  t.equal(json.passphrase, null)
  t.equal(openOperatorKey(readFileSync(file, 'utf8'), 'words').keyid, json.keyid, 'the passphrase stays')
})

void t.test('another person’s new key: no file is overwritten, and nobody is asked for what cannot be done', async t => {
  const { asked } = await fakeNode(w => t.teardown(w), home, agreeing())
  const kit = { SHOAL_PASSPHRASE: made.recoveryPassphrase }
  const out = join(folder, 'taken.json')
  writeFileSync(out, 'somebody else’s')
  const rotate = (more: readonly string[], isTTY = false): ReturnType<typeof shoal> =>
    shoal(['keys', 'rotate', 'ann', '--key', paths.recoveryKit, '--json', '--home', home, ...more], { env: kit, stdin: 'n\n', isTTY })
  t.equal((await rotate(['--out', out], true)).json.error.code, 'CONFLICT')
  t.equal(readFileSync(out, 'utf8'), 'somebody else’s')
  const store = new NodeStore(paths.db)
  t.teardown(() => store.close())
  store.remember('console', 'false')
  t.equal((await rotate([], true)).json.error.code, 'USAGE')
  store.remember('console', 'true')
  t.equal(bodyOf(asked, 'root'), undefined, 'neither was handed in')
  const own = join(paths.operators, 'ann.json')
  const { code, json } = await rotate([])
  t.match({ code, json }, { code: 0, json: { file: own } }, 'at a console node it takes the old one’s place')
  t.equal(openOperatorKey(readFileSync(own, 'utf8'), json.passphrase).keyid, json.keyid)
})

void t.test('log lines of a node that went back are shown as `logs` shows them', async t => {
  const log = [
    '{"time":"2026-11-28T22:16:44.145Z","event":"worker failed","error":"Error: no printer\\n    at start"}',
    '{"cut',
    'plain\u001b[31m',
  ]
  const back = rollout('halted', [
    nodeRow(0, confirmed),
    nodeRow(1, { outcome: 'rolled-back', reason: { code: 'APP_START_FAILED', message: 'x' }, log }),
  ])
  t.strictSame(verdictOf(back).lines.slice(1, 4), [
    '    22:16:44.145  worker failed  error=Error: no printer     at start',
    '    {"cut',
    '    plain [31m',
  ])
})
