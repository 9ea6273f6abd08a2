/**
 * One supervisor per home. Who holds the private socket `instance/run/supervisor.sock` (a named pipe on Windows) is it: the system
 * lets go of that at any kind of death. Beside it stands who belongs to it, with start times, because a pid alone is reused: so the
 * next supervisor finds workers of a killed one that never saw their channel close.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { ShoalError, systemCodeOf } from '../model/index.ts'
import {
  endAtOnce,
  endGroupOf,
  hasModes,
  type HomePaths,
  identityOf,
  isSameProcess,
  type Keeper,
  leftBehindBy,
  type ProcessIdentity,
  readRegistry,
  registryOf,
  supervisorSays,
  supervisorSocket,
  writeRegistry,
} from '../slots/index.ts'
import { lastBreathMs, leftoverGraceMs, leftoverPollMs, predecessorMs } from './limits.ts'

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
export async function becomeOnlyOne(paths: HomePaths, keeper: Keeper): Promise<Registry> {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  if (hasModes) chmodSync(paths.run, 0o700)
  const file = registryOf(paths)
  const says = { now: 'running' }
  const server = await holdSocket(supervisorSocket(paths.home, paths.run), file, says)
  if (!(await isPredecessorGone(file))) {
    server?.close()
    throw alreadyRunning(file)
  }
  await endLeftovers(paths.home, readRegistry(file).slice(1))
  const self = identityOf(process.pid)
  const known = new Map<number, ProcessIdentity>()
  const note = (workers: readonly number[]): void => {
    for (const pid of known.keys()) if (!workers.includes(pid)) known.delete(pid)
    for (const pid of workers) if (!known.has(pid)) known.set(pid, identityOf(pid))
    writeRegistry(file, keeper, [self, ...known.values()])
  }
  note([])
  const release = (): void => {
    removeOwn(file)
    server?.close()
  }
  const leaving = (): void => {
    says.now = 'leaving'
  }
  return { note, leaving, release }
}

/** null: this disk has no sockets; then the port alone says that another one runs. */
async function holdSocket(path: string, file: string, says: { readonly now: string }): Promise<net.Server | null> {
  const deadline = performance.now() + predecessorMs
  for (let tries = 0; tries < 3; ) {
    const server = net.createServer(socket => socket.on('error', () => undefined).end(says.now))
    const problem = await listen(server, path)
    if (problem === null) return server.unref()
    if (problem !== 'EADDRINUSE') return null
    const answer = await supervisorSays(path)
    if (answer === null) {
      tries++
      rmSync(path, { force: true })
    } else if (answer === 'leaving' && performance.now() < deadline) await wait(leftoverPollMs)
    else break
  }
  throw alreadyRunning(file)
}

/** Somebody may have removed the socket of one that lives (`rm -r run`): who is noted beside it counts too, and has a moment to end. */
async function isPredecessorGone(file: string): Promise<boolean> {
  const deadline = performance.now() + lastBreathMs
  for (;;) {
    const [noted] = readRegistry(file)
    if (noted === undefined || noted.pid === process.pid || !isSameProcess(noted)) return true
    if (performance.now() > deadline) return false
    await wait(leftoverPollMs)
  }
}

function alreadyRunning(file: string): ShoalError {
  const [running] = readRegistry(file)
  return new ShoalError(
    'ALREADY_RUNNING',
    `the node of this home is running already${running === undefined ? '' : ` (pid ${running.pid})`}`,
  )
}

/** What another supervisor has noted stays. What cannot be removed is told apart by its start times. */
function removeOwn(file: string): void {
  if (readRegistry(file)[0]?.pid !== process.pid) return
  try {
    rmSync(file, { force: true })
  } catch {
    // A read-only disk must not make a crash of an orderly end.
  }
}

const listen = (server: net.Server, path: string): Promise<string | null> =>
  new Promise(resolve => {
    server.once('error', error => resolve(systemCodeOf(error) ?? 'UNKNOWN'))
    server.listen(path, () => resolve(null))
  })

/**
 * Workers of a killed supervisor drain by themselves; one whose event loop stands still is ended, with all that it started. What a dead one
 * left behind (a program that a migration started) would write into data/ that is put back: it is ended as far as it is provably its.
 */
async function endLeftovers(home: string, workers: readonly ProcessIdentity[]): Promise<void> {
  const deadline = performance.now() + leftoverGraceMs
  let alive = workers.filter(isSameProcess)
  while (alive.length > 0) {
    if (performance.now() > deadline) for (const worker of alive) endGroupOf(worker.pid)
    await wait(leftoverPollMs)
    alive = alive.filter(isSameProcess)
  }
  await endLeftBehind(home, workers)
}

/** One that the kernel does not let go (a disk that hangs) is not waited for longer. */
async function endLeftBehind(home: string, workers: readonly ProcessIdentity[]): Promise<void> {
  const deadline = performance.now() + leftoverGraceMs
  const left = (): readonly number[] => workers.flatMap(worker => leftBehindBy(worker, home))
  for (let pids = left(); pids.length > 0 && performance.now() < deadline; pids = left()) {
    for (const pid of pids) endAtOnce(pid)
    await wait(leftoverPollMs)
  }
}
