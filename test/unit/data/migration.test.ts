import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { codeOf, ShoalError, systemCodeOf } from '../../../src/model/index.ts'
import { copyBytes, heldData, realTreeDisk, rehearseMigration } from '../../../src/data/index.ts'
import { withSmallDisk } from '../packages/index.ts'
import { Died, MortalDisk, noSpace, picture, release, Rig, trialOf } from './rig.ts'

const pipeMaker = 'mkfifo'
const v1 = release('1', 1)
const v2 = release('2', 2)
const v3 = release('3', 3)

/** v1 runs for good and its data is known to be of version 1; v2 is being tried. */
async function onTrial(home: string): Promise<Rig> {
  const rig = new Rig(home, v1, [v2, v3]).fill()
  await rig.start(v1, null)
  rig.trial(v2, v1)
  return rig
}

const onlyNamed = (rig: Rig, name: string): string[] => rig.backups.filter(path => basename(path) === name)

void t.test('a rising data version: snapshot, migration, and either end', async t => {
  await t.test('confirmed: the snapshot stays, the version is remembered', async t => {
    const rig = await onTrial(t.testdir())
    const before = picture(rig.paths.data)
    await rig.start(v2, trialOf(v2))
    t.equal(rig.db, 'v1 1>2')
    t.same(heldData(rig.paths), { name: 'till', dataVersion: 1 }, 'not proven yet')
    rig.settle()
    t.equal(rig.journal.migration?.phase, 'migrated', 'a trial settles nothing')
    rig.good(v2)
    t.same(heldData(rig.paths), { name: 'till', dataVersion: 2 }, 'the supervisor said so')
    rig.settle()
    const snapshots = [dirname(rig.backups[0] ?? '')]
    t.same(rig.journal, { schema: 1, held: { name: 'till', dataVersion: 2 }, migration: null, snapshots })
    await rig.start(v2, null)
    t.equal(rig.db, 'v1 1>2')
    t.equal(rig.backups.length, 1)
    t.same(picture(join(rig.paths.backups, rig.backups[0] ?? '')), before)
    t.equal(lstatSync(join(rig.paths.backups, rig.backups[0] ?? '')).mode & 0o777, lstatSync(rig.paths.data).mode & 0o777)
  })

  await t.test('gone back: byte-identical, what the new release wrote is kept, again and again', async t => {
    const rig = await onTrial(t.testdir())
    const before = picture(rig.paths.data)
    for (const attempt of [1, 2, 3]) {
      rig.trial(v2, v1, attempt)
      await rig.start(v2, trialOf(v2, attempt))
      writeFileSync(join(rig.paths.data, 'sale'), `of try ${attempt}`)
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      t.same(rig.journal.held, { name: 'till', dataVersion: 1 })
      t.equal(rig.journal.migration, null)
      t.match(rig.log.at(-1), 'as it was before')
      writeFileSync(join(rig.paths.data, 'till.db'), `v1 after ${attempt}`)
      before['till.db'] = picture(rig.paths.data)['till.db'] ?? ''
    }
    const kept = onlyNamed(rig, 'after').map(path => join(rig.paths.backups, path))
    t.same(kept.map(path => readFileSync(join(path, 'sale'), 'utf8')).sort(), ['of try 1', 'of try 2', 'of try 3'])
    t.same(kept.map(path => readFileSync(join(path, 'till.db'), 'utf8')).sort(), ['v1 1>2', 'v1 after 1 1>2', 'v1 after 2 1>2'])
    t.equal(rig.backups.length, 3, 'and nothing else')
  })

  await t.test('the same try of the same release starts again: nothing is done twice', async t => {
    const rig = await onTrial(t.testdir())
    for (let i = 0; i < 3; i++) await rig.start(v2, trialOf(v2))
    t.equal(rig.db, 'v1 1>2')
    const other = { ...trialOf(v2), kind: 'shoal' as const }
    await rig.start(v2, other)
    await rig.start(v2, null)
    t.equal(rig.db, 'v1 1>2')
  })

  await t.test('another try that finds the migration of the one before starts from the snapshot', async t => {
    const rig = await onTrial(t.testdir())
    await rig.start(v2, trialOf(v2))
    rig.trial(v2, v1, 2)
    await rig.start(v2, trialOf(v2, 2))
    t.equal(rig.db, 'v1 1>2')
    rig.trial(v3, v1)
    await rig.start(v3, trialOf(v3))
    t.equal(rig.db, 'v1 1>3')
  })

  await t.test('migrate() throws: the old release finds its data', async t => {
    const rig = await onTrial(t.testdir())
    const before = picture(rig.paths.data)
    await t.rejects(rig.start(v2, trialOf(v2), undefined, new Error('no such table')), { message: 'no such table' })
    t.equal(rig.journal.migration?.phase, 'snapshotted')
    rig.good(v1)
    await rig.start(v1, null)
    t.same(picture(rig.paths.data), before)
  })

  await t.test('confirmed and killed before the worker wrote it: the next release migrates on', async t => {
    const rig = await onTrial(t.testdir())
    await rig.start(v2, trialOf(v2))
    rig.good(v2)
    rig.trial(v3, v2)
    await rig.start(v3, trialOf(v3))
    t.equal(rig.db, 'v1 1>2 2>3')
    rig.good(v2)
    await rig.start(v2, null)
    t.equal(rig.db, 'v1 1>2')
    t.same(rig.journal.held, { name: 'till', dataVersion: 2 })
    t.equal(onlyNamed(rig, 'before').length, 1, 'the snapshot of the confirmed one stays')
    t.equal(onlyNamed(rig, 'after').length, 1)
  })

  await t.test('older data versions are not opened; another app’s data is snapshotted too', async t => {
    const rig = await onTrial(t.testdir())
    await rig.start(v2, trialOf(v2))
    rig.good(v2)
    rig.settle()
    rig.trial(v1, v2)
    await t.rejects(rig.start(v1, trialOf(v1)), { code: 'DATA_NEWER' })
    t.equal(rig.db, 'v1 1>2')
    const shop = release('5', 1, '@a/shop')
    rig.trial(shop, v2)
    await rig.start(shop, trialOf(shop))
    t.equal(rig.db, 'v1 1>2 none>1')
    rig.good(v2)
    await rig.start(v2, null)
    t.equal(rig.db, 'v1 1>2')
  })

  await t.test('the first app of a node: what a failed try left is put aside', async t => {
    const rig = new Rig(t.testdir(), null, [v1])
    rig.trial(v1, null)
    await rig.start(v1, trialOf(v1))
    t.equal(rig.db, ' none>1')
    rig.good(null)
    t.equal(heldData(rig.paths), null)
    rig.trial(v1, null, 2)
    await rig.start(v1, trialOf(v1, 2))
    t.equal(rig.db, ' none>1')
    rig.good(v1)
    rig.settle()
    t.same(heldData(rig.paths), { name: 'till', dataVersion: 1 })
  })
})

