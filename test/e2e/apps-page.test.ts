/** docs/apps.md and the README: what they show of an app is packed, deployed to a real node, and asked. Frameworks are the real ones, with all that they need. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ask, nobody } from './ask.ts'
import { must, TestFleet } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

const page = readFileSync('docs/apps.md', 'utf8')
const move = page.slice(page.indexOf('## Move an existing app'), page.indexOf('## What the node gives'))
const readme = /^```js\n(.*?)^```/ms.exec(readFileSync('README.md', 'utf8'))?.[1] ?? ''
const ofPage = [...page.matchAll(/^(?:(\w+)[^\n]*:\n)?```js\n(.*?)^```/gms)].map(([, name = 'first', code = '']) => ({ name, code }))

const readJson = (file: string): Json => JSON.parse(readFileSync(file, 'utf8'))
const snippets = [{ name: 'README', code: readme }, ...ofPage]

/** Where a package that is needed in `from` lies; null: in none of the folders above it. */
function folderOf(name: string, from: string): string | null {
  const here = join(from, 'node_modules', name)
  if (existsSync(here)) return here
  return from === dirname(from) ? null : folderOf(name, dirname(from))
}

/** Copies a package and all that it needs, as an installation without devDependencies would have put them. */
function install(name: string, app: string): void {
  const wanted: [name: string, from: string, into: string][] = [[name, process.cwd(), app]]
  for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
    const [each, from, into] = next
    const source = folderOf(each, from)
    if (source === null) continue // optional, and not on this machine
    // Where the checkout has it on top the app has it there too; else it is the other version that one package alone wants.
    const isOnTop = source === join(process.cwd(), 'node_modules', each)
    const target = join(isOnTop ? app : into, 'node_modules', each)
    if (existsSync(target)) continue
    cpSync(source, target, { recursive: true, filter: path => !path.slice(source.length).includes('node_modules') })
    for (const more of Object.keys(readJson(join(source, 'package.json')).dependencies ?? {})) wanted.push([more, source, target])
  }
}

void t.test('every app that docs/apps.md shows runs as it stands there', { timeout: 280_000 }, async t => {
  t.same(
    snippets.map(s => s.name),
    ['README', 'first', 'Express', 'Fastify', 'Koa', 'Plain'],
  )
  t.match(move, /"shoal": \{ "app": "shoal\.js" \}/, 'the entry has the name that the page gives it')
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  for (const [at, { name, code }] of snippets.entries()) {
    const app = join(fleet.dir, `page-${name}`)
    mkdirSync(app)
    const dependency = /^import \w+ from '([\w-]+)'$/m.exec(code)?.[1]
    const dependencies = dependency === undefined ? {} : { [dependency]: readJson(`node_modules/${dependency}/package.json`).version }
    const shoal = { app: 'shoal.js', probation: { seconds: 1 } }
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'till', version: `1.${at}.0`, type: 'module', dependencies, shoal }))
    writeFileSync(join(app, 'shoal.js'), code)
    if (dependency !== undefined) install(dependency, app)
    await must(fleet.deploy(node, app))
    const hello = await ask(node, nobody, '/')
    const says = name === 'README' ? `hello from box-1, version 1.${at}.0` : 'hello from box-1'
    t.same([hello.status, hello.bytes.toString()], [200, says], name)
    if (name === 'README' || name === 'first') continue
    const order = { cup: 1, of: 'tea' }
    const taken = await ask(node, nobody, '/orders', { body: order })
    t.same([taken.status, taken.json], [201, order], `${name}: a body goes in, and JSON comes out`)
  }
})
