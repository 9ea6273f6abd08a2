import t from 'tap'
import {
  type Control,
  type Digest,
  type NodeId,
  type Order,
  type OrderId,
  type OutcomeBody,
  parseDigest,
  parseFleetId,
  parseNodeId,
  parseOrderId,
  type Plan,
  type Release,
} from '../../../src/model/index.ts'
import {
  type Candidate,
  followed,
  isInWindow,
  isOpen,
  joinControls,
  type KnownControl,
  type KnownOrder,
  makePlan,
  nextTasks,
  opensNext,
  opensWhen,
  type Own,
  pastOrders,
  parseWaves,
  preflight,
  type Condition,
  stateOf,
  waveState,
  weigh,
} from '../../../src/rollout/index.ts'

const node = (n: number): NodeId =>
  parseNodeId(`n${'a'.repeat(48)}${String.fromCharCode(97 + Math.floor(n / 26))}${String.fromCharCode(97 + (n % 26))}a`)
const nodes = (count: number): NodeId[] => Array.from({ length: count }, (_, n) => node(n))
const orderId = (c: string): OrderId => parseOrderId(c.repeat(52))
const digest = (c: string): Digest => parseDigest(c.repeat(64))
const fleet = parseFleetId('f'.repeat(52))
const v1 = digest('1')
const v2 = digest('2')
const code = (c: string) => ({ code: c })

const release = (version: string, d: Digest, over: Partial<Release> = {}): Release => ({
  fleet,
  kind: 'app',
  name: 'till',
  version,
  dataVersion: 1,
  minFrom: null,
  engines: null,
  handover: 'exclusive',
  probationMs: null,
  packages: { any: { digest: d, size: 1000, blockmap: d } },
  notes: '',
  ...over,
})

const order = (over: Partial<Order> = {}): Order => ({
  fleet,
  generation: 1,
  kind: 'app',
  name: 'till',
  version: '2.0.0',
  release: v2,
  plan: v2,
  selector: { only: [], tags: [] },
  soakMs: 100,
  witnesses: 1,
  deadlineMs: 1000,
  window: null,
  allowDowngrade: false,
  data: null,
  replaceApp: false,
  force: false,
  dryRun: false,
  by: 'anna',
  at: '',
  node: node(0),
  ...over,
})

const wave = (ids: NodeId[], maxFailed = 0, maxMissing = 0) => ({ nodes: ids, maxFailed, maxMissing })

interface Story {
  id?: OrderId
  order?: Partial<Order>
  plan?: Plan
  release?: Release
  controls?: KnownControl[]
  go?: NodeId[]
  noGo?: NodeId[]
  outcomes?: [NodeId, OutcomeBody['outcome'], number?][]
  receipts?: [NodeId, NodeId][]
  gone?: NodeId[]
  ageMs?: number
}

const known = (s: Story): KnownOrder => {
  const id = s.id ?? orderId('b')
  const outcomes = new Map(
    (s.outcomes ?? []).map(([n, outcome, attempt = 1]): [NodeId, OutcomeBody] => [
      n,
      { order: id, attempt, outcome, reason: null, digest: v2, witnesses: outcome === 'confirmed' ? 1 : 0, epoch: 2, log: [] },
    ]),
  )
  const receipts = Map.groupBy(
    (s.receipts ?? []).map(([n, witness]) => ({ order: id, node: n, digest: v2, epoch: 2, witness })),
    r => r.node,
  )
  const answers = [...(s.go ?? []).map(n => [n, true] as const), ...(s.noGo ?? []).map(n => [n, false] as const)]
  return {
    id,
    order: order(s.order),
    plan: s.plan ?? { waves: [wave([node(1)]), wave([node(2), node(3)]), wave([node(0)])], lost: [] },
    release: s.release ?? release('2.0.0', v2),
    controls: s.controls ?? [],
    preflights: new Map(answers.map(([n, go]) => [n, { order: id, attempt: 1, go, reason: null }])),
    outcomes,
    receipts,
    gone: new Set(s.gone),
    ageMs: s.ageMs ?? 0,
  }
}

