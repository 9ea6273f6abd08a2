/**
 * Installs and removes a definition: writes or removes its files, then has the service manager take notice. Doing it twice changes nothing
 * the second time. Every step is told, and with a dry run only told.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { assertNever, ShoalError, systemCodeOf } from '../../model/index.ts'
import { writeDurable } from '../../slots/index.ts'
import { type Kind, type ServiceFacts, type ServiceFile, xml } from './definition.ts'
import { launchdDir } from './facts.ts'
import { launchdLabel } from './launchd.ts'
import { winswDir } from './windows.ts'

/** One command of a service manager. */
export interface Step {
  readonly command: string
  readonly args: readonly string[]
  /** Its failure is no failure: what it undoes may not be there. */
  readonly mayFail?: boolean
}

export interface Answer {
  readonly code: number
  readonly text: string
}

/** What this part does to the machine; tests give another one. */
export interface Machine {
  readonly run: (step: Step) => Promise<Answer>
  readonly read: (path: string) => string | null
  readonly write: (path: string, bytes: string | Uint8Array) => Promise<void>
  readonly remove: (path: string) => void
}

export const realMachine: Machine = {
  run: step =>
    new Promise(resolve => {
      execFile(step.command, [...step.args], { timeout: 90_000, windowsHide: true }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, text: `${stderr}${stdout}`.trim() || (error?.message ?? '') })
      })
    }),
  read: path => (existsSync(path) ? decode(readFileSync(path)) : null),
  write: async (path, bytes) => {
    mkdirSync(dirname(path), { recursive: true })
    await writeDurable(path, bytes)
  },
  remove: path => rmSync(path, { force: true }),
}

/** The Task Scheduler reads UTF-16 with a byte order mark. */
const encode = (kind: Kind, text: string): string | Buffer => (kind === 'task' ? Buffer.from(`\ufeff${text}`, 'utf16le') : text)
const decode = (bytes: Buffer): string =>
  bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.subarray(2).toString('utf16le') : bytes.toString('utf8')

export interface Plan {
  readonly kind: Kind
  readonly facts: ServiceFacts
  readonly files: readonly ServiceFile[]
  readonly isDryRun: boolean
  /** The node of this home runs already, and not by this service. */
  readonly isBusy: boolean
}

/** @returns what was done, a line each. @throws ShoalError NOT_ALLOWED, CONFLICT, SERVICE_FAILED */
export async function install(plan: Plan, machine: Machine = realMachine): Promise<readonly string[]> {
  const { kind, files, isDryRun, isBusy, facts } = plan
  for (const { path } of files) refuseForeign(machine.read(path), path, facts)
  const changed = files.filter(file => machine.read(file.path) !== file.text)
  const stale = files.length === 1 && kind === 'systemd' ? staleSocket(facts, files, machine) : []
  const done = [...changed.map(file => `wrote ${file.path}`), ...stale.map(path => `removed ${path}`)]
  if (!isDryRun) {
    for (const file of changed) await allowed(file.path, () => machine.write(file.path, encode(kind, file.text)))
    for (const path of stale) await allowed(path, () => machine.remove(path))
  }
  const steps = installSteps(plan, changed.length + stale.length > 0)
  for (const step of steps) done.push(await take(step, isDryRun, machine))
  if (done.length === 0) done.push(`${facts.name} is installed already`)
  if (isBusy) done.push('the node runs already, and not by this service: stop it, then start the service')
  return isDryRun ? done.map(conditional) : done
}

/** Of these files those that are there, with what is in them. */
export function installed(files: readonly ServiceFile[], machine: Machine = realMachine): readonly ServiceFile[] {
  return files.flatMap(({ path }) => {
    const text = machine.read(path)
    return text === null ? [] : [{ path, text }]
  })
}

/** `wrote X` of a dry run. */
const conditional = (line: string): string =>
  line.replace(/^(wrote|removed|run) /, (_, did: string) => `would ${{ wrote: 'write', removed: 'remove' }[did] ?? did} `)

/** Another home's service keeps its name. */
function refuseForeign(text: string | null, path: string, facts: ServiceFacts): void {
  const { home } = facts
  const marks = [` in ${home.replaceAll('%', '%%')}\n`, ` in ${xml(home)}<`, `<string>${xml(home)}</string>`]
  if (text === null || marks.some(mark => text.includes(mark))) return
  throw new ShoalError('CONFLICT', `${path}: is the service of another home; choose a --name for this one`)
}

const staleSocket = (facts: ServiceFacts, files: readonly ServiceFile[], machine: Machine): readonly string[] => {
  const path = join(dirname(files[0]?.path ?? ''), `${facts.name}.socket`)
  return machine.read(path) === null ? [] : [path]
}

