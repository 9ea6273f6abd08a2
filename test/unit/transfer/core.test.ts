// The core of transfers in virtual time, and its small parts.
import t from 'tap'
import type { Blockmap, NodeId } from '../../../src/model/index.ts'
import { Intake } from '../../../src/transfer/core/intake.ts'
import { formatRuns, indexesOf, parseJsonRuns, parseRuns, runsOf } from '../../../src/transfer/core/runs.ts'
import { Transfer, type TransferEffect } from '../../../src/transfer/core/transfer.ts'
import { assemble, formatIndex, groupsOf, parseIndex, parseRecords } from '../../../src/transfer/groups.ts'
import { parseRange } from '../../../src/transfer/range-header.ts'
import { nodeId, seeded, sha256Hex } from './rig.ts'
import { swarm } from './swarm.ts'

const ids = [0, 1, 2, 3, 4, 5, 6, 7].map(nodeId)
const all = (count: number): [number, number][] => [[0, count - 1]]

function machine(count: number, bytes = 40_000, seed = 1): Transfer {
  const core = new Transfer({
    lengths: Array.from({ length: count }, () => bytes),
    rng: seeded(seed),
    unavailableAfterMs: 5000,
    startedAtMs: 0,
  })
  core.step({ t: 'want', segments: Array.from({ length: count }, (_, n) => n) }, 0)
  return core
}

const kinds = (effects: readonly TransferEffect[]): readonly string[] => effects.map(e => e.t)
const fetches = (effects: readonly TransferEffect[]): readonly Extract<TransferEffect, { t: 'fetch' }>[] =>
  effects.filter(e => e.t === 'fetch')

/** Lets a machine hear from these peers that they have everything; returns all that it did. */
function meet(core: Transfer, peers: readonly NodeId[], count: number, now = 0): readonly TransferEffect[] {
  const effects = [...core.step({ t: 'peers', ids: peers }, now)]
  for (let at = 0; at < effects.length; at++) {
    const effect = effects[at]!
    if (effect.t === 'ask') effects.push(...core.step({ t: 'have', peer: effect.peer, runs: all(count) }, now))
  }
  return effects
}

void t.test('at most four requests, each to another peer, of about 1 MiB, in random order', async t => {
  const effects = meet(machine(200, 100_000), ids, 200)
  const started = fetches(effects)
  t.equal(started.length, 4)
  t.equal(new Set(started.map(f => f.peer)).size, 4)
  for (const { runs } of started) t.equal(indexesOf(runs).length, 10)
  t.equal(new Set(started.flatMap(f => indexesOf(f.runs))).size, 40, 'nothing twice')
  const others = fetches(meet(machine(200, 100_000, 99), ids, 200))
  t.notSame(others, started, 'other nodes ask others for other things')
})

void t.test('it asks a few at a time, and no more when all is under way', async t => {
  const core = machine(3)
  const first = core.step({ t: 'peers', ids }, 0)
  t.strictSame(kinds(first), ['ask', 'ask'])
  const peer = first.flatMap(e => (e.t === 'ask' ? [e.peer] : []))[0]!
  const then = core.step({ t: 'have', peer, runs: all(3) }, 1)
  t.strictSame(kinds(then), ['fetch'])
})

void t.test('what a request did not bring is fetched from others; a failed peer later', async t => {
  const core = machine(5)
  const [fetch] = fetches(meet(core, [ids[0]!], 5))
  core.step({ t: 'segment', peer: ids[0]!, segment: 0 }, 10)
  t.strictSame(fetch!.runs, all(5))
  t.strictSame(kinds(core.step({ t: 'ended', peer: ids[0]!, how: 'failed' }, 20)), [])
  t.strictSame(kinds(core.step({ t: 'peers', ids: [ids[0]!] }, 60)), [], 'not at once')
  const effects = meet(core, [ids[0]!, ids[1]!], 5, 100)
  t.strictSame(
    fetches(effects).map(f => [f.peer, f.runs]),
    [[ids[1]!, [[1, 4]]]],
  )
  t.ok(kinds(core.step({ t: 'ended', peer: ids[1]!, how: 'failed' }, 200)).length === 0)
  t.ok(fetches(meet(core, [ids[0]!], 5, 2000)).length === 1, 'in the end it is asked again')
})

