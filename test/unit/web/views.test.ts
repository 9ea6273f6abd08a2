// What is shown of nodes is kept between two looks: whatever happens in between, it is what a first look would show.
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import t from 'tap'
import { type Fact, factKey, type NodeId, type OrderId, type OutcomeBody, steps } from '../../../src/model/index.ts'
import { type KnownOrder, Replica } from '../../../src/rollout/index.ts'
import { sha256 } from '../../../src/trust/index.ts'
import { type Board, boardOf } from '../../../src/web/board.ts'
import { summaryOf } from '../../../src/web/summary.ts'
import type { WebServices } from '../../../src/web/services.ts'
import { Views } from '../../../src/web/views.ts'
import { memoryStore, type Ordered, WrittenFleet, type WrittenNode } from '../../helpers/written-fleet.ts'

const size = 9

class Rig {
  readonly fleet = WrittenFleet.found()
  readonly reach = new Map<NodeId, string>()
  readonly replica: Replica
  readonly services: WebServices
  readonly orders: Ordered[] = []
  now = 0

  constructor() {
    const members = this.fleet.admit(size, n => `box-${size - n}`)
    const [self] = this.fleet.nodes as [WrittenNode]
    this.replica = new Replica(
      { self: self.id, epoch: 1, sign: self.sign, store: memoryStore([this.fleet.rootFact]), now: () => this.now },
      this.fleet.root.fleet,
    )
    this.services = {
      replica: this.replica,
      self: self.id,
      reach: (id: NodeId) => (id === self.id ? 'self' : (this.reach.get(id) ?? 'direct')),
      ageMs: (id: NodeId) => (id === self.id ? 0 : this.now),
    } as unknown as WebServices
    this.take(members)
    this.take(this.fleet.nodes.map(n => n.about()))
  }

  /** Views that keep nothing, of orders of which nothing was weighed before. */
  fresh(): Views {
    const { registers, fleet, holds, book } = this.replica
    const isGone = (node: string): boolean => fleet.hasGone(node)
    const orders = (): unknown => book.orders({ ageOf: id => this.replica.ageOf(id), isGone })
    return new Views({ ...this.services, replica: { registers, fleet, holds, book, orders } } as unknown as WebServices)
  }

  take(facts: readonly Fact[]): void {
    for (const fact of facts) {
      const { registers, judge } = this.replica
      const verdict = judge(fact, registers)
      if (verdict.v === 'reject') throw new Error(`${fact.kind}: ${verdict.code} ${verdict.message}`)
      if (verdict.v !== 'accept' || registers.compare(fact) !== 'new') continue
      registers.merge(fact)
      this.replica.take([fact])
    }
  }
}

const shown = (views: Views): string =>
  JSON.stringify({
    nodes: views.nodes(true).map(n => views.withAge(n)),
    rollouts: views.rollouts().map(o => [views.rollout(o, true), boardOf(views, o)]),
    releases: views.releases(),
  })

