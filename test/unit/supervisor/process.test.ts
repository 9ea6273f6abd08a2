/** Real processes: the real loader and supervisor around the fixture worker, over loopback. */
import { setTimeout as sleep } from 'node:timers/promises'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { type Current, parseCurrent, parseJson } from '../../../src/model/index.ts'
import { homePaths, installBuiltIn, readCurrent, slotDir, writeCurrent } from '../../../src/slots/index.ts'
import { addApp, ask, askSwitch, boot, type Home, isAlive, makeHome, makeProgram, order, Running, target } from './home.ts'

const currentOf = (home: Home): Current => parseCurrent(parseJson(readFileSync(homePaths(home.dir).current, 'utf8'), 'current.json'))
const withApp = (home: Home, behaviour: Record<string, unknown>): Current => {
  const current = { ...currentOf(home), app: addApp(home.dir, behaviour) }
  writeCurrent(home.dir, current)
  return current
}

const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0

/** The loader forgets the attempts when it hears what the line says; that may be a moment after the line. */
async function attemptsOf(home: Home, url: string): Promise<string> {
  for (let tries = 0; tries < 200 && readFileSync(homePaths(home.dir).attempts, 'utf8') !== '0'; tries++) await ask(url)
  return readFileSync(homePaths(home.dir).attempts, 'utf8')
}

void t.test('starts, says ready once, keeps secrets out of argv and environment, stops with 0', async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'], { SHOAL_PASSPHRASE: 'six words of a person' })
  const line = await node.line(/^ready /)
  t.match(line, /^ready http:\/\/127\.0\.0\.1:\d+ node=abcdefgh app=app@1\.0\.0 shoal=0\.0\.1$/)
  const answer = await ask(await node.url())
  t.equal(answer.app, '1.0.0')
  t.equal(Buffer.from(answer.keys, 'base64').length, 48)
  t.notOk(JSON.stringify([answer.argv, answer.env]).includes(answer.keys))
  t.notOk(JSON.stringify(answer.env).includes('six words'))
  t.equal(answer.env.NODE_COMPILE_CACHE, join(home.dir, 'instance/cache'))
  t.equal(await attemptsOf(home, await node.url()), '0', 'ready forgets the attempts')
  t.equal(statSync(homePaths(home.dir).run).mode & 0o777, 0o700)
  node.child.kill('SIGTERM')
  t.equal(await node.exit, 0)
  t.notOk(isAlive(answer.pid))
  t.same(node.out.length, 1)
})

void t.test('a stop that comes before anything is up ends it too; the attempt does not count', async t => {
  const home = await makeHome(t)
  const app = addApp(home.dir, { ready: 'never' })
  writeCurrent(home.dir, { ...currentOf(home), app })
  const node = boot(t, home, ['start'])
  await new Promise<void>(resolve => {
    const look = setInterval(() => {
      if (!existsSync(join(homePaths(home.dir).run, 'supervisor.json'))) return
      clearInterval(look)
      resolve()
    }, 5)
  })
  node.child.kill('SIGINT')
  t.equal(await node.exit, 0)
  t.equal(readFileSync(homePaths(home.dir).attempts, 'utf8'), '0')
})

void t.test('a switch is confirmed; a request on a kept connection of the old worker is answered by the new one', async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const before = await ask(url, '/?keep', agent)
  const two = addApp(home.dir, { version: '2.0.0' })
  await askSwitch(url, target(two))
  await node.line(/switch confirmed/)
  const kept = await ask(url, '/?keep', agent)
  t.equal(kept.app, '2.0.0', 'forwarded over the private socket')
  const after = await ask(url)
  t.equal(after.app, '2.0.0')
  t.equal(after.last?.result, 'confirmed')
  t.not(after.pid, before.pid)
  t.equal(after.keys, before.keys, 'one ticket key for all workers')
  t.match(currentOf(home), { app: two, state: 'good', trial: null, last: { order, result: 'confirmed', linked: 3 } })
  t.ok(isAlive(before.pid), 'the parked one stays for its idle clients')
})

