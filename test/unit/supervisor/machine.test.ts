import t from 'tap'
import {
  type Current,
  type FromWorker,
  type Handover,
  parseDigest,
  parseOrderId,
  type SwitchTarget,
  type ToWorker,
} from '../../../src/model/index.ts'
import { builtInCurrent } from '../../../src/slots/index.ts'
import { type Effect, type Event, initialState, type State, step, wakeAt } from '../../../src/supervisor/index.ts'

const shoal = parseDigest('5'.repeat(64))
const appOne = parseDigest('1'.repeat(64))
const appTwo = parseDigest('2'.repeat(64))
const order = parseOrderId('o'.repeat(52))
const good: Current = { ...builtInCurrent(shoal), app: appOne }
const toTwo = (handover: Handover = 'exclusive', more: Partial<SwitchTarget> = {}): SwitchTarget => ({
  order,
  attempt: 1,
  kind: 'app',
  digest: appTwo,
  handover,
  probationMs: 10_000,
  linked: 2,
  ...more,
})

type Bad = Partial<Record<ToWorker['t'] | 'listening', 'silent' | 'exit' | 'condemn' | 'hang'>>

/** A fleet of one: true little workers around the machine, a disk that may be full, a clock that jumps to the next deadline. */
class House {
  state: State
  now = 1000
  disk: Current
  isDiskFull = false
  ended: number | null = null
  readonly effects: Effect[] = []
  readonly sent: (ToWorker & { to: number })[] = []
  readonly living = new Map<
    number,
    { app: string | null; isDead: boolean; isHolding: boolean; isServing: boolean; isSafe: boolean; isHung: boolean; isTried: boolean }
  >()
  readonly queue: Event[] = []
  /** Faults by app digest. */
  bad: Record<string, Bad> = {}
  mostHolders = 0
  onEvent: (house: House) => void = () => undefined

  constructor(current: Current = good, fallback: Parameters<typeof initialState>[1] = null) {
    this.disk = current
    this.state = initialState(current, fallback)
    this.queue.push({ kind: 'start' })
  }

  give(event: Event): void {
    const next = step(this.state, event, this.now)
    const save = next.effects.find(e => e.kind === 'save')
    if (save !== undefined && this.isDiskFull) {
      this.give({ kind: 'unsaved', cause: event, code: 'DISK_FULL', message: 'no space' })
      return
    }
    this.state = next.state
    for (const effect of next.effects) this.#run(effect)
    this.effects.push(...next.effects)
    this.mostHolders = Math.max(this.mostHolders, [...this.living.values()].filter(w => w.isHolding && !w.isDead).length)
  }

  say(worker: number, message: FromWorker): void {
    this.queue.push({ kind: 'message', worker, message })
  }

  die(worker: number, how = 'signal SIGKILL'): void {
    const living = this.living.get(worker)
    if (living === undefined || living.isDead) return
    living.isDead = true
    this.queue.push({ kind: 'exited', worker, how })
  }

