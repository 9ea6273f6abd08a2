import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { defaultConfig, defaultProbationMs, formatConfig, type Handover, parseNodeId } from '../../../src/model/index.ts'
import { confirmData, type LoadedApp, safeSwitch } from '../../../src/node/app-runner.ts'
import { type ConditionSource, conditionFor } from '../../../src/node/condition.ts'
import { type KnownOrder, preflight } from '../../../src/rollout/index.ts'
import { withSmallDisk } from '../packages/index.ts'
import { order, picture, release, Rig, trialOf } from '../data/index.ts'

const v1 = release('1', 1)
const v2 = release('2', 2)
const alsoV1 = release('4', 1)

async function served(home: string): Promise<Rig> {
  const rig = new Rig(home, v1, [v2, alsoV1]).fill()
  await rig.start(v1, null)
  return rig
}

const running = (handover: Handover): LoadedApp => ({
  module: { title: 'till@1.0.0', create: () => ({}), migrate: null },
  running: { name: 'till', version: '1.0.0', digest: v1.digest },
  manifest: {
    schema: 1,
    kind: 'app',
    name: 'till',
    version: '1.0.0',
    platform: 'any',
    engines: {},
    dataVersion: 1,
    minFrom: null,
    handover,
    probationMs: defaultProbationMs,
    entry: 'index.js',
  },
})

void t.test('both releases have data/ open at once only if both read it as it is', async t => {
  const rig = await served(t.testdir())
  const { paths } = rig
  const asked = (app: typeof v1, change = {}) => ({ ...trialOf(app), handover: 'overlap' as const, ...change })
  const handoverOf = (target: ReturnType<typeof asked>, app: LoadedApp | null = running('overlap')): Handover =>
    safeSwitch(paths, target, app).handover
  t.equal(handoverOf(asked(alsoV1)), 'overlap')
  t.same(safeSwitch(paths, asked(alsoV1), running('overlap')), asked(alsoV1), 'and nothing else changes')
  t.equal(handoverOf(asked(v2)), 'exclusive', 'another data version')
  t.equal(handoverOf(asked(alsoV1, { digest: null })), 'exclusive', 'no app')
  t.equal(handoverOf(asked(alsoV1, { handover: 'exclusive' })), 'exclusive')
  t.equal(handoverOf(asked(v1, { kind: 'shoal' })), 'overlap', 'the same app twice, as it allows')
  t.equal(handoverOf(asked(v1, { kind: 'shoal' }), running('exclusive')), 'exclusive', 'as it does not')
  t.equal(handoverOf(asked(v1, { kind: 'shoal' }), null), 'overlap')
})

void t.test('a switch begins only from a closed journal', async t => {
  const rig = await served(t.testdir())
  rig.trial(v2, v1)
  await rig.start(v2, trialOf(v2))
  rig.good(v2)
  const target = trialOf(alsoV1)
  t.equal(rig.journal.migration?.phase, 'migrated')
  safeSwitch(rig.paths, target, null)
  t.equal(rig.journal.migration, null)
  t.same(rig.journal.held, { name: 'till', dataVersion: 2 })

  await t.test('on a full disk it does not begin, and the node serves on', t =>
    withSmallDisk(t, async dir => {
      const rig = await served(join(dir, 'home'))
      rig.trial(v2, v1)
      await rig.start(v2, trialOf(v2))
      rig.good(v2)
      t.throws(
        () => {
          for (let i = 0; ; i++) writeFileSync(join(rig.paths.data, `fill-${i}`), Buffer.alloc(4096))
        },
        { code: 'ENOSPC' },
      )
      t.throws(() => safeSwitch(rig.paths, target, null), { code: 'DISK_FULL' })
      const events: string[] = []
      confirmData(rig.paths, event => events.push(event))
      t.same(events, ['data.json not written'])
      t.equal(rig.journal.migration?.phase, 'migrated')
      await rig.start(v2, null)
      t.equal(rig.db, 'v1 1>2')
      for (let i = 0; i < 3; i++) rmSync(join(rig.paths.data, `fill-${i}`))
      t.equal(safeSwitch(rig.paths, target, null).digest, alsoV1.digest)
      t.equal(rig.journal.migration, null)
    }),
  )
})