/** Anything that may happen to a fleet. */
const happenings = (rig: Rig, int: (below: number) => number): readonly (() => readonly Fact[])[] => {
  const { fleet, orders } = rig
  const pick = <T>(list: readonly T[]): T => list[int(list.length)] as T
  const node = (): WrittenNode => pick(fleet.nodes)
  const about = (make: (order: OrderId) => readonly Fact[]) => (): readonly Fact[] => (orders.length === 0 ? [] : make(pick(orders).id))
  const version = (): string => `1.${int(3)}.0`
  return [
    () => [node().status({ step: pick(steps), rollout: orders.length === 0 ? null : pick(orders).id, percent: int(100) })],
    () => [
      node().status({
        health: pick(['ok', 'degraded', 'safe-mode']),
        app: { name: 'till', version: '1.0.0', digest: sha256('till@1.0.0') },
      }),
    ],
    () => [node().about({ name: `name-${int(4)}`, tags: [`shop=${int(3)}`], left: int(20) === 0 })],
    () => [node().says('holdings', '', { packages: [sha256(`till@${version()}`)] })],
    () => {
      const waves = [fleet.nodes.slice(0, 1 + int(3)), fleet.nodes.slice(4, 4 + int(4))].filter(w => w.length > 0)
      const plan = { waves: waves.map(w => ({ nodes: w.map(n => n.id), maxFailed: int(2), maxMissing: int(2) })), lost: [] }
      const made = fleet.release('till', version())
      const tags = int(3) === 0 ? [`shop=${int(3)}`] : []
      const order = fleet.order('till', version(), plan, { release: made.document, dryRun: int(6) === 0, selector: { only: [], tags } })
      orders.push(order)
      return [made.fact, order.fact]
    },
    () => {
      for (const digest of rig.replica.book.missingPlans())
        for (const { planText } of orders) if (sha256(planText) === digest) rig.replica.addPlan(digest, planText)
      return []
    },
    about(id =>
      fleet.nodes.slice(0, size - int(2)).map(n => n.preflight(id, { go: int(9) > 0, reason: { code: 'DISK_FULL', message: 'full' } })),
    ),
    about(id => [
      node().outcome(id, {
        outcome: pick<OutcomeBody['outcome']>(['confirmed', 'failed', 'rolled-back', 'refused']),
        digest: pick([null, sha256('till@1.0.0')]),
        witnesses: int(2),
      }),
    ]),
    about(id => [node().outcome(id, { digest: sha256(`till@${version()}`) })]),
    about(id => [node().receipt({ order: id, node: node().id, digest: sha256('till@1.0.0'), epoch: 1 })]),
    about(id => [fleet.control(id, pick(['pause', 'resume', 'abort', 'skip', 'retry']), int(2) === 0 ? [] : [node().id])]),
    () => [fleet.hold(node().id, int(2) === 0)],
    () => (int(8) === 0 ? [fleet.removal(pick(fleet.nodes.slice(1)).id)] : []),
    () => {
      rig.reach.set(node().id, pick(['direct', 'via', 'lost']))
      return []
    },
    () => {
      rig.now += int(10) === 0 ? 700_000_000 : 1000
      return []
    },
  ]
}

void t.test('views that were kept equal those that are made anew, whatever happened in between', async t => {
  for (let seed = 1; seed <= 12; seed++) {
    const generator = xoroshiro128plus(seed)
    const int = (below: number): number => uniformInt(generator, 0, below - 1)
    const rig = new Rig()
    const kept = new Views(rig.services)
    for (let at = 0; at < 120; at++) {
      const all = happenings(rig, int)
      const which = int(all.length)
      rig.take((all[which]?.() ?? []).filter(fact => rig.replica.judge(fact, rig.replica.registers).v !== 'reject'))
      const [is, should] = [shown(kept), shown(rig.fresh())]
      if (is !== should) {
        t.equal(is, should, `seed ${seed}, step ${at}, happening ${which}`)
        return
      }
    }
  }
})

void t.test('a look costs nothing for nodes that nothing happened to', async t => {
  const rig = new Rig()
  const views = new Views(rig.services)
  const before = views.nodes(false)
  const [, second] = rig.fleet.nodes as [WrittenNode, WrittenNode]
  rig.take([second.status({ health: 'degraded' })])
  const after = views.nodes(false)
  const again = after.filter(node => !before.includes(node)).map(node => node.id)
  t.strictSame(new Set(again), new Set([rig.services.self, second.id]))
  t.ok(rig.replica.registers.get(factKey({ kind: 'status', owner: second.id, name: '' })))
})

/** A fleet with a plan of a wave per node, in which orders are given and answered. */
class Story {
  readonly rig = new Rig()
  readonly nodes = this.rig.fleet.nodes.slice(0, 3)
  readonly views: Views
  readonly services: WebServices

  constructor() {
    this.services = {
      ...this.rig.services,
      config: () => ({ name: 'box' }),
      life: () => 'ok',
      addresses: () => [],
      ca: null,
      wallNow: () => new Date('2026-11-27T12:00:00Z'),
    } as unknown as WebServices
    this.views = new Views(this.services)
  }

  order(version: string, over: Parameters<WrittenFleet['order']>[3] = {}): OrderId {
    const { fleet, replica } = this.rig
    const made = fleet.release('till', version)
    const plan = { waves: this.nodes.map(n => ({ nodes: [n.id], maxFailed: 0, maxMissing: 0 })), lost: [] }
    const order = fleet.order('till', version, plan, { release: made.document, ...over })
    this.rig.take([made.fact, order.fact])
    replica.addPlan(sha256(order.planText), order.planText)
    return order.id
  }

