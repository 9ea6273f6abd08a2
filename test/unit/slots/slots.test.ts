import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parseDigest, ShoalError } from '../../../src/model/index.ts'
import {
  builtInCurrent,
  type Disk,
  type DiskSync,
  entryOf,
  freeBytes,
  homePaths,
  installBuiltIn,
  makeFolderSync,
  nodeBinaryOf,
  nodePackageName,
  removeSlot,
  sweepUnfinished,
  readCurrent,
  readSlotManifest,
  realDisk,
  realDiskSync,
  removeTree,
  renameDurable,
  renameDurableSync,
  slotDir,
  thisPlatform,
  verifySlot,
  writeCurrent,
  writeDurable,
  writeDurableSync,
} from '../../../src/slots/index.ts'

const failing = (code: string): never => {
  throw Object.assign(new Error(code), { code })
}

void t.test('a durable write replaces whole, keeps the mode it was given, leaves nothing beside', async t => {
  const dir = t.testdir({ file: 'old' })
  const path = join(dir, 'file')
  await writeDurable(path, 'new', 0o600)
  t.equal(readFileSync(path, 'utf8'), 'new')
  t.equal(statSync(path).mode & 0o777, 0o600)
  writeDurableSync(path, Buffer.from('newer'))
  t.equal(readFileSync(path, 'utf8'), 'newer')
  t.same(readdirSync(dir), ['file'])
})

void t.test('a rename over a file that is held open is tried again, in both forms', async t => {
  for (const code of ['EPERM', 'EBUSY', 'EACCES']) {
    const path = join(t.testdir({ file: 'old' }), 'file')
    const waited: number[] = []
    let left = 3
    const disk: Disk = {
      ...realDisk,
      rename: async (from, to) => (left-- > 0 ? failing(code) : realDisk.rename(from, to)),
      wait: async ms => waited.push(ms),
    }
    await writeDurable(path, 'new', 0o644, disk)
    t.same(waited, [10, 20, 30])
    left = 3
    const sync: DiskSync = {
      ...realDiskSync,
      rename: (from, to) => (left-- > 0 ? failing(code) : realDiskSync.rename(from, to)),
      wait: ms => void waited.push(ms),
    }
    writeDurableSync(path, 'newer', 0o644, sync)
    t.equal(waited.length, 6)
    t.equal(readFileSync(path, 'utf8'), 'newer')
    left = 3
    renameDurableSync(path, `${path}.aside`, sync)
    t.equal(waited.length, 9)
    t.equal(readFileSync(`${path}.aside`, 'utf8'), 'newer')
  }
})

void t.test('a rename that never works ends, and the old file and nothing else is there', async t => {
  const dir = t.testdir({ file: 'old' })
  const path = join(dir, 'file')
  let waits = 0
  const never = {
    rename: () => failing('EPERM'),
    wait: () => {
      waits++
    },
  }
  await t.rejects(writeDurable(path, 'new', 0o644, { ...realDisk, rename: async () => failing('EPERM'), wait: async () => waits++ }), {
    code: 'EPERM',
  })
  t.throws(() => writeDurableSync(path, 'new', 0o644, { ...realDiskSync, ...never }), { code: 'EPERM' })
  await t.rejects(renameDurable(path, join(dir, 'gone/there')), { code: 'ENOENT' })
  t.equal(waits, 24)
  t.equal(readFileSync(path, 'utf8'), 'old')
  t.same(readdirSync(dir), ['file'])
})

void t.test('a full disk is DISK_FULL at every step, the old file stays whole', async t => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    for (const at of ['writeNew', 'rename', 'syncFolder'] as const) {
      const dir = t.testdir({ file: 'old' })
      const path = join(dir, 'file')
      await t.rejects(writeDurable(path, 'new', 0o644, { ...realDisk, [at]: async () => failing(code) }), { code: 'DISK_FULL' })
      t.throws(() => writeDurableSync(path, 'new', 0o644, { ...realDiskSync, [at]: () => failing(code) }), { code: 'DISK_FULL' })
      if (at !== 'syncFolder') t.equal(readFileSync(path, 'utf8'), 'old')
      t.same(readdirSync(dir), ['file'])
    }
  }
  const broken = { ...realDiskSync, writeNew: () => failing('ENOSPC'), remove: () => failing('EIO') }
  t.throws(() => writeDurableSync(join(t.testdir(), 'x'), '', 0o644, broken), { code: 'DISK_FULL' }, 'the first error is told')
})