void t.test('killed at every step', async t => {
  /** Runs `from` in a new home with a disk that dies after 0, 1, 2 … steps, until it does not. */
  const everywhere = async (
    t: Test,
    make: (home: string) => Promise<Rig>,
    dies: (rig: Rig, mortal: MortalDisk) => Promise<void>,
    then: (rig: Rig, at: number) => Promise<void>,
  ): Promise<number> => {
    for (let at = 0; ; at++) {
      const home = t.testdir({})
      const rig = await make(home)
      const mortal = new MortalDisk(at)
      await dies(rig, mortal).catch((error: unknown) => {
        if (!(error instanceof Died)) throw error
      })
      await then(rig, at)
      rmSync(home, { recursive: true, force: true })
      if (!mortal.isDead) return at
    }
  }
  const noLitter = (t: Test, rig: Rig, at: number): void => {
    const names = rig.backups.filter(path => path.startsWith('.') || basename(path) === 'after.part')
    t.same(names, [], `step ${at}: no unfinished copy stays`)
  }
  const migrates = (rig: Rig, mortal: MortalDisk): Promise<void> => rig.start(v2, trialOf(v2), mortal)
  const expected = picture((await onTrial(t.testdir())).paths.data)
  const asBefore = (t: Test, rig: Rig, at: number): void => {
    const now = picture(rig.paths.data)
    t.same(Object.keys(now), Object.keys(expected), `step ${at}: the same files`)
    t.equal(rig.db, 'v1', `step ${at}`)
    t.equal(now['photos/2026/a.jpg']?.split(' ')[2], expected['photos/2026/a.jpg']?.split(' ')[2])
    t.equal(statSync(join(rig.paths.data, 'run.sh')).mode & 0o777, 0o755)
    t.equal(statSync(join(rig.paths.data, 'photos')).mode & 0o777, 0o750)
    t.same(rig.journal.held, { name: 'till', dataVersion: 1 })
    t.equal(rig.journal.migration, null)
  }

  await t.test('of the migration; the same release starts again', async t => {
    const steps = await everywhere(t, onTrial, migrates, async (rig, at) => {
      await rig.start(v2, trialOf(v2))
      t.equal(rig.db, 'v1 1>2', `step ${at}: migrated once`)
      rig.good(v2)
      await rig.start(v2, null)
      t.equal(rig.db, 'v1 1>2')
      t.same(rig.journal.held, { name: 'till', dataVersion: 2 })
      noLitter(t, rig, at)
      t.equal(rig.backups.length, 1)
      t.equal(readFileSync(join(rig.paths.backups, rig.backups[0] ?? '', 'till.db'), 'utf8'), 'v1')
    })
    t.ok(steps > 20, `${steps} steps`)
  })

  await t.test('of the migration; the old release starts', async t => {
    await everywhere(t, onTrial, migrates, async (rig, at) => {
      rig.good(v1)
      await rig.start(v1, null)
      asBefore(t, rig, at)
      noLitter(t, rig, at)
    })
  })

  const migrated = async (home: string): Promise<Rig> => {
    const rig = await onTrial(home)
    await rig.start(v2, trialOf(v2))
    rig.good(v1)
    return rig
  }
  const goesBack = (rig: Rig, mortal: MortalDisk): Promise<void> => rig.start(v1, null, mortal)

  await t.test('of going back; the old release starts again', async t => {
    const steps = await everywhere(t, migrated, goesBack, async (rig, at) => {
      await rig.start(v1, null)
      asBefore(t, rig, at)
      noLitter(t, rig, at)
      const kept = join(rig.paths.backups, rig.backups[0] ?? '')
      t.equal(basename(kept), 'after')
      t.equal(readFileSync(join(kept, 'till.db'), 'utf8'), 'v1 1>2', 'what the new release wrote')
      t.ok(existsSync(join(kept, 'new-in-2')))
    })
    t.ok(steps > 10, `${steps} steps`)
  })

  await t.test('of going back, with data/ on another disk', async t => {
    const across = (rig: Rig, mortal: MortalDisk): Promise<void> => {
      mortal.foreign = rig.paths.data
      return goesBack(rig, mortal)
    }
    const steps = await everywhere(t, migrated, across, async (rig, at) => {
      const mortal = new MortalDisk(Infinity)
      mortal.foreign = rig.paths.data
      await rig.start(v1, null, mortal)
      asBefore(t, rig, at)
      noLitter(t, rig, at)
      t.equal(readFileSync(join(rig.paths.backups, rig.backups[0] ?? '', 'till.db'), 'utf8'), 'v1 1>2')
    })
    t.ok(steps > 50, `${steps} steps`)
  })

  await t.test('of going back; the supervisor had not saved it and tries the new release again', async t => {
    await everywhere(t, migrated, goesBack, async (rig, at) => {
      rig.trial(v2, v1)
      await rig.start(v2, trialOf(v2))
      t.equal(rig.db, 'v1 1>2', `step ${at}: migrated once`)
      t.ok(existsSync(join(rig.paths.data, 'photos/2026/a.jpg')))
      rig.good(v1)
      await rig.start(v1, null)
      asBefore(t, rig, at)
    })
  })

  await t.test('of starting a cut migration again', async t => {
    const cut = async (home: string): Promise<Rig> => {
      const rig = await onTrial(home)
      await t.rejects(rig.start(v2, trialOf(v2), undefined, new Error('cut')))
      return rig
    }
    await everywhere(t, cut, migrates, async (rig, at) => {
      await rig.start(v2, trialOf(v2))
      t.equal(rig.db, 'v1 1>2', `step ${at}: migrated once`)
      rig.good(v1)
      await rig.start(v1, null)
      asBefore(t, rig, at)
      noLitter(t, rig, at)
    })
  })
})

