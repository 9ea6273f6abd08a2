/**
 * `npm run bench:transfer`: bytes that a deployment moves between real nodes on loopback: a package whole, then its next version. An app of
 * libraries of npm's, and the same with what changes between two releases: a library's next version, edits in small files and in the middle of
 * a large one, files added and removed. Beside it rsync on the same tree, where there is one. `--nodes N`.
 */
import { execFile } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { ask, tokenOf } from '../e2e/ask.ts'
import { must, operator, TestFleet, type TestNode } from '../e2e/fleet.ts'
import { largest, median, table } from './figures.ts'
import { bench } from './teardowns.ts'
import type { Json } from '../helpers/json.ts'

const run = promisify(execFile)
const libraries = [
  'koa@3.3.0',
  'express@5.2.1',
  'react@19.2.0',
  'react-dom@19.2.0',
  'typescript@5.9.3',
  'lodash@4.17.20',
  'axios@1.13.2',
  'zod@4.1.12',
  'rxjs@7.8.2',
]
const nextLibrary = 'lodash@4.17.21'
const entry = `export default host => ({ handler: (req, res) => res.end(host.version) })\n`

async function install(dir: string, packages: readonly string[]): Promise<void> {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  await run(npm, ['install', '-E', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], { cwd: dir, timeout: 300_000 })
}

function setVersion(dir: string, version: string): void {
  const path = join(dir, 'package.json')
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), version }, null, 2))
}

async function makeFirst(dir: string): Promise<void> {
  mkdirSync(join(dir, 'lib'), { recursive: true })
  const pkg = { name: 'bench', version: '1.0.0', type: 'module', shoal: { app: 'index.js', probation: { seconds: 0 } } }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(pkg))
  writeFileSync(join(dir, 'index.js'), entry)
  const words = (seed: number, count: number): string =>
    Array.from({ length: count }, (_, n) => ((n * 2654435761 + seed * 40503) % 99991).toString(36)).join(' ')
  for (let n = 0; n < 40; n++) writeFileSync(join(dir, 'lib', `small-${n}.js`), `// ${words(n, 300)}\n`)
  writeFileSync(join(dir, 'lib', 'large.txt'), words(99, 260_000).slice(0, 1_000_000))
  await install(dir, libraries)
}

async function makeSecond(from: string, dir: string): Promise<void> {
  cpSync(from, dir, { recursive: true, preserveTimestamps: true })
  for (let n = 0; n < 20; n++) appendFileSync(join(dir, 'lib', `small-${n}.js`), `export const added${n} = ${n}\n`)
  for (let n = 20; n < 25; n++) rmSync(join(dir, 'lib', `small-${n}.js`))
  for (let n = 100; n < 110; n++) writeFileSync(join(dir, 'lib', `small-${n}.js`), `export const fresh = ${n}\n`.repeat(20))
  const large = readFileSync(join(dir, 'lib', 'large.txt'), 'utf8')
  writeFileSync(join(dir, 'lib', 'large.txt'), `${large.slice(0, 500_000)} edited here ${large.slice(500_000)}`)
  await install(dir, [nextLibrary])
  setVersion(dir, '2.0.0')
}

interface Moved {
  readonly release: string
  readonly sizeBytes: number
  readonly initiator: number
  readonly perNode: readonly number[]
  readonly holdMs: number
}

/** Bytes that the node's worker has written so far, to sockets above all: TLS and HTTP included, and its log and database. Linux alone tells. */
const sentBy = (node: TestNode): number => Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${node.pids().at(-1)}/io`, 'utf8'))?.[1] ?? NaN)

/** Publishes and orders at the first node; what each node had fetched and served when all have it. */
async function deploy(nodes: readonly TestNode[], zip: string, version: string): Promise<Moved> {
  const [first] = nodes as [TestNode]
  await must(first.cli(['publish', zip, '--operator', operator, '--json']))
  const before = sentBy(first)
  const begun = performance.now()
  const done = first.cli(['rollout', 'start', `bench@${version}`, '--operator', operator, '--soak', '0s', '--wait', '--json'], {
    timeoutMs: 400_000,
  })
  // A node forgets what it fetched when its worker changes: so its status is looked at all the time.
  const fetched = new Map<string, number>()
  let holdMs = NaN
  while (Number.isNaN(holdMs) && performance.now() - begun < 300_000) {
    const seen = await ask(first, tokenOf(first), 'nodes').catch(() => null)
    for (const { id, self, bytes } of (seen?.json?.nodes ?? []) as Json[])
      if (!self) fetched.set(id, Math.max(fetched.get(id) ?? 0, bytes.fetched))
    const list = await ask(first, tokenOf(first), 'releases').catch(() => null)
    const found = (list?.json?.releases as Json[] | undefined)?.find(r => r.version === version)
    if (found?.nodes === nodes.length && [...fetched.values()].every(bytes => bytes > 0)) holdMs = performance.now() - begun
    else await sleep(50)
  }
  const initiator = sentBy(first) - before
  await must(done)
  return { release: version, sizeBytes: statSync(zip).size, initiator, perNode: [...fetched.values()], holdMs }
}

/** Bytes that rsync says it sent and received for the same change of the same tree; null: no rsync here. */
async function rsyncBytes(from: string, to: string, place: string): Promise<number | null> {
  try {
    cpSync(from, place, { recursive: true, preserveTimestamps: true })
    const { stdout } = await run('rsync', ['-a', '--delete', '--no-whole-file', '--stats', `${to}/`, `${place}/`], { maxBuffer: 64 << 20 })
    const count = (what: string): number => Number(new RegExp(`Total bytes ${what}: ([\\d,]+)`).exec(stdout)?.[1]?.replaceAll(',', ''))
    return count('sent') + count('received')
  } catch {
    return null
  }
}

await bench(async teardowns => {
  const { values } = parseArgs({ options: { nodes: { type: 'string', default: '16' } } })
  const fleet = await new TestFleet(teardowns).found(Number(values.nodes))
  const [one, two] = [join(fleet.dir, 'v1'), join(fleet.dir, 'v2')]
  await makeFirst(one)
  await makeSecond(one, two)
  console.error(`v1 has ${readdirSync(one, { recursive: true }).length} files and folders`)
  const moved: Moved[] = []
  for (const [dir, version] of [
    [one, '1.0.0'],
    [two, '2.0.0'],
  ] as const) {
    const zip = join(fleet.dir, `${version}.zip`)
    await must(fleet.first.cli(['pack', dir, '--out', zip, '--json']))
    moved.push(await deploy(fleet.nodes, zip, version))
  }
  const kb = (bytes: number): number => Math.round(bytes / 100) / 10
  const rows = moved.map(m => [
    m.release,
    kb(m.sizeBytes),
    m.perNode.length,
    kb(m.initiator),
    m.initiator / m.sizeBytes,
    kb(median(m.perNode)),
    kb(largest(m.perNode)),
    Math.round(m.holdMs),
  ])
  console.log(
    table(
      ['release', 'package kB', 'receivers', 'initiator sent kB', 'in packages', 'per node kB: median', 'largest', 'ms from order to all'],
      rows,
    ),
  )
  const rsync = await rsyncBytes(one, two, join(fleet.dir, 'rsync'))
  console.log(rsync === null ? 'rsync: is not here' : `rsync -a --delete on the same tree: ${kb(rsync)} kB per node`)
})
