import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  copyBytes,
  heldData,
  listKept,
  neededFolders,
  noteSwap,
  realTreeDisk,
  snapshotId,
  stageRestore,
  type Swap,
  undoSwap,
  wayBackTo,
} from '../../../src/data/index.ts'
import { parseCurrent, parseNodeId, type SwitchTarget } from '../../../src/model/index.ts'
import { writeCurrent } from '../../../src/slots/index.ts'
import { Died, MortalDisk, order, picture, release, Rig, type TestRelease, trialOf } from './rig.ts'

const shoal = 'f'.repeat(64)
const v1 = release('1', 1)
const v2 = release('2', 2)
const self = parseNodeId('a'.repeat(52))

/** current.json after the switch that tried the swap. */
const ended = (rig: Rig, app: TestRelease, result: 'confirmed' | 'rolled-back'): void => {
  const last = { order, attempt: 1, result, code: '', message: '', linked: 0, log: [] }
  writeCurrent(rig.paths.home, parseCurrent({ app: app.digest, shoal, builtIn: shoal, state: 'good', last }))
}

/** An app of data version `runs` on data of it, and what was kept of version 1: `before` differs in every way. */
async function withSwap(
  home: string,
  runs: TestRelease,
  offline = false,
): Promise<{ rig: Rig; swap: Swap; restored: Record<string, string> }> {
  const rig = new Rig(
    home,
    runs,
    [v1, v2].filter(v => v.digest !== runs.digest),
  ).fill()
  await rig.start(runs, null)
  const old = join(rig.paths.backups, 'till-1-to-2-0123456789ab', 'before')
  mkdirSync(join(old, 'deep/er'), { recursive: true })
  writeFileSync(join(old, 'till.db'), 'old')
  writeFileSync(join(old, 'deep/er/file'), 'x')
  const [source] = (await listKept(rig.paths)).filter(k => k.id.startsWith('till-1-to-2'))
  if (source === undefined) throw new Error('no snapshot is listed')
  t.match(source, { kind: 'snapshot', app: 'till', dataVersion: 1 })
  const into = snapshotId('till', runs.dataVersion, 1, 'swap')
  await stageRestore({ paths: rig.paths, source, into, self, identity: false, reserveBytes: 0, disk: realTreeDisk })
  const swap: Swap = {
    kind: 'restore',
    id: into,
    source: source.id,
    order: offline ? null : order,
    attempt: 1,
    to: { name: 'till', dataVersion: 1 },
    identity: false,
  }
  return { rig, swap, restored: picture(old) }
}

/** Does the work with a disk that dies at its first step, its second …, each time at a home of its own, until it comes to its end. */
async function atEachStep(
  dir: string,
  make: (home: string) => Promise<Rig>,
  work: (rig: Rig, disk: MortalDisk) => Promise<void>,
  after: (rig: Rig, at: string) => Promise<void>,
): Promise<void> {
  for (let budget = 0; budget < 200; budget++) {
    const rig = await make(join(dir, String(budget)))
    const mortal = new MortalDisk(budget)
    const isDone = await work(rig, mortal).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Died) return false
        throw error
      },
    )
    await after(rig, `after step ${budget}`)
    rmSync(rig.paths.home, { recursive: true, force: true })
    if (isDone) return
  }
  throw new Error('it never came to its end')
}

const noted = async (home: string, runs: TestRelease, app = runs): Promise<Rig & { restored?: Record<string, string> }> => {
  const { rig, swap, restored } = await withSwap(home, runs)
  noteSwap(rig.paths, swap)
  rig.trial(app, runs)
  return Object.assign(rig, { restored })
}

