import t from 'tap'
import { Random } from '../helpers/random.ts'
import { EventHeap, type Timed } from './heap.ts'
import { newRun, type Run } from './measure.ts'
import { rolloutPart } from './rollout.ts'
import { Scenario } from './scenario.ts'
import { World } from './world.ts'

const none = { earlyStart: 0, doubleApply: 0, overLimit: 0, divergence: 0, regression: 0 }

const play = (nodes: number, seed: number, withRollouts: boolean): Run => {
  const run = newRun(seed)
  return new Scenario({ nodes, seed, run, part: withRollouts ? rolloutPart(run, seed) : null, chaosMs: 40_000 }).play()
}

void t.test('no seed breaks an invariant', async t => {
  for (const [nodes, seeds] of [
    [1, 1],
    [2, 4],
    [3, 4],
    [5, 4],
    [12, 3],
  ] as const) {
    for (let seed = 1; seed <= seeds; seed++) {
      const run = play(nodes, seed, true)
      t.same(run.violations, none, `${nodes} nodes, seed ${seed}: ${run.faults.join('; ')}`)
    }
  }
})

void t.test('the same seed is the same run, another is another', async t => {
  const [one, again, other] = [play(5, 7, true), play(5, 7, true), play(5, 8, true)]
  t.same(one, again)
  t.notSame(one.orderMs, other.orderMs)
})

void t.test('a fleet beyond the full mesh holds the numbers of DESIGN section 10', async t => {
  const run = play(100, 1, false)
  t.same(run.violations, none, run.faults.join('; '))
  t.ok(Math.max(...run.orderMs) < 1_000, `slowest order took ${Math.max(...run.orderMs)} ms`)
  t.ok(Math.max(...run.statusMs) < 5_000, `slowest status took ${Math.max(...run.statusMs)} ms`)
  t.ok(run.copiesPerOrder <= 8 && run.copiesPerStatus <= 1.5, `${run.copiesPerOrder} and ${run.copiesPerStatus} copies`)
  t.ok(run.idleBytesPerSecond < 1_024, `${run.idleBytesPerSecond} bytes a second`)
  t.ok(run.survivorsReachedPercent > 99)
  t.ok(run.healMs <= 60_000, `healed in ${run.healMs} ms`)
})

void t.test('links are symmetric and complete when all is calm', async t => {
  const world = new World({ seed: 3, nodes: 20 })
  for (const node of world.nodes) world.start(node)
  world.run(30_000)
  for (const node of world.nodes) {
    const links = node.core?.links() ?? []
    t.equal(links.length, 19)
    t.ok(
      links.every(
        link =>
          link.synced &&
          world
            .node(link.peer)
            ?.core?.links()
            .some(back => back.peer === node.id && back.dialled !== link.dialled),
      ),
    )
  }
  t.equal(
    world.nodes.reduce((sum, node) => sum + node.ends.size, 0),
    20 * 19,
    'no connection is left over',
  )
})

void t.test('a cut network is noticed within 26 s by both sides and healed within a minute', async t => {
  const world = new World({ seed: 5, nodes: 10 })
  for (const node of world.nodes) world.start(node)
  world.run(20_000)
  world.partition(index => index % 2)
  world.run(46_000)
  for (const node of world.nodes) t.equal(node.core?.links().length, 4)
  world.nodes[0]?.publish('status', '', 'even')
  world.nodes[1]?.publish('status', '', 'odd')
  world.run(60_000)
  t.notOk(world.isConverged())
  world.heal()
  t.ok(world.run(120_000, () => world.isConverged()))
  world.run(180_000)
  for (const node of world.nodes) t.equal(node.core?.links().length, 9)
})

void t.test('a clone is noticed by those who are linked to both', async t => {
  const world = new World({ seed: 11, nodes: 4 })
  for (const node of world.nodes) world.start(node)
  world.run(10_000)
  const [original, peer] = [world.nodes[0]!, world.nodes[1]!]
  const clone = { id: original.id, hello: (nonce: string) => ({ ...peer.core!.links().find(l => l.peer === original.id)!.hello, nonce }) }
  for (const nonce of ['nonce-clone', null, 'nonce-clone', null]) {
    const link = 1_000_000 + peer.ends.size
    peer.dispatch({ t: 'opened', link, peer: clone.id, dialled: false })
    const hello = nonce === null ? clone.hello('nonce-original') : clone.hello(nonce)
    peer.dispatch({ t: 'frame', link, frame: { t: 'hello', hello } })
  }
  t.ok(world.alarms.some(a => a.node === peer && a.alarm.alarm === 'cloned' && a.alarm.peer === original.id))
})

void t.test('the queue is ordered by time, then by order of scheduling', async t => {
  const random = new Random(1)
  const heap = new EventHeap<Timed & { readonly n: number }>()
  const all = Array.from({ length: 500 }, (_, n) => ({ at: random.integer(20), seq: 0, n }))
  for (const item of all) heap.push(item)
  const out = Array.from({ length: 500 }, () => heap.pop()!)
  t.same(
    out.map(o => o.n),
    all.toSorted((a, b) => a.at - b.at || a.n - b.n).map(o => o.n),
  )
  t.equal(heap.pop(), undefined)
})