void t.test('no new connection is refused while releases come and go', async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const seen = new Set<string | null>()
  const load = { isOn: true, answered: 0, failed: 0 }
  const client = async (): Promise<void> => {
    while (load.isOn) {
      await ask(url).then(
        answer => {
          load.answered++
          seen.add(answer.app)
        },
        () => load.failed++,
      )
    }
  }
  const clients = [client(), client()]
  await askSwitch(url, target(addApp(home.dir, { version: '2.0.0' })))
  await node.line(/switch confirmed/)
  await askSwitch(url, target(addApp(home.dir, { version: '3.0.0', served: 'condemn' }), { attempt: 2 }))
  await node.line(/switch rolled-back/)
  // Who has gone back may still be on its way to serve, and is refused then: like a node, ask until it is begun.
  const next = target(addApp(home.dir, { version: '4.0.0' }), { attempt: 3, handover: 'overlap' })
  const begun = node.line(/switch to app .* begun/, 3)
  for (let isBegun = false; !isBegun; ) {
    await askSwitch(url, next)
    isBegun = await Promise.race([begun.then(() => true), sleep(200, false)])
  }
  await node.line(/switch confirmed/, 2)
  while (!seen.has('4.0.0')) await ask(url).then(answer => seen.add(answer.app))
  load.isOn = false
  await Promise.all(clients)
  t.equal(load.failed, 0)
  t.ok(load.answered > 10)
  t.ok(seen.has('1.0.0') && seen.has('2.0.0'))
})

void t.test('going back: the table of bad releases', async t => {
  const home = await makeHome(t)
  const { app } = withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const { pid } = await ask(url)
  const cases = [
    [{ ready: 'exit' }, 'failed', 'WORKER_EXITED', 'cannot load: a module is missing'],
    [{ ready: 'condemn' }, 'failed', 'APP_IMPORT_FAILED', ''],
    [{ go: 'exit' }, 'rolled-back', 'WORKER_EXITED', 'the app ended the process'],
    [{ go: 'condemn' }, 'rolled-back', 'APP_START_FAILED', ''],
    [{ served: 'exit' }, 'rolled-back', 'WORKER_EXITED', 'the app ended the process'],
    [{ served: 'condemn' }, 'rolled-back', 'APP_UNHEALTHY', ''],
  ] as const
  for (const [at, [behaviour, result, code, line]] of cases.entries()) {
    await askSwitch(url, target(addApp(home.dir, { version: '2.0.0', ...behaviour }), { attempt: at + 1 }))
    await node.line(
      new RegExp(`switch ${result}: .*${code}`),
      cases.slice(0, at + 1).filter(each => each[1] === result && each[2] === code).length,
    )
    // The one that goes back may still answer what it has accepted.
    let answer = await ask(url)
    for (let n = 0; n < 100 && answer.pid !== pid; n++) answer = await sleep(20).then(() => ask(url))
    t.equal(answer.pid, pid, `${JSON.stringify(behaviour)}: the same old worker serves`)
    t.match(answer.last, { result, code, attempt: at + 1 })
    t.match(currentOf(home), { app, state: 'good', last: { result, code, attempt: at + 1 } })
    if (line !== '') t.ok(currentOf(home).last?.log.includes(line))
  }
})

void t.test('kill -9 of the new worker in probation: the parked old one serves again', async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const old = await ask(url)
  await askSwitch(url, target(addApp(home.dir, { version: '2.0.0', served: 'wait' })))
  let young = old
  while (young.pid === old.pid) young = await ask(url)
  t.equal(currentOf(home).state, 'trial')
  process.kill(young.pid, 'SIGKILL')
  await node.line(/switch rolled-back: .*WORKER_EXITED.*SIGKILL/)
  t.equal((await ask(url)).pid, old.pid)
})

