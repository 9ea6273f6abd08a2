/**
 * One supervisor per home. Who holds the private socket `instance/run/supervisor.sock` (a named pipe on Windows) is it: the system
 * lets go of that at any kind of death. Beside it stands who belongs to it, with start times, because a pid alone is reused: so the
 * next supervisor finds workers of a killed one that never saw their channel close.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join, relative } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { asArray, asString, Fields, parseJson, ShoalError, systemCodeOf } from '../model/index.ts'
import type { HomePaths } from '../slots/index.ts'
import { leftoverGraceMs, leftoverPollMs, predecessorMs } from './limits.ts'

/** ms in which a supervisor that lives says how it is. */
const answerMs = 1000

interface Identity {
  readonly pid: number
  /** When the process began, in the system's own words; empty where it cannot be known. */
  readonly began: string
}

export interface Registry {
  /** Notes which workers live. */
  readonly note: (workers: readonly number[]) => void
  /** From now on a successor may wait for this one's end. */
  readonly leaving: () => void
  readonly release: () => void
}

/**
 * @param paths of the home, which is the current folder: paths of unix sockets are short
 * @throws ShoalError ALREADY_RUNNING
 */
export async function becomeOnlyOne(paths: HomePaths): Promise<Registry> {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  chmodSync(paths.run, 0o700)
  const file = join(paths.run, 'supervisor.json')
  const says = { now: 'running' }
  const server = await holdSocket(socketPathOf(paths), file, says)
  await endLeftovers(readRegistry(file).slice(1))
  const self = identityOf(process.pid)
  const known = new Map<number, Identity>()
  const note = (workers: readonly number[]): void => {
    for (const pid of known.keys()) if (!workers.includes(pid)) known.delete(pid)
    for (const pid of workers) if (!known.has(pid)) known.set(pid, identityOf(pid))
    tryWrite(file, JSON.stringify({ pids: [self, ...known.values()].map(p => [String(p.pid), p.began]) }))
  }
  note([])
  const release = (): void => {
    rmSync(file, { force: true })
    server?.close()
  }
  const leaving = (): void => {
    says.now = 'leaving'
  }
  return { note, leaving, release }
}

function socketPathOf(paths: HomePaths): string {
  if (process.platform !== 'win32') return relative(process.cwd(), join(paths.run, 'supervisor.sock'))
  return `\\\\.\\pipe\\shoal-${createHash('sha256').update(paths.home.toLowerCase()).digest('hex').slice(0, 32)}`
}

/** null: this disk has no sockets; then the port alone says that another one runs. */
async function holdSocket(path: string, file: string, says: { readonly now: string }): Promise<net.Server | null> {
  const deadline = performance.now() + predecessorMs
  for (let tries = 0; tries < 3; ) {
    const server = net.createServer(socket => socket.on('error', () => undefined).end(says.now))
    const problem = await listen(server, path)
    if (problem === null) return server.unref()
    if (problem !== 'EADDRINUSE') return null
    const answer = await answerOf(path)
    if (answer === null) {
      tries++
      rmSync(path, { force: true })
    } else if (answer === 'leaving' && performance.now() < deadline) await wait(leftoverPollMs)
    else break
  }
  const [running] = readRegistry(file)
  throw new ShoalError('ALREADY_RUNNING', `the node of this home is running already${running === undefined ? '' : ` (pid ${running.pid})`}`)
}

const listen = (server: net.Server, path: string): Promise<string | null> =>
  new Promise(resolve => {
    server.once('error', error => resolve(systemCodeOf(error) ?? 'UNKNOWN'))
    server.listen(path, () => resolve(null))
  })

/** What the supervisor behind the socket says, empty if it is silent (it stands still); null: nobody is there. */
const answerOf = (path: string): Promise<string | null> =>
  new Promise(resolve => {
    let text = ''
    const socket = net.connect(path)
    socket.setTimeout(answerMs, () => socket.destroy())
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
    socket.once('connect', () => socket.once('close', () => resolve(text)))
    socket.once('error', () => resolve(null))
  })

/** The first is the supervisor, then its workers; none if it cannot be read. */
function readRegistry(file: string): readonly Identity[] {
  try {
    const identity = (value: unknown, where: string): Identity => {
      const [pid, began] = asArray(value, where, 2)
      return { pid: Number(asString(pid, where, 20)), began: asString(began, where, 100) }
    }
    return new Fields(parseJson(readFileSync(file, 'utf8'), file), file).list('pids', identity)
  } catch {
    return [] // None, or cut by a power failure, after which no worker lives.
  }
}

function tryWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch {
    // A full disk: a leftover of the next kill -9 would be found by its port only.
  }
}

/** Workers of a killed supervisor drain by themselves; one whose event loop stands still is ended. */
async function endLeftovers(workers: readonly Identity[]): Promise<void> {
  const isAlive = (worker: Identity): boolean => worker.began !== '' && identityOf(worker.pid).began === worker.began
  const deadline = performance.now() + leftoverGraceMs
  let alive = workers.filter(isAlive)
  while (alive.length > 0) {
    if (performance.now() > deadline) for (const worker of alive) killQuietly(worker.pid)
    await wait(leftoverPollMs)
    alive = alive.filter(isAlive)
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone meanwhile.
  }
}

/** Windows ends the children of a dead parent itself, so nothing is looked up there. */
function identityOf(pid: number): Identity {
  if (process.platform === 'win32') return { pid, began: '' }
  if (process.platform === 'linux') return { pid, began: beganOnLinux(pid) }
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 2000 })
  return { pid, began: stdout.trim() }
}

function beganOnLinux(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Fields after the command, which may hold anything: the first is the state (3), the start is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return ''
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19] ?? ''}`
  } catch {
    return ''
  }
}