void t.test('the name of a new folder, and of those above it, is on the disk; a folder of others may refuse', t => {
  const dir = t.testdir()
  const synced: string[] = []
  makeFolderSync(join(dir, 'a/b/c'), 0o700, path => synced.push(path))
  t.same(synced, [join(dir, 'a/b'), join(dir, 'a'), dir])
  makeFolderSync(join(dir, 'a/b/c'), 0o700, path => synced.push(path))
  t.same(synced.slice(3), [join(dir, 'a/b')], 'who made it may have died before that')
  makeFolderSync(join(dir, 'd'), 0o700, () => failing('EACCES'))
  t.equal(statSync(join(dir, 'd')).mode & 0o777, 0o700)
  t.throws(() => makeFolderSync(join(dir, 'e'), 0o700, () => failing('ENOSPC')), { code: 'DISK_FULL' })
  t.end()
})

void t.test('free space and removing', async t => {
  const dir = t.testdir({ a: { b: { c: 'x' } } })
  t.ok((await freeBytes(dir)) > 0)
  await removeTree(join(dir, 'a'))
  await removeTree(join(dir, 'a'))
  t.notOk(existsSync(join(dir, 'a')))
})

const one = parseDigest('1'.repeat(64))
const two = parseDigest('2'.repeat(64))

void t.test('current.json: none, written, damaged in all ways', async t => {
  const home = t.testdir({ instance: { slots: {} } })
  const paths = homePaths(home)
  t.equal(readCurrent(home), null)
  t.equal(readCurrent(join(home, 'nowhere')), null)
  const current = { ...builtInCurrent(one), app: two }
  writeCurrent(home, current)
  t.same(readCurrent(home), current)
  for (const junk of ['', '{', 'null', '[]', '{"app":1}', randomBytes(200).toString('latin1'), ' '.repeat(70_000)]) {
    writeFileSync(paths.current, junk)
    t.same(readCurrent(home), current, 'its copy')
  }
  rmSync(paths.current)
  t.same(readCurrent(home), current)
  writeFileSync(paths.current, 'x')
  writeFileSync(paths.currentCopy, '')
  t.throws(() => readCurrent(home), { code: 'HOME_DAMAGED' })
  writeFileSync(paths.builtIn, `${one}\n`)
  t.same(readCurrent(home), { ...builtInCurrent(one), state: 'safe' }, 'which app ran nobody knows')
  writeFileSync(paths.builtIn, 'no digest')
  t.throws(() => readCurrent(home), { code: 'HOME_DAMAGED' })
  t.throws(() => writeCurrent(home, current, { ...realDiskSync, writeNew: () => failing('ENOSPC') }), { code: 'DISK_FULL' })
})

/** A small checkout: sources, a production package with one inside it, a dev package, one for another system, Node.js itself. */
function makeCheckout(top: string, packages: Record<string, object> = packagesOfCheckout): string {
  const carrier = `node_modules/${nodePackageName()}`
  const texts: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'shoal', version: '1.2.3', engines: { node: '>=24' } }),
    LICENSE: 'L',
    'src/entry.ts': 'e',
    'src/boot.js': 'b',
    'src/cli/main.ts': 'm',
    'instance/secret': 's',
    'certs/node.key': 'k',
    'test/x.ts': '',
    'node_modules/.bin/koa': 'x',
    'node_modules/.package-lock.json': JSON.stringify({ packages }),
    [`${carrier}/LICENSE`]: 'N',
    [`${carrier}/package.json`]: '{}',
    [`${carrier}/bin/node`]: 'binary',
    [`${carrier}/bin/npm`]: 'x',
    [`${carrier}/include/node.h`]: 'h',
  }
  for (const name of ['koa', 'koa/node_modules/inner', 'tap', 'both', 'elsewhere', 'not-here', 'not-there', 'stray']) {
    texts[`node_modules/${name}/package.json`] = '{}'
    texts[`node_modules/${name}/index.js`] = 'x'
  }
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(top, path)), { recursive: true })
    writeFileSync(join(top, path), text)
  }
  return top
}