const control = (action: Control['action'], generation: number, ids: NodeId[] = [], hash = 'x'): KnownControl => ({
  fleet,
  order: orderId('b'),
  generation,
  action,
  nodes: ids,
  by: 'anna',
  at: '',
  hash,
})

const noneLost = () => false
const all = nodes(4)
const wave1Done: Story = { go: all, outcomes: [[node(1), 'confirmed']], receipts: [[node(1), node(2)]] }
const stateNow = (s: Story, isLost = noneLost as (n: NodeId) => boolean) => {
  const k = known(s)
  return stateOf(k, weigh(k), isLost)
}
const opens = (s: Story, at: number): boolean => {
  const k = known(s)
  return isOpen(k, weigh(k), at)
}

void t.test('nobody starts before every reachable node has answered the preflight', async t => {
  t.notOk(opens({}, 0))
  t.notOk(opens({ go: all.slice(1) }, 0))
  t.ok(opens({ go: all }, 0))
  t.notOk(opens({ go: all.slice(1), noGo: [node(0)] }, 0), 'one refusal touches nobody')
  t.equal(stateNow({ go: all.slice(1), noGo: [node(0)] }), 'stalled')
  const plan = { waves: [wave([node(1)]), wave([node(2), node(3), node(0)])], lost: [node(3)] }
  t.ok(opens({ plan, go: [node(0), node(1), node(2)] }, 0), 'those who were lost before are not waited for')
  t.notOk(opens({ go: all, outcomes: [[node(0), 'superseded']] }, 0), 'who knows a newer order shuts it for all')
})

void t.test('a wave opens on confirmed outcomes with receipts, and on nothing else', async t => {
  t.notOk(opens({ go: all }, 1))
  t.notOk(opens({ go: all, outcomes: [[node(1), 'confirmed']] }, 1), 'no receipt')
  t.notOk(opens({ ...wave1Done, receipts: [[node(1), node(1)]] }, 1), 'its own receipt is none')
  t.ok(opens(wave1Done, 1))
  t.notOk(opens(wave1Done, 2))
  t.notOk(opens({ ...wave1Done, controls: [control('pause', 2)] }, 1))
  t.ok(opens({ ...wave1Done, controls: [control('pause', 2), control('resume', 3)] }, 1))
  t.notOk(opens({ ...wave1Done, controls: [control('abort', 2), control('resume', 3)] }, 1), 'abort absorbs')
  t.notOk(
    opens(
      {
        ...wave1Done,
        outcomes: [
          [node(1), 'confirmed'],
          [node(3), 'rolled-back'],
        ],
      },
      2,
    ),
  )
})

void t.test('more failures than tolerated shut every wave and win over missing nodes', async t => {
  const failed: Story = { go: all, outcomes: [[node(1), 'rolled-back']] }
  t.equal(stateNow(failed), 'halted')
  t.equal(
    stateNow(failed, () => true),
    'halted',
  )
  t.match(opensWhen(known(failed), weigh(known(failed)), 'halted'), /more failures/)
  t.equal(stateNow({ ...failed, controls: [control('retry', 2, [node(1)])] }), 'open', 'a retry is another attempt')
  t.equal(stateNow({ ...failed, controls: [control('skip', 2, [node(1)])] }), 'open')
  t.ok(opens({ ...failed, controls: [control('skip', 2, [node(1)])] }, 1), 'a wave of which everybody was skipped passes')
  const tolerant = { waves: [wave(all, 1, 0)], lost: [] }
  t.equal(stateNow({ plan: tolerant, go: all, outcomes: [[node(1), 'failed']] }), 'open')
})

