#!/usr/bin/env node
// The loader. It never changes once a node is installed, so it knows only the format of slots/current.json, and must run on any
// Node.js from 20 with built-ins alone. It finds Node.js 24, starts the supervisor of a slot (`start`) or the command line (all
// else), counts starts in slots/attempts before it makes them, and when one fails goes to the previous slot, to the one whose supervisor
// served last, then to the built-in one.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const neededNode = 24
const readyTimeoutMs = 60_000
const startsPerSlot = 2
// Starts of one slot that nobody saw the end of, the loader's own included: a power cut, a kill. They say little of the slot.
const unseenPerSlot = 5
const pauseMs = 250
const stopTimeoutMs = 20_000
const restartExit = 75
const replaceTries = 20
const replacePauseMs = 100
// A supervisor that served and then died is started again, so often within a minute.
const maxDeaths = 4
const deathWindowMs = 60_000

const ownDir = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))))
const isWindows = process.platform === 'win32'
const argv = process.argv.slice(2)

const say = text => process.stderr.write(`shoal: ${text}\n`)
const fail = (code, text) => {
  process.stderr.write(`${code}: ${text}\n`)
  sayDocument({ error: { code, message: text } })
  return 1
}
const wait = ms => new Promise(done => setTimeout(done, ms))

// --- Arguments: the command is the first that is no option; --home may stand anywhere.

function readArguments() {
  let home = process.env.SHOAL_HOME || '.'
  let command = ''
  for (let at = 0; at < argv.length; at++) {
    const each = argv[at]
    if (each === '--') break
    if (each === '--home' && at + 1 < argv.length) home = argv[++at]
    else if (each.startsWith('--home=')) home = each.slice('--home='.length)
    else if (command === '' && !each.startsWith('-')) command = each
  }
  const end = argv.indexOf('--')
  const isJson = (end === -1 ? argv : argv.slice(0, end)).includes('--json')
  return { home: resolve(home), command, isHelp: argv.includes('--help') || argv.includes('-h'), isJson }
}

const { home, command, isHelp, isJson } = readArguments()

// With --json exactly one document goes to standard output: that it serves, or why not.
let mayDocument = isJson
function sayDocument(document) {
  if (mayDocument) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
  mayDocument = false
}
const instance = join(home, 'instance')
const slots = join(instance, 'slots')

// --- The pointer: current.json, its copy, or the name of the built-in slot.

const isDigest = value => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)

function readSlots(name) {
  try {
    const { shoal, previous, supervisor, builtIn } = JSON.parse(readFileSync(join(slots, name), 'utf8'))
    return isDigest(shoal) && isDigest(builtIn) ? [shoal, previous?.shoal, supervisor, builtIn].filter(isDigest) : null
  } catch {
    return null
  }
}

function readBuiltIn() {
  try {
    const digest = readFileSync(join(slots, 'builtin'), 'utf8').trim()
    return isDigest(digest) ? [digest] : null
  } catch {
    return null
  }
}

/** Shoal's slots, best first; null if this home has none. */
function readPointer() {
  const found = readSlots('current.json') ?? readSlots('current.json.bak') ?? readBuiltIn()
  return found && [...new Set(found)]
}

// --- Attempts since the last `ready`: starts that were seen to fail, and starts after them whose end nobody saw.

const noAttempts = { failed: 0, unseen: 0 }

function readAttempts() {
  try {
    const [, failed, unseen] = /^(\d{1,6})(?: (\d{1,6}))?\s*$/.exec(readFileSync(join(slots, 'attempts'), 'utf8')) ?? []
    return { failed: Number(failed ?? 0), unseen: Number(unseen ?? 0) }
  } catch {
    return noAttempts
  }
}