const elsewhere = process.platform === 'win32' ? 'linux' : 'win32'
const packagesOfCheckout: Record<string, object> = {
  'node_modules/koa': {},
  'node_modules/koa/node_modules/inner': {},
  'node_modules/tap': { dev: true },
  'node_modules/both': { devOptional: true },
  'node_modules/elsewhere': { os: [elsewhere], optional: true },
  'node_modules/not-here': { os: [`!${process.platform}`] },
  'node_modules/not-there': { os: [`!${elsewhere}`], cpu: [process.arch] },
  'node_modules/left-out': { optional: true, os: [process.platform] },
  [`node_modules/${nodePackageName()}`]: { optional: true, os: [process.platform] },
}

const filesOf = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(e => e.isFile())
    .map(e => join(e.parentPath, e.name).slice(dir.length + 1))
    .sort()

void t.test('the built-in slot: what runs and nothing else, and the same program gives the same digest', async t => {
  const program = makeCheckout(t.testdir({}))
  const home = join(program, 'home')
  const digest = await installBuiltIn(home, program)
  const dir = slotDir(home, digest)
  const node = `node_modules/${nodePackageName()}`
  t.same(
    filesOf(dir),
    [
      'LICENSE',
      'files.json',
      'package.json',
      'shoal.json',
      'src/boot.js',
      'src/cli/main.ts',
      'src/entry.ts',
      ...['both', 'koa', 'koa/node_modules/inner', 'not-there'].flatMap(p => [
        `node_modules/${p}/index.js`,
        `node_modules/${p}/package.json`,
      ]),
      `${node}/LICENSE`,
      `${node}/bin/node`,
      `${node}/package.json`,
    ].sort(),
  )
  t.match(readSlotManifest(dir), {
    kind: 'shoal',
    name: 'shoal',
    version: '1.2.3',
    platform: thisPlatform(),
    entry: 'src/entry.ts',
    engines: { node: '>=24' },
  })
  t.equal(entryOf(dir), join(dir, 'src/entry.ts'))
  if (process.platform !== 'win32') t.equal(nodeBinaryOf(dir), join(dir, node, 'bin/node'))
  t.same(await verifySlot(dir), [])
  t.equal(statSync(join(dir, node, 'bin/node')).ino, statSync(join(program, node, 'bin/node')).ino, 'linked')
  t.not(statSync(join(dir, 'src/entry.ts')).ino, statSync(join(program, 'src/entry.ts')).ino, 'copied: somebody edits a checkout')
  t.equal(readFileSync(homePaths(home).builtIn, 'utf8').trim(), digest)
  t.equal(await installBuiltIn(home, program), digest, 'again')
  t.equal(await installBuiltIn(join(program, 'other'), dir), digest, 'from a slot')
  t.equal(await installBuiltIn(program, program), digest, 'a checkout is a home')
  t.equal(await installBuiltIn(program, program), digest, 'and stays one')
  t.equal(readFileSync(join(program, 'certs/node.key'), 'utf8'), 'k')
  t.same(readdirSync(homePaths(home).slots).sort(), [digest, 'builtin'].sort(), 'nothing half-made is left')
})

