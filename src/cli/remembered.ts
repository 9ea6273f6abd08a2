/**
 * Servers that `login` remembers, for machines that are no node: address, pinned certificate, session, and where the key file is. One file in
 * the user's configuration folder, readable by nobody else.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Address, asString, Fields, messageOf, parseAddress, parseJson, ShoalError } from '../model/index.ts'
import { writeDurable } from '../slots/index.ts'
import type { Io } from './io.ts'

export interface Remembered {
  /** `https://host:port` */
  readonly url: string
  /** PEM of the certificate that the server must show. */
  readonly cert: string
  readonly cookie: string
  readonly csrf: string
  readonly name: string
  /** Path of the key file to sign with, if one was given. */
  readonly key: string | null
}

const text =
  (max: number) =>
  (value: unknown, where: string): string =>
    asString(value, where, max)

/** @throws ShoalError USAGE if it is no `https://host:port` */
export function addressOfUrl(url: string): Address {
  const match = /^(?:https:\/\/)?([^/]+)\/?$/.exec(url)
  const host = match?.[1] ?? ''
  try {
    return parseAddress(/:\d+$/.test(host) ? host : `${host}:443`, url)
  } catch (cause) {
    throw new ShoalError('USAGE', `"${url}" is no https://host:port`, { cause })
  }
}

/** The folder where a user's programs keep their settings. */
function folderOf({ env }: Io, platform: NodeJS.Platform): string {
  const home = env['HOME'] ?? env['USERPROFILE'] ?? '.'
  if (platform === 'win32') return join(env['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'shoal')
  if (env['XDG_CONFIG_HOME'] !== undefined && env['XDG_CONFIG_HOME'] !== '') return join(env['XDG_CONFIG_HOME'], 'shoal')
  return platform === 'darwin' ? join(home, 'Library', 'Application Support', 'shoal') : join(home, '.config', 'shoal')
}

const rememberedPath = (io: Io): string => join(folderOf(io, process.platform), 'servers.json')

/** Logins that are remembered; the newest is the one that is meant where none is named. */
const maxServers = 20

function allServers(io: Io): readonly Remembered[] {
  const path = rememberedPath(io)
  if (!existsSync(path)) return []
  try {
    const server = (value: unknown, where: string): Remembered => {
      const f = new Fields(value, where)
      return {
        url: f.string('url', 300),
        cert: f.string('cert', 20_000),
        cookie: f.string('cookie', 200),
        csrf: f.string('csrf', 200),
        name: f.string('name', 64),
        key: f.maybe('key', text(4096), null),
      }
    }
    return new Fields(parseJson(readFileSync(path, 'utf8'), path), path).list('servers', server, maxServers)
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `${path}: ${messageOf(cause)}\ndelete it and log in again`, { cause })
  }
}

/** @param url of which server; null: the last one. @throws ShoalError BAD_REQUEST if the file is damaged */
export function recallServer(io: Io, url: string | null): Remembered | null {
  return allServers(io).find(each => url === null || each.url === url) ?? null
}

async function write(io: Io, servers: readonly Remembered[]): Promise<void> {
  const path = rememberedPath(io)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeDurable(path, `${JSON.stringify({ schema: 1, servers: servers.slice(0, maxServers) }, null, 2)}\n`, 0o600)
}

export const rememberServer = (io: Io, server: Remembered): Promise<void> =>
  write(io, [server, ...allServers(io).filter(each => each.url !== server.url)])

export const forgetServer = (io: Io, url: string): Promise<void> =>
  write(
    io,
    allServers(io).filter(each => each.url !== url),
  )
