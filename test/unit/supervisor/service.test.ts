/** The node under a service manager: its socket, what it is told, what it may know. Real processes; the manager is this test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { endGroup, homePaths, isAlive, readRegistry, registryOf, runningSupervisor, supervisorSocket } from '../../../src/slots/index.ts'
import { adoptSocket, bindAddress } from '../../../src/supervisor/socket.ts'
import { serviceManager } from '../../../src/supervisor/service-manager.ts'
import { ask, boot, type Home, makeHome, Running } from './home.ts'
import { freePort } from '../../helpers/free-port.ts'

const posix = process.platform === 'win32' ? { skip: 'Windows has no sockets by descriptor' } : {}

/** The node with a bound socket as descriptor 3, as systemd starts it; this process holds it too and never accepts. */
async function startUnder(
  t: Test,
  home: Home,
  env: Record<string, string>,
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const bound = await bindAddress({ host: '127.0.0.1', port: 0 })
  t.teardown(bound.close)
  const { fd } = bound.handle as { readonly fd: number }
  const asManager = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"'
  const child = spawn('sh', ['-c', asManager, process.execPath, join(home.program, 'src/boot.js'), 'start', '--home', home.dir], {
    stdio: ['ignore', 'pipe', 'inherit', fd],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    const url = /^ready (\S+)/m.exec(text)?.[1]
    if (url !== undefined) return { child, url }
  }
  throw new Error(`it ended: ${text}`)
}

void t.test('a restart of the supervisor refuses no connection where the service manager holds the port', posix, async t => {
  const home = await makeHome(t)
  const { child, url } = await startUnder(t, home, {})
  const first = await ask(url)
  t.notOk(
    Object.keys(first.env).some(key => /^(LISTEN_|SHOAL_LISTEN|NOTIFY|WATCHDOG)/.test(key)),
    'the worker knows nothing of it',
  )
  const before = readRegistry(registryOf(homePaths(home.dir)))[0]?.pid ?? 0
  const load = { isOn: true, answered: 0, failed: [] as string[], pids: new Set<number>() }
  const client = async (): Promise<void> => {
    while (load.isOn) {
      await ask(url).then(
        answer => {
          load.answered++
          load.pids.add(answer.pid)
        },
        (error: unknown) => load.failed.push(String(error)),
      )
    }
  }
  const clients = [client(), client(), client()]
  await ask(url, '/restart')
  while (load.pids.size < 2) await sleep(20)
  load.isOn = false
  await Promise.all(clients)
  // The fixture's worker does not drain as the real one does; what counts here is the port.
  t.same(
    load.failed.filter(text => text.includes('ECONNREFUSED')),
    [],
  )
  t.ok(load.answered > 5)
  const now = await runningSupervisor(homePaths(home.dir))
  t.not(now?.pid, before, 'it is another supervisor')
  t.match(now, { restart: 'loader', service: '' })
  t.equal(child.exitCode, null, 'the loader is the same')
})

void t.test('systemd is told of the start, that the supervisor lives, and of the stop; nobody below may speak', posix, async t => {
  const home = await makeHome(t)
  const dir = mkdtempSync(join(tmpdir(), 'shoal-notify-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const said = join(dir, 'said')
  writeFileSync(join(dir, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>'${said}'\n`)
  chmodSync(join(dir, 'systemd-notify'), 0o755)
  const env = {
    PATH: `${dir}:${process.env['PATH'] ?? ''}`,
    NOTIFY_SOCKET: '/run/x',
    WATCHDOG_USEC: '600000',
    SHOAL_SERVICE: 'systemd:shoal',
  }
  const { child, url } = await startUnder(t, home, env)
  t.match(await runningSupervisor(homePaths(home.dir)), { restart: 'loader', service: 'systemd:shoal' })
  const answer = await ask(url)
  t.notOk(JSON.stringify(answer.env).includes('/run/x'))
  t.notOk(JSON.stringify(answer.env).includes('systemd:shoal'))
  const lines = (): string[] => (existsSync(said) ? readFileSync(said, 'utf8').trim().split('\n') : [])
  const has = (word: string, count: number): boolean => lines().filter(line => line.includes(word)).length >= count
  while (!has('WATCHDOG=1', 3) || !has('READY=1', 1)) await sleep(50)
  t.match(
    lines().find(line => line.includes('READY=1')),
    /^\/run\/x READY=1 STATUS=ready http:.* node=abcdefgh/,
  )
  // A restart inside is no stop: systemd would end what is told to be stopping.
  await ask(url, '/restart')
  while (!has('READY=1', 2)) await sleep(50)
  t.notOk(lines().some(line => line.includes('STOPPING=1')))
  child.kill('SIGTERM')
  await once(child, 'exit')
  while (!lines().some(line => line.includes('STOPPING=1'))) await sleep(50)
  t.equal(child.exitCode, 0)
  t.equal(await runningSupervisor(homePaths(home.dir)), null)
})

void t.test('a socket of another address than config.json names is not taken, and that is said', posix, async t => {
  const home = await makeHome(t)
  const port = await freePort()
  writeFileSync(homePaths(home.dir).config, JSON.stringify({ name: 'fixture', listen: `127.0.0.1:${port}` }))
  const { url } = await startUnder(t, home, {})
  t.equal(url, `http://127.0.0.1:${port}`, 'config.json is the only truth')
  t.ok((await ask(url)).pid > 0)
  const log = (): string => readFileSync(homePaths(home.dir).nodeLog, 'utf8')
  while (!log().includes('config.json says')) await sleep(20)
  t.match(log(), new RegExp(`listens on 127\\.0\\.0\\.1:\\d+, config\\.json says 127\\.0\\.0\\.1:${port}: run .shoal service install`))
  const lines: string[] = []
  t.equal(await adoptSocket(999, { host: '127.0.0.1', port }, line => lines.push(line)), null)
  t.match(lines[0], /cannot be taken/)
})

void t.test('what a service manager tells is taken out of the environment, with or without one', t => {
  const env: Record<string, string | undefined> = { SHOAL_SERVICE: 'launchd:x', SHOAL_LISTEN_FD: '3', WATCHDOG_USEC: 'soon', PATH: '/bin' }
  const manager = serviceManager(env, () => t.fail('nothing to say'))
  t.match(manager, { name: 'launchd:x', socketFd: 3 })
  t.same(env, { PATH: '/bin' })
  manager.ready('up')
  manager.stopping()
  t.match(
    serviceManager({ SHOAL_LISTEN_FD: '3;rm', SHOAL_SERVICE: '' }, () => undefined),
    { name: null, socketFd: null },
  )
  t.end()
})

void t.test('a tool that is missing is said once and ends nothing', posix, async t => {
  const lines: string[] = []
  const manager = serviceManager({ NOTIFY_SOCKET: '/run/x', PATH: '/nowhere' }, line => lines.push(line))
  manager.ready('a')
  manager.stopping()
  while (lines.length === 0) await sleep(10)
  await sleep(50)
  t.equal(lines.length, 1)
  t.match(lines[0], /systemd-notify READY=1 STATUS=a: .*ENOENT/)
})

void t.test('what Windows does otherwise: no group by signal, a pipe by name', t => {
  const asked: unknown[] = []
  endGroup({ pid: process.pid, kill: signal => asked.push(signal) > 0 }, true)
  t.same(asked, ['SIGKILL'], 'the child alone, never -pid, which would be another process there')
  const pipe = supervisorSocket('C:\\Home', 'C:\\Home\\instance\\run', true)
  t.match(pipe, /^\\\\\.\\pipe\\shoal-[0-9a-f]{32}$/)
  t.equal(pipe, supervisorSocket('c:\\HOME', 'x', true), 'one home, however it is written')
  t.notOk(isAlive(Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim())))
  t.ok(isAlive(process.pid))
  t.end()
})

void t.test('the registry: cut, of another boot, or of nobody', async t => {
  const paths = homePaths(t.testdir({ instance: { run: {} } }))
  t.equal(await runningSupervisor(paths), null)
  writeFileSync(registryOf(paths), '{"pids":[["1"')
  t.equal(await runningSupervisor(paths), null)
  writeFileSync(
    registryOf(paths),
    JSON.stringify({ pids: [[String(process.pid), 'another boot:1']], service: 'systemd:x', restart: 'loader' }),
  )
  t.equal(await runningSupervisor(paths), null, 'the number lives, but it is another process')
})

void t.test('who starts this supervisor again: its loader, a service, or nobody; the worker is told', posix, async t => {
  const home = await makeHome(t)
  const alone = (env: NodeJS.ProcessEnv): Running =>
    new Running(t, process.execPath, [join(home.program, 'src/entry.ts'), 'supervise', '--home', home.dir], env)
  for (const [env, restart] of [
    [{}, ''],
    [{ SHOAL_SERVICE: 'systemd:shoal' }, 'service'],
  ] as const) {
    const node = alone(env)
    const answer = await ask(await node.url())
    t.equal(answer.hasLoader, restart !== '', 'what the preflight of a new Shoal goes by')
    t.match(await runningSupervisor(homePaths(home.dir)), { restart })
    node.child.kill('SIGTERM')
    t.equal(await node.exit, 0)
  }
  const node = boot(t, home, ['start'])
  t.equal((await ask(await node.url())).hasLoader, true)
  t.match(await runningSupervisor(homePaths(home.dir)), { restart: 'loader', service: '' })
})
