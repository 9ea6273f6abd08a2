import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Condition, conditionsOf } from '../../../src/node/alarms.ts'
import { Alerts } from '../../../src/node/alerts.ts'
import { type AlertTarget, parseConfig } from '../../../src/model/index.ts'

type Options = ConstructorParameters<typeof Alerts>[0]

const id = (letter: string): string => letter.repeat(52)

interface World {
  lost: string[]
  outcomes: Map<string, { outcome: string; attempt: number; reason: { code: string; message: string } }>
  nowMs: number
}

/** A fleet of three nodes and one order, as far as alerts look at it. */
function world(
  targets: readonly AlertTarget[],
  memory = new Map<string, string>(),
): { w: World; alerts: Alerts; logged: string[]; fields: Record<string, unknown>[]; memory: Map<string, string> } {
  const w: World = { lost: [], outcomes: new Map(), nowMs: 0 }
  const logged: string[] = []
  const fields: Record<string, unknown>[] = []
  const order = { kind: 'app', name: 'till', version: '2.0.0', generation: 1, dryRun: false, deadlineMs: 1000, release: 'r' }
  const known = (): object => ({
    id: id('o'),
    order,
    plan: { waves: [{ nodes: [id('a'), id('b')], maxFailed: 0, maxMissing: 0 }], lost: [] },
    release: null,
    controls: [],
    preflights: new Map([id('a'), id('b')].map(n => [n, { go: true, attempt: 1 }])),
    outcomes: w.outcomes,
    receipts: new Map(),
    gone: new Set(),
    ageMs: 0,
  })
  const replica = {
    self: id('c'),
    orders: () => [known()],
    fleet: {
      root: { fleet: id('f'), fleetName: 'shops' },
      members: () => ['a', 'b', 'c'].map(l => ({ id: id(l) })),
      node: (n: string) => ({ name: `box-${n[0] ?? ''}` }),
    },
    registers: { get: () => undefined },
    holds: { of: () => null },
  } as unknown as Options['replica']
  const alerts = new Alerts({
    replica,
    isLost: n => w.lost.includes(n),
    targets: () => targets,
    memory: { remembered: k => memory.get(k), remember: (k, v) => void memory.set(k, v) },
    log: (event, more = {}) => {
      logged.push(event)
      fields.push({ said: event, ...more })
    },
    now: () => w.nowMs,
    wallNow: () => new Date(0),
  })
  return { w, alerts, logged, fields, memory }
}