void t.test(
  'kill -9 of supervisor and loader in the middle of a trial: no worker lives on; the next starts go on with it, then back',
  async t => {
    const home = await makeHome(t)
    const { app } = withApp(home, { version: '1.0.0' })
    const two = addApp(home.dir, { version: '2.0.0', served: 'wait' })
    const first = boot(t, home, ['start'])
    const url = await first.url()
    await askSwitch(url, target(two))
    let pid = 0
    while (pid === 0) pid = await ask(url).then(a => (a.app === '2.0.0' ? a.pid : 0))
    t.equal(await attemptsOf(home, url), '0')
    for (const attempts of [1, 2]) {
      const { pids } = JSON.parse(readFileSync(join(homePaths(home.dir).run, 'supervisor.json'), 'utf8')) as { pids: [string, string][] }
      const loader = attempts === 1 ? first : again
      loader?.child.kill('SIGKILL')
      process.kill(Number(pids[0]?.[0]), 'SIGKILL')
      again = boot(t, home, ['start'])
      const answer = await ask(await again.url())
      t.equal(answer.app, '2.0.0')
      t.equal(await attemptsOf(home, await again.url()), '0', 'a start that was ready does not count')
      t.match(currentOf(home), { state: 'trial', attempts })
      for (const [each] of pids) t.notOk(isAlive(Number(each)), 'nobody of the killed one is left')
    }
    const { pids } = JSON.parse(readFileSync(join(homePaths(home.dir).run, 'supervisor.json'), 'utf8')) as { pids: [string, string][] }
    again?.child.kill('SIGKILL')
    process.kill(Number(pids[0]?.[0]), 'SIGKILL')
    const last = boot(t, home, ['start'])
    const answer = await ask(await last.url())
    t.equal(answer.app, '1.0.0')
    t.match(answer.last, { result: 'rolled-back', code: 'INTERRUPTED' })
    t.match(currentOf(home), { app, state: 'good' })
  },
)
let again: Running | undefined

void t.test('a worker whose loop stands still does not outlive its killed supervisor: the next start ends it', async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const { pid } = await ask(url)
  ask(url, '/block').catch(() => undefined)
  const registry = join(homePaths(home.dir).run, 'supervisor.json')
  const { pids } = JSON.parse(readFileSync(registry, 'utf8')) as { pids: [string, string][] }
  await node.line(/blocking/)
  node.child.kill('SIGKILL')
  process.kill(Number(pids[0]?.[0]), 'SIGKILL')
  const next = boot(t, home, ['start'])
  await next.url()
  t.notOk(isAlive(pid))
})

void t.test('kill -9 of the loader alone: the supervisor drains and ends', async t => {
  const home = await makeHome(t)
  const node = boot(t, home, ['start'])
  const { pid } = await ask(await node.url())
  node.child.kill('SIGKILL')
  await node.exit // closes when the last process that holds its output has ended
  t.notOk(isAlive(pid))
})

void t.test('kill -9 of the supervisor: the loader starts it again', async t => {
  const home = await makeHome(t)
  const node = boot(t, home, ['start'])
  const { pid } = await ask(await node.url())
  const { pids } = JSON.parse(readFileSync(join(homePaths(home.dir).run, 'supervisor.json'), 'utf8')) as { pids: [string, string][] }
  process.kill(Number(pids[0]?.[0]), 'SIGKILL')
  const answer = await ask(await node.url(2))
  t.not(answer.pid, pid)
  t.notOk(isAlive(pid))
})

void t.test('a crashing app: restarted, then safe mode; the port stays open', async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0', served: 'exit', evenUntried: true })
  const node = boot(t, home, ['start'])
  await node.line(/safe mode/)
  const url = await node.url()
  let answer = await ask(url)
  while (!answer.safe) answer = await ask(url)
  t.equal(currentOf(home).state, 'safe')
})

void t.test('a restart that the worker asks for: exit 75 inside, a new supervisor, no exit for the terminal', async t => {
  const home = await makeHome(t)
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const { pid } = await ask(url, '/restart')
  const answer = await ask(await node.url(2))
  t.not(answer.pid, pid)
  await ask(await node.url(2), '/stop')
  t.equal(await node.exit, 0)
})

