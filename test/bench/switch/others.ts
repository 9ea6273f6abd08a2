/** The same app without Shoal: stopped and started anew, or reloaded by pm2. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { testFleet, testWeb } from '../../helpers/certs.ts'
import type { Teardowns } from '../teardowns.ts'
import { writeApp, writeServer } from './apps.ts'
import { answers } from './clients.ts'
import type { Target } from './protocol.ts'
import { freePort } from '../../helpers/free-port.ts'

/** Installed for the bench alone: its licence (AGPL) is no dependency's. */
export const pm2Version = '7.0.4'
const drainMs = 2000
const run = promisify(execFile)

export interface UnderLoad {
  readonly target: Target
  readonly turn: (n: number) => Promise<string>
}

interface Place {
  readonly dir: string
  readonly server: string
  readonly env: NodeJS.ProcessEnv
  readonly target: Target
}

async function place(teardowns: Teardowns): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-bench-'))
  teardowns.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  const server = writeServer(writeApp(dir, { version: '1.0.0', handover: 'overlap', probationSeconds: 1 }), testWeb())
  const data = join(dir, 'data')
  mkdirSync(data)
  const port = await freePort()
  const env = { ...process.env, PORT: String(port), DATA_DIR: data, DRAIN_MS: String(drainMs), PM2_HOME: join(dir, 'pm2'), PATH: path() }
  const { key, cert } = testFleet().node()
  const paths = { path: '/', slowPath: '/slow', writePath: '/write', retries: false }
  const user = { ...paths, tls: { servername: 'localhost' } }
  return { dir, server, env, target: { port, user, peer: { ...paths, tls: { servername: 'localhost', key, cert } }, members: [] } }
}

/** pm2's programs find this Node.js. */
const path = (): string => `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`

/** What most do: SIGTERM, wait for the end, start. */
export async function stopAndStart(teardowns: Teardowns): Promise<UnderLoad> {
  const { server, env, target } = await place(teardowns)
  let child: ChildProcess | null = null
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', server], {
      env,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    await once(child, 'message')
  }
  const stop = async (): Promise<void> => {
    if (child === null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  await start()
  teardowns.teardown(() => child?.kill('SIGKILL'))
  const turn = async (): Promise<string> => {
    await stop()
    await start()
    return 'confirmed'
  }
  return { target, turn }
}

/** pm2 as its manual says for reloads without downtime: cluster mode, `wait_ready`, a program that drains. */
export async function pm2Reload(teardowns: Teardowns, tool: string): Promise<UnderLoad> {
  const { dir, server, env, target } = await place(teardowns)
  const pm2 = join(tool, 'node_modules/pm2/bin/pm2')
  const settings = { name: 'bench', script: server, exec_mode: 'cluster', instances: 1, wait_ready: true, listen_timeout: 10_000 }
  const ecosystem = join(dir, 'ecosystem.json')
  writeFileSync(ecosystem, JSON.stringify({ apps: [{ ...settings, kill_timeout: drainMs + 1000, env: pick(env) }] }))
  const call = (...args: string[]): Promise<unknown> => run(process.execPath, [pm2, ...args], { env, timeout: 60_000 })
  teardowns.teardown(() => call('kill').catch(() => undefined))
  await call('start', ecosystem)
  await answers(target.port, 20_000)
  const turn = async (): Promise<string> => {
    await call('reload', 'bench')
    return 'confirmed'
  }
  return { target, turn }
}

const pick = ({ PORT, DATA_DIR, DRAIN_MS }: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({ PORT, DATA_DIR, DRAIN_MS })

/** Installs pm2 into a folder of its own. */
export async function installPm2(teardowns: Teardowns): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-bench-pm2-'))
  teardowns.teardown(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'package.json'), '{"private":true}')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  await run(npm, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', `pm2@${pm2Version}`], {
    cwd: dir,
    timeout: 300_000,
  })
  return dir
}