void t.test('a liar is told about once and never asked again', async t => {
  const core = machine(5)
  meet(core, [ids[0]!], 5)
  t.strictSame(core.step({ t: 'lie', peer: ids[0]! }, 10), [{ t: 'liar', peer: ids[0]! }])
  t.strictSame(core.step({ t: 'lie', peer: ids[0]! }, 10), [])
  for (const now of [100, 1000, 4000]) t.strictSame(core.step({ t: 'peers', ids: [ids[0]!] }, now), [])
  t.strictSame(kinds(core.step({ t: 'peers', ids: [ids[0]!] }, 5010)), ['unavailable'], 'it counts for nothing')
})

void t.test('a busy peer is not asked before its time; while it says so it is alive', async t => {
  const core = machine(5)
  meet(core, [ids[0]!], 5)
  for (let n = 0; n < 8; n++) {
    core.step({ t: 'busy', peer: ids[0]!, retryAfterMs: 1000 }, n * 1000)
    t.strictSame(core.step({ t: 'peers', ids: [ids[0]!] }, n * 1000 + 29), [])
    t.strictSame(kinds(core.step({ t: 'peers', ids: [ids[0]!] }, n * 1000 + 1000)), ['fetch'])
  }
})

void t.test('it gives up only after silence, and a new holder ends the silence', async t => {
  const core = machine(5)
  t.strictSame(core.step({ t: 'peers', ids: [] }, 4999), [])
  t.strictSame(kinds(core.step({ t: 'peers', ids: [] }, 5000)), ['unavailable'])
  t.strictSame(kinds(core.step({ t: 'peers', ids: [ids[3]!] }, 5100)).slice(0, 1), ['ask'])
  t.strictSame(kinds(core.step({ t: 'have', peer: ids[3]!, runs: all(5) }, 5200)), ['fetch'])
  for (let n = 0; n < 5; n++) t.strictSame(kinds(core.step({ t: 'segment', peer: ids[3]!, segment: n }, 5300)), n === 4 ? ['done'] : [])
})

void t.test('the few that have all are spared what others can give', async t => {
  const core = machine(20, 200_000)
  core.step({ t: 'peers', ids: [ids[0]!, ids[1]!] }, 0)
  core.step({ t: 'have', peer: ids[1]!, runs: [[0, 9]] }, 1)
  const toOrigin = fetches(core.step({ t: 'have', peer: ids[0]!, runs: all(20) }, 2))
  t.ok(indexesOf(toOrigin[0]!.runs).every(segment => segment >= 10))
})

void t.test('eight nodes on 100 Mbit/s have 16 MB in under 3 s; the first holder sends at most two copies to sixteen', async t => {
  for (const [nodes, seed, limitMs] of [
    [8, 1, 3000],
    [8, 2, 3000],
    [16, 3, 4000],
  ] as const) {
    const { ms, copies } = swarm({ nodes, segments: 400, segmentBytes: 40_000, bytesPerMs: 12_500, rng: seeded(seed * 7919) })
    const small = swarm({ nodes, segments: 120, segmentBytes: 40_000, bytesPerMs: 12_500, rng: seeded(seed * 7919) })
    t.ok(small.copies <= 2, `${nodes} nodes, a small package: ${small.copies.toFixed(2)} copies`)
    t.ok(ms < limitMs, `${nodes} nodes: ${ms} ms`)
    t.ok(copies <= 2, `${nodes} nodes: ${copies.toFixed(2)} copies`)
  }
})

void t.test('runs', async t => {
  t.strictSame(runsOf([1, 2, 3, 7, 9, 10]), [
    [1, 3],
    [7, 7],
    [9, 10],
  ])
  t.strictSame(
    indexesOf([
      [1, 3],
      [7, 7],
    ]),
    [1, 2, 3, 7],
  )
  t.equal(
    formatRuns([
      [1, 3],
      [7, 7],
    ]),
    '1-3,7',
  )
  t.strictSame(parseRuns('1-3,7', 8, 2), [
    [1, 3],
    [7, 7],
  ])
  for (const bad of ['', '3-1', '1,1', '2,1', '8', '-1', '1-', 'x', '1 ', '1-3,7,7', '99999999'])
    t.throws(() => parseRuns(bad, 8, 2), { code: 'BAD_REQUEST' }, bad)
  t.strictSame(parseJsonRuns([[0, 4]], 5), [[0, 4]])
  for (const bad of [
    null,
    [[0, 5]],
    [[1]],
    [['0', 1]],
    [
      [0, 1],
      [1, 2],
    ],
    'x',
  ])
    t.throws(() => parseJsonRuns(bad, 5), { code: 'BAD_REQUEST' })
})