void t.test('a restore, killed at each step', { timeout: 250_000 }, async t => {
  await t.test('on trial: begun again and proven', async t => {
    const made = new Map<string, Record<string, string>>()
    await atEachStep(
      t.testdir(),
      async home => {
        const rig = await noted(home, v1)
        made.set(rig.paths.home, rig.restored ?? {})
        return rig
      },
      (rig, mortal) => rig.start(v1, trialOf(v1), mortal),
      async (rig, at) => {
        await rig.start(v1, trialOf(v1))
        t.same(picture(rig.paths.data), made.get(rig.paths.home), at)
        t.not((rig.journal as { swap?: unknown }).swap, undefined, 'open while it is tried')
        ended(rig, v1, 'confirmed')
        t.same(heldData(rig.paths), { name: 'till', dataVersion: 1 })
        rig.settle()
        t.same(rig.journal, { schema: 1, held: { name: 'till', dataVersion: 1 }, migration: null })
        await rig.start(v1, null)
        t.equal(rig.db, 'old')
      },
    )
  })

  await t.test('on trial, then gone back: what was there, byte for byte', async t => {
    let before: Record<string, string> = {}
    await atEachStep(
      t.testdir(),
      async home => {
        const rig = await noted(home, v1)
        before = picture(rig.paths.data)
        return rig
      },
      (rig, mortal) => rig.start(v1, trialOf(v1), mortal),
      async (rig, at) => {
        ended(rig, v1, 'rolled-back')
        await rig.start(v1, null)
        t.same(picture(rig.paths.data), before, at)
        t.equal((rig.journal as { swap?: unknown }).swap, undefined)
      },
    )
  })

  await t.test('the way back itself', async t => {
    let before: Record<string, string> = {}
    await atEachStep(
      t.testdir(),
      async home => {
        const rig = await noted(home, v1)
        before = picture(rig.paths.data)
        await rig.start(v1, trialOf(v1))
        appendFileSync(join(rig.paths.data, 'till.db'), ' tried')
        ended(rig, v1, 'rolled-back')
        return rig
      },
      (rig, mortal) => rig.start(v1, null, mortal),
      async (rig, at) => {
        await rig.start(v1, null)
        t.same(picture(rig.paths.data), before, at)
        const kept = rig.backups.filter(path => path.endsWith('tried'))
        t.equal(kept.length, 1, 'what was tried is kept')
        t.equal(readFileSync(join(rig.paths.backups, kept[0] ?? '', 'till.db'), 'utf8'), 'old tried')
      },
    )
  })

  await t.test('a node whose app stays out goes back too', async t => {
    const rig = await noted(t.testdir(), v1)
    const before = picture(rig.paths.data)
    await rig.start(v1, trialOf(v1))
    ended(rig, v1, 'rolled-back')
    rig.settle()
    t.not((rig.journal as { swap?: unknown }).swap, undefined, 'what was moved stays noted')
    await undoSwap({ paths: rig.paths, log: () => undefined })
    t.same(picture(rig.paths.data), before)
  })

  await t.test('data of an older version is migrated in the same switch, and all of it goes back', async t => {
    let before: Record<string, string> = {}
    await atEachStep(
      t.testdir(),
      async home => {
        const rig = await noted(home, v2)
        before = picture(rig.paths.data)
        return rig
      },
      (rig, mortal) => rig.start(v2, trialOf(v2), mortal),
      async (rig, at) => {
        await rig.start(v2, trialOf(v2))
        t.equal(rig.db, 'old 1>2', at)
        ended(rig, v2, 'rolled-back')
        await rig.start(v2, null)
        t.same(picture(rig.paths.data), before, at)
        t.same(rig.journal, { schema: 1, held: { name: 'till', dataVersion: 2 }, migration: null })
      },
    )
  })

  await t.test('while the node is stopped: finished by the next start', async t => {
    await atEachStep(
      t.testdir(),
      async home => {
        const { rig, swap } = await withSwap(home, v1, true)
        noteSwap(rig.paths, swap)
        return rig
      },
      (rig, mortal) => undoSwap({ paths: rig.paths, log: () => undefined, disk: mortal.disk }),
      async (rig, at) => {
        await rig.start(v1, null)
        t.equal(rig.db, 'old', at)
        t.equal((rig.journal as { swap?: unknown }).swap, undefined)
        t.equal(rig.backups.filter(path => path.endsWith('after')).length, 1, 'what was there is kept')
      },
    )
  })

  await t.test('a switch that never began leaves nothing, and one thing at a time', async t => {
    const { rig, swap } = await withSwap(t.testdir(), v1)
    noteSwap(rig.paths, swap)
    t.throws(() => noteSwap(rig.paths, swap), { code: 'CONFLICT' })
    rig.settle()
    t.equal((rig.journal as { swap?: unknown }).swap, undefined)
    await rig.start(v1, null)
    t.notOk(readdirSync(rig.paths.backups).includes(swap.id), 'its copy is removed')
  })
})

void t.test('kept data: an older release opens it as it is', { timeout: 250_000 }, async t => {
  const keep = async (home: string): Promise<Rig> => {
    const rig = new Rig(home, v2, [v1]).fill()
    await rig.start(v2, null)
    const to = { name: 'till', dataVersion: 2, readBy: 1 }
    noteSwap(rig.paths, { kind: 'keep', id: snapshotId('till', 2, 2, 'swap'), source: null, order, attempt: 1, to, identity: false })
    rig.trial(v1, v2)
    return rig
  }
  const trial: SwitchTarget = trialOf(v1)
  await t.test('killed at each step, gone back: byte for byte', async t => {
    let before: Record<string, string> = {}
    await atEachStep(
      t.testdir(),
      async home => {
        const rig = await keep(home)
        before = picture(rig.paths.data)
        return rig
      },
      (rig, mortal) => rig.start(v1, trial, mortal),
      async (rig, at) => {
        await rig.start(v1, trial)
        appendFileSync(join(rig.paths.data, 'till.db'), ' by v1')
        ended(rig, v2, 'rolled-back')
        await rig.start(v2, null)
        t.same(picture(rig.paths.data), before, at)
      },
    )
  })
  await t.test('proven: it may open it until one of the data’s own version runs for good', async t => {
    const rig = await keep(t.testdir())
    await rig.start(v1, trial)
    ended(rig, v1, 'confirmed')
    rig.settle()
    t.same(rig.journal.held, { name: 'till', dataVersion: 2, readBy: 1 })
    await rig.start(v1, null)
    rig.trial(v2, v1)
    await rig.start(v2, trialOf(v2))
    t.equal(rig.db, 'v1', 'nothing is migrated twice')
    rig.good(v2)
    rig.settle()
    t.same(rig.journal.held, { name: 'till', dataVersion: 2 })
    rig.trial(v1, v2, 2)
    await t.rejects(rig.start(v1, trialOf(v1, 2)), { code: 'DATA_NEWER' })
  })
})