  #run(effect: Effect): void {
    if (effect.kind === 'save') this.disk = effect.current
    if (effect.kind === 'exit') this.ended = effect.code
    if (effect.kind === 'kill') this.die(effect.worker)
    if (effect.kind === 'fork') {
      const { isSafe } = effect
      this.living.set(effect.worker, {
        app: effect.slots.app,
        isDead: false,
        isHolding: false,
        isServing: false,
        isSafe,
        isHung: false,
        isTried: effect.trial !== null,
      })
      this.#hear(effect.worker, { t: 'init' } as ToWorker)
    }
    if (effect.kind === 'send') {
      this.sent.push({ ...effect.message, to: effect.worker })
      this.#hear(effect.worker, effect.message)
    }
  }

  #hear(id: number, message: ToWorker): void {
    const worker = this.living.get(id)
    if (worker === undefined || worker.isDead || worker.isHung) return
    const bad = this.bad[worker.isSafe ? 'safe' : (worker.app ?? 'none')] ?? {}
    if (message.t === 'go') worker.isHolding = true
    switch (bad[message.t]) {
      case 'silent':
        return
      case 'hang':
        worker.isHung = true
        return
      case 'exit':
        this.die(id, 'exit code 3')
        return
      case undefined:
        break
      case 'condemn':
        this.say(id, { t: 'condemn', code: 'APP_START_FAILED', message: 'throws' })
        return
    }
    if (message.t === 'init') this.say(id, { t: 'ready' })
    if (message.t === 'go') {
      worker.isServing = true
      this.say(id, { t: 'listening', url: 'https://h:1', forward: `sock${id}`, app: 'a@1.0.0', shoal: '0.1.0', id8: 'abcdefgh' })
      if (bad.listening === 'exit') this.die(id, 'exit code 5')
      else if (bad.listening === 'condemn') this.say(id, { t: 'condemn', code: 'APP_UNHEALTHY', message: 'ill' })
      else if (bad.listening === 'hang') worker.isHung = true
      else if (bad.listening !== 'silent' && worker.isTried) this.say(id, { t: 'confirm' })
    }
    if (message.t === 'park') {
      worker.isHolding = worker.isServing = false
      this.say(id, { t: 'parked' })
    }
    if (message.t === 'stop') this.die(id, 'exit code 0')
  }

  /** Takes events until none is left. */
  drain(limit = Infinity): number {
    let taken = 0
    for (; taken < limit; taken++) {
      const next = this.queue.shift()
      if (next === undefined) break
      this.give(next)
      this.onEvent(this)
    }
    return taken
  }

  /** Lets time pass, wake-up by wake-up; the living beat. */
  pass(ms: number): void {
    const end = this.now + ms
    for (let turns = 0; this.now < end && this.ended === null; turns++) {
      if (turns > 5000 + ms / 500) throw new Error('the machine never rests')
      this.now = Math.min(end, this.now + 1000, Math.max(this.now, wakeAt(this.state)))
      this.queue.push({ kind: 'tick', lateMs: 0 })
      for (const [id, w] of this.living) if (!w.isDead && !w.isHung) this.say(id, { t: 'beat' })
      this.drain()
    }
  }

  started(): this {
    this.drain()
    return this
  }

  get serving(): number[] {
    return [...this.living].filter(([, w]) => w.isServing && !w.isDead).map(([id]) => id)
  }

  get alive(): number[] {
    return [...this.living].filter(([, w]) => !w.isDead).map(([id]) => id)
  }

  get mainApp(): string | null | undefined {
    return this.living.get(this.state.mainId ?? 0)?.app
  }

  messages(to: number): string[] {
    return this.sent.filter(m => m.to === to).map(m => m.t)
  }
}

void t.test('a start forks, gives the socket when the worker is ready, and announces once', async t => {
  const h = new House().started()
  t.same(
    h.effects.map(e => e.kind),
    ['fork', 'send', 'announce'],
  )
  t.match(h.effects.at(-1), { line: 'ready https://h:1 node=abcdefgh app=a@1.0.0 shoal=0.1.0' })
  h.die(1)
  h.drain()
  h.pass(5000)
  t.equal(h.effects.filter(e => e.kind === 'announce').length, 1, 'not again after a crash')
  t.same(h.serving, [2])
})

void t.test('an exclusive switch: park, go, forward; confirmed durably before it is said; the old one goes after 7 s', async t => {
  const h = new House().started()
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain(1)
  t.match(h.disk, { app: appTwo, previous: { app: appOne, shoal }, state: 'trial', attempts: 0, trial: { digest: appTwo } })
  h.drain()
  t.same(h.messages(2), ['go', 'switched'])
  t.same(h.messages(1), ['go', 'park', 'forward'])
  t.equal(h.mostHolders, 1)
  t.same(
    h.sent.find(m => m.t === 'park'),
    { t: 'park', limitMs: 2000, to: 1 },
    'nobody serves yet',
  )
  t.match(h.disk, {
    app: appTwo,
    state: 'good',
    trial: null,
    last: { result: 'confirmed', order, attempt: 1, linked: 2 },
    previous: { app: appOne },
  })
  const saved = h.effects.findLastIndex(e => e.kind === 'save')
  const told = h.effects.findIndex(e => e.kind === 'send' && e.message.t === 'switched')
  t.ok(saved < told)
  h.pass(6500)
  t.same(h.alive, [1, 2])
  h.pass(1000)
  t.same(h.alive, [2])
})

void t.test('who parked first stays until somebody serves what it holds', t => {
  const h = new House().started()
  h.bad[appTwo] = { listening: 'silent' }
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  h.bad[appOne] = { go: 'silent' }
  h.say(2, { t: 'condemn', code: 'APP_UNHEALTHY', message: 'ill' })
  h.drain()
  h.pass(20_000)
  t.same(h.alive, [1, 2], 'the old app starts slowly: what waits at the new one waits on')
  h.say(1, { t: 'listening', url: 'https://h:1', forward: 'sock1', app: 'a@1.0.0', shoal: '0.1.0', id8: 'abcdefgh' })
  h.drain()
  t.same(h.messages(2).slice(-2), ['park', 'forward'])
  h.pass(6500)
  t.same(h.alive, [1, 2], 'its clients keep their connections from now on')
  h.pass(1000)
  t.same(h.alive, [1])
  t.end()
})