function sourceOf(rig: Rig, reserveMb: number, makeRoom: (coming: readonly string[]) => void = () => undefined): ConditionSource {
  writeFileSync(rig.paths.config, formatConfig(defaultConfig('box')))
  return {
    paths: rig.paths,
    self: parseNodeId('a'.repeat(52)),
    running: () => ({ app: null, shoal: running('overlap').running }),
    reserveBytes: () => reserveMb * 2 ** 20,
    orders: () => [],
    hasLoader: true,
    isCloned: () => false,
    makeRoom: async coming => makeRoom(coming),
  }
}

const known = (of: object | null, how: 'keep' | 'restore' | null = null): KnownOrder =>
  ({ id: order, order: { kind: 'app', data: how, allowDowngrade: true }, release: of && { packages: {}, ...of } }) as unknown as KnownOrder

void t.test('a preflight sees the data’s version, and counts a snapshot where that rises', async t => {
  const rig = await served(t.testdir())
  writeFileSync(join(rig.paths.data, 'big'), Buffer.alloc(1_000_000))
  const made: string[] = []
  const source = sourceOf(rig, 1, coming => made.push(...coming))
  const condition = (of: object | null) => conditionFor(known(of), source)
  t.same((await condition({ ...v1, kind: 'app' })).data, { name: 'till', dataVersion: 1 })
  t.equal((await condition({ ...v1, kind: 'app' })).reserveBytes, 1 << 20)
  t.equal((await condition(null)).reserveBytes, 1 << 20)
  t.equal((await condition({ ...v2, name: 'shoal', kind: 'shoal' })).reserveBytes, 1 << 20)
  const { reserveBytes } = await condition({ ...v2, kind: 'app' })
  t.ok(reserveBytes > (1 << 20) + 1_000_000 && reserveBytes < (1 << 20) + 1_100_000, `${reserveBytes}`)
  t.same(made, [], 'there was room')
  const huge = { digest: 'd'.repeat(64), size: 2 ** 50 }
  t.ok((await condition({ ...v1, kind: 'app', packages: { any: huge } })).freeBytes > 0)
  t.same(made, [huge.digest], 'where there is none, what nothing needs makes way for it')
})

void t.test('10 GB of data and no room for a copy of it: refused in the preflight, with what is missing', t =>
  withSmallDisk(t, async dir => {
    const rig = await served(join(dir, 'home'))
    for (const path of [rig.paths.packages, rig.paths.backups]) mkdirSync(path)
    writeFileSync(join(rig.paths.data, 'big'), '')
    truncateSync(join(rig.paths.data, 'big'), 10 * 2 ** 30)
    t.ok(statSync(join(rig.paths.data, 'big')).blocks * 512 < 1 << 20, 'sparse')
    const packages = { any: { digest: 'd'.repeat(64), size: 1000 } }
    const asked = async (of: object, how: 'keep' | 'restore' | null = null) => {
      const it = known({ ...of, kind: 'app', packages, engines: null, minFrom: null }, how)
      return preflight(it.order, it.release!, await conditionFor(it, sourceOf(rig, 0)))
    }
    const before = picture(rig.paths.backups)
    t.equal(await asked(alsoV1), null, 'a release that reads the data as it is needs no copy')
    const refused = await asked(v2)
    t.equal(refused?.code, 'DISK_FULL')
    const [free = 0, needs = 0, missing = 0] = (refused?.message.match(/\d+/g) ?? []).map(Number)
    t.ok(free > 0 && free < 2 << 20, `${free} bytes are free`)
    t.ok(needs > 10 * 2 ** 30 && needs < 10.1 * 2 ** 30, `${needs} are needed`)
    t.equal(missing, needs - free)
    t.same(picture(rig.paths.backups), before, 'nothing was copied')

    writeFileSync(rig.paths.dataJournal, JSON.stringify({ schema: 1, held: { name: 'till', dataVersion: 2 } }))
    t.equal((await asked(v1, 'keep'))?.code, 'DISK_FULL', 'going back to what was kept copies as much')
    t.equal((await asked(v1, 'restore'))?.code, 'NO_SNAPSHOT')
    rmSync(join(rig.paths.data, 'big'))
    t.equal(await asked(v1, 'keep'), null)
  }),
)