void t.test('the way back over migrations: which snapshot, whatever the clock said', async t => {
  const [v3, kiosk] = [release('3', 3), release('5', 1, 'kiosk')]
  const migrated = async (rig: Rig, to: TestRelease, from: TestRelease): Promise<string> => {
    const had = readdirSync(rig.paths.backups)
    rig.trial(to, from)
    await rig.start(to, trialOf(to))
    rig.good(to)
    rig.settle()
    const made = readdirSync(rig.paths.backups).find(name => !had.includes(name)) ?? ''
    // Each is older than the one before by its times: the clock was set back.
    utimesSync(join(rig.paths.backups, made), 0, 1e9 - had.length)
    return made
  }
  const rig = new Rig(t.testdir(), v1, [v2, v3, kiosk]).fill()
  mkdirSync(rig.paths.backups)
  await rig.start(v1, null)
  const idTo = (app: TestRelease): string | null | undefined => wayBackTo(rig.paths, app)?.snapshot?.id
  t.equal(wayBackTo(rig.paths, v2), null, 'that is no way back')
  t.equal(wayBackTo(rig.paths, v1), null, 'it reads the data')
  const first = await migrated(rig, v2, v1)
  t.equal(idTo(v1), first)
  t.equal(wayBackTo(rig.paths, kiosk), null, 'another app')
  t.equal(idTo(release('0', 1, 'till')), first)

  await t.test('the data of then comes back, and is migrated anew', async t => {
    const back = wayBackTo(rig.paths, v1)
    const source = (await listKept(rig.paths)).find(k => k.id === back?.snapshot?.id)
    if (source === undefined) throw new Error('not listed')
    const into = snapshotId('till', 2, 1, 'swap')
    await stageRestore({ paths: rig.paths, source, into, self, identity: false, reserveBytes: 0, disk: realTreeDisk })
    t.ok(await copyBytes(rig.paths, v1, 'restore'))
    noteSwap(rig.paths, {
      kind: 'restore',
      id: into,
      source: first,
      order,
      attempt: 1,
      to: { name: 'till', dataVersion: 1 },
      identity: false,
    })
    t.ok(neededFolders(rig.paths).has(into), 'open')
    rig.trial(v1, v2)
    await rig.start(v1, trialOf(v1))
    t.equal(rig.db, 'v1')
    ended(rig, v1, 'confirmed')
    rig.settle()
    t.equal(readFileSync(join(rig.paths.backups, into, 'after/till.db'), 'utf8'), 'v1 1>2', 'what the newer release wrote is kept')
    t.equal(wayBackTo(rig.paths, v1), null)
    writeFileSync(join(rig.paths.data, 'till.db'), 'v1 sold')
    const second = await migrated(rig, v2, v1)
    t.equal(idTo(v1), second, 'not the one before')
    const third = await migrated(rig, v3, v2)
    t.equal(idTo(v2), third)
    t.equal(idTo(v1), second, 'over two migrations')
    t.same(neededFolders(rig.paths), new Set([third]))
    rig.trial(v3, v1)
    t.same(neededFolders(rig.paths), new Set([third, second]), 'v1 is the release before')
    rig.good(v3)
    rmSync(join(rig.paths.backups, third), { recursive: true })
    t.equal(idTo(v2), second, 'an older one yet, which the release migrates')
    t.ok((await copyBytes(rig.paths, v2, 'restore')) > (await copyBytes(rig.paths, v1, 'restore')))
    for (const name of readdirSync(rig.paths.backups)) rmSync(join(rig.paths.backups, name), { recursive: true })
    t.equal(wayBackTo(rig.paths, v1)?.snapshot, null, 'removed')
    t.equal(await copyBytes(rig.paths, v1, 'restore'), 0)
    t.ok((await copyBytes(rig.paths, v1, 'keep')) > 0)
  })
})
