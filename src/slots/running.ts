/**
 * instance/run/supervisor.json: which supervisor runs the home, who starts it again, and its workers. The supervisor alone writes it; it is
 * believed only as far as the processes that it names live.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { asArray, asOneOf, asString, Fields, parseJson } from '../model/index.ts'
import { supervisorAnswerMs } from './limits.ts'
import type { HomePaths } from './paths.ts'
import { isSameProcess, type ProcessIdentity, supervisorSocket } from './platform.ts'

/** Who starts a supervisor again. */
export interface Keeper {
  /** As the service's definition names itself, such as `systemd:shoal`; empty: none. */
  readonly service: string
  /** Who answers exit code 75 with a new start; empty: nobody. */
  readonly restart: 'loader' | 'service' | ''
}

/** A supervisor that lives. */
export interface RunningSupervisor extends Keeper {
  /** 0: it could not be noted, the disk being full. */
  readonly pid: number
}

export const registryOf = (paths: HomePaths): string => join(paths.run, 'supervisor.json')

/** The first is the supervisor, then its workers; none if it cannot be read. */
export function readRegistry(file: string): readonly ProcessIdentity[] {
  try {
    const identity = (value: unknown, where: string): ProcessIdentity => {
      const [pid, began] = asArray(value, where, 2)
      return { pid: Number(asString(pid, where, 20)), began: asString(began, where, 100) }
    }
    return fieldsOf(file).list('pids', identity)
  } catch {
    return [] // None, or cut by a power failure, after which no worker lives.
  }
}

export function writeRegistry(file: string, keeper: Keeper, processes: readonly ProcessIdentity[]): void {
  try {
    writeFileSync(file, JSON.stringify({ ...keeper, pids: processes.map(p => [String(p.pid), p.began]) }))
  } catch {
    // A full disk: a leftover of the next kill -9 would be found by its port only.
  }
}

/** The supervisor of a home, for who is none; null: none runs. */
export async function runningSupervisor(paths: HomePaths): Promise<RunningSupervisor | null> {
  const file = registryOf(paths)
  const [noted] = readRegistry(file)
  if (noted !== undefined && isSameProcess(noted)) return { pid: noted.pid, ...readKeeper(file) }
  // Nothing is noted on a full disk, and on Windows no start times are; who holds the private socket lives.
  if ((await supervisorSays(supervisorSocket(paths.home, paths.run))) === null) return null
  return { pid: noted?.pid ?? 0, ...readKeeper(file) }
}

/** What the supervisor behind the socket says, empty if it is silent (it stands still); null: nobody is there. */
export const supervisorSays = (path: string): Promise<string | null> =>
  new Promise(resolve => {
    let text = ''
    const socket = net.connect(path)
    socket.setTimeout(supervisorAnswerMs, () => socket.destroy())
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
    socket.once('connect', () => socket.once('close', () => resolve(text)))
    socket.once('error', () => resolve(null))
  })

const fieldsOf = (file: string): Fields => new Fields(parseJson(readFileSync(file, 'utf8'), file), file)

function readKeeper(file: string): Keeper {
  try {
    const f = fieldsOf(file)
    const restart = f.maybe('restart', (v, w) => asOneOf(v, w, ['loader', 'service', ''] as const), '')
    return { service: f.maybe('service', (v, w) => asString(v, w, 200), ''), restart }
  } catch {
    return { service: '', restart: '' }
  }
}