void t.test('what a rollout waits for is said as it is: its window, its soak, a no-go, a newer order', async t => {
  const says = (s: Story, at: string | null = null): string => {
    const k = known(s)
    return opensWhen(k, weigh(k), stateOf(k, weigh(k), noneLost), at)
  }
  t.equal(says({ go: all }, 'Sat 02:00 Europe/Berlin'), 'wave 1 of 3 starts when the window opens: Sat 02:00 Europe/Berlin')
  t.match(says(wave1Done, 'Sat 02:00'), /^wave 2 of 3 starts when/)
  t.equal(says({ go: all }), 'wave 1 of 3 passes when 1 more of its 1 node has confirmed')
  t.equal(says(wave1Done), 'wave 2 of 3 passes when 2 more of its 2 nodes have confirmed; it starts 0.1 s after wave 1 has passed')
  t.match(says({ go: all.slice(1), noGo: [node(0)] }), /^1 node cannot take it, so nobody starts/)
  t.match(says({ go: all.slice(1), noGo: [node(0)], order: { dryRun: true } }), /^1 node said no-go; a dry run changes nothing$/)
  t.match(says({ go: all, outcomes: [[node(2), 'superseded']] }), /^a newer order has taken its place on 1 node$/)
})

void t.test('when a window that is shut opens next', async t => {
  const friday = new Date('2026-11-27T12:00:00Z')
  const next = (text: string, at = friday): string | null => opensNext(text, at)
  t.equal(next('Sat 02:00-04:00 Europe/Berlin'), 'Sat 02:00 Europe/Berlin')
  t.equal(next('02:00-04:00 Europe/Berlin'), 'Sat 02:00 Europe/Berlin', 'today it is over')
  t.equal(next('22:00-02:00 Europe/Berlin'), 'Fri 22:00 Europe/Berlin')
  t.equal(next('Mon,Thu 02:00-04:00 UTC'), 'Mon 02:00 UTC')
  t.equal(next('Fri 09:00-10:00 UTC'), 'Fri 09:00 UTC', 'a week ahead')
  t.equal(next('Fri 12:00-13:00 UTC'), null, 'it is open')
})

void t.test('what is tolerated never opens a gate without evidence', async t => {
  const asked = { waves: '1,2,100%', canary: [], maxFailed: 3, maxMissing: 3, self: node(0) }
  const plan = makePlan(
    nodes(3).map((_, n) => candidate(n)),
    asked,
  )
  t.same(
    plan.waves.map(w => [w.nodes.length, w.maxFailed, w.maxMissing]),
    [
      [1, 0, 1],
      [1, 0, 1],
      [1, 1, 1],
    ],
  )
  const [canary] = plan.waves[0]?.nodes ?? []
  const ready: Story = { plan, go: nodes(3) }
  t.same(
    weigh(known(ready)).tallies.map(t => t.need),
    [1, 1, 0],
  )
  t.notOk(opens(ready, 1), 'nobody confirmed')
  t.equal(stateNow({ ...ready, outcomes: [[canary ?? node(9), 'rolled-back']] }), 'halted')
  const one = { waves: [wave([node(1)], 1, 1)], lost: [] }
  t.equal(stateNow({ plan: one, go: [node(1)], outcomes: [[node(1), 'failed']] }), 'stalled', 'an old plan that tolerates all: no success')
})

void t.test('a node that is no member any more is not waited for, nor taken for evidence', async t => {
  t.equal(stateNow({ ...wave1Done, gone: [node(2)] }), 'open')
  const rest: Story = {
    ...wave1Done,
    gone: [node(2)],
    outcomes: [node(0), node(1), node(3)].map(n => [n, 'confirmed']),
    receipts: [node(0), node(1), node(3)].map(n => [n, n === node(0) ? node(1) : node(0)]),
  }
  t.equal(stateNow(rest), 'completed')
  t.notOk(opens({ go: all, gone: [node(1)] }, 1), 'the canary was removed: no evidence')
  t.ok(opens({ go: all, gone: [node(1)], controls: [control('skip', 2, [node(1)])] }, 1), 'unless an operator skips it')
  const left = known({ go: all, gone: [node(1)] })
  t.equal(stateNow({ go: all, gone: [node(1)] }), 'stalled')
  t.equal(opensWhen(left, weigh(left), 'stalled'), 'wave 1 of 3 cannot pass: 1 of its 1 node left the fleet; skip or abort')
})