async function receiver(
  answer: (count: number) => number,
): Promise<{ url: string; got: Record<string, unknown>[]; server: Server; heard: () => Promise<unknown> }> {
  const got: Record<string, unknown>[] = []
  let count = 0
  const server = createServer((req, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => (body += chunk.toString()))
    req.on('end', () => {
      const status = answer(count++)
      if (status === 200) got.push(JSON.parse(body))
      res.writeHead(status).end('ok', () => server.emit('heard'))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}/hook`,
    got,
    server,
    heard: () => once(server, 'heard'),
  }
}

void t.test('a webhook hears of each condition once, as long as it lasts, over restarts', async t => {
  const { url, got, server, heard } = await receiver(() => 200)
  t.teardown(() => server.close())
  const { w, alerts, memory } = world([{ webhook: url }])
  alerts.look()
  w.lost = [id('c')]
  alerts.look()
  w.nowMs = 59_000
  alerts.look()
  t.same(got, [], 'a node that switches is silent for a moment')
  w.nowMs = 60_000
  let next = heard()
  alerts.look()
  await next
  t.match(got[0], {
    event: 'node-lost',
    node: { id: id('c'), name: 'box-c' },
    rollout: null,
    fleet: { name: 'shops' },
    from: { id: id('c') },
    id: /^[0-9a-f]{32}$/,
  })
  w.outcomes.set(id('a'), { outcome: 'rolled-back', attempt: 1, reason: { code: 'APP_UNHEALTHY', message: 'no printer' } })
  // Each look hands out a new picture; two things happened at once.
  next = heard().then(heard)
  alerts.look()
  await next
  t.match(got.slice(1), [
    { event: 'halted', message: /^till@2\.0\.0 is halted/ },
    { event: 'rolled-back', message: 'box-a went back from till@2.0.0: APP_UNHEALTHY: no printer', rollout: { release: 'till@2.0.0' } },
  ])
  alerts.look()
  t.equal(got.length, 3)
  while (JSON.parse(memory.get('alerts told') ?? '[]').length < 3) await new Promise(setImmediate)
  const again = world([{ webhook: url }], memory)
  Object.assign(again.w, { ...w, nowMs: 0 })
  again.alerts.look()
  again.w.nowMs = 100_000
  again.alerts.look()
  again.w.lost = []
  again.alerts.look()
  t.notMatch(memory.get('alerts told'), /node-lost/, 'over; told again if it comes again')
  again.w.lost = [id('c')]
  again.alerts.look()
  again.w.nowMs = 200_000
  next = heard()
  again.alerts.look()
  await next
  t.equal(got.length, 4)
  t.equal(got[3]?.['id'], got[0]?.['id'], 'the same thing has the same id')
  alerts.stop()
  again.alerts.stop()
})

void t.test('a receiver that fails is tried again, and holds up nobody else', async t => {
  const bad = await receiver(count => (count === 0 ? 500 : 200))
  const good = await receiver(() => 200)
  t.teardown(() => [bad.server.close(), good.server.close()])
  const { w, alerts, logged } = world([{ webhook: bad.url }, { webhook: good.url }])
  w.outcomes.set(id('a'), { outcome: 'failed', attempt: 1, reason: { code: 'INTERNAL', message: 'x' } })
  const heard = good.heard()
  alerts.look()
  await heard
  while (bad.got.length < 2) await bad.heard()
  t.same(
    bad.got.map(g => g['event']),
    ['halted', 'rolled-back'],
    'in their order',
  )
  t.ok(logged.includes('alert not told'))
  alerts.stop()
})

void t.test('what a receiver misses is named and counted, and the others hear it', async t => {
  const hung = await receiver(() => 200)
  hung.server.removeAllListeners('request')
  hung.server.on('request', () => undefined) // it takes the request, and never answers
  const good = await receiver(() => 200)
  t.teardown(() => {
    hung.server.closeAllConnections()
    for (const { server } of [hung, good]) server.close()
  })
  const { w, alerts, fields } = world([{ webhook: hung.url }, { webhook: good.url }])
  const letters = 'abcdefghijklmnopqrstuvwxyz234567'
    .split('')
    .flatMap(x => [x, `${x}2`])
    .slice(0, 52)
  for (const letter of letters)
    w.outcomes.set(letter.padEnd(52, letter), { outcome: 'rolled-back', attempt: 1, reason: { code: 'APP_UNHEALTHY', message: letter } })
  alerts.look()
  while (good.got.length < 50) await good.heard()
  t.notOk(
    fields.some(f => f['said'] === 'alert lost'),
    'no more than have a place at once',
  )
  alerts.look()
  // 52 went back and the rollout is halted: three find no place.
  const lost = fields.filter(f => f['said'] === 'alert lost')
  t.same(
    lost.map(f => f['lost']),
    [1, 2, 3],
  )
  t.match(lost[0], { id: /^[0-9a-f]{32}$/, message: /went back from till@2/, receiver: new URL(hung.url).host, why: /50 wait/ })
  t.notMatch(lost[0]?.['receiver'], /hook/, 'the path of a webhook may be a secret')
  while (good.got.length < 53) await good.heard()
  alerts.stop()
})

void t.test('what was over before there was a place in any line is named', async t => {
  const hung = await receiver(() => 200)
  hung.server.removeAllListeners('request')
  t.teardown(() => {
    hung.server.closeAllConnections()
    hung.server.close()
  })
  const { w, alerts, fields } = world([{ webhook: hung.url }])
  for (let n = 0; n < 50; n++)
    w.outcomes.set(`n${n}`.padEnd(52, 'a'), { outcome: 'rolled-back', attempt: 1, reason: { code: 'APP_UNHEALTHY', message: 'x' } })
  alerts.look()
  w.lost = [id('c')]
  alerts.look()
  w.nowMs = 60_000
  alerts.look()
  t.same(
    fields.filter(f => f['said'] === 'alert lost'),
    [],
  )
  w.lost = []
  alerts.look()
  t.match(
    fields.filter(f => f['said'] === 'alert lost'),
    [{ event: 'node-lost', message: /box-c/ }],
  )
  alerts.look()
  t.equal(fields.filter(f => f['said'] === 'alert lost').length, 1, 'once')
  alerts.stop()
})

void t.test('a receiver that takes its time hears all of a burst', async t => {
  const slow = await receiver(() => 200)
  t.teardown(() => slow.server.close())
  const { w, alerts, fields } = world([{ webhook: slow.url }])
  for (const letter of 'abcdefghijklmnopqrstuvwxyz234567')
    for (const node of [letter.padEnd(52, letter), letter.padEnd(52, 'a2')])
      w.outcomes.set(node, { outcome: 'rolled-back', attempt: 1, reason: { code: 'APP_UNHEALTHY', message: node } })
  const all = w.outcomes.size + 1 // and the halt
  const first = slow.heard()
  alerts.look()
  alerts.look()
  await first
  while (slow.got.length < all) {
    const next = slow.heard()
    alerts.look()
    await next
  }
  t.notOk(fields.some(f => f['said'] === 'alert lost'))
  alerts.stop()
})

void t.test('a command is given the document on standard input, and no shell', async t => {
  const dir = t.testdir()
  const script = join(dir, 'tell.mjs')
  const out = join(dir, 'out')
  writeFileSync(
    script,
    `import { appendFileSync, readFileSync } from 'node:fs'\nappendFileSync(process.argv[2], process.argv[3] + ' ' + readFileSync(0, 'utf8') + '\\n')\n`,
  )
  const { w, alerts, logged } = world([{ command: [process.execPath, script, out] }, { command: ['/no/such/program; true'] }])
  w.outcomes.set(id('a'), { outcome: 'rolled-back', attempt: 1, reason: { code: 'INTERNAL', message: '$(reboot) `x`' } })
  alerts.look()
  while (logged.filter(event => event === 'alert told').length < 2) await new Promise(done => setImmediate(done))
  t.match(readFileSync(out, 'utf8'), /^halted \{.*\}\nrolled-back \{.*\$\(reboot\) `x`.*\}\n/)
  t.ok(logged.includes('alert not told'), 'one that does not start is logged')
  alerts.stop()
})

void t.test('config.json names receivers, or is refused', async t => {
  const parse = (alerts: unknown): unknown => parseConfig({ name: 'box', alerts }).alerts
  t.same(parse([{ webhook: 'https://x.example/a' }, { command: ['mail', 'me'] }]), [
    { webhook: 'https://x.example/a' },
    { command: ['mail', 'me'] },
  ])
  const [shown] = /"alerts": \[.*\]/.exec(readFileSync('docs/operate.md', 'utf8')) ?? []
  t.match(parse(JSON.parse(`{${shown}}`).alerts), [{ webhook: /^https:/ }, { command: [/./, /./] }], 'as docs/operate.md shows it')
  for (const bad of [
    [{}],
    [{ webhook: 'ftp://x' }],
    [{ webhook: 'https://' }],
    [{ command: [] }],
    [{ command: [''] }],
    [{ webhook: 'https://x', command: ['y'] }],
    'x',
  ])
    t.throws(() => parse(bad), { code: 'BAD_REQUEST' }, JSON.stringify(bad))
})

/** The conditions in a fleet of three in which these orders were made, the oldest first. */
function conditions(
  orders: readonly { readonly nodes: string; readonly back?: string }[],
  more: { readonly lost?: string; readonly safe?: string } = {},
): readonly Condition[] {
  const known = orders.map(({ nodes, back }, at) => ({
    id: id('opqr'[at] ?? 's'),
    order: { kind: 'app', name: 'till', version: `${at + 1}.0.0`, generation: at + 1, dryRun: false, deadlineMs: 1000, release: `r${at}` },
    plan: { waves: [{ nodes: nodes.split('').map(id), maxFailed: 0, maxMissing: 0 }], lost: [] },
    release: null,
    controls: [],
    preflights: new Map(nodes.split('').map(n => [id(n), { go: true, attempt: 1 }])),
    outcomes: new Map((back ?? '').split('').map(n => [id(n), { outcome: 'rolled-back', attempt: 1, reason: null }])),
    receipts: new Map(),
    gone: new Set(),
    ageMs: 0,
  }))
  const running = { name: 'shoal', version: '0.1.0', digest: 'a'.repeat(64) }
  const status = { app: null, shoal: running, health: 'safe-mode', rollout: null, step: 'idle', percent: 0, since: '' }
  const body = JSON.stringify({ ...status, bytes: { fetched: 0, reused: 0, served: 0, sources: 0 } })
  const replica = {
    orders: () => known,
    fleet: { members: () => ['a', 'b', 'c'].map(l => ({ id: id(l) })), node: () => undefined },
    registers: { get: (key: string) => (more.safe !== undefined && key.includes(id(more.safe)) ? { body } : undefined) },
    holds: { of: () => null },
  } as unknown as Options['replica']
  return conditionsOf({ replica, isLost: node => node === id(more.lost ?? 'x') })
}
const eventsOf = (found: readonly Condition[]): readonly string[] =>
  found.map(c => [c.event, c.rollout?.release ?? c.node?.slice(0, 1)].join(' ')).toSorted()

void t.test('every kind of trouble is seen, in each order that is the newest one for somebody', async t => {
  t.same(eventsOf(conditions([{ nodes: 'ab', back: 'a' }])), ['halted till@1.0.0', 'rolled-back till@1.0.0'])
  t.same(eventsOf(conditions([{ nodes: 'ab' }], { lost: 'b' })), ['node-lost b', 'stalled till@1.0.0'])
  t.same(eventsOf(conditions([], { safe: 'c' })), ['safe-mode c'])
  const aside = [{ nodes: 'ab', back: 'a' }, { nodes: 'c' }] as const
  t.same(eventsOf(conditions(aside)), ['halted till@1.0.0', 'rolled-back till@1.0.0'], 'an order for another box hides nothing')
  t.same(eventsOf(conditions([{ nodes: 'ab', back: 'a' }, { nodes: 'abc' }])), [], 'what another took the place of is history')
})
