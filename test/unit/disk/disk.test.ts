/** What lies on a node's disk, and why it stays. */
import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { keptNeeds, type KeptRule } from '../../../src/disk/kept.ts'
import { judge, type JudgeOptions } from '../../../src/disk/judge.ts'
import type { Found } from '../../../src/disk/look.ts'
import { type FleetUse, packageNeeds } from '../../../src/disk/needs.ts'
import type { Kept } from '../../../src/data/index.ts'
import { type Digest, type NodeId, parseCurrent, parseDigest, parseNodeId, parseOrderId, type Release } from '../../../src/model/index.ts'
import { builtInCurrent } from '../../../src/slots/index.ts'
import type { KnownOrder, KnownRelease } from '../../../src/rollout/index.ts'

const digest = (n: number): Digest => parseDigest(n.toString(16).padStart(64, '0'))
const node = (c: string): NodeId => parseNodeId(c.repeat(52))
const [low, self, high] = [node('b'), node('c'), node('d')] as const

const release = (version: string, ...packages: Digest[]): KnownRelease => ({
  // A document of its own for each version.
  document: digest(1000 + Number(version.replaceAll('.', ''))),
  release: {
    kind: 'app',
    name: 'till',
    version,
    packages: Object.fromEntries(packages.map((d, at) => [at === 0 ? 'any' : `linux-x${at}`, { digest: d, size: 10, blockmap: d }])),
  } as unknown as Release,
})

interface OrderTraits {
  readonly generation: number
  readonly confirmedBy?: readonly NodeId[]
  readonly plan?: readonly NodeId[]
  readonly ageMs?: number
  readonly isAborted?: boolean
  readonly dryRun?: boolean
}

const order = (of: KnownRelease, o: OrderTraits): KnownOrder =>
  ({
    id: parseOrderId('a'.repeat(52)),
    order: { kind: 'app', generation: o.generation, release: of.document, deadlineMs: 1000, dryRun: o.dryRun ?? false, witnesses: 0 },
    plan: { waves: [{ nodes: o.plan ?? [self], maxFailed: 0, maxMissing: 0 }], lost: [] },
    release: of.release,
    controls: o.isAborted === true ? [{ action: 'abort', nodes: [], generation: 1, hash: '' }] : [],
    preflights: new Map(),
    outcomes: new Map(
      (o.confirmedBy ?? []).map(id => [
        id,
        { outcome: 'confirmed', attempt: 1, digest: Object.values(of.release.packages)[0]?.digest, witnesses: 0 },
      ]),
    ),
    receipts: new Map(),
    gone: new Set(),
    ageMs: o.ageMs ?? 0,
  }) as unknown as KnownOrder

const use = (over: Partial<FleetUse>): FleetUse => ({
  self,
  current: null,
  orders: [],
  releases: [],
  holders: () => [self],
  test: digest(999),
  coming: [],
  ...over,
})

const rule = { releases: 2, isAll: false }

void t.test('a package stays for a reason, and each reason has its word', t => {
  const current = parseCurrent({
    builtIn: digest(1),
    shoal: digest(2),
    app: digest(3),
    previous: { app: digest(4), shoal: digest(1) },
    supervisor: digest(5),
    state: 'good',
  })
  const running = packageNeeds(use({ current, coming: [digest(6)] }), rule)
  const words = [1, 2, 3, 4, 5, 6, 999].map(n => running.packages.get(digest(n)))
  t.same(words, [['built-in', 'previous'], ['current'], ['current'], ['previous'], ['supervisor'], ['under-way'], ['probe']])
  t.same(
    [1, 2, 3, 4, 5, 6, 999].map(n => running.slots.has(digest(n))),
    [true, true, true, true, true, true, false],
  )

  const r = release('1.0.0', digest(10), digest(11))
  const needsOf = (o: OrderTraits, more: Partial<FleetUse> = {}): unknown => {
    const { packages, slots } = packageNeeds(use({ releases: [r], orders: [order(r, o)], ...more }), { ...rule, releases: 0 })
    return [packages.get(digest(10)) ?? [], packages.get(digest(11)) ?? [], slots.get(digest(10)) ?? []]
  }
  t.same(needsOf({ generation: 1 }), [['order'], ['order'], ['order']], 'open: for every platform')
  t.same(needsOf({ generation: 1, plan: [low], confirmedBy: [] }), [['order'], ['order'], ['order']], 'open for others')
  t.same(
    needsOf({ generation: 1, plan: [self, low], confirmedBy: [self] }),
    [['confirmed', 'order'], ['order'], ['confirmed']],
    'others lack it',
  )
  t.same(needsOf({ generation: 1, confirmedBy: [self] }), [['confirmed'], [], ['confirmed']], 'done: the way back from a lost pointer')
  t.same(needsOf({ generation: 1, isAborted: true }), [[], [], []])
  t.same(needsOf({ generation: 1, ageMs: 1001 }), [[], [], []], 'past its deadline')
  t.same(needsOf({ generation: 1, dryRun: true }), [['only-copy'], ['only-copy'], []], 'a dry run orders nothing')
  t.end()
})