void t.test('a wave that has begun is shown open where the rollout is halted or paused in it, and nobody starts', async t => {
  const states = (s: Story, midway: NodeId[] = []): string => {
    const k = known(s)
    return k.plan?.waves.map((_, at) => waveState(k, weigh(k), at, id => midway.includes(id))).join() ?? ''
  }
  const failed: Story = { ...wave1Done, outcomes: [...(wave1Done.outcomes ?? []), [node(2), 'failed']] }
  t.equal(stateNow(failed), 'halted')
  t.equal(states(failed), 'passed,open,closed')
  t.notOk(opens(failed, 1))
  const paused: Story = { ...wave1Done, controls: [control('pause', 2)] }
  t.equal(states(paused), 'passed,closed,closed', 'nobody of it has begun')
  t.equal(states(paused, [node(2)]), 'passed,open,closed')
  t.notOk(opens(paused, 1))
  t.equal(states({ ...failed, controls: [control('abort', 2)] }), 'passed,closed,closed')
})

void t.test('states as the contract names them', async t => {
  const everyone: Story = {
    go: all,
    outcomes: all.map(n => [n, 'confirmed']),
    receipts: all.map(n => [n, n === node(0) ? node(1) : node(0)]),
  }
  t.equal(stateNow(everyone), 'completed')
  t.equal(stateNow({ ...everyone, controls: [control('abort', 2)] }), 'completed')
  t.equal(stateNow(wave1Done), 'open')
  t.equal(
    stateNow(wave1Done, n => n === node(2)),
    'stalled',
  )
  t.equal(stateNow({ ...wave1Done, controls: [control('pause', 2)] }), 'paused')
  t.equal(stateNow({ ...wave1Done, controls: [control('abort', 2)] }), 'aborted')
  t.equal(stateNow({ ...wave1Done, ageMs: 1001 }), 'expired')
  const tolerant = { waves: [wave(all, 0, 1)], lost: [] }
  const three: Story = { plan: tolerant, go: all, outcomes: everyone.outcomes!.slice(0, 3), receipts: everyone.receipts! }
  t.equal(stateNow(three), 'open', 'the fourth may still confirm')
  t.equal(
    stateNow(three, n => n === node(3)),
    'completed-with-exceptions',
  )
})

void t.test('controls join to the same state in any sequence', async t => {
  const a = [
    control('pause', 2),
    control('resume', 3),
    control('pause', 3, [], 'y'),
    control('skip', 2, [node(1)]),
    control('retry', 4, []),
  ]
  const b = joinControls(a.toReversed())
  t.equal(joinControls(a).paused, true)
  t.equal(b.paused, true, 'same generation: the higher hash')
  t.same([...b.skipped], [], 'a later retry of all takes the skip back')
  t.equal(b.attemptOf(node(1)), 2)
})

const own = (over: Partial<Own> = {}): Own => ({
  id: node(1),
  tags: [],
  platform: 'linux-x64',
  running: { app: v1, shoal: v1 },
  begun: new Set(),
  hasPackage: () => true,
  isStaged: () => true,
  needsRehearsal: () => false,
  needsPreparation: () => false,
  isHeld: false,
  isHealthy: true,
  isInWindow: () => true,
  evidenceAgeMs: () => 1000,
  isLost: noneLost,
  ...over,
})
const doing = (s: Story, o: Partial<Own> = {}) => nextTasks([known(s)], own(o)).map(n => n.task.do)

