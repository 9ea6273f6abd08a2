/** What apps leave in data/ that is not as one would make it: folders that may not be written to. As an ordinary user, since root may do all. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { realTreeDisk } from '../../../src/data/index.ts'
import { isWindows, removeTree } from '../../../src/slots/index.ts'
import { picture, release, Rig, trialOf } from './rig.ts'

const v1 = release('1', 1)
const v2 = release('2', 2)
const isRoot = process.geteuid?.() === 0
const nobody = 65_534

/** Gives all of it to an ordinary user, and is one meanwhile. */
async function asOrdinaryUser(home: string, work: () => Promise<void>): Promise<void> {
  if (!isRoot) return work()
  for (const path of ['', ...readdirSync(home, { recursive: true, encoding: 'utf8' })]) lchownSync(join(home, path), nobody, nobody)
  process.seteuid?.(nobody)
  try {
    await work()
  } finally {
    process.seteuid?.(0)
  }
}

void t.test('a folder that its owner may not write to', { skip: isWindows }, async t => {
  const withArchive = (t: Test, work: (rig: Rig) => Promise<void>): Promise<void> => {
    const rig = new Rig(t.testdir(), v1, [v2]).fill()
    return asOrdinaryUser(rig.paths.home, async () => {
      mkdirSync(join(rig.paths.data, 'archive/2025'), { recursive: true })
      writeFileSync(join(rig.paths.data, 'archive/2025/a'), '1')
      for (const name of ['archive/2025', 'archive']) chmodSync(join(rig.paths.data, name), 0o555)
      await rig.start(v1, null)
      rig.trial(v2, v1)
      await work(rig)
      await removeTree(rig.paths.instance)
      t.notOk(existsSync(rig.paths.instance))
    })
  }

  await t.test('the way back over a migration, byte for byte and mode for mode', t =>
    withArchive(t, async rig => {
      const before = picture(rig.paths.data)
      await rig.start(v2, trialOf(v2))
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      const kept = join(rig.paths.backups, dirname(rig.backups[0] ?? ''), 'after/archive')
      t.equal(lstatSync(kept).mode & 0o777, 0o555, 'what the new release had has its mode too')
    }),
  )

  await t.test('data/ itself: migrate() took the right to write', t =>
    withArchive(t, async rig => {
      const before = picture(rig.paths.data)
      await rig.start(v2, trialOf(v2))
      chmodSync(rig.paths.data, 0o500)
      rig.good(v1)
      await rig.start(v1, null)
      t.same(picture(rig.paths.data), before)
      t.equal(lstatSync(rig.paths.data).mode & 0o777, 0o500)
    }),
  )

  await t.test('a copy is removed whole', t =>
    withArchive(t, async rig => {
      await realTreeDisk.removeTree(join(rig.paths.data, 'archive'))
      t.notOk(readdirSync(rig.paths.data).includes('archive'))
      await removeTree(join(rig.paths.data, 'archive'))
    }),
  )
})

void t.test('a folder of another user that cannot be put back is named before anything moves', { skip: !isRoot }, async t => {
  const rig = new Rig(t.testdir(), v1, [v2]).fill()
  const theirs = join(rig.paths.data, 'theirs')
  chmodSync(rig.paths.data, 0o755)
  mkdirSync(theirs)
  const module = new URL('../../../src/data/tree.ts', import.meta.url).href
  const program = `import { requireMovable } from ${JSON.stringify(module)}
    await requireMovable(process.argv[1]).then(() => console.log('movable'), error => console.log(error.code, error.message))`
  const asked = (): string => {
    // Options of this process for its own parts are none of the child's.
    const options = { uid: nobody, gid: nobody, encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'] } } as const
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, rig.paths.data], options)
    return stdout + stderr
  }
  for (const path of readdirSync(rig.paths.data)) if (path !== 'theirs') rmSync(join(rig.paths.data, path), { recursive: true })
  t.match(asked(), `NOT_WRITABLE ${theirs}: `)
  chmodSync(theirs, 0o777)
  t.match(asked(), /^movable/)
})
