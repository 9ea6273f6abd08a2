// Unpacking into slots and the package files of a node, with what goes wrong on the way: cuts, full disks, wrong bytes, kills.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Digest, parseBlockmap, parseDigest } from '../../../src/model/index.ts'
import { comparePackage, packageLimits, PackageStore, sha256Hex, unpackPackage } from '../../../src/packages/index.ts'
import { shadowingOf } from '../../../src/packages/shadowing.ts'
import { withSmallDisk } from './small-disk.ts'
import { app, attributesOf, buildZip, manifest, type Spec, withEntries } from '../../helpers/zip-builder.ts'

const bigFiles: readonly Spec[] = Array.from({ length: 40 }, (_, n) => ({
  path: `b${String(n).padStart(2, '0')}`,
  data: `${n} `.repeat(30_000),
}))

function put(dir: string, bytes: Buffer): { file: string; digest: Digest } {
  const file = join(dir, 'package.zip')
  writeFileSync(file, bytes)
  return { file, digest: sha256Hex(bytes) }
}

void t.test('a slot appears whole, read-only, once', async t => {
  const dir = t.testdir({ slots: {} })
  const { file, digest } = put(
    dir,
    withEntries(
      { path: 'bin/run', data: '#!/bin/sh\n', attributes: attributesOf(0o755) },
      { path: 'c/d/e.txt', method: 8, data: 'x'.repeat(100_000) },
    ),
  )
  const into = join(dir, 'slots', digest)
  const manifest = await unpackPackage(file, into, { expect: digest })
  t.match(manifest, { name: 'shop', version: '1.0.0', entry: 'app.js' })
  t.strictSame(readdirSync(into).sort(), ['app.js', 'bin', 'c', 'shoal.json'])
  t.equal(readFileSync(join(into, 'c/d/e.txt'), 'utf8'), 'x'.repeat(100_000))
  t.equal(statSync(join(into, 'bin/run')).mode & 0o777, 0o555)
  t.equal(statSync(join(into, 'app.js')).mode & 0o777, 0o444)
  const before = statSync(into).ino
  t.strictSame(await unpackPackage(file, into, { expect: digest }), manifest, 'there already and the same: done')
  t.equal(statSync(into).ino, before)
  t.strictSame(readdirSync(join(dir, 'slots')), [digest], 'nothing beside it')
})

void t.test('a slot that differs is not taken for the package', async t => {
  const dir = t.testdir({ slot: { 'app.js': 'other', 'shoal.json': '{}' } })
  const { file, digest } = put(dir, withEntries())
  await t.rejects(unpackPackage(file, join(dir, 'slot'), { expect: digest }), { code: 'CONFLICT' })
  t.equal(readFileSync(join(dir, 'slot/app.js'), 'utf8'), 'other', 'and it is untouched')
})

void t.test('what an app wrote beside the files of its package is no difference, unless Node.js finds it first', async t => {
  const dir = t.testdir({})
  const { file, digest } = put(dir, withEntries({ path: 'lib/x.json', data: '{}' }, { path: 'node_modules/y/index.js', data: '' }))
  const slot = join(dir, 'slot')
  await unpackPackage(file, slot, { expect: digest })
  for (const name of ['cache.tmp', 'lib/y.js']) writeFileSync(join(slot, name), 'written')
  mkdirSync(join(slot, 'node_modules/.cache'))
  writeFileSync(join(slot, 'node_modules/.cache/z'), 'written')
  await unpackPackage(file, slot, { expect: digest })
  const found = await comparePackage(file, slot, digest)
  t.match(found, { changed: [], extras: 3 })
  t.same(found.extra.toSorted(), ['cache.tmp', 'lib/y.js', 'node_modules/.cache/z'])
  writeFileSync(join(slot, 'lib/x.js'), 'in front of x.json')
  t.match(await comparePackage(file, slot, digest), { changed: ['lib/x.js'], extras: 3 })
  await t.rejects(unpackPackage(file, slot, { expect: digest }), { code: 'CONFLICT', message: /lib\/x\.js/ })
})