  all(order: OrderId): void {
    this.rig.take(this.nodes.map(n => n.preflight(order)))
  }

  confirmed(order: OrderId, version: string): void {
    this.all(order)
    this.rig.take(this.nodes.map(n => n.outcome(order, { digest: sha256(`till@${version}`) })))
    this.serve(version, this.nodes)
  }

  serve(version: string, nodes: readonly WrittenNode[]): void {
    this.rig.take(nodes.map(n => n.status({ app: { name: 'till', version, digest: sha256(`till@${version}`) } })))
  }

  board(order: OrderId): Board {
    return boardOf(this.views, this.views.rollouts().find(o => o.id === order) as KnownOrder)
  }

  get shown(): readonly (readonly [string, string])[] {
    const { rollouts } = summaryOf(this.services, this.views) as { rollouts: readonly Board[] }
    return rollouts.map(b => [String(b['release']), b.state] as const)
  }
}

void t.test('what halted needs nobody any more once a newer order has taken its place', async t => {
  const s = new Story()
  const [first] = s.nodes as [WrittenNode]
  const bad = s.order('1.0.0')
  s.all(bad)
  s.rig.take([first.outcome(bad, { outcome: 'rolled-back', reason: { code: 'APP_START_FAILED', message: 'no printer' } })])
  t.strictSame(s.shown, [['till@1.0.0', 'halted']])
  const good = s.order('1.1.0')
  t.strictSame(s.shown, [['till@1.1.0', 'open']], 'it is history as soon as another is ordered')
  s.confirmed(good, '1.1.0')
  t.strictSame(s.shown, [['till@1.1.0', 'completed']])
})

void t.test('a dry run that somebody cannot take is over when it was answered', async t => {
  const s = new Story()
  const [first, ...others] = s.nodes as [WrittenNode, ...WrittenNode[]]
  s.confirmed(s.order('1.0.0'), '1.0.0')
  const dry = s.order('1.1.0', { dryRun: true })
  t.strictSame(s.shown, [['till@1.1.0', 'open']])
  s.rig.take([...others.map(n => n.preflight(dry)), first.preflight(dry, { go: false, reason: { code: 'DISK_FULL', message: 'full' } })])
  t.match(s.board(dry), { state: 'stalled', able: 2, unanswered: 0, failures: [{ outcome: 'refused', count: 1 }] })
  const known = s.views.rollouts().find(o => o.id === dry) as KnownOrder
  const said = (s.views.rollout(known, true) as { nodes: { go: boolean | null }[] }).nodes.map(n => n.go)
  t.strictSame(said, [false, true, true])
  s.confirmed(s.order('1.2.0'), '1.2.0')
  t.strictSame(s.shown, [['till@1.2.0', 'completed']], 'nothing is left of it')
})

void t.test('a board says what a node went back to, when its window opens, and which order took its place', async t => {
  const s = new Story()
  const [first, ...others] = s.nodes as [WrittenNode, ...WrittenNode[]]
  const bad = s.order('0.9.0', { window: 'Sat 02:00-04:00 Europe/Berlin' })
  s.all(bad)
  t.match(s.board(bad), { opens: 'Sat 02:00 Europe/Berlin', able: 3 })
  s.rig.take([first.outcome(bad, { outcome: 'rolled-back', digest: null })])
  t.match(s.board(bad)['failures'], [{ nodes: [{ serves: null, again: false }], newer: null }])
  const good = s.order('1.0.0')
  s.rig.take(others.map(n => n.outcome(bad, { outcome: 'superseded', reason: { code: 'SUPERSEDED', message: 'newer' } })))
  s.confirmed(good, '1.0.0')
  t.match(s.board(bad)['failures'], [
    { outcome: 'superseded', count: 2, newer: good },
    { outcome: 'rolled-back', nodes: [{ serves: 'till@1.0.0', again: false }] },
  ])
  const next = s.order('1.1.0')
  s.all(next)
  s.rig.take([first.outcome(next, { outcome: 'rolled-back', digest: sha256('till@1.0.0') })])
  t.match(s.board(next)['failures'], [{ nodes: [{ serves: 'till@1.0.0', again: true }] }])
  t.equal(s.board(next)['opens'], null)
})
