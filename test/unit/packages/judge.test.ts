// The judge, refusals first: every way in which a zip may be hostile or just another one than the contract says.
import { readdirSync, writeFileSync } from 'node:fs'
import { crc32, deflateRawSync } from 'node:zlib'
import AdmZip from 'adm-zip'
import t from 'tap'
import { codeOf, messageOf } from '../../../src/model/index.ts'
import { inspectPackage, judgeContents, judgePackage, packageLimits, sha256Hex, unpackPackage } from '../../../src/packages/index.ts'
import { app, attributesOf, buildZip, type Ending, manifest, manifestText, type Spec, withEntries } from '../../helpers/zip-builder.ts'

const judge = (bytes: Buffer): void => judgeContents(bytes, judgePackage(bytes))

function ruleOf(bytes: Buffer): string {
  try {
    judge(bytes)
    return 'accepted'
  } catch (error) {
    return codeOf(error) === 'PACKAGE_REJECTED' ? (/^[a-z0-9-]+(?=: )/.exec(messageOf(error))?.[0] ?? messageOf(error)) : codeOf(error)
  }
}

const plain = (path: string | Buffer, over: Partial<Spec> = {}): Buffer => withEntries({ path, data: 'x', ...over })
const ended = (ending: Ending): Buffer => buildZip([manifest(), app], ending)
const zeros = Buffer.alloc(1 << 20)
const utf8 = (hex: string): Buffer => Buffer.from(hex, 'hex')

