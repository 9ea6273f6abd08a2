/**
 * Real fleets for the end-to-end tests: real loaders, supervisors and workers in homes of their own, the real command line, real TLS. Nothing is
 * mocked; what a test waits for it asks the nodes for.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'

const boot = resolve('src/boot.js')
export const operator = 'anna'
export const passphrase = 'correct horse battery staple'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON. */
  json(): Answer
}

/** A node as the contract shows it, as far as the tests look. */
export interface NodeAnswer {
  readonly id: string
  readonly name: string
  readonly self: boolean
  readonly reach: string
  readonly health: string
  readonly step: string
  readonly outcome: string | null
  readonly migrationMs: number | null
  readonly bytes: { readonly fetched: number; readonly reused: number; readonly served: number }
  readonly reason: { readonly code: string; readonly message: string } | null
  readonly shoal: { readonly version: string; readonly digest: string }
}

interface RolloutAnswer {
  readonly id: string
  readonly release: string
  readonly state: string
  readonly waves: readonly { readonly state: string; readonly confirmed: number }[]
  readonly nodes: readonly NodeAnswer[]
}

/** What commands and routes answer: each has some of these keys. */
interface Answer extends NodeAnswer, RolloutAnswer {
  readonly id: string
  readonly nodes: readonly NodeAnswer[]
  readonly rollouts: readonly RolloutAnswer[]
  readonly releases: readonly { readonly name: string; readonly version: string; readonly nodes: number }[]
  readonly peers: readonly { readonly pinned: boolean; readonly reach: string }[]
  readonly tests: readonly { readonly ok: boolean; readonly step: string | null }[]
  readonly operators: readonly { readonly name: string }[]
  readonly token: string
  readonly role: string
  readonly passphrase: string
  readonly error: { readonly code: string }
}

const environment = (): NodeJS.ProcessEnv => {
  const inherited = Object.entries(process.env).filter(([key]) => !/^(TAP|NODE_OPTIONS|NODE_V8_COVERAGE)/.test(key))
  return { ...Object.fromEntries(inherited), SHOAL_PASSPHRASE: passphrase }
}

/** Runs the command to its end. */
export function shoal(
  args: readonly string[],
  options: { readonly stdin?: string; readonly env?: Record<string, string>; readonly timeoutMs?: number } = {},
): Promise<CliResult> {
  return new Promise(done => {
    const child = execFile(
      process.execPath,
      [boot, ...args],
      { env: { ...environment(), ...options.env }, timeout: options.timeoutMs ?? 120_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
        done({ code, stdout, stderr, json: () => JSON.parse(stdout) as Answer })
      },
    )
    child.stdin?.end(options.stdin ?? '')
  })
}