void t.test('a changed slot is seen, and made anew by the next install', async t => {
  const program = makeCheckout(t.testdir({}))
  const home = join(program, 'home')
  const digest = await installBuiltIn(home, program)
  const dir = slotDir(home, digest)
  writeFileSync(join(dir, 'src/entry.ts'), 'changed')
  writeFileSync(join(dir, 'src/added.ts'), '')
  rmSync(join(dir, 'src/boot.js'))
  chmodSync(join(dir, 'src/cli/main.ts'), 0o755)
  const problems = (await verifySlot(dir)).join('\n')
  for (const each of [/src\/entry\.ts: sha256 is \w+, files\.json says/, /src\/added\.ts: is not in/, /src\/boot\.js: is missing/])
    t.match(problems, each)
  if (process.platform !== 'win32') t.match(problems, /src\/cli\/main\.ts: mode is 0755, files\.json says 0644/)
  t.equal(await installBuiltIn(home, program), digest)
  t.same(await verifySlot(dir), [])
  writeFileSync(join(dir, 'files.json'), '{')
  await t.rejects(verifySlot(dir), { code: 'HOME_DAMAGED' })
  t.equal(await installBuiltIn(home, program), digest)
})

void t.test('what is no program makes no slot', async t => {
  const home = t.testdir({ empty: {} })
  await t.rejects(installBuiltIn(home, join(home, 'empty')), { code: 'HOME_DAMAGED' })
  const program = makeCheckout(t.testdir({}), { 'node_modules/lost': {} })
  await t.rejects(installBuiltIn(join(program, 'home'), program), { code: 'HOME_DAMAGED' }, 'a package is missing')
  t.notOk(existsSync(join(program, 'home/instance')), 'nothing was written')
  t.throws(() => readSlotManifest(program), ShoalError)
  t.equal(nodeBinaryOf(dirname(program)), null)
})

void t.test('what killed writers left beside files is swept; what a living one writes is not', async t => {
  const dead = spawnSync(process.execPath, ['-e', '0']).pid
  const living = [`a.${process.pid}.0123abcd.tmp`, `b.${process.ppid}.tmp`, 'mine.tmp', `c.${dead}.tmp.txt`, 'web.json']
  const left = [`config.json.${dead}.0123abcd.tmp`, `web.json.${dead}.tmp`]
  const dir = t.testdir(Object.fromEntries([...living, ...left].map(name => [name, 'half'])))
  await sweepUnfinished([dir, join(dir, 'none')])
  t.same(readdirSync(dir).sort(), living.toSorted())
})

void t.test('a slot goes whole, and never one that current.json names', async t => {
  const digest = (n: number) => parseDigest(String(n).repeat(64))
  const slot = () => ({ 'shoal.json': '{}' })
  const names = [1, 2, 3, 4, 5, 7, 6].map(digest)
  const home = t.testdir({
    instance: { slots: { ...Object.fromEntries(names.map(n => [n, slot()])), '.new-1': slot(), '.new-2': slot(), '.gone-x': slot() } },
  })
  const { slots } = homePaths(home)
  writeCurrent(home, {
    ...builtInCurrent(digest(1)),
    app: digest(2),
    previous: { app: digest(3), shoal: digest(4) },
    supervisor: digest(7),
  })
  for (const each of [1, 2, 3, 4, 7]) await t.rejects(removeSlot(home, digest(each)), { code: 'CONFLICT' })
  for (const each of [digest(6), '.new-1', '.gone-x', digest(8)]) await removeSlot(home, each).catch(() => undefined)
  t.same(
    readdirSync(slots)
      .filter(name => !name.startsWith('current'))
      .sort(),
    ['.new-2', ...names.slice(0, 6)],
  )
})

void t.test('threads keep compiled code where their process does, and get nothing else of its environment', t => {
  const cache = t.testdir()
  const module = new URL('../../../src/slots/thread-environment.ts', import.meta.url).href
  const program = `import('${module}').then(m => console.log(JSON.stringify(m.threadEnvironment())))`
  const inProcess = (env: NodeJS.ProcessEnv): unknown =>
    JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }))
  t.same(inProcess({ NODE_COMPILE_CACHE: cache, SECRET: 'x' }), { NODE_COMPILE_CACHE: cache })
  t.same(inProcess({ SECRET: 'x' }), {})
  t.end()
})
