/** What an app is given (CONTRACT section 2). These types are what users' programs are written against: add freely, change nothing. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { mkdir } from 'node:fs/promises'
import type { Middleware } from 'koa'
import { Fields, maxHoldMs, ShoalError } from '../model/index.ts'
import { readEnvFile } from './env-file.ts'

type LogMethod = (fields: Readonly<Record<string, unknown>>, event: string) => void

/** An event's name and fields: `log.info({ table: 'visits' }, 'created')`. */
export interface Logger {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
}

export interface AppHost {
  /** The app writes here and nowhere else. The folder exists, and stays the same through updates. */
  readonly dataDir: string
  /** The version of the app's release. */
  readonly version: string
  readonly node: { readonly id: string; readonly name: string; readonly tags: readonly string[] }
  /** Key `app` of config.json; the variables of instance/app.env are its key `env`. */
  readonly config: unknown
  readonly log: Logger
  /** Asks for more time to start or to become healthy: milliseconds from now, and what for. */
  readonly hold: (ms: number, reason: string) => void
}

export interface AppInstance {
  /** This or `handler`: all paths outside /_shoal/. */
  readonly middleware?: Middleware
  readonly handler?: (req: IncomingMessage, res: ServerResponse) => unknown
  /** WebSockets of the app's own. */
  readonly upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => unknown
  /** Throws: unhealthy. */
  readonly health?: () => unknown
  /** The node is about to stop this release: finish what lasts, end streams, close WebSockets. */
  readonly drain?: (signal: AbortSignal) => unknown
  /** Lets go of the data: the next release opens it right afterwards. */
  readonly close?: () => unknown
}

export interface MigrateContext {
  readonly dataDir: string
  /** null: no data yet. */
  readonly from: number | null
  readonly to: number
  readonly log: Logger
}

export interface HostOptions {
  readonly dataDir: string
  readonly version: string
  readonly node: AppHost['node']
  /** Key `app` of config.json. */
  readonly config: unknown
  readonly log: Logger
  /** Path of instance/app.env; it need not exist. */
  readonly envFile: string
  /** Told of each `hold`, e.g. to make the probation longer. */
  readonly onHold?: (ms: number, reason: string) => void
}

/** Settings as an app gets them; asked before a switch too, which would fail for them. @throws ShoalError KEY_FILE_MODE, TOO_LARGE, BAD_REQUEST */
export async function readSettings(config: unknown, envFile: string): Promise<Record<string, unknown>> {
  const settings = new Fields(config ?? {}, 'config.json.app')
  const own = new Fields(settings.raw('env') ?? {}, 'config.json.app.env')
  return { ...entriesOf(settings), env: { ...entriesOf(own), ...(await readEnvFile(envFile)) } }
}

/** @throws ShoalError KEY_FILE_MODE, TOO_LARGE, BAD_REQUEST (config or app.env) */
export async function createHost(o: HostOptions): Promise<AppHost> {
  const config = await readSettings(o.config, o.envFile)
  await mkdir(o.dataDir, { recursive: true, mode: 0o700 })
  return {
    dataDir: o.dataDir,
    version: o.version,
    node: { ...o.node, tags: [...o.node.tags] },
    config,
    log: o.log,
    hold: (ms, reason) => {
      o.log.info({ ms: parseHold(ms), reason: reason.slice(0, 200) }, 'app asks for time')
      o.onHold?.(ms, reason)
    },
  }
}

const entriesOf = (f: Fields): Record<string, unknown> => Object.fromEntries(f.keys().map(key => [key, f.raw(key)]))

/** @throws ShoalError BAD_REQUEST */
export function parseHold(ms: unknown): number {
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= maxHoldMs)) {
    throw new ShoalError('BAD_REQUEST', `host.hold: ${String(ms)} is no number of milliseconds up to ${maxHoldMs}`)
  }
  return ms
}
