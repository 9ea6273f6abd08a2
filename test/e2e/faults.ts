/**
 * What the fault tests share: an app that can be made to fail, requests that name what they met, and a row of the matrix: a fault, what the node
 * answered until its app answered again, and whether everything that must survive did.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { Test } from 'tap'
import { type TestNode, until } from './fleet.ts'

/** It starts only on data of its version. Files in data/ steer it: `ill` (unhealthy), `crash` (holds the version that ends itself), `spin` and `leak` (its next start does). Its paths /spin, /leak and /exit do what they say. */
export function makeFaultApp(dir: string, version: string, { startMs = 0, probationSeconds = 1, bytes = 0, dataVersion = 1 } = {}): string {
  const folder = join(dir, `app-${version}`)
  mkdirSync(folder, { recursive: true })
  const pkg = { name: 'till', version, type: 'module', shoal: { app: 'index.js', probation: { seconds: probationSeconds }, dataVersion } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(pkg))
  writeFileSync(
    join(folder, 'index.js'),
    `import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { title } from './title.js'
export async function migrate({ dataDir, to }) {
  writeFileSync(join(dataDir, 'version'), String(to))
}
export default async host => {
  await new Promise(done => setTimeout(done, ${startMs}))
  const at = name => join(host.dataDir, name)
  if (readFileSync(at('version'), 'utf8') !== '${dataVersion}') throw new Error('this is not my data')
  const isAsked = name => existsSync(at(name)) && (rmSync(at(name)), true)
  if (isAsked('spin')) for (;;);
  if (isAsked('leak')) for (const all = []; ; ) all.push(Array(1000).fill(all.length))
  if (existsSync(at('crash')) && readFileSync(at('crash'), 'utf8') === host.version) setTimeout(() => process.exit(9), 50)
  const held = []
  return {
    handler: (req, res) => {
      if (req.url === '/spin') for (;;);
      if (req.url === '/leak') for (;;) held.push(Array(1000).fill(held.length))
      if (req.url === '/exit') process.exit(7)
      res.end(JSON.stringify({ version: host.version, pid: process.pid, title, year: new Date().getFullYear() }))
    },
    health: async () => {
      if (existsSync(at('ill'))) throw new Error('the printer is on fire')
    },
  }
}
`,
  )
  writeFileSync(join(folder, 'title.js'), `export const title = 'Kasse ${version}'\n`)
  if (bytes > 0) writeFileSync(join(folder, 'ballast.bin'), randomBytes(bytes))
  return folder
}

/** What one request met: `app 1.0.0`, a status, `refused`, or `silent` for no answer in a second. */
export function meet(node: TestNode, path = '/'): Promise<string> {
  return new Promise(done => {
    const req = request({ host: '127.0.0.1', port: node.port, path, rejectUnauthorized: false, agent: false }, res => {
      let body = ''
      res.on('data', (chunk: Buffer) => (body += chunk.toString()))
      res.on('error', () => done('reset'))
      res.on('end', () => {
        const isHonest = res.statusCode !== 503 || res.headers['retry-after'] !== undefined
        done(res.statusCode === 200 ? nameOf(body) : `${res.statusCode ?? 0}${isHonest ? '' : ' without Retry-After'}`)
      })
    })
    req.setTimeout(1000, () => {
      done('silent')
      req.destroy()
    })
    req.on('error', (error: NodeJS.ErrnoException) => done(error.code === 'ECONNREFUSED' ? 'refused' : 'reset'))
    req.end()
  })
}

function nameOf(body: string): string {
  try {
    const { version, title } = JSON.parse(body) as { version?: string; title?: string }
    return title === `Kasse ${version ?? ''}` ? `app ${version ?? ''}` : `app with other bytes: ${body.slice(0, 100)}`
  } catch {
    return `no app: ${body.slice(0, 100)}`
  }
}

export const loaderOf = (node: TestNode): number => pidAt(node, 0)
export const supervisorOf = (node: TestNode): number => pidAt(node, 1)
/** The one that serves: another may be parked beside it. */
export const workerOf = async (node: TestNode): Promise<number> => (JSON.parse((await node.get()).body) as { pid: number }).pid

