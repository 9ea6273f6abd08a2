/**
 * What differs between systems, in one place: processes and their ends, files that others hold open, private sockets. Windows has no signals
 * (each of them ends a process at once), so nobody is asked to stop by one: that is done by message. It has no file modes, no fsync of a
 * folder, and refuses to rename over, or remove, what somebody has open.
 */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { systemCodeOf } from '../model/index.ts'

export const isWindows = process.platform === 'win32'

/** Does the system have file modes, and folders that can be flushed? */
export const hasModes = !isWindows
export const hasFolderSync = !isWindows

/** fsync asks for a descriptor that may write there. */
export const syncFlags = isWindows ? 'r+' : 'r'

/** Somebody has the file open, for a moment or for long: worth another try. */
export const isHeldOpen = (error: unknown): boolean => ['EPERM', 'EBUSY', 'EACCES'].includes(systemCodeOf(error) ?? '')

/** The disk, or this user's part of it, has no room. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(systemCodeOf(error) ?? '')

/** A process, and when it began in the system's own words, because pids are used again; empty where that cannot be known. */
export interface ProcessIdentity {
  readonly pid: number
  readonly began: string
}

/** Windows ends the children of a dead parent itself, so nothing is looked up there. */
export function identityOf(pid: number): ProcessIdentity {
  if (isWindows) return { pid, began: '' }
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

/** Does this very process still live? Never true where its start is not known. */
export const isSameProcess = (known: ProcessIdentity): boolean => known.began !== '' && identityOf(known.pid).began === known.began

/** Does any process of that number live? One that is not ours does too. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return systemCodeOf(error) !== 'ESRCH'
  }
}

/** Ends a process at once; that it is gone already is no error. */
export function endAtOnce(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone meanwhile.
  }
}

/** Spawn options of a process that is to end with all that it started: a group of its own; on Windows the job object does that. */
export const withGroup = { detached: !isWindows, windowsHide: true } as const

/** What `process.kill` takes to end a process that was started `withGroup`, and all that it started: where there are groups, the group. */
export const groupOf = (pid: number, onWindows = isWindows): number => (onWindows ? pid : -pid)

/** Ends a child that was started `withGroup`, and all that it started. */
export function endGroup(child: Pick<ChildProcess, 'pid' | 'kill'>, onWindows = isWindows): void {
  if (child.pid === undefined) return
  try {
    if (onWindows) child.kill('SIGKILL')
    else process.kill(groupOf(child.pid, onWindows), 'SIGKILL')
  } catch {
    // Nobody of it is left.
  }
}

/** In the environment of a worker, and of what it starts: the home whose worker it is. Only for telling them from others. */
const markName = 'SHOAL_WORKER_OF'

/** @returns the environment of a worker, whose processes can be told later */
export const markedFor = (home: string): NodeJS.ProcessEnv => ({ ...process.env, [markName]: home })

/**
 * Processes that a dead group leader left, as far as that can be proven: they are of its session, and bear the mark of this home. The number
 * alone proves nothing, since it may have been used again by another group that lost its leader too. Linux only: elsewhere none are found, and
 * on Windows the system ends them.
 */
export function leftBehindBy(leader: ProcessIdentity, home: string): readonly number[] {
  if (process.platform !== 'linux' || leader.began === '') return []
  const mark = `${markName}=${home}`
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && sessionOf(name) === leader.pid && environmentOf(name).includes(mark))
    .map(Number)
    .filter(pid => pid !== process.pid)
}

/** null: it has ended. */
function sessionOf(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? null : Number(session)
  } catch {
    return null
  }
}

function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return [] // Somebody else's, or gone.
  }
}

/** Ends a process that was started `withGroup` and all that it started, which must be this very process. */
export function endGroupOf(pid: number): void {
  endAtOnce(groupOf(pid))
  endAtOnce(pid)
}

/** Where the one supervisor of a home answers: a Unix socket, as the current folder names it since such paths are short; or a named pipe. */
export function supervisorSocket(home: string, run: string, onWindows = isWindows): string {
  if (!onWindows) return relative(process.cwd(), join(run, 'supervisor.sock'))
  return `\\\\.\\pipe\\shoal-${createHash('sha256').update(home.toLowerCase()).digest('hex').slice(0, 32)}`
}
