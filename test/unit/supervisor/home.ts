/** A home with real slots: the program is Shoal's own loader, entry, slots and supervisor around the fixture worker. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, linkSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Digest, parseDigest, parseOrderId, type SwitchTarget } from '../../../src/model/index.ts'
import { builtInCurrent, homePaths, installBuiltIn, slotDir, writeCurrent } from '../../../src/slots/index.ts'

const root = join(import.meta.dirname, '../../..')
const fixture = join(root, 'test/fixtures/worker')

/** Another `mark` is another digest. */
export function makeProgram(dir: string, mark = '', hasNode = false): string {
  for (const each of ['boot.js', 'entry.ts', 'model', 'slots', 'supervisor'])
    cpSync(join(root, 'src', each), join(dir, 'src', each), { recursive: true })
  mkdirSync(join(dir, 'src/cli'))
  mkdirSync(join(dir, 'node_modules'))
  cpSync(join(fixture, 'main.ts'), join(dir, 'src/main.ts'))
  cpSync(join(fixture, 'cli.ts'), join(dir, 'src/cli/main.ts'))
  cpSync(join(root, 'node_modules/semver'), join(dir, 'node_modules/semver'), { recursive: true })
  writeFileSync(
    join(dir, 'package.json'),
    JSON.stringify({ name: 'shoal', version: '0.0.1', type: 'module', engines: { node: '>=24' }, mark }),
  )
  const carrier = `node-${process.platform}-${process.arch}`
  if (hasNode) {
    mkdirSync(join(dir, 'node_modules', carrier, 'bin'), { recursive: true })
    writeFileSync(join(dir, 'node_modules', carrier, 'package.json'), '{}')
    try {
      linkSync(process.execPath, join(dir, 'node_modules', carrier, 'bin/node'))
    } catch {
      copyFileSync(process.execPath, join(dir, 'node_modules', carrier, 'bin/node'))
    }
  }
  return dir
}

export interface Home {
  readonly dir: string
  readonly program: string
  readonly builtIn: Digest
}

export async function makeHome(t: Test): Promise<Home> {
  // Not t.testdir(): that is removed before the teardowns, under the feet of processes that they end.
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'shoal-'))
  t.teardown(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }))
  const program = makeProgram(join(top, 'program'))
  const dir = join(top, 'home')
  mkdirSync(homePaths(dir).slots, { recursive: true })
  writeFileSync(homePaths(dir).config, JSON.stringify({ name: 'fixture', listen: '127.0.0.1:0' }))
  const builtIn = await installBuiltIn(dir, program)
  writeCurrent(dir, builtInCurrent(builtIn))
  return { dir, program, builtIn }
}

let made = 0
/** An app slot of the fixture worker. */
export function addApp(dir: string, behaviour: Record<string, unknown>): Digest {
  const digest = parseDigest((++made).toString(16).padStart(64, 'a'))
  mkdirSync(slotDir(dir, digest), { recursive: true })
  writeFileSync(join(slotDir(dir, digest), 'behaviour.json'), JSON.stringify(behaviour))
  return digest
}

export const order = parseOrderId('o'.repeat(52))
export const target = (digest: Digest | null, more: Partial<SwitchTarget> = {}): SwitchTarget => ({
  order,
  attempt: 1,
  kind: 'app',
  digest,
  handover: 'exclusive',
  probationMs: 5000,
  linked: 3,
  ...more,
})

/** A process of the node under test, its lines, and what it answers. */
export class Running {
  readonly child: ChildProcess
  readonly out: string[] = []
  readonly err: string[] = []
  readonly exit: Promise<number | null>
  readonly #waiting = new Set<() => void>()

  constructor(t: Test, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '', ...env } })
    this.exit = once(this.child, 'close').then(([code]) => code as number | null)
    for (const [stream, lines] of [
      [this.child.stdout, this.out],
      [this.child.stderr, this.err],
    ] as const) {
      let rest = ''
      stream?.on('data', (bytes: Buffer) => {
        const parts = (rest + bytes.toString()).split('\n')
        rest = parts.pop() ?? ''
        lines.push(...parts)
        for (const each of this.#waiting) each()
      })
    }
    t.teardown(async () => {
      this.child.kill('SIGKILL')
      await this.exit
    })
  }

  /** The first line that fits, of what was and of what will be said. */
  async line(pattern: RegExp, count = 1): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const look = (): void => {
      const found = [...this.out, ...this.err].filter(line => pattern.test(line))
      if (found.length >= count) resolve(found[count - 1] ?? '')
    }
    const timer = setTimeout(() => reject(new Error(`no line ${pattern} in:\n${[...this.out, ...this.err].join('\n')}`)), 40_000)
    this.#waiting.add(look)
    look()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#waiting.delete(look)
    })
  }

  async url(count = 1): Promise<string> {
    return (await this.line(/^ready /, count)).split(' ')[1] ?? ''
  }
}

export const boot = (t: Test, home: Home, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running =>
  new Running(t, process.execPath, [join(home.program, 'src/boot.js'), ...args, '--home', home.dir], env)

export interface Answer {
  readonly pid: number
  readonly app: string | null
  readonly safe: boolean
  readonly hasLoader: boolean
  readonly last: { result: string; code: string; log: string[] } | null
  readonly keys: string
  readonly argv: string[]
  readonly env: Record<string, string>
}

export function ask(url: string, path = '/', agent?: http.Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get(new URL(path, url), agent === undefined ? { agent: false } : { agent }, response => {
      let text = ''
      response.on('data', (bytes: Buffer) => (text += bytes.toString()))
      response.on('end', () => resolve(JSON.parse(text) as Answer))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

export const askSwitch = (url: string, to: SwitchTarget): Promise<Answer> =>
  ask(url, `/switch?target=${encodeURIComponent(JSON.stringify(to))}`)

/** A zombie that nobody has waited for is dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