void t.test('a full disk', async t => {
  await t.test('the reserve: a switch leaves it, and changes nothing; what starts for good takes what there is', async t => {
    const rig = new Rig(t.testdir(), v1, [v2]).fill()
    await rig.start(v1, null)
    rig.reserveBytes = 2 ** 52
    const before = picture(rig.paths.data)
    rig.trial(v2, v1)
    await t.rejects(rig.start(v2, trialOf(v2)), { code: 'DISK_FULL', message: /a reserve of/ })
    t.same(picture(rig.paths.data), before)
    t.same(rig.backups, [])
    rig.good(v2)
    await rig.start(v2, null)
    t.match(rig.db, '1>2')
  })

  await t.test('at any step of the migration: DISK_FULL or nothing, and the old release finds its data', async t => {
    for (let at = 0; ; at++) {
      const rig = await onTrial(t.testdir({}))
      const mortal = new MortalDisk(at, noSpace)
      const error: unknown = await rig.start(v2, trialOf(v2), mortal).catch((e: unknown) => e)
      if (!mortal.isDead) break
      t.ok(codeOf(error) === 'DISK_FULL' || systemCodeOf(error) === 'ENOSPC', 'the second is the app’s own')
      rig.good(v1)
      await rig.start(v1, null)
      t.equal(rig.db, 'v1')
      t.same(
        rig.backups.filter(path => path.startsWith('.')),
        [],
      )
    }
  })

  await t.test('a journal that cannot be closed keeps no app from its data', async t => {
    const rig = await onTrial(t.testdir())
    await rig.start(v2, trialOf(v2))
    rig.good(v1)
    const mortal = new MortalDisk(Infinity)
    const write = (): Promise<never> => Promise.reject(new ShoalError('DISK_FULL', 'no space'))
    await rig.start(v1, null, Object.assign(mortal, { disk: { ...mortal.disk, write } }))
    t.equal(rig.db, 'v1')
    t.equal(rig.journal.migration?.phase, 'migrated', 'it could not be written')
    writeFileSync(join(rig.paths.data, 'till.db'), 'v1 and a sale')
    await rig.start(v1, null)
    t.equal(rig.db, 'v1 and a sale', 'what went back once goes back no more')
    t.equal(rig.journal.migration, null)
  })

  await t.test('for real: the snapshot does not fit', t =>
    withSmallDisk(t, async dir => {
      const rig = await onTrial(join(dir, 'home'))
      writeFileSync(join(rig.paths.data, 'big'), Buffer.alloc(1_200_000, 7))
      const before = picture(rig.paths.data)
      await t.rejects(rig.start(v2, trialOf(v2)), { code: 'DISK_FULL' })
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      t.same(readdirSync(rig.paths.backups), [], 'the half copy is gone')
      rmSync(join(rig.paths.data, 'big'))
      rig.trial(v2, v1, 2)
      await rig.start(v2, trialOf(v2, 2))
      t.equal(rig.db, 'v1 1>2')
    }),
  )

  const fill = (rig: Rig): void => {
    for (let i = 0; ; i++) writeFileSync(join(rig.paths.data, `fill-${i}`), Buffer.alloc(4096))
  }

  await t.test('for real: the new release fills it, and the way back needs no space', t =>
    withSmallDisk(t, async dir => {
      const rig = await onTrial(join(dir, 'home'))
      await rig.start(v2, trialOf(v2))
      t.throws(() => fill(rig), { code: 'ENOSPC' })
      for (let i = 0; i < 2; i++) {
        await rig.start(v1, null)
        t.equal(rig.db, 'v1')
      }
      t.equal(rig.journal.migration?.phase, 'migrated', 'no room even for this')
      t.ok(existsSync(join(rig.paths.backups, rig.backups[0] ?? '', 'fill-0')), 'what was sold meanwhile is kept')
    }),
  )

  await t.test('for real: half a migration that fills it is not kept', t =>
    withSmallDisk(t, async dir => {
      const rig = await onTrial(join(dir, 'home'))
      await t.rejects(rig.start(v2, trialOf(v2), undefined, new Error('full')))
      t.throws(() => fill(rig), { code: 'ENOSPC' })
      await rig.start(v1, null)
      t.equal(rig.db, 'v1')
      t.equal(rig.journal.migration, null)
      t.same(rig.backups, [])
    }),
  )
})