const refusals: readonly (readonly [what: string, bytes: () => Buffer, rule: string])[] = [
  // zip slip and names
  ['parent at the start', () => plain('../evil'), 'path'],
  ['parents in the middle', () => plain('b/../../../evil'), 'path'],
  ['an absolute path', () => plain('/etc/cron.d/x'), 'path'],
  ['a drive', () => plain('c:\\x'), 'path'],
  ['a drive with a slash', () => plain('c:/x'), 'path'],
  ['backslashes', () => plain('b\\..\\evil'), 'path'],
  ['a UNC path', () => plain('\\\\srv\\x'), 'path'],
  ['NUL in a name', () => plain('b\0.js'), 'path'],
  ['a control character', () => plain('b\u001b[31m'), 'path'],
  ['a right-to-left override', () => plain('b\u202etxt.js'), 'path'],
  ['a stream of NTFS', () => plain('f:ads'), 'path'],
  ['a wildcard', () => plain('b*'), 'path'],
  ['an empty name', () => plain(''), 'path'],
  ['an empty part', () => plain('b//c'), 'path'],
  ['the part .', () => plain('b/./c'), 'path'],
  ['bytes that are no UTF-8', () => plain(utf8('62ff')), 'path-text'],
  ['overlong UTF-8', () => plain(utf8('c0ae2f78')), 'path-text'],
  ['a name that is not marked as UTF-8', () => plain('bü', { flags: 0 }), 'path-text'],
  ['Unicode form NFD', () => plain('bu\u0308'), 'path-text'],
  ['a part of 300 characters', () => plain('b'.repeat(300)), 'path-length'],
  ['a path of 1000 characters', () => plain(Array(10).fill('b'.repeat(99)).join('/')), 'path-length'],
  ['3000 levels', () => plain(`${'b/'.repeat(3000)}c`), 'path-length'],
  ['40 levels', () => plain(`${'b/'.repeat(40)}c`), 'path-depth'],
  ['a device name', () => plain('con'), 'reserved-name'],
  ['a device name with an extension', () => plain('lib/Aux.js'), 'reserved-name'],
  ['COM1 in superscript', () => plain('com¹'), 'reserved-name'],
  ['a device name with spaces before its extension', () => plain('lib/con  .txt'), 'reserved-name'],
  ['a device name as a folder', () => plain('nul/x'), 'reserved-name'],
  ['a folder with a dot at the end', () => plain('b./x'), 'reserved-name'],
  ['a dot at the end', () => plain('b.txt.'), 'reserved-name'],
  ['a space at the end', () => plain('b '), 'reserved-name'],
  // what belongs to the node
  ['a file under instance/', () => plain('instance/node.db'), 'protected'],
  ['a file under Instance/', () => buildZip([manifest(), { path: 'INSTANCE/x' }, app]), 'protected'],
  ['a file under certs/', () => plain('certs/node.key'), 'protected'],
  // collisions
  ['one name twice', () => plain('app.js'), 'collision'],
  ['shoal.json twice', () => plain('shoal.json'), 'collision'],
  ['two cases of a name', () => buildZip([manifest(), { path: 'App.js' }, app]), 'collision'],
  ['two cases of a folder', () => buildZip([manifest(), { path: 'Lib/a' }, app, { path: 'lib/b' }]), 'collision'],
  ['a file and a folder of one name', () => withEntries({ path: 'b' }, { path: 'b/c' }), 'collision'],
  ['a file in a file', () => plain('app.js/x'), 'collision'],
  // kinds of files
  ['a symlink', () => plain('link', { data: '../../instance', attributes: (0o120777 << 16) >>> 0 }), 'file-kind'],
  ['a device', () => plain('null', { attributes: (0o020644 << 16) >>> 0 }), 'file-kind'],
  ['a fifo', () => plain('pipe', { attributes: (0o010644 << 16) >>> 0 }), 'file-kind'],
  ['a folder', () => plain('lib/', { data: '', attributes: (0o040755 << 16) >>> 0 }), 'file-kind'],
  ['a folder by its name', () => plain('lib/', { data: '' }), 'file-kind'],
  ['a folder by DOS', () => plain('lib', { data: '', attributes: attributesOf(0o644) + 0x10 }), 'file-kind'],
  ['setuid', () => plain('b', { attributes: attributesOf(0o4755) }), 'mode'],
  ['world-writable', () => plain('b', { attributes: attributesOf(0o666) }), 'mode'],
  ['no mode', () => plain('b', { attributes: 0 }), 'file-kind'],
  ['made on DOS', () => plain('b', { madeBy: 0 }), 'made-by'],
  // form
  ['another time', () => plain('b', { time: 1 }), 'time'],
  ['another date', () => plain('b', { date: 0x5a21 }), 'time'],
  ['a data descriptor', () => plain('b', { flags: 0x0808 }), 'descriptor'],
  ['encryption', () => plain('b', { flags: 0x0801 }), 'encrypted'],
  ['an unknown flag', () => plain('b', { flags: 0x0900 }), 'flags'],
  ['bzip2', () => plain('b', { method: 12 }), 'method'],
  ['a version that nobody has', () => plain('b', { version: 99 }), 'version'],
  ['the version of zip64', () => plain('b', { version: 45 }), 'version'],
  ['the version of encryption', () => plain('b', { version: 51, local: { version: 20 } }), 'version'],
  ['version 0', () => plain('b', { version: 0 }), 'version'],
  ['another version in the local record', () => plain('b', { local: { version: 63 } }), 'version'],
  ['a version of another system', () => plain('b', { version: 0x0a14 }), 'version'],
  ['an extra field in the directory', () => plain('b', { extra: Buffer.alloc(4), local: { extra: Buffer.alloc(0) } }), 'extra-field'],
  ['an extra field in both', () => plain('b', { extra: Buffer.alloc(4) }), 'extra-field'],
  ['an extra field in the local record', () => plain('b', { local: { extra: Buffer.alloc(4) } }), 'extra-field'],
  ['a comment of an entry', () => plain('b', { comment: Buffer.from('hi') }), 'comment'],
  ['an entry on another disk', () => plain('b', { disk: 1 }), 'record'],
  ['another order', () => buildZip([manifest(), { path: 'b' }, app]), 'order'],
  ['shoal.json not the first', () => buildZip([app, manifest()]), 'first-entry'],
  ['no shoal.json', () => buildZip([app]), 'first-entry'],
  ['an empty zip', () => buildZip([]), 'first-entry'],
  // the three places disagree
  ['another name in the local record', () => plain('b', { local: { path: 'c' } }), 'local-differs'],
  ['a longer name in the local record', () => plain('b', { local: { path: 'bb' } }), 'local-differs'],
  ['another size in the local record', () => plain('b', { local: { size: 9 } }), 'local-differs'],
  ['another CRC in the local record', () => plain('b', { local: { crc: 9 } }), 'local-differs'],
  [
    'another method in the local record',
    () => plain('b', { local: { method: 8, raw: Buffer.from('x'), compressedSize: 1 } }),
    'local-differs',
  ],
  ['a stored file with two sizes', () => plain('b', { size: 5 }), 'stored-size'],
  ['too few entries announced', () => ended({ count: 1 }), 'count'],
  ['too many entries announced', () => ended({ count: 3 }), 'count'],
  ['two counts', () => ended({ here: 1 }), 'end-record'],
  ['several disks', () => ended({ disk: 1 }), 'end-record'],
  ['two entries with one content', () => withEntries({ path: 'b', data: 'export default () => ({})\n', offset: 0 }), 'layout'],
  ['a gap before the directory', () => ended({ gap: Buffer.alloc(7) }), 'layout'],
  ['a program before the zip', () => ended({ prefix: Buffer.from('#!/bin/sh\n') }), 'layout'],
  ['a directory at another place', () => ended({ directoryOffset: 3 }), 'layout'],
  ['bytes behind the zip', () => ended({ trailing: Buffer.from('more') }), 'trailing-bytes'],
  ['a second zip behind the zip', () => Buffer.concat([ended({}), withEntries({ path: 'b' })]), 'layout'],
  ['a comment', () => ended({ comment: Buffer.from('hello') }), 'comment'],
  ['a comment that is announced only', () => ended({ announcedComment: 5 }), 'end-record'],
  ['contents beyond the directory', () => plain('b', { compressedSize: 1e6, size: 1e6 }), 'layout'],
  ['a zip64 locator', () => ended({ beforeEnd: Buffer.concat([utf8('504b0607'), Buffer.alloc(16)]) }), 'zip64'],
  ['zip64 sizes', () => plain('b', { size: 0xffffffff, compressedSize: 0xffffffff }), 'zip64'],
  ['zip64 counts', () => ended({ count: 0xffff }), 'zip64'],
  // bombs
  ['1 MB that becomes 1 GB', () => plain('b', { method: 8, raw: Buffer.alloc(1 << 20), size: 1 << 30 }), 'unpacked-size'],
  [
    'many that become 1.5 GB',
    () => withEntries(...[...Array(7).keys()].map(n => ({ path: `b${n}`, method: 8, raw: Buffer.alloc(1 << 20), size: 220 << 20 }))),
    'unpacked-size',
  ],
  [
    '20 KB that become 20 MB',
    () => withEntries(...[...Array(20).keys()].map(n => ({ path: `b${String.fromCharCode(97 + n)}`, method: 8, data: zeros }))),
    'ratio',
  ],
  ['60,000 entries', () => buildZip([manifest(), ...[...Array(60_000).keys()].map(n => ({ path: `b${n}` }))]), 'count'],
  ['more than it says', () => plain('b', { method: 8, data: zeros, size: 10 }), 'contents'],
  ['less than it says', () => plain('b', { method: 8, raw: deflateRawSync('xx'), size: 3, crc: crc32('xx') }), 'contents'],
  ['a wrong CRC', () => plain('b', { crc: 1 }), 'contents'],
  ['a broken stream', () => plain('b', { method: 8, raw: Buffer.from('ffffff', 'hex') }), 'contents'],
  [
    'bytes hidden behind a stream',
    () => plain('b', { method: 8, raw: Buffer.concat([deflateRawSync('x'), Buffer.from('hidden')]) }),
    'contents',
  ],
  // the manifest
  ['a manifest that is no JSON', () => buildZip([{ path: 'shoal.json', data: '{' }, app]), 'manifest'],
  ['a manifest that is no UTF-8', () => buildZip([{ path: 'shoal.json', data: utf8('22ff22') }, app]), 'manifest'],
  ['a manifest of 100 KB', () => buildZip([manifest({ x: 'x'.repeat(100_000) }), app]), 'manifest'],
  [
    'a manifest that inflates to more than it says',
    () => buildZip([{ path: 'shoal.json', method: 8, data: zeros, size: 99 }, app]),
    'manifest',
  ],
  ['a manifest of another schema', () => buildZip([manifest({ schema: 2 }), app]), 'manifest'],
  ['a name with a path', () => buildZip([manifest({ name: '../../x' }), app]), 'manifest'],
  ['the name __proto__', () => buildZip([manifest({ name: '__proto__' }), app]), 'manifest'],
  ['a version with a path', () => buildZip([manifest({ version: '1.0.0/../x' }), app]), 'manifest'],
  ['engines that nobody can read', () => buildZip([manifest({ engines: { node: 'banana' } }), app]), 'manifest'],
  ['a strange platform', () => buildZip([manifest({ platform: 'x' }), app]), 'manifest'],
  ['an entry point that is missing', () => buildZip([manifest({ entry: 'main.js' }), app]), 'entry'],
  ['an entry point outside', () => buildZip([manifest({ entry: '../app.js' }), app]), 'entry'],
  // no zip
  ['nothing', () => Buffer.alloc(0), 'NOT_A_ZIP'],
  ['text', () => Buffer.from('hello '.repeat(1000)), 'NOT_A_ZIP'],
  ['a zip that was cut', () => plain('b').subarray(0, -10), 'NOT_A_ZIP'],
]