void t.test('who holds what nobody will ever serve goes too', t => {
  const h = new House().started()
  h.bad[appTwo] = { listening: 'silent' }
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  h.bad[appOne] = { go: 'silent' }
  h.say(2, { t: 'condemn', code: 'APP_UNHEALTHY', message: 'ill' })
  h.drain()
  h.pass(39_000)
  t.ok(h.alive.includes(2))
  h.pass(2000)
  t.notOk(h.alive.includes(2), 'its clients were refused after 30 s')
  t.end()
})

void t.test('an overlap switch: go before park, both hold the node for a moment', async t => {
  const h = new House().started()
  h.say(1, { t: 'switch', target: toTwo('overlap') })
  h.drain()
  const order = h.sent.map(m => `${m.t}${m.to}`)
  t.ok(order.indexOf('go2') < order.indexOf('park1'))
  t.ok(order.indexOf('park1') < order.indexOf('forward1'))
  t.same(
    h.sent.find(m => m.t === 'park'),
    { t: 'park', limitMs: 2000, forward: 'sock2', to: 1 },
    'nothing has to wait',
  )
  t.equal(h.mostHolders, 2)
  t.equal(h.disk.state, 'good')
})

const failures: readonly [string, Bad, 'failed' | 'rolled-back', string][] = [
  ['exits while loading', { init: 'exit' }, 'failed', 'WORKER_EXITED'],
  ['condemns itself while loading', { init: 'condemn' }, 'failed', 'APP_START_FAILED'],
  ['is never ready', { init: 'silent' }, 'failed', 'WORKER_SILENT'],
  ['hangs while loading', { init: 'hang' }, 'failed', 'WORKER_SILENT'],
  ['exits at go', { go: 'exit' }, 'rolled-back', 'WORKER_EXITED'],
  ['condemns itself at go', { go: 'condemn' }, 'rolled-back', 'APP_START_FAILED'],
  ['never listens', { go: 'silent' }, 'rolled-back', 'WORKER_SILENT'],
  ['hangs at go', { go: 'hang' }, 'rolled-back', 'WORKER_SILENT'],
  ['exits in probation', { listening: 'exit' }, 'rolled-back', 'WORKER_EXITED'],
  ['condemns itself in probation', { listening: 'condemn' }, 'rolled-back', 'APP_UNHEALTHY'],
  ['hangs in probation', { listening: 'hang' }, 'rolled-back', 'WORKER_SILENT'],
  ['never confirms', { listening: 'silent' }, 'rolled-back', 'WORKER_SILENT'],
  ['never confirms and does not park', { listening: 'silent', park: 'silent' }, 'rolled-back', 'WORKER_SILENT'],
  ['does not stop', { init: 'condemn', stop: 'silent' }, 'failed', 'APP_START_FAILED'],
]
for (const handover of ['exclusive', 'overlap'] as const) {
  for (const [what, bad, result, code] of failures) {
    void t.test(`${handover}: a new worker that ${what} costs nothing: the old one is the node again`, async t => {
      const h = new House().started()
      h.bad[appTwo] = bad
      h.say(1, { t: 'switch', target: toTwo(handover) })
      h.drain()
      h.pass(120_000)
      t.match(h.disk, {
        app: appOne,
        shoal,
        state: 'good',
        trial: null,
        previous: null,
        last: { result, code, order, attempt: 1, linked: 2 },
      })
      t.same(h.serving, [1])
      t.same(h.alive, [1], 'the failed one is gone')
      t.equal(h.effects.filter(e => e.kind === 'fork').length, 2, 'the old one was never started anew')
      const told = h.sent.filter(m => m.to === 1 && (m.t === 'switched' || m.t === 'go')).at(-1)
      t.match(told, { last: { result, code } }, 'the old one reports it')
      if (handover === 'exclusive') t.equal(h.mostHolders, 1, 'never two of them hold the data')
    })
  }
}