void t.test('places and files that are not as usual', async t => {
  await t.test('data/ is a link to another disk', t =>
    withSmallDisk(t, async dir => {
      const rig = await onTrial(t.testdir({}))
      rmSync(rig.paths.data, { recursive: true })
      mkdirSync(join(dir, 'data'))
      symlinkSync(join(dir, 'data'), rig.paths.data)
      rig.fill()
      const before = picture(rig.paths.data)
      t.ok((await copyBytes(rig.paths, v2, null)) > 0)
      await rig.start(v2, trialOf(v2))
      t.equal(rig.db, 'v1 1>2')
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      t.ok(lstatSync(rig.paths.data).isSymbolicLink())
      t.equal(readFileSync(join(rig.paths.backups, rig.backups[0] ?? '', 'till.db'), 'utf8'), 'v1 1>2')
    }),
  )

  await t.test('migrate() leaves a file in place of data/: MIGRATE_FAILED, and the file goes aside', async t => {
    for (let budget = 0; ; budget++) {
      const rig = await onTrial(t.testdir({}))
      const before = picture(rig.paths.data)
      const prepared = rig.start(v2, trialOf(v2), undefined, null, dir => {
        rmSync(dir, { recursive: true })
        writeFileSync(dir, 'one file now')
      })
      await t.rejects(prepared, { code: 'MIGRATE_FAILED' })
      rig.good(v1)
      const mortal = new MortalDisk(budget)
      await rig.start(v1, null, mortal).catch((error: unknown) => t.type(error, Died))
      if (mortal.isDead) await rig.start(v1, null)
      t.same(picture(rig.paths.data), before, `killed at step ${budget} of the way back`)
      t.equal(readFileSync(join(rig.paths.backups, dirname(onlyNamed(rig, 'after')[0] ?? ''), 'after/data'), 'utf8'), 'one file now')
      if (!mortal.isDead) return
    }
  })

  await t.test('the rehearsal refuses a migrate() that leaves no folder', async t => {
    const rig = await onTrial(t.testdir())
    const folder = join(rig.paths.backups, '.unfinished-rehearsal')
    mkdirSync(folder, { recursive: true })
    const o = { paths: rig.paths, folder, from: 1, copyDatabase: null, reserveBytes: 0, disk: realTreeDisk }
    const leaves = (work: (dir: string) => void): Promise<unknown> =>
      rehearseMigration({
        ...o,
        migrate: dir => {
          rmSync(dir, { recursive: true })
          work(dir)
          return Promise.resolve()
        },
      })
    await t.rejects(
      leaves(dir => writeFileSync(dir, 'x')),
      { code: 'MIGRATE_FAILED' },
    )
    rmSync(join(folder, 'data'))
    await t.rejects(
      leaves(() => undefined),
      { code: 'MIGRATE_FAILED' },
    )
  })

  await t.test('the snapshot was removed by hand: the data is called what it is', async t => {
    const rig = await onTrial(t.testdir())
    await rig.start(v2, trialOf(v2))
    rmSync(rig.paths.backups, { recursive: true })
    rig.good(v1)
    await t.rejects(rig.start(v1, null), { code: 'DATA_NEWER' })
    t.match(rig.log.at(-1), 'ALARM the snapshot of data')
    rig.trial(v2, v1, 2)
    await rig.start(v2, trialOf(v2, 2))
    t.equal(rig.db, 'v1 1>2', 'and the release that made it can have it')
  })

  for (const [what, spoil] of [
    ['missing', (path: string) => rmSync(path)],
    ['cut', (path: string) => writeFileSync(path, '{"schema":1,"held":{"na')],
    ['another schema', (path: string) => writeFileSync(path, '{"held":7}')],
  ] as const) {
    await t.test(`data.json is ${what}: the app that runs says whose data it is`, async t => {
      const rig = await onTrial(t.testdir())
      await rig.start(v2, trialOf(v2))
      rig.good(v2)
      rig.settle()
      spoil(rig.paths.dataJournal)
      t.same(heldData(rig.paths), { name: 'till', dataVersion: 2 })
      rig.trial(v3, v2)
      await rig.start(v3, trialOf(v3))
      t.equal(rig.db, 'v1 1>2 2>3')
      rig.good(v2)
      await rig.start(v2, null)
      t.equal(rig.db, 'v1 1>2')
    })
  }

  await t.test('a pipe in data/ is no reason to refuse a release', async t => {
    const rig = await onTrial(t.testdir())
    const made = spawnSync(pipeMaker, [join(rig.paths.data, 'pipe')])
    await rig.start(v2, trialOf(v2))
    t.equal(rig.db, 'v1 1>2')
    if (made.status === 0) t.notOk(existsSync(join(rig.paths.backups, rig.backups[0] ?? '', 'pipe')))
  })

  await t.test('the size of a snapshot counts where the version rises', async t => {
    const rig = await onTrial(t.testdir())
    writeFileSync(join(rig.paths.data, 'big'), Buffer.alloc(1_000_000))
    t.equal(await copyBytes(rig.paths, v1, null), 0)
    const bytes = await copyBytes(rig.paths, v2, null)
    t.ok(bytes >= 1_000_000 && bytes < 1_100_000, `${bytes}`)
  })
})