void t.test('each refusal names its rule', async t => {
  for (const [what, bytes, rule] of refusals) t.equal(ruleOf(bytes()), rule, what)
  t.ok(refusals.length >= 36)
})

void t.test('what the contract allows is accepted', async t => {
  t.equal(ruleOf(withEntries()), 'accepted')
  t.equal(ruleOf(plain('bin/run', { attributes: attributesOf(0o755) })), 'accepted', 'executable')
  t.equal(ruleOf(plain('b', { flags: 0 })), 'accepted', 'ASCII names need no mark')
  t.equal(ruleOf(plain('node_modules/x/instance/certs/a.pem', {})), 'accepted', 'instance/ deeper down is somebody else’s folder')
  t.equal(ruleOf(plain('b', { version: 10 })), 'accepted', 'as Info-ZIP marks what is stored')
  t.equal(ruleOf(plain('lib/console.txt', {})), 'accepted')
  for (const node of ['', '*', '>=20 <25 || ^18', '24.x - 26'])
    t.equal(ruleOf(buildZip([manifest({ engines: { node } }), app])), 'accepted', `engines ${node}`)
  t.equal(ruleOf(plain('bü/日本.txt', {})), 'accepted')
  t.equal(ruleOf(plain('inner.zip', { data: withEntries() })), 'accepted', 'a zip in a zip is a file like others')
  const judged = judgePackage(plain('b', { method: 8, data: 'x'.repeat(1000) }))
  t.match(judged.manifest, { name: 'shop', version: '1.0.0', dataVersion: 1, handover: 'exclusive', entry: 'app.js' })
  t.strictSame(
    judged.entries.map(e => [e.path, e.mode, e.method, e.size]),
    [
      ['shoal.json', 0o644, 0, manifestText().length],
      ['app.js', 0o644, 0, 26],
      ['b', 0o644, 8, 1000],
    ],
  )
  t.equal(judged.unpackedBytes, manifestText().length + 26 + 1000)
  t.throws(() => judgePackage(withEntries(), { ...packageLimits, maxBytes: 100 }), { code: 'PACKAGE_REJECTED' })
})