function installSteps({ kind, facts, files, isBusy }: Plan, isChanged: boolean): readonly Step[] {
  const { name } = facts
  switch (kind) {
    case 'systemd': {
      const units = files.map(file => basename(file.path))
      const enable: readonly Step[] = isChanged ? [systemctl('daemon-reload'), systemctl('enable', ...units)] : []
      return isBusy ? enable : [...enable, systemctl('start', '--no-block', ...units.toReversed())]
    }
    case 'launchd': {
      const target = `${launchdDomain()}/${launchdLabel(name)}`
      if (!isChanged || isBusy) return []
      const [file] = files
      return [
        { command: 'launchctl', args: ['bootout', target], mayFail: true },
        { command: 'launchctl', args: ['bootstrap', launchdDomain(), file?.path ?? ''] },
      ]
    }
    case 'winsw': {
      const program = join(winswDir(facts.home), `${name}.exe`)
      if (!isChanged) return []
      return [
        { command: program, args: ['uninstall'], mayFail: true },
        { command: program, args: ['install'] },
        ...(isBusy ? [] : [{ command: program, args: ['start'] }]),
      ]
    }
    case 'task': {
      if (!isChanged) return []
      const [file] = files
      const create = { command: 'schtasks.exe', args: ['/Create', '/F', '/TN', name, '/XML', file?.path ?? ''] }
      return isBusy ? [create] : [create, { command: 'schtasks.exe', args: ['/Run', '/TN', name] }]
    }
    default:
      return assertNever(kind)
  }
}

/** @returns what was done, a line each. @throws ShoalError NOT_ALLOWED, SERVICE_FAILED */
export async function uninstall(plan: Plan, machine: Machine = realMachine): Promise<readonly string[]> {
  const { kind, facts, isDryRun } = plan
  const folder = dirname(plan.files[0]?.path ?? '')
  const paths = kind === 'systemd' ? ['socket', 'service'].map(end => join(folder, `${facts.name}.${end}`)) : plan.files.map(f => f.path)
  const there = paths.filter(path => machine.read(path) !== null)
  for (const path of there) refuseForeign(machine.read(path), path, facts)
  if (there.length === 0) return [`${facts.name} is not installed`]
  const done: string[] = []
  for (const step of uninstallSteps(plan, there)) done.push(await take(step, isDryRun, machine))
  for (const path of there) {
    if (!isDryRun) await allowed(path, () => machine.remove(path))
    done.push(`removed ${path}`)
  }
  if (kind === 'systemd') done.push(await take(systemctl('daemon-reload'), isDryRun, machine))
  return isDryRun ? done.map(conditional) : done
}

function uninstallSteps({ kind, facts }: Plan, there: readonly string[]): readonly Step[] {
  const { name } = facts
  switch (kind) {
    case 'systemd':
      return [systemctl('disable', '--now', ...there.map(path => basename(path)))]
    case 'launchd':
      return [{ command: 'launchctl', args: ['bootout', `${launchdDomain()}/${launchdLabel(name)}`], mayFail: true }]
    case 'winsw': {
      const program = join(winswDir(facts.home), `${name}.exe`)
      return [
        { command: program, args: ['stop'], mayFail: true },
        { command: program, args: ['uninstall'] },
      ]
    }
    case 'task':
      return [{ command: 'schtasks.exe', args: ['/Delete', '/F', '/TN', name] }]
    default:
      return assertNever(kind)
  }
}

/** Stops a node through whoever would start it again at once; null: nobody would. */
export function stopSteps(word: string): readonly Step[] | null {
  const [kind = '', name = ''] = word.split(':')
  if (kind === 'systemd') return [{ ...systemctl('stop', `${name}.socket`), mayFail: true }, systemctl('stop', `${name}.service`)]
  if (kind === 'launchd') return [{ command: 'launchctl', args: ['bootout', `${launchdDomain()}/${launchdLabel(name)}`] }]
  return null
}

const systemctl = (...args: readonly string[]): Step => ({ command: 'systemctl', args })
const launchdDomain = (): string => (launchdDir().startsWith('/Library') ? 'system' : `gui/${userInfo().uid}`)

/** @returns what was done. @throws ShoalError NOT_ALLOWED, SERVICE_FAILED with the manager's own words */
export async function take(step: Step, isDryRun: boolean, machine: Machine = realMachine): Promise<string> {
  const line = [step.command, ...step.args].join(' ')
  if (isDryRun) return `run ${line}`
  const { code, text } = await machine.run(step)
  if (code === 0 || step.mayFail === true) return `ran ${line}`
  if (/access is denied|access denied|authentication (?:is )?required|not permitted|permission/i.test(text))
    throw new ShoalError('NOT_ALLOWED', `${line}: ${text}; this needs the rights of an administrator (sudo)`)
  throw new ShoalError('SERVICE_FAILED', `${line}: exit ${code}: ${text}`)
}

async function allowed(path: string, work: () => unknown): Promise<void> {
  try {
    await work()
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code ?? '')) throw cause
    throw new ShoalError('NOT_ALLOWED', `${path}: cannot be written (${code ?? ''}); this needs the rights of an administrator (sudo)`, {
      cause,
    })
  }
}