void t.test('a node does one thing after the other, and nothing twice', async t => {
  t.same(doing({}), ['preflight'])
  t.same(doing({ go: all }, { isStaged: () => false, hasPackage: () => false }), ['fetch'])
  t.same(doing({ go: all }, { isStaged: () => false }), ['stage'])
  t.same(doing({ go: [node(1)] }), ['wait'], 'staged before its turn')
  t.same(doing({ go: [node(1)] }, { needsRehearsal: digest => digest === v2 }), ['rehearse'], 'rehearsed before its turn')
  t.same(doing({ go: all }, { needsRehearsal: () => true }), ['rehearse'], 'and never switched before that')
  const attempts: number[] = []
  const prepares = { needsPreparation: (_: unknown, attempt: number) => attempts.push(attempt) > 0 }
  t.same(doing({ go: [node(1)] }, prepares), ['wait'], 'what becomes of the data is prepared at its turn')
  t.same(doing({ go: all }, prepares), ['prepare'])
  t.same(attempts, [1])
  t.same(doing({ go: all }, { ...prepares, running: { app: v2, shoal: v1 } }), ['report'])
  t.same(doing({ go: all }, { needsRehearsal: () => true, running: { app: v2, shoal: v1 } }), ['report'])
  t.same(doing({ go: all }), ['switch'])
  t.same(doing({ go: all }, { begun: new Set([orderId('b')]) }), [])
  t.same(doing({ go: all, outcomes: [[node(1), 'rolled-back']] }), [])
  t.same(doing({ go: all, outcomes: [[node(1), 'rolled-back']], controls: [control('retry', 2, [node(1)])] }), ['preflight'])
  t.same(doing({ go: all }, { running: { app: v2, shoal: v1 } }), ['report'], 'it runs that already')
  const ill = nextTasks([known({ go: all })], own({ running: { app: v2, shoal: v1 }, isHealthy: false }))
  t.match(ill, [{ task: { do: 'report', outcome: 'refused', reason: { code: 'UNHEALTHY_BEFORE' } } }], 'ill is no success')
  t.same(doing({ go: all, noGo: [node(1)] }), [])
  t.same(doing(wave1Done, { id: node(2), evidenceAgeMs: () => 40 }), ['wait'], 'soak')
  t.same(doing({ go: all, order: { window: 'Sat 02:00-04:00' } }, { isInWindow: () => false }), ['wait'])
  t.same(doing({ go: all }, { isHeld: true }), ['wait'])
  t.same(doing({ order: { dryRun: true } }), ['preflight'])
  t.same(doing({ order: { dryRun: true }, go: all }), [])
})

void t.test('of several orders the newest that counts is followed', async t => {
  const old = known({ id: orderId('b'), order: { generation: 1 } })
  const next = known({ id: orderId('c'), order: { generation: 2 } })
  const tie = known({ id: orderId('d'), order: { generation: 2 } })
  t.equal(followed([old, next], 'app', own()), next)
  t.equal(followed([tie, next], 'app', own()), tie)
  const tasks = nextTasks([old, next], own())
  t.same(
    tasks.map(n => [n.known.id, n.task.do]),
    [
      [old.id, 'report'],
      [next.id, 'preflight'],
    ],
  )
  const aborted = known({ id: orderId('c'), order: { generation: 2 }, controls: [control('abort', 3)] })
  t.equal(followed([old, aborted], 'app', own()), old)
  const halted = known({ id: orderId('c'), order: { generation: 2 }, outcomes: [[node(2), 'failed']] })
  t.equal(followed([old, halted], 'app', own()), old)
  t.equal(followed([old, halted], 'app', own({ id: node(2) })), halted, 'it counts for who has started')
  const gaveUp = known({ id: orderId('c'), order: { generation: 2 }, outcomes: [[node(2), 'failed']], controls: [control('abort', 3)] })
  t.equal(followed([old, gaveUp], 'app', own({ id: node(2) })), old, 'until it is aborted')
})

void t.test('an order is past when a newer one took its place for all, and not because it is old', async t => {
  const ids = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']
  const done: Story = { go: all, outcomes: all.map(n => [n, 'confirmed']), receipts: all.map(n => [n, n === node(0) ? node(1) : node(0)]) }
  const line = (of: (at: number) => Story): KnownOrder[] =>
    ids.map((c, at) => known({ ...of(at), id: orderId(c), order: { ...of(at).order, generation: at + 1 } }))
  const past = (orders: KnownOrder[], kept = 3): string[] =>
    pastOrders(orders, kept)
      .map(o => o.id.slice(0, 1))
      .toSorted()
  t.same(past(line(() => wave1Done)), [], 'nobody completed anything')
  t.same(past(line(() => done)), ids.slice(0, 7))
  t.same(past(line(at => (at === 4 ? done : wave1Done))), ids.slice(0, 4))
  const few = { only: [node(2)], tags: [] }
  t.same(
    past(line(at => (at < 2 ? wave1Done : { ...done, order: { selector: few } }))),
    ids.slice(2, 7),
    'for one node: takes no place of one for all',
  )
  t.same(past(line(at => (at < 2 ? { order: { selector: few } } : { order: { dryRun: true } }))), ids.slice(2, 7), 'dry runs go')
})