void t.test('bombs are refused at once and without the memory', async t => {
  const bomb = plain('b', { method: 8, raw: deflateRawSync(Buffer.alloc(200 << 20)), size: 200 << 20 })
  const before = process.memoryUsage().rss
  const start = performance.now()
  t.equal(ruleOf(bomb), 'ratio')
  t.ok(performance.now() - start < 1000)
  t.ok(process.memoryUsage().rss - before < bomb.length + (64 << 20))
})

void t.test('any damage of a good package is judged, never a crash', async t => {
  const good = withEntries({ path: 'b', method: 8, data: 'some text '.repeat(50) }, { path: 'c', data: 'more' })
  let x = 1
  const next = (below: number): number => {
    x = (x * 48271) % 0x7fffffff
    return x % below
  }
  const seen = new Set<string>()
  for (let n = 0; n < 2000; n++) {
    const bad = Buffer.from(good)
    for (let m = 0; m <= next(3); m++) bad[next(bad.length)] = next(256)
    const rule = ruleOf(next(10) === 0 ? bad.subarray(0, next(bad.length)) : bad)
    seen.add(rule)
  }
  t.strictSame(
    [...seen].filter(rule => !/^(?:[a-z0-9-]+|NOT_A_ZIP)$/.test(rule)),
    [],
  )
  t.ok(seen.size > 10)
})

void t.test('zips of a foreign tool are judged by the same rules', async t => {
  const zip = new AdmZip()
  zip.addFile('shoal.json', Buffer.from(manifestText()))
  zip.addFile('app.js', Buffer.from(app.data as string))
  t.equal(ruleOf(zip.toBuffer()), 'time', 'as it comes: the time of packing')
  for (const entry of zip.getEntries()) Object.assign(entry.header, { time: new Date(1980, 0, 1) })
  t.equal(ruleOf(zip.toBuffer()), 'first-entry', 'it sorts by name')
  const sorted = new AdmZip(undefined, { noSort: true })
  for (const { entryName, data } of [
    { entryName: 'shoal.json', data: manifestText() },
    { entryName: 'app.js', data: app.data as string },
  ]) {
    sorted.addFile(entryName, Buffer.from(data), '', 0o644)
    Object.assign(sorted.getEntry(entryName)!.header, { time: new Date(1980, 0, 1) })
  }
  t.equal(ruleOf(sorted.toBuffer()), process.platform === 'win32' ? 'made-by' : 'accepted', 'brought into the form it is a package')
})

void t.test('hostile files never reach a folder', async t => {
  const dir = t.testdir({ slots: {} })
  const file = `${dir}/x.zip`
  for (const [what, bytes] of refusals.filter(([what]) => ['parents in the middle', 'a symlink', 'a wrong CRC'].includes(what))) {
    writeFileSync(file, bytes())
    await t.rejects(unpackPackage(file, `${dir}/slots/a`, { expect: sha256Hex(bytes()) }), { code: 'PACKAGE_REJECTED' }, what)
  }
  await t.rejects(inspectPackage(file), { code: 'PACKAGE_REJECTED' })
  t.strictSame(readdirSync(`${dir}/slots`), [])
  t.strictSame(readdirSync(dir).sort(), ['slots', 'x.zip'])
})