void t.test('of releases that were ordered those stay that were used last, whatever their versions', t => {
  const [old, hot, bad, recent] = ['9.0.0', '1.0.0', '5.0.0', '2.0.0'].map((v, n) => release(v, digest(20 + n))) as [
    KnownRelease,
    KnownRelease,
    KnownRelease,
    KnownRelease,
  ]
  const past = { plan: [low], confirmedBy: [low] }
  const orders = [
    order(old, { generation: 1, ...past }),
    order(recent, { generation: 2, ...past }),
    order(hot, { generation: 3, ...past }),
    order(bad, { generation: 4, isAborted: true }),
  ]
  const { packages, byUse } = packageNeeds(use({ releases: [old, hot, bad, recent], orders }), rule)
  t.same(byUse, [digest(21), digest(23), digest(20), digest(22)], 'what was confirmed by somebody first, the newest order first')
  t.same(
    [20, 21, 22, 23].map(n => packages.get(digest(n)) ?? []),
    [[], ['recent'], ['only-copy'], ['recent']],
    'what was aborted may be ordered again: its last copy stays',
  )
  const needsOfBad = (more: Partial<FleetUse>, isAll = false): unknown =>
    packageNeeds(use({ releases: [old, hot, bad, recent], orders, ...more }), { ...rule, isAll }).packages.get(digest(22))
  t.equal(needsOfBad({ holders: () => [low, self] }), undefined, 'another member keeps it')
  t.equal(needsOfBad({}, true), undefined, 'everything was asked for')
  t.end()
})

void t.test(
  'what somebody has closed to the node counts as nothing and stops nothing',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const dir = t.testdir({ foreign: { 'a.txt': 'x' } })
    chmodSync(dir, 0o755)
    chmodSync(join(dir, 'foreign'), 0o700)
    const module = new URL('../../../src/disk/measure.ts', import.meta.url).href
    const program = `process.setuid(65534); import('${module}').then(m => m.namedIn(${JSON.stringify(dir)})).then(all => console.log(all.map(each => each.name).join()))`
    t.equal(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim(), 'foreign')
  },
)

void t.test('what nobody ordered yet is never lost for the fleet', t => {
  const versions = ['1.0.0', '2.0.0', '3.0.0', '4.0.0'].map((v, n) => release(v, digest(30 + n)))
  const newer = order(release('5.0.0', digest(40)), { generation: 1, confirmedBy: [self] })
  const needs = (holders: readonly NodeId[], isAll = false): readonly unknown[] => {
    const { packages } = packageNeeds(use({ releases: versions, orders: [newer], holders: () => holders }), { releases: 2, isAll })
    return [30, 31, 32, 33].map(n => packages.get(digest(n)) ?? [])
  }
  t.same(needs([self]), [['only-copy'], ['only-copy'], ['recent', 'only-copy'], ['recent', 'only-copy']])
  t.same(needs([self, high]), [['only-copy'], ['only-copy'], ['recent', 'only-copy'], ['recent', 'only-copy']], 'the lowest id keeps it')
  t.same(needs([low, self]), [[], [], ['recent'], ['recent']], 'another keeps it')
  t.same(needs([]), needs([self]), 'this node has not said yet that it holds it')
  t.same(needs([self], true), [[], [], [], []], 'all: somebody says that it may go')
  t.end()
})

const kept = (over: Partial<Kept>): Kept => ({
  id: 'x',
  kind: 'backup',
  at: '2026-01-01T00:00:00.000Z',
  backup: null,
  app: 'till',
  dataVersion: 1,
  bytes: 10,
  dir: '',
  damage: null,
  isOpen: false,
  ...over,
})