void t.test('kill -9 of any worker at any moment of a switch ends in exactly one serving node and a true pointer', async t => {
  const runs: string[] = []
  for (const handover of ['exclusive', 'overlap'] as const) {
    for (const victims of [[2], [1], [1, 2], [2, 1]]) {
      for (let at = 0; at < 12; at++) {
        const h = new House().started()
        h.say(1, { t: 'switch', target: toTwo(handover) })
        h.drain(at)
        for (const each of victims) h.die(each)
        h.drain()
        h.pass(200_000)
        const name = `${handover}, ${victims.join('+')} killed after ${at} events`
        t.equal(h.serving.length, 1, name)
        t.equal(h.alive.length, 1, `${name}: nobody is left over`)
        t.equal(h.mainApp, h.disk.app, `${name}: what runs is what is written`)
        t.equal(h.disk.state, 'good', name)
        if (handover === 'exclusive') t.equal(h.mostHolders, 1, name)
        runs.push(h.disk.last?.result ?? 'none')
      }
    }
  }
  t.ok(runs.includes('failed') && runs.includes('rolled-back') && runs.includes('confirmed'), 'the table reaches all ends')
})

void t.test('kill -9 of everything at any moment: the next start goes on with the trial, twice at most', async t => {
  for (let at = 0; at < 12; at++) {
    const first = new House().started()
    first.say(1, { t: 'switch', target: toTwo() })
    first.drain(at)
    const second = new House(first.disk).started()
    second.pass(100_000)
    t.equal(second.serving.length, 1)
    t.equal(second.disk.state, 'good', `killed after ${at} events`)
    t.equal(second.mainApp, second.disk.app)
  }
  const trial: Current = { ...good, app: appTwo, previous: { app: appOne, shoal }, state: 'trial', trial: toTwo() }
  let disk = trial
  for (const attempts of [1, 2]) {
    const h = new House(disk)
    h.drain(1)
    t.match(h.disk, { state: 'trial', attempts }, 'counted before the worker is started')
    t.match(h.effects.at(-1), { kind: 'fork', slots: { app: appTwo }, trial: { digest: appTwo } })
    disk = h.disk
  }
  const third = new House(disk).started()
  t.match(third.disk, { app: appOne, state: 'good', last: { result: 'rolled-back', code: 'INTERRUPTED' } })
  t.match(third.sent.find(m => m.t === 'go')?.last, { code: 'INTERRUPTED' })
})

void t.test(
  'an old worker that dies in probation leaves the new one under trial; an ill new one then gives way to a fresh old one',
  async t => {
    const h = new House().started()
    h.bad[appTwo] = { listening: 'silent' }
    h.say(1, { t: 'switch', target: toTwo() })
    h.drain()
    h.die(1)
    h.drain()
    t.equal(h.state.trial?.target.digest, appTwo)
    t.same(h.serving, [2])
    h.say(2, { t: 'condemn', code: 'PEERS_LOST', message: 'none links' })
    h.drain()
    t.same(h.serving, [3])
    t.equal(h.mainApp, appOne)
    t.equal(h.mostHolders, 1)
    t.match(
      h.sent.find(m => m.to === 2 && m.t === 'forward'),
      { path: 'sock3' },
    )
  },
)

void t.test('an old worker that does not park is killed, and the switch goes on', async t => {
  const h = new House().started()
  h.bad[appOne] = { park: 'silent' }
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  t.equal(h.mostHolders, 1)
  h.pass(5500)
  t.same(h.serving, [2])
  t.match(h.disk, { state: 'good', last: { result: 'confirmed' } })
})

void t.test('switches are refused while one runs, from a worker that is not the node, and without a digest', async t => {
  const h = new House().started()
  h.bad[appTwo] = { listening: 'silent' }
  h.say(1, { t: 'switch', target: toTwo('exclusive', { kind: 'shoal', digest: null }) })
  h.drain()
  t.match(h.sent.at(-1), { t: 'refused', code: 'BAD_REQUEST', to: 1 })
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  h.say(2, { t: 'switch', target: toTwo() })
  h.drain()
  t.match(h.sent.at(-1), { t: 'refused', code: 'BUSY', to: 2 })
  h.say(2, { t: 'confirm' })
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  t.match(h.sent.at(-1), { t: 'refused', code: 'CONFLICT', to: 1 })
})

void t.test('a shoal release runs its own worker; going back restores the old slot', async t => {
  const newer = parseDigest('6'.repeat(64))
  const h = new House().started()
  h.bad[appOne] = {}
  h.say(1, { t: 'switch', target: toTwo('exclusive', { kind: 'shoal', digest: newer }) })
  h.drain(1)
  t.match(h.disk, { app: appOne, shoal: newer, previous: { app: appOne, shoal }, state: 'trial' })
  t.match(
    h.effects.find(e => e.kind === 'fork' && e.worker === 2),
    { slots: { app: appOne, shoal: newer } },
  )
  h.die(2)
  h.drain()
  t.match(h.disk, { shoal, previous: null, last: { result: 'failed' } })
})