void t.test('which names Node.js would find in the place of a file of the package', t => {
  const isShadowing = shadowingOf(['index.js', 'a.json', 'b.node', 'lib/index.json', 'lib/deep/c.mjs', 'node_modules/d/index.js', 'noext'])
  const rows: readonly (readonly [path: string, isShadowing: boolean])[] = [
    ['index', true],
    ['a', true],
    ['a.js', true],
    ['a.node', false],
    ['b.json', true],
    ['lib.js', true],
    ['lib.node', true],
    ['lib.mjs', false],
    ['lib/index', true],
    ['lib/index.js', true],
    ['lib/index.node', false],
    ['lib/deep', true],
    ['lib/deep.json', true],
    ['lib/deep/c', false],
    ['noext.js', false],
    ['package.json', true],
    ['lib/package.json', true],
    ['uploads/package.json', false],
    ['node_modules/e/index.js', true],
    ['lib/node_modules/d/index.js', true],
    ['node_modules', true],
    ['node_modules/.cache/babel/package.json', false],
    ['uploads/photo.js', false],
    ['data.sqlite', false],
  ]
  for (const [path, expected] of rows) t.equal(isShadowing(path), expected, path)
  t.end()
})

void t.test('what must not be unpacked leaves nothing', async t => {
  const dir = t.testdir({ slots: {}, elsewhere: {} })
  const { file, digest } = put(dir, withEntries(...bigFiles))
  const into = join(dir, 'slots', 'a')
  const nothingLeft = (what: string): void => void t.strictSame(readdirSync(join(dir, 'slots')), [], what)
  await t.rejects(unpackPackage(file, into, { expect: parseDigest('0'.repeat(64)) }), { code: 'DIGEST_MISMATCH' })
  nothingLeft('another digest')
  await t.rejects(unpackPackage(file, into, { expect: digest, maxBytes: 1000 }), { code: 'PACKAGE_REJECTED' })
  nothingLeft('too large')
  await t.rejects(unpackPackage(file, into, { expect: digest, reserveBytes: 2 ** 50 }), { code: 'DISK_FULL' })
  nothingLeft('no room beside the reserve')
  mkdirSync(join(dir, 'native'))
  const native = put(join(dir, 'native'), buildZip([manifest({ engines: { abi: '127' } }), app]))
  await t.rejects(unpackPackage(native.file, into, { expect: native.digest, abi: '137' }), { code: 'ENGINE_UNSUPPORTED' })
  await t.rejects(unpackPackage(file, into, { expect: digest, signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
  nothingLeft('stopped before')
  const stop = new AbortController()
  const running = unpackPackage(file, into, { expect: digest, signal: stop.signal })
  setImmediate(() => stop.abort(new Error('enough')))
  await t.rejects(running, { message: 'enough' })
  nothingLeft('stopped in the middle')
  symlinkSync(join(dir, 'elsewhere'), join(dir, 'slots', '.a.unpacking'))
  await unpackPackage(file, into, { expect: digest })
  t.strictSame(readdirSync(join(dir, 'elsewhere')), [], 'a link in the way is removed, never followed')
  t.ok(lstatSync(into).isDirectory())
  await t.rejects(unpackPackage(join(dir, 'nothing.zip'), into, { expect: digest }), { code: 'NOT_FOUND' })
})

void t.test('a kill in the middle leaves no slot, and the next try succeeds', async t => {
  const dir = t.testdir({ slots: {} })
  const { file, digest } = put(
    dir,
    withEntries(...Array.from({ length: 3000 }, (_, n) => ({ path: `b${String(n).padStart(4, '0')}`, data: 'x'.repeat(200) }))),
  )
  const into = join(dir, 'slots', digest)
  const index = new URL('../../../src/packages/index.ts', import.meta.url).href
  const script = `import { unpackPackage } from ${JSON.stringify(index)}; await unpackPackage(process.argv[1], process.argv[2], { expect: process.argv[3] })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, file, into, digest], { stdio: 'ignore', env: {} })
  const exited = once(child, 'exit')
  const temp = join(dir, 'slots', `.${digest}.unpacking`)
  while (child.exitCode === null && !(existsSync(temp) && readdirSync(temp).length > 50))
    await new Promise(resolve => setImmediate(resolve))
  child.kill('SIGKILL')
  await exited
  t.notOk(existsSync(into))
  await unpackPackage(file, into, { expect: digest })
  t.equal(readdirSync(into).length, 3002)
  t.strictSame(readdirSync(join(dir, 'slots')), [digest])
})

void t.test('a full disk is said, and leaves nothing behind', async t => {
  await withSmallDisk(t, async dir => {
    const { file, digest } = put(t.testdir(), withEntries(...bigFiles))
    await t.rejects(unpackPackage(file, join(dir, 'a'), { expect: digest }), { code: 'DISK_FULL' })
    t.strictSame(readdirSync(dir), [])
    const store = await PackageStore.open({ dir: join(dir, 'packages'), inbox: join(dir, 'inbox'), reserveBytes: 0 })
    await t.rejects(store.receive(chunksOf(readFileSync(file))), { code: 'DISK_FULL' })
    await t.rejects(
      store.receive(chunksOf(readFileSync(file)), { announcedBytes: 3 << 20 }),
      { code: 'DISK_FULL' },
      'before the first byte',
    )
    t.strictSame(readdirSync(join(dir, 'inbox')), [])
    const reserving = await PackageStore.open({ dir: join(dir, 'packages'), inbox: join(dir, 'inbox'), reserveBytes: 10 << 20 })
    await t.rejects(reserving.receive(chunksOf(withEntries())), { code: 'DISK_FULL', message: /reserve of 10485760/ })
    await t.rejects(reserving.requireSpace(1), { code: 'DISK_FULL' })
  })
})

async function* chunksOf(bytes: Buffer, size = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const openStore = (dir: string): Promise<PackageStore> =>
  PackageStore.open({ dir: join(dir, 'packages'), inbox: join(dir, 'inbox'), reserveBytes: 0 })

void t.test('an upload becomes a package when all of it is right', async t => {
  const dir = t.testdir()
  const store = await openStore(dir)
  const bytes = withEntries(...bigFiles)
  const digest = sha256Hex(bytes)
  const received = await store.receive(chunksOf(bytes), { expect: digest })
  t.match(received, { digest, size: bytes.length, manifest: { name: 'shop' } })
  t.ok(store.has(digest))
  t.equal(store.size(digest), bytes.length)
  t.strictSame(store.list(), [digest])
  const text = await store.blockmap(digest)
  t.equal(sha256Hex(text!), received.blockmap)
  t.equal(parseBlockmap(text!).size, bytes.length)
  t.ok(readFileSync(store.path(digest)).equals(bytes))
  const again = await openStore(dir)
  t.strictSame(again.list(), [digest], 'found again by the next process')
  await again.remove(digest)
  await again.remove(digest)
  t.strictSame(readdirSync(join(dir, 'packages')), [])
  t.equal(await again.blockmap(digest), null)
})

void t.test('uploads that are refused leave nothing', async t => {
  const dir = t.testdir()
  const store = await openStore(dir)
  const bytes = withEntries()
  async function* broken(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 50)
    throw new Error('connection lost')
  }
  const cases: readonly (readonly [string, () => Promise<unknown>, { code: string } | { message: string }])[] = [
    ['too large', () => store.receive(chunksOf(bytes), { maxBytes: 100 }), { code: 'TOO_LARGE' }],
    ['too large as announced', () => store.receive(chunksOf(bytes), { maxBytes: 100, announcedBytes: 101 }), { code: 'TOO_LARGE' }],
    ['another digest', () => store.receive(chunksOf(bytes), { expect: parseDigest('0'.repeat(64)) }), { code: 'DIGEST_MISMATCH' }],
    ['no zip', () => store.receive(chunksOf(Buffer.from('hello'))), { code: 'NOT_A_ZIP' }],
    ['a hostile zip', () => store.receive(chunksOf(withEntries({ path: '../x' }))), { code: 'PACKAGE_REJECTED' }],
    ['nothing', () => store.receive(chunksOf(Buffer.alloc(0))), { code: 'NOT_A_ZIP' }],
    ['a cut', () => store.receive(broken()), { message: 'connection lost' }],
    ['a stop', () => store.receive(chunksOf(bytes), { signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' }],
  ]
  for (const [what, run, error] of cases) {
    await t.rejects(run(), error, what)
    t.strictSame([...readdirSync(join(dir, 'inbox')), ...readdirSync(join(dir, 'packages'))], [], what)
  }
  t.equal(packageLimits.maxBytes, 256 << 20)
})

void t.test('what one upload has announced the next one does not get', async t => {
  const dir = t.testdir({})
  const { bavail, bsize } = statfsSync(dir)
  const store = await openStore(dir)
  const half = Math.floor((bavail * bsize) / 2)
  let go: () => void = () => undefined
  const gate = new Promise<void>(resolve => (go = resolve))
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('P')
    await gate
  }
  const first = store.receive(slow(), { announcedBytes: half, maxBytes: half })
  while (readdirSync(join(dir, 'inbox')).length === 0) await new Promise(resolve => setImmediate(resolve))
  await store.requireSpace(Math.floor(half / 2))
  await t.rejects(store.requireSpace(half + (200 << 20)), { code: 'DISK_FULL' })
  go()
  await t.rejects(first, { code: 'NOT_A_ZIP' })
  t.equal(store.underWay().size, 0)
  t.throws(() => store.requireBelow(100, 101), { code: 'DISK_FULL' })
  store.requireBelow(0, 2 ** 40)
})

void t.test('what a killed process left is removed at the next start', async t => {
  const digest = 'a'.repeat(64)
  const dir = t.testdir({
    inbox: { 'upload-1': 'half', 'other.zip': 'somebody’s' },
    packages: { [`${digest}.blockmap.77.abcd.tmp`]: 'half', [`${digest}.part`]: 'kept' },
  })
  const store = await openStore(dir)
  t.strictSame(readdirSync(join(dir, 'inbox')), ['other.zip'])
  t.strictSame(readdirSync(join(dir, 'packages')), [`${digest}.part`])
  t.strictSame(await store.parts(), [parseDigest(digest)])
  t.strictSame(store.list(), [])
})

void t.test('a part knows what is right in it by hashing', async t => {
  const dir = t.testdir()
  const store = await openStore(dir)
  const bytes = withEntries(...bigFiles)
  const { blockmapText, digest } = await (await openStore(join(dir, 'other'))).receive(chunksOf(bytes))
  const blockmap = parseBlockmap(blockmapText)
  const at = (n: number): Buffer => bytes.subarray(blockmap.segments[n]![0], blockmap.segments[n]![0] + blockmap.segments[n]![1])
  const part = await store.openPart(digest, blockmap)
  t.equal(await part.write(0, Buffer.concat([at(0), at(1), at(2)])), 3)
  t.equal(await part.write(5, Buffer.concat([at(5), Buffer.alloc(at(6).length)])), 1, 'up to the first wrong one')
  t.equal(await part.write(7, at(7).subarray(1)), 0)
  t.ok(part.isVerified(5) && !part.isVerified(6) && !part.isComplete)
  const end2 = blockmap.segments[3]![0]
  t.ok(part.covers(0, end2 - 1))
  t.notOk(part.covers(0, end2))
  await t.rejects(store.openPart(digest, blockmap), { code: 'CONFLICT' })
  await store.closePart(digest)
  appendFileSync(join(dir, 'packages', `${digest}.part`), 'more than there should be')
  const resumed = await store.openPart(digest, blockmap)
  t.strictSame(
    [0, 1, 2, 3, 5, 6].map(n => resumed.isVerified(n)),
    [true, true, true, false, true, false],
  )
  await t.rejects(store.adoptPart(digest), { code: 'DIGEST_MISMATCH' }, 'a part is no package')
  t.strictSame(readdirSync(join(dir, 'packages')), [])
  const whole = await store.openPart(digest, blockmap)
  await whole.write(0, bytes)
  t.ok(whole.isComplete)
  await store.adoptPart(digest)
  t.ok(readFileSync(store.path(digest)).equals(bytes))
  t.equal(await store.blockmap(digest), blockmapText)
})