void t.test('who joined later takes the newest completed one', async t => {
  const late = own({ id: node(9) })
  const done: Story = { go: all, outcomes: all.map(n => [n, 'confirmed']), receipts: all.map(n => [n, node(8)]) }
  t.equal(followed([known(wave1Done)], 'app', late), null)
  t.ok(followed([known(done)], 'app', late))
  t.same(
    nextTasks([known(done)], late).map(n => n.task.do),
    ['preflight'],
  )
})

const candidate = (n: number, over: Partial<Candidate> = {}): Candidate => ({
  id: node(n),
  platform: 'linux-x64',
  nodejs: '24.1.0',
  tags: [],
  lost: false,
  healthy: true,
  ...over,
})
const options = { waves: '1,10%,50%,100%', canary: [], maxFailed: null, maxMissing: null, self: node(0) }
const shape = (p: Plan) => p.waves.map(w => w.nodes.length)

void t.test('plans', async t => {
  t.same(shape(makePlan([candidate(0)], options)), [1])
  t.same(
    makePlan([candidate(0), candidate(1)], options).waves.map(w => w.nodes),
    [[node(1)], [node(0)]],
    'the node where it was made goes last',
  )
  t.same(
    shape(
      makePlan(
        [0, 1, 2, 3, 4].map(n => candidate(n)),
        options,
      ),
    ),
    [1, 2, 2],
  )
  const twenty = makePlan(
    nodes(20).map((_, n) => candidate(n)),
    options,
  )
  t.same(shape(twenty), [1, 1, 8, 10])
  t.same(
    twenty.waves.map(w => [w.maxFailed, w.maxMissing]),
    [
      [0, 0],
      [0, 0],
      [1, 1],
      [1, 1],
    ],
  )
  const mixed = makePlan([candidate(0), candidate(1), candidate(2, { platform: 'win32-x64' }), candidate(3, { tags: ['till'] })], options)
  t.same(mixed.waves[0]?.nodes, [node(1), node(2), node(3)], 'one canary per platform, Node.js and tags')
  const lost = makePlan([candidate(0), candidate(1), candidate(2, { lost: true })], options)
  t.same(lost.waves.at(-1)?.nodes.includes(node(2)), true)
  t.same(lost.lost, [node(2)])
  t.same(makePlan([candidate(0), candidate(1)], { ...options, canary: [node(0)] }).waves[0]?.nodes, [node(0)])
  t.throws(() => makePlan([], options), code('NOTHING_TO_DO'))
  t.throws(() => makePlan([candidate(0)], { ...options, canary: [node(5)] }), code('BAD_REQUEST'))
  for (const bad of ['', 'x', '0', '101%', '1,,2', '-1']) t.throws(() => parseWaves(bad, 10), code('BAD_REQUEST'))
  for (let n = 1; n < 40; n++) {
    const plan = makePlan(
      nodes(n).map((_, at) => candidate(at, { lost: at % 7 === 3 })),
      options,
    )
    t.equal(new Set(plan.waves.flatMap(w => w.nodes)).size, n, 'everybody is in exactly one wave')
    t.equal(plan.waves.flatMap(w => w.nodes).length, n)
    t.ok(plan.waves.slice(0, -1).every(w => !w.nodes.includes(node(0)) && !w.nodes.some(id => plan.lost.includes(id))))
  }
})