void t.test('a new Shoal rehearses the next switch: a second worker is loaded and ended, the trial goes on', async t => {
  const newer = parseDigest('6'.repeat(64))
  const rehearsing = (ends?: (h: House, second: number) => void): House => {
    const h = new House().started()
    h.bad[appOne] = { listening: 'silent' }
    h.say(1, { t: 'switch', target: toTwo('exclusive', { kind: 'shoal', digest: newer }) })
    h.drain()
    if (ends !== undefined) h.bad[appOne] = { init: 'silent' }
    h.say(2, { t: 'rehearse' })
    h.drain()
    ends?.(h, 3)
    h.drain()
    return h
  }
  const answers = (h: House): unknown[] => h.sent.filter(m => m.t === 'rehearsed').map(m => [m.to, m.code])
  const well = rehearsing()
  t.match(
    well.effects.find(e => e.kind === 'fork' && e.worker === 3),
    { slots: { app: appOne, shoal: newer } },
  )
  t.same(answers(well), [[2, '']])
  t.same([well.serving, well.alive, well.state.rehearsal], [[2], [1, 2], null], 'the second one is gone, the old one still parked')
  t.notOk(
    well.sent.some(m => m.t === 'go' && m.to === 3),
    'it never was the node',
  )
  well.say(2, { t: 'confirm' })
  well.drain()
  t.match(well.disk, { shoal: newer, state: 'good', last: { result: 'confirmed' } })

  const bad: [string, (h: House, second: number) => void][] = [
    ['APP_IMPORT_FAILED', (h, second) => h.say(second, { t: 'condemn', code: 'APP_IMPORT_FAILED', message: 'throws' })],
    ['WORKER_EXITED', (h, second) => h.die(second)],
  ]
  for (const [code, ends] of bad) {
    const h = rehearsing(ends)
    t.same(answers(h), [[2, code]])
    t.same([h.serving, h.alive, h.disk.state], [[2], [1, 2], 'trial'], 'what it means, the asker decides')
  }
  const silent = rehearsing(h => h.pass(15_000))
  silent.say(2, { t: 'condemn', code: 'CANNOT_UPDATE', message: 'no answer' })
  silent.drain()
  t.same([silent.serving, silent.disk.shoal, silent.state.rehearsal], [[1], shoal, null], 'going back ends it')
  silent.pass(5000)
  t.notOk(silent.alive.includes(3))

  const untried = new House().started()
  untried.say(1, { t: 'rehearse' })
  untried.drain()
  t.same([answers(untried), untried.alive], [[[1, 'CONFLICT']], [1]], 'only a worker on trial may ask')
})

void t.test('the last twenty lines of the failed worker go with the report, cut to a length', async t => {
  const h = new House().started()
  h.bad[appTwo] = { go: 'silent' }
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  for (let n = 1; n <= 30; n++) h.give({ kind: 'line', worker: 2, line: `line ${n} ${'x'.repeat(600)}` })
  h.give({ kind: 'line', worker: 2, line: 'Error: no table users' })
  h.die(2)
  h.drain()
  const log = h.disk.last?.log ?? []
  t.equal(log.length, 20)
  t.match(log[0], /^line 12 x+$/)
  t.equal(log[0]?.length, 500)
  t.equal(log.at(-1), 'Error: no table users')
})

void t.test('a full disk: no switch begins, none is final, but going back and starting go on and are written later', async t => {
  const h = new House().started()
  h.isDiskFull = true
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  t.match(h.sent.at(-1), { t: 'refused', code: 'DISK_FULL' })
  t.same(h.alive, [1])
  h.isDiskFull = false
  h.bad[appTwo] = { listening: 'silent' }
  h.say(1, { t: 'switch', target: toTwo() })
  h.drain()
  h.isDiskFull = true
  h.say(2, { t: 'confirm' })
  h.drain()
  h.pass(3000)
  t.notOk(h.messages(2).includes('switched'), 'not confirmed while it is not written')
  h.isDiskFull = false
  h.pass(1500)
  t.ok(h.messages(2).includes('switched'))
  t.equal(h.disk.state, 'good')

  const ill = new House().started()
  ill.bad[appTwo] = { listening: 'silent' }
  ill.say(1, { t: 'switch', target: toTwo() })
  ill.drain()
  ill.isDiskFull = true
  ill.say(2, { t: 'confirm' })
  ill.drain()
  ill.pass(60_000)
  t.same(ill.serving, [1], 'back at the deadline')
  t.equal(ill.disk.state, 'trial')
  ill.isDiskFull = false
  ill.pass(2000)
  t.match(ill.disk, { state: 'good', app: appOne, last: { result: 'rolled-back' } })

  const start = new House({ ...good, app: appTwo, previous: { app: appOne, shoal }, state: 'trial', trial: toTwo() })
  start.isDiskFull = true
  start.drain()
  t.equal(start.serving.length, 1)
})