/** The process and everything below it. */
function treeOf(pid: number): number[] {
  const children = (of: number): number[] => {
    try {
      return readFileSync(`/proc/${of}/task/${of}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  }
  return [pid, ...children(pid).flatMap(treeOf)]
}

export class TestNode {
  readonly home: string
  readonly name: string
  id = ''
  port = 0
  /** ms from the start of the loader to its `ready` line. */
  readyMs = 0
  child: ChildProcess | null = null
  output = ''
  /** A program, with its arguments, that runs the loader and watches it. */
  watcher: readonly string[] = []

  constructor(home: string, name: string) {
    this.home = home
    this.name = name
  }

  cli(args: readonly string[], options?: Parameters<typeof shoal>[1]): Promise<CliResult> {
    return shoal([...args, '--home', this.home], options)
  }

  /** Starts the node and waits for its `ready` line. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const begun = performance.now()
    const options = { env: { ...environment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] }
    const words = [...this.watcher, process.execPath, boot, 'start', '--home', this.home]
    const child = spawn(words[0] ?? '', words.slice(1), options)
    this.child = child
    this.output = ''
    child.stderr.on('data', (chunk: Buffer) => {
      this.output += chunk.toString()
    })
    await new Promise<void>((ready, fail) => {
      let text = ''
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (/^ready https:/m.test(text)) ready()
      })
      child.once('exit', code => fail(new Error(`${this.name} ended with ${code}\n${this.output}`)))
    })
    this.readyMs = performance.now() - begun
    const config = JSON.parse(readFileSync(join(this.home, 'instance/config.json'), 'utf8'))
    this.port = Number(config.listen.split(':').at(-1))
    this.id = (await this.api('nodes/self')).id
  }

  async stop(): Promise<number | null> {
    const { child } = this
    if (child === null || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const ended = new Promise<number | null>(done => child.once('exit', done))
    child.kill('SIGTERM')
    const code = await ended
    this.child = null
    return code
  }

  /** kill -9 of loader, supervisor and workers at once, as when the power goes. */
  async kill(): Promise<void> {
    const { child } = this
    if (child?.pid === undefined) return
    const ended = new Promise(done => child.once('exit', done))
    for (const pid of treeOf(child.pid)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It was gone already.
      }
    }
    if (child.exitCode === null && child.signalCode === null) await ended
    this.child = null
  }

  pids(): number[] {
    return this.child?.pid === undefined ? [] : treeOf(this.child.pid)
  }

  /** GET of the node's own API, as the command line asks it, without the cost of a process. */
  async api(path: string): Promise<Answer> {
    const token = this.file('instance/local.token').trim()
    const { status, body } = await this.get(`/_shoal/api/v1/${path}`, { authorization: `Bearer ${token}` })
    if (status !== 200) throw new Error(`${this.name} ${path}: ${status} ${body}`)
    return JSON.parse(body) as Answer
  }

  /** What the app, or the API, answers on a path. */
  get(path = '/', headers: Record<string, string> = {}): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((done, fail) => {
      const req = request({ host: '127.0.0.1', port: this.port, path, headers, rejectUnauthorized: false, agent: false }, res => {
        let body = ''
        res.on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        res.on('end', () => done({ status: res.statusCode ?? 0, body }))
        res.on('error', fail)
      })
      req.on('error', fail)
      req.end()
    })
  }

  async version(): Promise<string> {
    return JSON.parse((await this.get()).body).version
  }

  file(path: string): string {
    return readFileSync(join(this.home, path), 'utf8')
  }

  /** What no update may change. */
  identity(): Record<string, string> {
    const files = ['certs/node.key', 'certs/node.pem', 'certs/ca.pem', 'instance/config.json']
    return Object.fromEntries(files.map(f => [f, this.file(f)]))
  }
}

export class TestFleet {
  readonly dir: string
  readonly nodes: TestNode[] = []

  /** The folder is the fleet's own: a test's folder goes before its teardowns, under the feet of running nodes. */
  constructor(t: Pick<Test, 'teardown'>) {
    this.dir = mkdtempSync(join(tmpdir(), 'shoal-e2e-'))
    t.teardown(async () => {
      for (const node of this.nodes) await node.kill()
      rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 })
    })
  }

  get first(): TestNode {
    const [first] = this.nodes
    if (first === undefined) throw new Error('no fleet yet')
    return first
  }

  node(at: number): TestNode {
    const node = this.nodes[at]
    if (node === undefined) throw new Error(`no node ${at}`)
    return node
  }

  /** Founds the fleet and lets the others in; all are started and linked when it returns. */
  async found(count: number): Promise<this> {
    const first = this.#add()
    await must(first.cli(['init', '--name', first.name, '--listen', '127.0.0.1:0', '--operator', operator, '--json']))
    await first.start()
    if (count > 1) {
      const { token } = (await must(first.cli(['invite', '--uses', String(count), '--json']))).json()
      await Promise.all(Array.from({ length: count - 1 }, () => this.join(token)))
    }
    await this.linked()
    return this
  }

  async join(token: string): Promise<TestNode> {
    const node = this.#add()
    await must(node.cli(['join', '-', '--name', node.name, '--listen', '127.0.0.1:0', '--json'], { stdin: token }))
    await node.start()
    return node
  }

  /** Waits until every running node has a link to every other. */
  async linked(): Promise<void> {
    const running = this.nodes.filter(n => n.child !== null)
    await until('all nodes are linked', async () => {
      const lists = await Promise.all(running.map(n => n.api('nodes')))
      return lists.every(l => running.every(r => l.nodes.some(v => v.id === r.id && ['self', 'direct'].includes(v.reach))))
    })
  }

  /** Options by which any node signs: the founder has the key, the others are given a copy of its file. */
  signing(node: TestNode): string[] {
    return node === this.first ? ['--operator', operator] : ['--key', join(this.first.home, 'certs/operators', `${operator}.json`)]
  }

  deploy(node: TestNode, app: string, options: readonly string[] = []): Promise<CliResult> {
    return node.cli(['deploy', app, ...this.signing(node), '--soak', '300ms', '--json', ...options])
  }

  async versions(): Promise<string[]> {
    return Promise.all(this.nodes.filter(n => n.child !== null).map(n => n.version()))
  }

  #add(): TestNode {
    const name = `box-${this.nodes.length + 1}`
    const home = join(this.dir, name)
    mkdirSync(home, { recursive: true })
    const node = new TestNode(home, name)
    this.nodes.push(node)
    return node
  }
}

/** The command must end with 0; else its words are the error. */
export async function must(result: Promise<CliResult>): Promise<CliResult> {
  const done = await result
  if (done.code !== 0) throw new Error(`exit ${done.code}\n${done.stderr}\n${done.stdout}`)
  return done
}

/** Asks again and again until it is so; the limit is generous, since machines are slow at times. */
export async function until(what: string, isSo: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  const end = Date.now() + limitMs
  for (;;) {
    if (await isSo().catch(() => false)) return
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(100)
  }
}

export interface AppTraits {
  readonly version: string
  readonly name?: string
  /** Statements at the top of the module, in the factory, and the body of health(). */
  readonly onImport?: string
  readonly onStart?: string
  /** More of the module, such as an exported migrate. */
  readonly extraModule?: string
  readonly health?: string
  readonly engines?: string
  readonly probationSeconds?: number
  readonly extra?: Record<string, unknown>
}

/** Writes an app that counts its starts in data/starts.txt and answers its version. */
export function makeApp(dir: string, traits: AppTraits): string {
  const folder = join(dir, `app-${traits.name ?? 'till'}-${traits.version}`)
  mkdirSync(folder, { recursive: true })
  const pkg = {
    name: traits.name ?? 'till',
    version: traits.version,
    type: 'module',
    ...(traits.engines === undefined ? {} : { engines: { node: traits.engines } }),
    shoal: { app: 'index.js', probation: { seconds: traits.probationSeconds ?? 1 }, ...traits.extra },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(pkg, null, 2))
  writeFileSync(
    join(folder, 'index.js'),
    `import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
${traits.onImport ?? ''}
${traits.extraModule ?? ''}
export default host => {
  appendFileSync(join(host.dataDir, 'starts.txt'), host.version + '\\n')
  ${traits.onStart ?? ''}
  return {
    handler: (req, res) => {
      setTimeout(() => res.end(JSON.stringify({ version: host.version, node: host.node.name })), req.url === '/slow' ? 200 : 0)
    },
    health: async () => { ${traits.health ?? ''} },
  }
}
`,
  )
  return folder
}

/** Every file below a folder with its content, for "nothing changed". */
export function contents(dir: string): Record<string, string> {
  if (!existsSync(dir)) return {}
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(e => e.isFile())
  return Object.fromEntries(files.map(f => [join(f.parentPath, f.name), readFileSync(join(f.parentPath, f.name), 'base64')]))
}