/** Runs its arguments with standard error on a terminal that nobody reads; passes SIGTERM on and takes over the exit code. */
const stillTerminal = `
import os, pty, signal, sys
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.dup2(slave, 2)
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, 15))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

void t.test('a terminal that stands still (Ctrl-S): the node answers, logs and stops', { skip: !hasPython && 'needs python3' }, async t => {
  const home = await makeHome(t)
  withApp(home, { version: '1.0.0' })
  const args = ['-c', stillTerminal, process.execPath, join(home.program, 'src/boot.js'), 'start', '--home', home.dir]
  const node = new Running(t, 'python3', args)
  const url = await node.url()
  for (let n = 0; n < 20; n++) await ask(url, '/chat')
  while (!readFileSync(homePaths(home.dir).nodeLog, 'utf8').includes('chat')) await ask(url)
  const { pid } = await ask(url)
  process.kill(pid, 'SIGKILL')
  let next = pid
  while (next === pid)
    next = await ask(url).then(
      answer => answer.pid,
      () => pid,
    )
  node.child.kill('SIGTERM')
  t.equal(await node.exit, 0)
  t.notOk(isAlive(next))
})

void t.test('two starts of one home: the second says ALREADY_RUNNING, exit 1, and costs no attempt', async t => {
  const home = await makeHome(t)
  const node = boot(t, home, ['start'])
  const url = await node.url()
  await attemptsOf(home, url)
  const second = boot(t, home, ['start'])
  t.equal(await second.exit, 1)
  t.match(second.err.join('\n'), /^error: .*pid \d+\) \(ALREADY_RUNNING\)\n {2}home \S+\n {2}\S/)
  t.equal(readFileSync(homePaths(home.dir).attempts, 'utf8'), '0')
  t.equal((await ask(url)).safe, false)
})

void t.test('a second start where somebody removed the socket of the first: ALREADY_RUNNING; worker and notes stay', async t => {
  if (process.platform === 'win32') return t.pass('a pipe has no name that could be removed')
  const home = await makeHome(t)
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const { pid } = await ask(url)
  const { run } = homePaths(home.dir)
  const notes = readFileSync(join(run, 'supervisor.json'), 'utf8')
  for (let n = 0; n < 2; n++) {
    rmSync(join(run, 'supervisor.sock'), { force: true })
    const second = boot(t, home, ['start'])
    t.equal(await second.exit, 1)
    t.match(second.err.join('\n'), /\(ALREADY_RUNNING\)/)
    t.equal(readFileSync(join(run, 'supervisor.json'), 'utf8'), notes)
  }
  t.equal((await ask(url)).pid, pid)
  node.child.kill('SIGTERM')
  t.equal(await node.exit, 0)
})

void t.test('a start refuses what no slot would cure: port, key modes, config', async t => {
  const home = await makeHome(t)
  const taken = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await new Promise(resolve => taken.once('listening', resolve))
  const { port } = taken.address() as net.AddressInfo
  const configure = (text: string): void => writeFileSync(homePaths(home.dir).config, text)
  const refusal = async (): Promise<string> => {
    const node = boot(t, home, ['start'])
    t.equal(await node.exit, 1)
    t.equal(readFileSync(homePaths(home.dir).attempts, 'utf8'), '0')
    return node.err.join('\n')
  }
  configure(JSON.stringify({ name: 'fixture', listen: `127.0.0.1:${port}` }))
  t.match(await refusal(), /^error: 127\.0\.0\.1:\d+.* \(PORT_IN_USE\)\n {2}home \S+\n {2}Stop what listens/)
  configure('{ "name": "fix')
  t.match(await refusal(), /config\.json was cut: put back from its copy/, 'nobody wrote it so')
  configure('{ "name": 5 }')
  t.match(await refusal(), /^error: .*config\.json.* \(BAD_REQUEST\)$/m)
  configure(JSON.stringify({ name: 'fixture', listen: '[::1]:0' }))
  mkdirSync(homePaths(home.dir).operators, { recursive: true })
  writeFileSync(homePaths(home.dir).nodeKey, 'k', { mode: 0o600 })
  writeFileSync(join(homePaths(home.dir).operators, 'ann.json'), '{}')
  chmodSync(join(homePaths(home.dir).operators, 'ann.json'), 0o640)
  t.match(await refusal(), /^error: .*ann\.json: its mode is 0640.* \(KEY_FILE_MODE\)$/m)
})

void t.test('IPv6 and names can be listened on', async t => {
  const home = await makeHome(t)
  for (const listen of ['[::1]:0', 'localhost:0']) {
    writeFileSync(homePaths(home.dir).config, JSON.stringify({ name: 'fixture', listen }))
    const node = boot(t, home, ['start'])
    await node.url()
    node.child.kill('SIGTERM')
    t.equal(await node.exit, 0)
  }
})

void t.test('the loader: starts that it did not see the end of, as by power cuts, condemn no slot until there are five', async t => {
  const home = await makeHome(t)
  const { app } = withApp(home, { version: '1.0.0' })
  const startWith = async (attempts: string): Promise<string> => {
    writeFileSync(homePaths(home.dir).attempts, attempts)
    const node = boot(t, home, ['start'])
    t.equal(await attemptsOf(home, await node.url()), '0')
    node.child.kill('SIGTERM')
    t.equal(await node.exit, 0)
    return node.err.filter(line => /^shoal: /.test(line)).join()
  }
  // Only one slot: whatever is remembered, it is tried.
  for (const attempts of ['0 2', '0 5', '2', '3 7', '{', '1 x']) t.equal(await startWith(attempts), '', attempts)
  const newest = await installBuiltIn(home.dir, makeProgram(join(home.program, '../newest'), 'newest'))
  writeFileSync(homePaths(home.dir).builtIn, home.builtIn)
  const pointer = { ...currentOf(home), shoal: newest, previous: { app, shoal: home.builtIn }, supervisor: newest }
  for (const [attempts, started] of [
    ['0 4', newest],
    ['0 5', home.builtIn],
    ['0 10', newest],
    ['2', home.builtIn],
  ] as const) {
    writeCurrent(home.dir, pointer)
    await startWith(attempts)
    t.equal(currentOf(home).shoal, started, attempts)
  }
})

void t.test('the loader: a kill before ready counts as an unseen start', async t => {
  const home = await makeHome(t)
  writeCurrent(home.dir, { ...currentOf(home), app: addApp(home.dir, { ready: 'never' }) })
  const counted = (): string => readFileSync(homePaths(home.dir).attempts, 'utf8')
  for (const count of ['0 1', '0 2', '0 3']) {
    const node = boot(t, home, ['start'])
    for (let tries = 0; tries < 1000 && (!existsSync(homePaths(home.dir).attempts) || counted() !== count); tries++) await sleep(10)
    node.child.kill('SIGKILL')
    await node.exit
    t.equal(counted(), count)
  }
})

void t.test('the loader: two failed starts, then the previous slot, then the built-in one, which takes over whole', async t => {
  const home = await makeHome(t)
  const broken = async (name: string, text: string): Promise<Current['shoal']> => {
    const program = makeProgram(join(home.program, '..', name), name)
    writeFileSync(join(program, 'src/supervisor/main.ts'), text)
    return installBuiltIn(home.dir, program)
  }
  const newest = await broken('newest', 'export const supervise = async () => process.exit(9)')
  const previous = await broken('previous', 'throw new Error("cannot load")')
  writeFileSync(homePaths(home.dir).builtIn, home.builtIn)
  const { app } = withApp(home, { version: '1.0.0' })
  writeCurrent(home.dir, { ...currentOf(home), shoal: newest, previous: { app, shoal: previous } })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  const fails = node.err.filter(line => /^shoal: slot/.test(line))
  t.same(
    fails.map(line => line.split(' ')[2]),
    [newest, newest, previous, previous].map(digest => digest.slice(0, 8)),
  )
  t.equal((await ask(url)).app, '1.0.0', 'the app is the same')
  t.match(currentOf(home), { shoal: home.builtIn, previous: null, state: 'good' })
  t.equal(await attemptsOf(home, url), '0')
  node.child.kill('SIGTERM')
  t.equal(await node.exit, 0)

  writeFileSync(join(slotDir(home.dir, home.builtIn), 'src/supervisor/main.ts'), 'process.exit(9)')
  const hopeless = boot(t, home, ['start'])
  t.equal(await hopeless.exit, 1, 'never for ever')
})

void t.test('an app update since the last shoal release: the loader still finds the slot whose supervisor served last', async t => {
  const home = await makeHome(t)
  const newest = makeProgram(join(home.program, '../newest'), 'newest')
  writeFileSync(join(newest, 'src/supervisor/main.ts'), 'export const supervise = async () => process.exit(9)')
  const broken = await installBuiltIn(home.dir, newest)
  const steady = await installBuiltIn(home.dir, makeProgram(join(home.program, '../steady'), 'steady'))
  writeCurrent(home.dir, { ...currentOf(home), shoal: broken, previous: { app: null, shoal: broken }, supervisor: steady })
  const node = boot(t, home, ['start'])
  await node.url()
  t.match(currentOf(home), { shoal: steady, supervisor: steady, previous: null })
})

void t.test('a supervisor that is only checked says by its exit code whether it could start, beside a running one', async t => {
  const home = await makeHome(t)
  const node = boot(t, home, ['start'])
  await node.url()
  t.equal(currentOf(home).supervisor, home.builtIn, 'who served is noted')
  const check = (): Running => {
    const entry = join(slotDir(home.dir, home.builtIn), 'src/entry.ts')
    return new Running(t, process.execPath, [entry, 'supervise', '--home', home.dir, '--slot', home.builtIn, '--check'])
  }
  t.equal(await check().exit, 0)
  mkdirSync(homePaths(home.dir).certs)
  writeFileSync(homePaths(home.dir).nodeKey, '', { mode: 0o644 })
  const refused = check()
  t.equal(await refused.exit, 1)
  t.match(refused.err.join(), 'KEY_FILE_MODE')
})

void t.test('attempts that were counted before a power cut count', async t => {
  const home = await makeHome(t)
  const program = makeProgram(join(home.program, '../next'), 'next')
  const next = await installBuiltIn(home.dir, program)
  writeCurrent(home.dir, { ...currentOf(home), shoal: next, previous: { app: null, shoal: home.builtIn } })
  writeFileSync(homePaths(home.dir).attempts, '2')
  const node = boot(t, home, ['start'])
  await node.url()
  t.equal(currentOf(home).shoal, home.builtIn)
})

void t.test('attempts that somebody holds open for a moment are counted all the same', async t => {
  const home = await makeHome(t)
  for (const code of ['EPERM', 'EBUSY', 'EACCES']) {
    const dir = t.testdir({
      'held.mjs': `import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const { renameSync } = fs