void t.test('crashes: back-off doubles, five in a minute mean safe mode, a new release leads out of it', async t => {
  const h = new House().started()
  const waits: number[] = []
  for (let n = 1; n <= 4; n++) {
    h.die(n)
    h.drain()
    waits.push(h.state.restartAt - h.now)
    h.pass(waits.at(-1) ?? 0)
  }
  t.same(waits, [100, 200, 400, 800])
  t.equal(h.disk.state, 'good')
  h.die(5)
  h.drain()
  t.equal(h.disk.state, 'safe')
  h.pass(2000)
  t.equal(h.living.get(6)?.isSafe, true)
  h.say(6, { t: 'switch', target: toTwo() })
  h.drain()
  t.match(h.disk, { state: 'good', app: appTwo })

  const back = new House({ ...good, state: 'safe' }).started()
  t.equal(back.living.get(1)?.isSafe, true, 'a start stays in safe mode')
  back.bad[appTwo] = { listening: 'condemn' }
  back.say(1, { t: 'switch', target: toTwo() })
  back.drain()
  t.equal(back.disk.state, 'safe', 'going back goes back to safe mode')
  back.say(1, { t: 'restart' })
  back.drain()
  t.equal(back.disk.state, 'good', 'a restart that somebody asked for gives the app another chance')
  t.equal(back.ended, 75)
})

/** A node whose app ends at each start, in safe mode. */
function inSafeMode(): House {
  const h = new House()
  h.bad[appOne] = { go: 'exit' }
  h.started()
  for (let turns = 0; turns < 100 && h.serving.length === 0; turns++) h.pass(500)
  h.pass(2000)
  return h
}

const isSafeNow = (h: House): boolean | undefined => h.living.get(h.state.mainId ?? 0)?.isSafe

void t.test('safe mode: the app is tried again, while who serves without it goes on; what it lacked is there', async t => {
  const h = inSafeMode()
  const [without = 0] = h.serving
  h.pass(50_000)
  t.same(h.serving, [without], 'not before its time')
  h.bad[appOne] = {}
  h.onEvent = house => t.not(house.serving.length, 0, 'somebody serves until the hand-over')
  h.drain(0)
  h.onEvent = () => undefined
  h.pass(12_000)
  t.equal(isSafeNow(h), false)
  t.equal(h.serving.length, 1)
  t.equal(h.disk.state, 'good')
  t.equal(h.mostHolders, 1)
  t.ok(h.messages(without).includes('park'), 'handed over')
  h.pass(10_000)
  t.notOk(h.alive.includes(without))
})

void t.test('safe mode: one failure sends the app back, and each pause is longer', async t => {
  const h = inSafeMode()
  for (const pauseMs of [60_000, 300_000, 900_000, 3_600_000, 21_600_000, 21_600_000]) {
    const forks = h.effects.filter(e => e.kind === 'fork').length
    h.pass(pauseMs - 15_000)
    t.equal(h.effects.filter(e => e.kind === 'fork').length, forks, `${pauseMs}: rests`)
    h.pass(15_000)
    t.equal(h.effects.filter(e => e.kind === 'fork').length, forks + 2, `${pauseMs}: with the app, and without it again`)
    t.equal(h.disk.state, 'safe')
    t.equal(isSafeNow(h), true)
    t.equal(h.serving.length, 1)
  }
  h.bad[appOne] = {}
  h.pass(21_700_000)
  t.equal(isSafeNow(h), false)
  h.pass(310_000)
  h.bad[appOne] = { go: 'exit' }
  h.die(h.state.mainId ?? 0)
  h.drain()
  t.equal(h.disk.state, 'good', 'after five minutes of service it counts as ever')
  h.pass(20_000)
  t.equal(h.disk.state, 'safe')
  h.bad[appOne] = {}
  h.pass(61_000)
  t.equal(isSafeNow(h), false, 'and so do the pauses')
})

