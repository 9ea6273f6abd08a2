/** Finds out what a service of this home would be: which loader and Node.js, whose rights, which port. */
import { execFileSync } from 'node:child_process'
import { existsSync, realpathSync, statSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { homedir, userInfo } from 'node:os'
import { join, sep } from 'node:path'
import { type Address, assertNever, parseAddress, ShoalError } from '../../model/index.ts'
import { hasModes, type HomePaths, nodeBinaryOf, readCurrent, slotDir } from '../../slots/index.ts'
import { readConfig } from '../home/index.ts'
import { loaderFile } from '../program.ts'
import type { Kind, ServiceFacts, ServiceFile } from './definition.ts'
import { launchdFiles } from './launchd.ts'
import { systemdFiles } from './systemd.ts'
import { taskFiles, winswFiles } from './windows.ts'

export const thisKind = (): Kind => (process.platform === 'win32' ? 'task' : process.platform === 'darwin' ? 'launchd' : 'systemd')

/** Characters that no definition can hold. */
const unwritable = /[\u0000-\u001f\u007f]/

/** @throws ShoalError HOME_EMPTY, BAD_REQUEST */
export async function serviceFacts(paths: HomePaths, name: string): Promise<ServiceFacts> {
  const current = readCurrent(paths.home)
  if (current === null) throw new ShoalError('HOME_EMPTY', `${paths.home} is no node yet`)
  if (unwritable.test(paths.home)) throw new ShoalError('BAD_REQUEST', `${JSON.stringify(paths.home)}: a service cannot have such a home`)
  const slot = slotDir(paths.home, current.builtIn)
  const loader = join(slot, 'src', 'boot.js')
  return {
    name,
    home: paths.home,
    node: nodeBinaryOf(slot) ?? process.execPath,
    loader: existsSync(loader) ? loader : loaderFile,
    listen: await plainAddress(parseAddress(readConfig(paths).listen)),
    elsewhere: linkedElsewhere(paths),
    user: ownerOf(paths.home),
  }
}

async function plainAddress(address: Address): Promise<Address | null> {
  if (address.port === 0) return null
  if (isIP(address.host) !== 0) return address
  const found = await lookup(address.host).catch(() => null)
  return found === null ? null : { host: found.address, port: address.port }
}

function linkedElsewhere(paths: HomePaths): readonly string[] {
  const home = realpathSync(paths.home)
  const folders = [paths.instance, paths.certs, paths.data, paths.packages, paths.slots, paths.backups, paths.logs, paths.inbox]
  const targets = folders.filter(path => existsSync(path)).map(path => realpathSync(path))
  return [...new Set(targets.filter(path => path !== home && !path.startsWith(home + sep)))].toSorted()
}

function ownerOf(home: string): string | null {
  if (!hasModes) return null
  const { uid } = statSync(home)
  if (uid === 0) return null
  if (uid === userInfo().uid) return userInfo().username
  try {
    return execFileSync('id', ['-nu', String(uid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 5000 }).trim()
  } catch {
    return String(uid) // Nobody of that name; the number serves.
  }
}

const isRoot = (): boolean => hasModes && userInfo().uid === 0

export const launchdDir = (): string => (isRoot() ? '/Library/LaunchDaemons' : join(homedir(), 'Library', 'LaunchAgents'))

export function filesOf(kind: Kind, facts: ServiceFacts): readonly ServiceFile[] {
  switch (kind) {
    case 'systemd':
      return systemdFiles(facts)
    case 'launchd':
      return launchdFiles(facts, launchdDir())
    case 'winsw':
      return winswFiles(facts)
    case 'task':
      return taskFiles(facts)
    default:
      return assertNever(kind)
  }
}
