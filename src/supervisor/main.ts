/**
 * The supervisor as a process: arguments, the home, the port, signals, the loader. Everything it decides is in machine.ts.
 * To the loader it says (frozen): `{ t: 'ready' }` when the node serves, or its app asked for time to start; `{ t: 'blocked', code, message }` when it cannot start for a
 * reason that no other slot would cure.
 */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import {
  type Code,
  codeOf,
  codes,
  type Config,
  type Current,
  isCode,
  messageOf,
  parseAddress,
  parseDigest,
  ShoalError,
} from '../model/index.ts'
import { type HomePaths, homePaths, mendCurrent, readConfigFile, readCurrent } from '../slots/index.ts'
import { type Console, consoleOf } from './console.ts'
import { Driver } from './driver.ts'
import { checkKeyModes } from './key-modes.ts'
import { logLine } from './log-line.ts'
import { LogFile } from './log-file.ts'
import { becomeOnlyOne, type Registry } from './only-one.ts'
import { openPort, type Port } from './port.ts'
import { serviceManager } from './service-manager.ts'
import { initialState } from './state.ts'

/** Another slot would meet the same: the loader ends instead of trying it. */
const blockers: readonly Code[] = [
  'PORT_IN_USE',
  'ALREADY_RUNNING',
  'KEY_FILE_MODE',
  'HOME_DAMAGED',
  'HOME_EMPTY',
  'NOT_ALLOWED',
  'BAD_REQUEST',
  'BAD_VERSION',
]

/**
 * Runs the node of a home until it is stopped; the process ends inside. Exit codes: 0 stopped, 1 failed, 75 start me again.
 * @param argv `--home DIR`, and from the loader `--slot DIGEST`, the slot that this supervisor comes from; `--check`: only whether it could
 * start here, exit 0 if so, while another one may run
 */
export async function supervise(argv: readonly string[]): Promise<void> {
  const mouth: Mouth = { out: consoleOf(1, process.stdout), err: consoleOf(2, process.stderr), file: null }
  const say = (line: string): void => {
    mouth.err.write(line)
    mouth.file?.write(logLine(line, new Date()))
  }
  try {
    await begin(argv, say, mouth)
  } catch (error) {
    sayFailure(mouth, argv[argv.indexOf('--home') + 1] ?? '.', codeOf(error), messageOf(error))
    if (blockers.includes(codeOf(error))) await tellLoader({ t: 'blocked', code: codeOf(error), message: messageOf(error) })
    await end(mouth, 1)
  }
}

/** Where this process speaks. */
interface Mouth {
  readonly out: Console
  readonly err: Console
  file: LogFile | null
}

async function end({ out, err, file }: Mouth, code: number): Promise<never> {
  file?.flushSync()
  await Promise.all([out.flush(), err.flush()])
  process.exit(code)
}

/** For people as every command says it: what and its code, where, what to do. For the file as one line. */
function sayFailure({ err, file }: Mouth, home: string, code: string, message: string): void {
  const lines = [`error: ${message} (${code})`, `  home ${home}`, ...(isCode(code) ? [`  ${codes[code].todo}`] : [])]
  err.write(lines.join('\n'))
  file?.write(logLine(`${code}: ${message}`, new Date()))
}

async function begin(argv: readonly string[], say: (line: string) => void, mouth: Mouth): Promise<void> {
  const hadLoader = process.send !== undefined
  const options = { home: { type: 'string' }, slot: { type: 'string' }, check: { type: 'boolean' } } as const
  const { values } = parseArgs({ args: [...argv], options })
  const paths = homePaths(values.home ?? '.')
  openHome(paths)
  const config = readConfigFile(paths, say)
  checkKeyModes(paths)
  if (values.check === true) await end(mouth, 0)
  const manager = serviceManager(process.env, say)
  const hasRestart = hadLoader || manager.name !== null
  const registry = await becomeOnlyOne(paths, { service: manager.name ?? '', restart: hadLoader ? 'loader' : hasRestart ? 'service' : '' })
  // Only now: a predecessor that was on its way out may have written it.
  const current = openHome(paths)
  mendCurrent(paths.home, current)
  mouth.file = new LogFile(paths.nodeLog)
  const port = await openOrRelease(config, registry, manager.socketFd, say)
  const driver = new Driver(initialState(current, values.slot === undefined ? null : parseDigest(values.slot)), {
    home: paths.home,
    port,
    ticketKeys: randomBytes(48).toString('base64'),
    hasLoader: hasRestart,
    note: registry.note,
    leaving: code => {
      registry.leaving()
      if (code !== 75) manager.stopping() // after 75 the next supervisor goes on
    },
    say,
    alive: () => void tellLoader({ t: 'ready' }),
    announce: line => {
      announce(mouth.out, line, process.env['SHOAL_READY'])
      manager.ready(line)
      void tellLoader({ t: 'ready' })
    },
    blocked: (code, message) => {
      sayFailure(mouth, paths.home, code, message)
      void tellLoader({ t: 'blocked', code, message })
    },
    exit: code => {
      port.close()
      registry.release()
      void end(mouth, code)
    },
  })
  takeOrders(() => driver.dispatch({ kind: 'stop' }))
  if (hadLoader && !process.connected)
    driver.dispatch({ kind: 'stop' }) // it died before anybody listened for that
  else driver.dispatch({ kind: 'start' })
}

function openHome(paths: HomePaths): Current {
  const current = readCurrent(paths.home)
  if (current === null) throw new ShoalError('HOME_EMPTY', `${paths.home}: is no node yet`)
  process.chdir(paths.home)
  return current
}

async function openOrRelease(config: Config, registry: Registry, fd: number | null, say: (line: string) => void): Promise<Port> {
  try {
    return await openPort(parseAddress(config.listen, 'config.json.listen'), fd, say)
  } catch (error) {
    registry.release()
    throw error
  }
}

/** Signals on POSIX, Ctrl+C anywhere; the loader by message, and by its death. */
function takeOrders(stop: () => void): void {
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('disconnect', stop)
  process.on('message', (message: unknown) => {
    if (typeof message === 'object' && message !== null && 't' in message && message.t === 'stop') stop()
  })
}

/** The one line that scripts wait for; as a document, or not at all, if the loader says so. */
function announce(out: Console, line: string, form: string | undefined): void {
  const [, url, node, app, shoal] = /^ready (\S+) node=(\S+) app=(.+) shoal=(\S+)$/.exec(line) ?? []
  if (form === 'json') out.write(JSON.stringify({ state: 'ready', url, node, app, shoal }, null, 2))
  else if (form !== 'silent') out.write(line)
}

const tellLoader = (message: object): Promise<void> =>
  new Promise(resolve => {
    if (process.connected && process.send !== undefined) process.send(message, undefined, {}, () => resolve())
    else resolve()
  })