void t.test('safe mode: nothing is tried again in the middle of a switch; a start waits a minute too', async t => {
  const h = new House({ ...good, state: 'safe' }).started()
  h.bad[appTwo] = { listening: 'silent' }
  h.say(1, { t: 'switch', target: toTwo('exclusive', { probationMs: 90_000 }) })
  h.drain()
  h.pass(80_000)
  t.equal(h.disk.state, 'trial')
  t.same([...h.living.keys()], [1, 2])
  h.die(2)
  h.drain()
  t.equal(h.disk.state, 'safe')
  h.pass(61_000)
  t.equal(isSafeNow(h), false)
})

void t.test('safe mode takes another Shoal; the app stays out of its trial, its rehearsal and what comes after', async t => {
  const newer = parseDigest('6'.repeat(64))
  const h = new House({ ...good, state: 'safe' }).started()
  h.bad[appOne] = { init: 'exit' }
  h.bad.safe = { listening: 'silent' }
  h.say(1, { t: 'switch', target: toTwo('exclusive', { kind: 'shoal', digest: newer }) })
  h.drain()
  h.say(2, { t: 'rehearse' })
  h.drain()
  t.match(
    h.sent.find(m => m.t === 'rehearsed'),
    { to: 2, code: '' },
  )
  h.say(2, { t: 'confirm' })
  h.drain()
  t.match(h.disk, { state: 'safe', shoal: newer, app: appOne, last: { result: 'confirmed' } })
  t.equal(isSafeNow(h), true)
})

void t.test('a failure counts once, whether it was said, seen or made an end of', async t => {
  const h = new House().started()
  h.say(1, { t: 'condemn', code: 'APP_UNHEALTHY', message: 'its database is gone' })
  h.drain()
  h.pass(1000)
  t.same(h.serving, [2])
  t.same(
    h.state.strikes.map(s => s.weight),
    [2],
  )
  h.die(2)
  h.drain()
  t.equal(h.state.strikes.length, 2)
})

void t.test('a worker steady for a minute starts the back-off anew', async t => {
  const h = new House().started()
  h.die(1)
  h.drain()
  h.pass(61_000)
  h.die(2)
  h.drain()
  t.equal(h.state.restartAt - h.now, 100)
})

void t.test('an app that hangs at the first start: safe mode within the time that the loader gives', async t => {
  for (const bad of [{ init: 'hang' }, { init: 'silent' }, { go: 'hang' }, { init: 'condemn' }, { go: 'exit' }] as const) {
    const h = new House()
    h.bad[appOne] = bad
    h.drain()
    const from = h.now
    for (let turns = 0; turns < 100 && h.serving.length === 0; turns++) h.pass(500)
    t.ok(h.now - from < 45_000, `${JSON.stringify(bad)}: ${h.now - from} ms`)
    t.equal(h.disk.state, 'safe')
    t.equal(h.effects.filter(e => e.kind === 'announce').length, 1)
  }
})

void t.test('a worker that starts not even without the app ends a first start, with 1', async t => {
  const h = new House()
  h.bad[appOne] = h.bad.safe = { init: 'exit' }
  h.drain()
  h.pass(60_000)
  t.equal(h.ended, 1)
})

void t.test('what no other slot cures blocks a first start, and only that', async t => {
  const h = new House()
  h.bad[appOne] = { init: 'silent' }
  h.drain()
  h.say(1, { t: 'condemn', code: 'HOME_DAMAGED', message: 'certs/node.pem is cut' })
  h.drain()
  t.match(
    h.effects.find(e => e.kind === 'blocked'),
    { code: 'HOME_DAMAGED' },
  )
  t.equal(h.ended, 1)
  const later = new House().started()
  later.say(1, { t: 'condemn', code: 'HOME_DAMAGED', message: 'x' })
  later.drain()
  later.pass(1000)
  t.equal(later.ended, null)
  t.same(later.serving, [2])
})

void t.test('a stalled event loop is a crash; a machine that slept is not', async t => {
  const h = new House().started()
  const worker = h.living.get(1)
  if (worker !== undefined) worker.isHung = true
  h.pass(19_000)
  t.same(h.alive, [1])
  h.pass(2000)
  t.same(h.serving, [2])
  h.now += 3_600_000
  h.give({ kind: 'tick', lateMs: 3_600_000 })
  h.drain()
  t.same(h.serving, [2])
  h.now += 30_000
  h.give({ kind: 'tick', lateMs: 10_000 })
  h.drain()
  t.same(h.serving, [2], 'it slept 30 s, 20 of them before the wake-up was due')
})