function pidAt(node: TestNode, at: number): number {
  const pid = node.pids()[at]
  if (pid === undefined) throw new Error(`${node.name} has no process ${at}`)
  return pid
}

/** Asks again and again, each time for as long as it takes. @returns seconds of the longest wait, and the statuses that were met */
export async function longestWait(node: TestNode, over: AbortSignal): Promise<{ readonly seconds: number; readonly statuses: string }> {
  let longest = 0
  const met = new Set<number>()
  while (!over.aborted) {
    const from = performance.now()
    met.add((await node.get()).status)
    longest = Math.max(longest, performance.now() - from)
  }
  return { seconds: Math.round(longest / 100) / 10, statuses: [...met].join(', ') }
}

/** What no fault may change or lose, of one node. */
export function treasures(node: TestNode): Record<string, string> {
  return { ...node.identity(), keep: node.file('instance/data/keep.txt') }
}

/** Puts something into data/ that nobody may lose. */
export const keepSomething = (node: TestNode): void => writeFileSync(join(node.home, 'instance/data/keep.txt'), `kept by ${node.name}`)

export interface Fault {
  readonly state: string
  readonly fault: string
  readonly node: TestNode
  /** The release that must answer in the end; or those of which one must. */
  readonly version: string | readonly string[]
  readonly withinMs: number
  /** Makes the fault; returns when it is made. What restarts the node from outside, as a service manager does, is part of it. */
  readonly strike: () => void | Promise<void>
  /** What else must be so in the end. */
  readonly isSettled?: () => boolean | Promise<boolean>
}

export interface Row {
  readonly state: string
  readonly fault: string
  /** Answers before the app's, without doubles. */
  readonly meanwhile: readonly string[]
  /** From the fault to the last answer that was not the app's. */
  readonly seconds: number
}

/** Strikes, and asks until the app has answered for half a second. */
export async function suffer(t: Test, { state, fault, node, version, withinMs, strike, isSettled = () => true }: Fault): Promise<Row> {
  const before = treasures(node)
  const start = performance.now()
  const wanted = [version].flat().map(each => `app ${each}`)
  const met: { readonly what: string; readonly atMs: number }[] = []
  const over = new AbortController()
  const asking = (async () => {
    while (!over.signal.aborted) {
      met.push({ what: await meet(node), atMs: performance.now() - start })
      await sleep(50)
    }
  })()
  try {
    await strike()
    const struckAt = met.length
    await until(
      `${state}, ${fault}: ${wanted.join(' or ')} answers`,
      async () => met.length > struckAt + 5 && met.slice(-5).every(m => wanted.includes(m.what)) && (await isSettled()),
      withinMs,
    )
  } finally {
    over.abort()
    await asking
  }
  const other = met.filter(m => !wanted.includes(m.what))
  const row = { state, fault, meanwhile: [...new Set(other.map(m => m.what))], seconds: Math.round((other.at(-1)?.atMs ?? 0) / 100) / 10 }
  t.comment(`| ${state} | ${fault} | ${row.meanwhile.join(', ') || '-'} | ${row.seconds} |`)
  t.same(treasures(node), before, `${state}, ${fault}: identity, config.json and data as they were`)
  t.same(
    row.meanwhile.filter(what => !/^(?:503|refused|silent|reset|app [\d.]+)$/.test(what)),
    [],
    `${state}, ${fault}: nothing worse was answered`,
  )
  return row
}

export const currentOf = (node: TestNode): { readonly app: string; readonly shoal: string; readonly state: string } =>
  JSON.parse(node.file('instance/slots/current.json')) as { app: string; shoal: string; state: string }

/** Flips one byte, so that the size says nothing. */
export function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

/** Lines of the node's log that hold the text. */
export const logged = (node: TestNode, text: string): string[] =>
  node
    .file('instance/logs/node.log')
    .split('\n')
    .filter(line => line.includes(text))

/** The epoch that stands in a node's database, read while nobody writes it. */
export function epochIn(node: TestNode): number {
  const file = new Database(join(node.home, 'instance/node.db'), { readonly: true })
  const row = file.prepare<[], { value: string }>("select value from memory where key = 'epoch'").get()
  file.close()
  return Number(row?.value ?? 0)
}