function withFile(path, flags, use) {
  const fd = openSync(path, flags)
  try {
    use(fd)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Windows refuses to rename over what an indexer or a virus scanner has open for a moment. */
function replace(from, to) {
  for (let tries = 1; ; tries++) {
    try {
      return renameSync(from, to)
    } catch (error) {
      if (tries === replaceTries || !['EPERM', 'EBUSY', 'EACCES'].includes(error.code)) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, replacePauseMs)
    }
  }
}

function writeAttempts({ failed, unseen }) {
  const path = join(slots, 'attempts')
  const beside = `${path}.${process.pid}.tmp`
  try {
    withFile(beside, 'w', fd => writeSync(fd, unseen === 0 ? String(failed) : `${failed} ${unseen}`))
    replace(beside, path)
    if (!isWindows) withFile(slots, 'r', () => undefined)
  } catch (error) {
    // A full disk must not keep the node from starting; the count in memory serves while this process lives.
    say(`${path}: cannot be written (${error.code})`)
    rmSync(beside, { force: true })
  }
}

// --- Node.js and the entry of a program's folder.

const entryOf = dir => [join(dir, 'src', 'entry.ts'), join(dir, 'src', 'entry.js')].find(path => existsSync(path))

function nodeBinaryOf(dir) {
  const file = isWindows ? 'node.exe' : 'node'
  const carrier = `node-${isWindows ? 'win' : process.platform}-${process.arch}`
  return [join(dir, 'bin', file), join(dir, 'node_modules', carrier, 'bin', file)].find(path => existsSync(path))
}

const ownVersion = Number(process.versions.node.split('.')[0])
const ownNode = ownVersion >= neededNode ? process.execPath : undefined
const nodeFor = dir => nodeBinaryOf(dir) ?? nodeBinaryOf(ownDir) ?? ownNode

const noNode = () =>
  fail(
    'NODE_VERSION',
    `Shoal needs Node.js ${neededNode} or newer; this is ${process.version}, and none comes along for ${process.platform}-${process.arch}`,
  )

function environment() {
  const env = { ...process.env }
  if (existsSync(instance) && env.NODE_COMPILE_CACHE === undefined) env.NODE_COMPILE_CACHE = join(instance, 'cache')
  return env
}

/**
 * A service manager that holds the port (systemd's socket unit) hands it over as descriptor 3. Every supervisor gets it from here, so
 * that none has to bind it, and connections wait in its backlog while there is none.
 */
const passedFd = 3
const hasPassedSocket = !isWindows && process.env.LISTEN_PID === String(process.pid) && Number(process.env.LISTEN_FDS) >= 1

/** What is not for processes that live long: secrets that somebody gave to `start --init` or for a join, and words to this process alone. */
const notInherited = ['SHOAL_PASSPHRASE', 'SHOAL_TOKEN', 'SHOAL_READY', 'SHOAL_LISTEN_FD', 'LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']

function serverEnvironment() {
  const env = environment()
  for (const name of notInherited) delete env[name]
  if (isJson) env.SHOAL_READY = mayDocument ? 'json' : 'silent'
  if (hasPassedSocket) env.SHOAL_LISTEN_FD = String(passedFd)
  return env
}

const exitCodeOf = (code, signal) => (signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0))

// --- The command line: that of the current slot, else of the loader's own folder.

function isSameFile(a, b) {
  try {
    const [x, y] = [statSync(a), statSync(b)]
    return x.ino === y.ino && x.dev === y.dev
  } catch {
    return false
  }
}

function programDir() {
  const [current] = readPointer() ?? []
  const dir = current && join(slots, current)
  return dir && entryOf(dir) ? dir : ownDir
}

async function runHere(entry) {
  if (existsSync(instance)) nodeModule.enableCompileCache?.(process.env.NODE_COMPILE_CACHE ?? join(instance, 'cache'))
  process.argv = [process.execPath, entry, ...argv]
  await import(pathToFileURL(entry).href)
}

function runCli(node, entry) {
  return new Promise(done => {
    const child = spawn(node, [entry, ...argv], { stdio: 'inherit', env: environment() })
    // Ctrl+C at a terminal reaches the child by itself.
    const forward = signal => (signal !== 'SIGINT' || !process.stdin.isTTY) && child.kill(signal)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward)
    const end = code => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, forward)
      done(code)
    }
    child.on('error', error => end(fail('NODE_VERSION', `${node} cannot be started (${error.code})`)))
    child.on('exit', (code, signal) => end(exitCodeOf(code, signal)))
  })
}

/** Returns an exit code, or undefined when the command runs in this process. */
async function commandLine(mayRunHere) {
  const dir = programDir()
  const entry = entryOf(dir)
  if (!entry) return fail('HOME_DAMAGED', `${dir}: has no src/entry.ts`)
  const carried = nodeBinaryOf(dir)
  if (mayRunHere && ownNode && (dir === ownDir || !carried || isSameFile(carried, ownNode))) return runHere(entry)
  const node = nodeFor(dir)
  return node ? runCli(node, entry) : noNode()
}