const condition = (over: Partial<Condition> = {}): Condition => ({
  platform: 'linux-x64',
  nodejs: '24.21.0',
  abi: '137',
  running: { name: 'till', version: '1.0.0', digest: v1 },
  data: { name: 'till', dataVersion: 1 },
  hasSnapshot: false,
  freeBytes: 1e9,
  reserveBytes: 0,
  notWritable: null,
  failedBefore: new Set(),
  badSettings: null,
  hasRestartPath: true,
  isCloned: false,
  ...over,
})

void t.test('preflight: go, or the reason why not', async t => {
  const r = release('2.0.0', v2)
  t.equal(preflight(order(), r, condition()), null)
  const refusals: [string, Partial<Release>, Partial<Condition>, Partial<Order>?][] = [
    ['NO_PACKAGE_FOR_PLATFORM', { packages: { 'win32-x64': r.packages['any']! } }, {}],
    ['ENGINE_UNSUPPORTED', { engines: '>=99' }, {}],
    ['ENGINE_UNSUPPORTED', { packages: { any: { ...r.packages['any']!, abi: '127' } } }, {}],
    ['DOWNGRADE', { version: '0.9.0' }, {}],
    ['OTHER_APP', { name: 'kiosk' }, {}],
    ['DATA_NEWER', {}, { data: { name: 'till', dataVersion: 2 } }],
    ['DATA_NEWER', {}, { data: { name: 'till', dataVersion: 3, readBy: 2 } }],
    ['NO_SNAPSHOT', {}, { data: { name: 'till', dataVersion: 2 } }, { data: 'restore' }],
    ['MIN_FROM', { minFrom: '1.5.0' }, {}],
    ['NOT_WRITABLE', {}, { notWritable: '/data' }],
    ['KEY_FILE_MODE', {}, { badSettings: { code: 'KEY_FILE_MODE', message: 'app.env: mode is 644' } }],
    ['KEY_FILE_MODE', { kind: 'shoal' }, { badSettings: { code: 'KEY_FILE_MODE', message: 'app.env: mode is 644' } }],
    ['DISK_FULL', {}, { freeBytes: 3000 }],
    ['FAILED_BEFORE', {}, { failedBefore: new Set([v2]) }],
    ['NO_RESTART_PATH', { kind: 'shoal' }, { hasRestartPath: false }],
  ]
  for (const [want, rel, cond, ord] of refusals) t.equal(preflight(order(ord), { ...r, ...rel }, condition(cond))?.code, want)
  t.equal(
    preflight(order(), { ...r, packages: { any: { ...r.packages['any']!, abi: '137' } } }, condition()),
    null,
    'addons for this Node.js',
  )
  t.equal(preflight(order({ allowDowngrade: true }), release('0.9.0', v2), condition()), null)
  t.equal(preflight(order({ replaceApp: true }), release('1.0.0', v2, { name: 'kiosk' }), condition()), null)
  const newer = { data: { name: 'till', dataVersion: 2 } }
  t.equal(preflight(order({ data: 'keep' }), r, condition(newer)), null)
  t.equal(preflight(order({ data: 'restore' }), r, condition({ ...newer, hasSnapshot: true })), null)
  t.equal(preflight(order({ data: 'restore' }), r, condition()), null, 'where nothing was migrated there is nothing to restore')
  t.equal(preflight(order(), r, condition({ data: { name: 'till', dataVersion: 2, readBy: 1 } })), null, 'it reads that data already')
  t.equal(preflight(order({ force: true }), r, condition({ failedBefore: new Set([v2]) })), null)
})

void t.test('windows', async t => {
  const saturday = new Date('2026-11-28T02:30:00Z')
  t.ok(isInWindow('Sat 02:00-04:00 UTC', saturday))
  t.notOk(isInWindow('Sun 02:00-04:00 UTC', saturday))
  t.ok(isInWindow('Sat 03:00-04:00 Europe/Berlin', saturday))
  t.ok(isInWindow('Fri 22:00-03:00 UTC', saturday), 'over midnight it belongs to the day on which it begins')
  t.throws(() => isInWindow('Someday', saturday), code('BAD_REQUEST'))
  t.throws(() => isInWindow('02:00-04:00 Atlantis/City', saturday), code('BAD_REQUEST'))
})