void t.test('stop drains all and ends with 0; a deaf worker is killed; nothing is started after it', async t => {
  for (const event of [{ kind: 'stop' } as const, { kind: 'message', worker: 1, message: { t: 'stop' } } as const]) {
    const h = new House().started()
    h.give(event)
    h.give({ kind: 'stop' })
    h.drain()
    t.equal(h.ended, 0)
    t.equal(h.effects.filter(e => e.kind === 'fork').length, 1)
  }
  const deaf = new House().started()
  deaf.bad[appOne] = { stop: 'silent' }
  deaf.give({ kind: 'stop' })
  deaf.pass(8000)
  t.equal(deaf.ended, 0)
  const switching = new House().started()
  switching.bad[appTwo] = { listening: 'silent' }
  switching.say(1, { t: 'switch', target: toTwo() })
  switching.drain()
  switching.say(1, { t: 'restart' })
  switching.give({ kind: 'stop' })
  switching.drain()
  t.equal(switching.ended, 0)
  t.equal(switching.disk.state, 'trial', 'the next start goes on with it')
})

void t.test('a slot that the loader fell back to takes over whole, once it serves', async t => {
  const newer = parseDigest('6'.repeat(64))
  const h = new House({ ...good, shoal: newer, previous: { app: appOne, shoal } }, shoal)
  h.drain(1)
  t.equal(h.disk.shoal, newer)
  h.drain()
  t.match(h.disk, { shoal, app: appOne, previous: null, state: 'good' })
  const trial = new House(
    {
      ...good,
      shoal: newer,
      previous: { app: appOne, shoal },
      state: 'trial',
      trial: toTwo('exclusive', { kind: 'shoal', digest: newer }),
    },
    shoal,
  ).started()
  t.match(trial.disk, { shoal, state: 'good', last: { code: 'INTERRUPTED', result: 'rolled-back' } })
})

void t.test('an app that asks for time gets it, an hour at most; nobody gets it out of turn', async t => {
  const slow = new House()
  slow.bad = { [appOne]: { go: 'silent' } }
  slow.started()
  slow.say(1, { t: 'hold', ms: 120_000, reason: 'rebuilds the index' })
  slow.drain()
  t.equal(slow.effects.filter(e => e.kind === 'alive').length, 1, 'the loader hears that the supervisor works')
  slow.pass(119_000)
  t.same(slow.messages(1), ['go'])
  slow.say(1, { t: 'listening', url: 'https://h:1', forward: 'sock1', app: 'a@1.0.0', shoal: '0.1.0', id8: 'abcdefgh' })
  slow.drain()
  t.equal(slow.effects.filter(e => e.kind === 'announce').length, 1)
  slow.say(1, { t: 'hold', ms: 5000, reason: 'serves already' })
  slow.drain()
  t.equal(slow.effects.filter(e => e.kind === 'alive').length, 1)

  const endless = new House()
  endless.bad = { [appOne]: { go: 'silent' } }
  endless.started()
  endless.say(1, { t: 'hold', ms: 3_000_000, reason: 'first' })
  endless.drain()
  endless.pass(2_900_000)
  endless.say(1, { t: 'hold', ms: 3_000_000, reason: 'more' })
  endless.drain()
  endless.pass(690_000)
  t.same(endless.alive, [1])
  endless.pass(20_000)
  t.notOk(endless.alive.includes(1), 'after an hour it is out')
  t.equal(endless.disk.state, 'safe')

  const trial = new House().started()
  trial.bad = { [appTwo]: { go: 'silent' } }
  trial.say(1, { t: 'switch', target: toTwo() })
  trial.drain()
  trial.say(2, { t: 'hold', ms: 90_000, reason: 'rebuilds the index' })
  trial.drain()
  trial.pass(125_000)
  t.equal(trial.disk.state, 'trial')
  trial.pass(10_000)
  t.match(trial.disk, { app: appOne, state: 'good', last: { code: 'WORKER_SILENT' } }, 'a hold delays the verdict, it does not change it')
})

void t.test('messages that fit no stage change nothing', async t => {
  const h = new House().started()
  const before = h.effects.length
  for (const message of [{ t: 'ready' }, { t: 'parked' }, { t: 'confirm' }, { t: 'beat' }, { t: 'hold', ms: 1000, reason: '' }] as const)
    h.say(1, message)
  h.say(1, { t: 'listening', url: 'x', forward: 'y', app: 'z', shoal: 's', id8: 'i' })
  h.say(99, { t: 'switch', target: toTwo() })
  h.queue.push({ kind: 'exited', worker: 98, how: 'x' }, { kind: 'line', worker: 97, line: 'x' })
  h.drain()
  t.equal(h.effects.length, before)
  t.same(h.serving, [1])
})