let left = 3
fs.renameSync = (from, to) => {
  if (to.endsWith('attempts') && left-- > 0) throw Object.assign(new Error('held'), { code: '${code}' })
  renameSync(from, to)
}
syncBuiltinESMExports()
`,
    })
    rmSync(homePaths(home.dir).attempts, { force: true })
    const node = boot(t, home, ['start'], { NODE_OPTIONS: `--import=${join(dir, 'held.mjs')}` })
    t.equal(await attemptsOf(home, await node.url()), '0', code)
    t.notMatch(node.err.join(), 'attempts')
    node.child.kill('SIGTERM')
    await node.exit
  }
})

void t.test('a current.json that is cut, empty or gone ends in its copy, then in the built-in slot', async t => {
  const home = await makeHome(t)
  const { app } = withApp(home, { version: '1.0.0' })
  const paths = homePaths(home.dir)
  const whole = readFileSync(paths.current, 'utf8')
  for (const text of ['', whole.slice(0, 40), '{"shoal":"x"}', 'null']) {
    writeFileSync(paths.current, text)
    t.equal(readCurrent(home.dir)?.app, app)
  }
  writeFileSync(paths.currentCopy, whole.slice(0, 90))
  t.match(readCurrent(home.dir), { app: null, shoal: home.builtIn, builtIn: home.builtIn, state: 'safe' })
  const node = boot(t, home, ['start'])
  t.match(await node.line(/^ready /), /app=none/)
})

void t.test('the command line: exit code, arguments, own folder or slot, start without a home', async t => {
  const home = await makeHome(t)
  const cli = boot(t, home, ['exit', '5', '--json'])
  t.equal(await cli.exit, 5)
  t.match(JSON.parse(cli.out[0] ?? ''), { argv: ['exit', '5', '--json', '--home', home.dir], pid: cli.child.pid }, 'in the same process')
  const empty: Home = { ...home, dir: join(home.dir, '../empty') }
  mkdirSync(empty.dir)
  const none = boot(t, empty, ['start'])
  t.equal(await none.exit, 2)
  t.match(none.err.join('\n'), /HOME_EMPTY/)
  const founded = boot(t, empty, ['start', '--init'], { FIXTURE_PROGRAM: home.program })
  t.match(await ask(await founded.url()), { app: null })
  t.equal(readCurrent(empty.dir)?.builtIn, home.builtIn, 'same program, same digest')
})

const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find(path => {
  try {
    const version = Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1])
    return version >= 20 && version < 24
  } catch {
    return false
  }
})
void t.test(
  'under an older Node.js: the slot brings its own; without one a single line says so',
  { skip: oldNode === undefined },
  async t => {
    const home = await makeHome(t)
    const bare = new Running(t, oldNode ?? '', [join(home.program, 'src/boot.js'), 'start', '--home', home.dir])
    t.equal(await bare.exit, 1)
    t.equal(bare.err.length, 1)
    t.match(bare.err[0], /^NODE_VERSION: /)

    const carrying: Home = {
      ...home,
      dir: join(home.dir, '../carrying'),
      program: makeProgram(join(home.program, '../carrying-program'), '', true),
    }
    mkdirSync(carrying.dir)
    const run = (args: readonly string[], env = {}): Running =>
      new Running(t, oldNode ?? '', [join(carrying.program, 'src/boot.js'), ...args, '--home', carrying.dir], env)
    const node = run(['start', '--init'], { FIXTURE_PROGRAM: carrying.program })
    const answer = await ask(await node.url())
    t.match(answer.argv[0], join(homePaths(carrying.dir).slots))
    const cli = run(['exit', '6'])
    t.equal(await cli.exit, 6)
    t.match(JSON.parse(cli.out[0] ?? ''), { node: /^2[4-9]\./ })
    const lingering = run(['linger'])
    await lingering.line(/linger/)
    lingering.child.kill('SIGTERM')
    t.equal(await lingering.exit, 7, 'signals are passed on')
    node.child.kill('SIGINT')
    t.equal(await node.exit, 0)
  },
)

void t.test('what workers say is kept in node.log, which rotates', async t => {
  const home = await makeHome(t)
  const paths = homePaths(home.dir)
  mkdirSync(paths.logs)
  writeFileSync(paths.nodeLog, randomBytes(3 << 20).toString('base64'))
  appendFileSync(paths.nodeLog, randomBytes(1 << 20).toString('base64'))
  withApp(home, { version: '1.0.0' })
  const node = boot(t, home, ['start'])
  const url = await node.url()
  await askSwitch(url, target(addApp(home.dir, { go: 'exit' })))
  await node.line(/switch rolled-back/)
  node.child.kill('SIGTERM')
  await node.exit
  t.match(readFileSync(paths.nodeLog, 'utf8'), /the app ended the process/)
  t.ok(existsSync(`${paths.nodeLog}.1`))
})