void t.test('backups go only if somebody says so, the way back and what is in use never', t => {
  const nowMs = Date.parse('2026-04-01T00:00:00Z')
  const plain: KeptRule = { snapshots: 1, backups: 0, backupsOlderMs: null, wayBack: new Set(), busy: new Set(), nowMs }
  const needs = (list: readonly Kept[], over: Partial<KeptRule> = {}): readonly unknown[] => [
    ...keptNeeds(list, { ...plain, ...over }).values(),
  ]
  const backups = [kept({ id: 'a', at: '2026-03-31T00:00:00Z' }), kept({ id: 'b' }), kept({ id: 'c', at: '2025-01-01T00:00:00Z' })]
  t.same(needs(backups), [['made-by-people'], ['made-by-people'], ['made-by-people']])
  t.same(needs(backups, { backups: 2 }), [['made-by-people'], ['made-by-people'], []])
  t.same(needs(backups, { backupsOlderMs: 100 * 86_400_000 }), [['made-by-people'], ['made-by-people'], []])
  t.same(needs(backups, { backupsOlderMs: 0 }), [['made-by-people'], [], []], 'the newest stays')
  t.same(needs(backups, { backupsOlderMs: 0, nowMs: 0 }), [['made-by-people'], ['made-by-people'], ['made-by-people']], 'a clock at 1970')
  t.same(needs(backups, { backupsOlderMs: 0, busy: new Set(['c']) }), [['made-by-people'], [], ['under-way']])
  const damaged = [kept({ id: 'a', damage: 'cut' }), kept({ id: 'b' })]
  t.same(needs(damaged, { backupsOlderMs: 0 }), [['made-by-people'], ['made-by-people']], 'a damaged one pushes no whole one out')
  const snapshots = [3, 2, 1].map(dataVersion => kept({ id: `s${dataVersion}`, kind: 'snapshot', dataVersion }))
  t.same(needs(snapshots), [['recent'], [], []])
  t.same(needs(snapshots, { wayBack: new Set(['s2']) }), [['recent'], ['rollback'], []])
  t.same(needs(snapshots.map(k => ({ ...k, isOpen: k.dataVersion === 1 }))), [['recent'], [], ['under-way']])
  const aside = [
    kept({ id: 'till-1-to-2-x', kind: 'kept' }),
    kept({ id: 'till-1-swap-1-x', kind: 'kept' }),
    kept({ id: 'till-1-to-2-y', kind: 'kept' }),
  ]
  t.same(needs(aside), [['recent'], ['recent'], []], 'what a restore put aside counts by itself')
  t.end()
})

void t.test('above the limit of packages the longest unused goes; what is fresh or not known stays', t => {
  const nowMs = Date.parse('2026-04-01T00:00:00Z')
  const releases = ['1.0.0', '2.0.0', '3.0.0'].map((v, n) => release(v, digest(50 + n)))
  const orders = releases.map((r, n) => order(r, { generation: n + 1, plan: [low], confirmedBy: [low] }))
  const file = (name: string, bytes = 100, ageMs = 1e10) => ({ name, path: name, bytes, isFolder: false, changedMs: nowMs - ageMs })
  const found = (...packages: Found['packages'][number][]): Found => ({
    packages,
    slots: [],
    inbox: [],
    kept: [],
    logs: [],
    instance: [],
    dataBytes: 0,
    cacheBytes: 0,
    freeBytes: 0,
  })
  const options: JudgeOptions = {
    use: use({ releases, orders }),
    keep: { releases: 3, isAll: false, maxPackageBytes: 0 },
    kept: { snapshots: 1, backups: 0, backupsOlderMs: null, wayBack: new Set(), busy: new Set(), nowMs },
    logs: false,
    underWay: new Set(),
  }
  const zips = found(...[50, 51, 52].flatMap(n => [file(`${digest(n)}.zip`), file(`${digest(n)}.blockmap`, 1)]))
  const going = (of: Found, over: Partial<JudgeOptions> = {}): readonly string[] =>
    judge(of, { ...options, ...over })
      .filter(each => each.needs.length === 0)
      .map(each => each.id)
  t.same(going(zips), [])
  t.same(going(zips, { keep: { ...options.keep, maxPackageBytes: 250 } }), [digest(50)])
  t.same(going(zips, { keep: { ...options.keep, maxPackageBytes: 1 } }), [50, 51, 52].map(digest))
  const current = { ...builtInCurrent(digest(1)), app: digest(50) }
  t.same(going(zips, { use: use({ releases, orders, current }), keep: { ...options.keep, maxPackageBytes: 1 } }), [51, 52].map(digest))
  t.same(going(zips, { use: null, keep: { ...options.keep, maxPackageBytes: 1 } }), [], 'a node that lost its memory removes nothing')

  const stray = digest(77)
  t.same(going(found(file(`${stray}.zip`))), [stray], 'nobody signed for it')
  t.same(going(found(file(`${stray}.zip`, 1, 3_600_000))), [], 'it was handed in an hour ago')
  t.same(going(found(file(`${stray}.part`))), [`packages/${stray}.part`])
  t.same(going(found(file(`${stray}.part`)), { underWay: new Set([stray]) }), [])
  t.same(going(found(file(`${digest(50)}.part`))), [], 'a part of what is wanted')
  t.same(going(found(file(`${stray}.blockmap`), file('x.tmp'))), [`packages/${stray}.blockmap`, 'packages/x.tmp'])
  t.same(going({ ...zips, inbox: [file('upload-1'), file('upload-2'), file('somebody’s.zip')] }, { underWay: new Set(['upload-2']) }), [
    'inbox/upload-1',
  ])
  const slots = [digest(50), digest(60), '.new-1', '.damaged-1'].map(name => ({ ...file(name), isFolder: true }))
  t.same(going({ ...found(), slots }), [digest(60), 'slots/.new-1'])
  const all = going({ ...found(), slots }, { keep: { ...options.keep, isAll: true } })
  t.ok(all.includes('slots/.damaged-1'), 'kept aside until somebody says so')
  const past = orders.map(o => ({ ...o, ageMs: 1001 }))
  t.same(going({ ...found(), slots }, { use: use({ releases, orders: past }) }), [digest(50), digest(60), 'slots/.new-1'])
  t.end()
})