void t.test('bytes are cut back into segments, however they come', async t => {
  const bytes = Buffer.from('aabbbcddddde')
  const lengths: Record<number, number> = { 1: 2, 2: 3, 3: 1, 7: 5, 8: 1 }
  for (const size of [1, 2, 3, 5, 12]) {
    const intake = new Intake(
      [
        [1, 3],
        [7, 8],
      ],
      n => lengths[n]!,
    )
    const got: string[] = []
    for (let at = 0; at < bytes.length; at += size) {
      for (const batch of intake.take(bytes.subarray(at, at + size))) {
        let from = 0
        for (let n = batch.first; n < batch.first + batch.count; n++)
          got.push(`${n}${Buffer.from(batch.bytes).toString('utf8', from, (from += lengths[n]!))}`)
      }
    }
    t.strictSame(got, ['1aa', '2bbb', '3c', '7ddddd', '8e'], `${size} at once`)
    t.ok(intake.isDone)
  }
})

void t.test('a blockmap in groups is the same blockmap, and an edit changes few groups', async t => {
  const blockmapOf = (edit: number): Blockmap => {
    let offset = 0
    const segments = Array.from({ length: 3000 }, (_, n) => {
      const segment = [offset, 10 + (n % 7) + (n === edit ? 1 : 0), sha256Hex(n === edit ? 'edit' : String(n))] as const
      offset += segment[1]
      return segment
    })
    return { size: offset, segments }
  }
  const [one, two] = [groupsOf(blockmapOf(-1)), groupsOf(blockmapOf(1500))]
  t.strictSame(assemble(one.map(g => g.record)), blockmapOf(-1))
  t.strictSame(
    parseIndex(formatIndex(one)),
    one.map(g => g.digest),
  )
  t.strictSame(
    parseRecords(Buffer.concat(one.map(g => g.record))).map(g => g.digest),
    one.map(g => g.digest),
  )
  const known = new Set(one.map(g => g.digest))
  t.ok(two.filter(g => !known.has(g.digest)).length <= 2)
  t.ok(one.length > 50 && one.length < 200)
  t.throws(() => parseIndex(Buffer.alloc(31)), { code: 'BAD_REQUEST' })
  t.throws(() => parseIndex(Buffer.alloc(0)), { code: 'BAD_REQUEST' })
  for (const bytes of [1, 2, 37].map(n => Buffer.alloc(n, 1))) t.throws(() => parseRecords(bytes), { code: 'BAD_REQUEST' })
})

void t.test('Range headers', async t => {
  const cases: readonly (readonly [string | undefined, object])[] = [
    [undefined, { t: 'whole' }],
    ['bytes=0-9', { t: 'part', first: 0, last: 9 }],
    ['bytes=90-', { t: 'part', first: 90, last: 99 }],
    ['bytes=-5', { t: 'part', first: 95, last: 99 }],
    ['bytes=-500', { t: 'part', first: 0, last: 99 }],
    ['bytes=50-500', { t: 'part', first: 50, last: 99 }],
    ['bytes=100-', { t: 'unsatisfiable' }],
    ['bytes=100-200', { t: 'unsatisfiable' }],
    ['bytes=-0', { t: 'unsatisfiable' }],
    ['bytes=9-0', { t: 'unsatisfiable' }],
    ['bytes=0-1,5-6', { t: 'whole' }],
    ['items=0-1', { t: 'whole' }],
    ['bytes=-', { t: 'whole' }],
    ['bytes=a-b', { t: 'whole' }],
  ]
  for (const [header, answer] of cases) t.strictSame(parseRange(header, 100), answer, header ?? 'none')
})