// --- The supervisor.

let running = null
let isStopping = false

function stop() {
  isStopping = true
  if (running === null) return
  const child = running
  // By message on every system: Windows has no signals.
  if (child.connected) child.send({ t: 'stop' }, () => undefined)
  setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs).unref()
}

function runSupervisor(node, digest, onReady) {
  return new Promise(done => {
    const args = [entryOf(join(slots, digest)), 'supervise', '--home', home, '--slot', digest]
    const stdio = ['ignore', 'inherit', 'inherit', ...(hasPassedSocket ? [passedFd] : []), 'ipc']
    const child = spawn(node, args, { cwd: home, stdio, env: serverEnvironment() })
    running = child
    const end = { isReady: false, blocked: null, code: 1, why: '' }
    const timer = setTimeout(() => {
      end.why = `not ready within ${readyTimeoutMs / 1000} s`
      child.kill('SIGKILL')
    }, readyTimeoutMs)
    child.on('message', message => {
      if (message?.t === 'blocked') end.blocked = message
      if (message?.t !== 'ready' || end.isReady) return
      clearTimeout(timer)
      end.isReady = true
      mayDocument = false // the supervisor has said it
      onReady()
    })
    const finish = (code, why) => {
      clearTimeout(timer)
      running = null
      done({ ...end, code, why: end.why || why })
    }
    child.on('error', error => finish(1, error.code ?? error.message))
    child.on('exit', (code, signal) => finish(exitCodeOf(code, signal), signal ?? `exit ${code}`))
  })
}

const usableSlots = () => (readPointer() ?? []).filter(digest => entryOf(join(slots, digest)))

/** Slots passed over: by failed starts, and by more unseen ones than any bad luck explains. */
const passedBy = ({ failed, unseen }) => Math.floor(failed / startsPerSlot) + Math.floor(unseen / unseenPerSlot)

/** Where the slots come to an end, they begin anew. */
const slotFor = (attempts, usable) => usable[passedBy(attempts) % usable.length]

const afterFailure = attempts => ({
  failed: (attempts.unseen < unseenPerSlot ? attempts.failed : passedBy(attempts) * startsPerSlot) + 1,
  unseen: 0,
})

async function serve() {
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  let attempts = readAttempts()
  let deaths = []
  let failures = 0
  const setAttempts = next => {
    attempts = next
    writeAttempts(next)
  }
  while (!isStopping) {
    const usable = usableSlots()
    if (usable.length === 0) return fail('HOME_DAMAGED', `${slots}: none of the slots that it names is there`)
    if (failures >= usable.length * startsPerSlot) {
      setAttempts(noAttempts) // whoever starts the loader again begins with the current slot
      return fail('INTERNAL', 'no slot starts, not even the built-in one; the lines above say why')
    }
    const digest = slotFor(attempts, usable)
    const node = nodeFor(join(slots, digest))
    if (!node) return noNode()
    const before = attempts
    setAttempts({ ...before, unseen: before.unseen + 1 })
    const end = await runSupervisor(node, digest, () => setAttempts(noAttempts))
    if (isStopping) {
      if (!end.isReady) setAttempts(before)
      return end.code
    }
    if (end.blocked && !end.isReady) {
      setAttempts(before)
      sayDocument({ error: { code: String(end.blocked.code), message: String(end.blocked.message) } })
      return end.code
    }
    if (end.code === restartExit && end.isReady) continue
    if (end.isReady && end.code === 0) return 0
    say(`slot ${digest.slice(0, 8)} ${end.isReady ? 'ended' : 'did not start'}: ${end.why}`)
    if (end.isReady) {
      failures = 0
      deaths = [...deaths.filter(at => at > Date.now() - deathWindowMs), Date.now()]
      if (deaths.length >= maxDeaths) return fail('INTERNAL', `the supervisor ended ${deaths.length} times in ${deathWindowMs / 1000} s`)
    } else {
      failures += 1
      setAttempts(afterFailure(before))
    }
    await wait(pauseMs)
  }
  return 0
}

async function start() {
  if (readPointer() === null) {
    const code = await commandLine(false)
    if (code !== 0) mayDocument = false // the command line has said why
    if (code !== 0 || readPointer() === null) return code
  }
  return serve()
}

const code = command === 'start' && !isHelp ? await start() : await commandLine(true)
if (code !== undefined) process.exitCode = code
