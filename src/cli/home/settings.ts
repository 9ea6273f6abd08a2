/** The config.json of a new node: names, addresses, a free port. What a home had before (after `leave`, `reset-identity`) stays. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import {
  type Address,
  type Config,
  defaultConfig,
  formatAddress,
  messageOf,
  parseAddress,
  parseDisplayName,
  ShoalError,
  systemCodeOf,
} from '../../model/index.ts'
import type { HomePaths } from '../../slots/index.ts'
import { readConfig } from './at-home.ts'

export interface NodeOptions {
  readonly name?: string | undefined
  readonly listen?: Address | undefined
  readonly advertise?: readonly Address[] | undefined
}

/** @throws ShoalError PORT_IN_USE if port 0 was asked for and the address cannot be bound */
export async function settingsFor(paths: HomePaths, options: NodeOptions): Promise<Config> {
  const base = existsSync(paths.config) ? readConfig(paths) : defaultConfig(nameOfMachine())
  const wanted = options.listen ?? parseAddress(base.listen)
  const listen = wanted.port === 0 ? { ...wanted, port: await freePort(wanted.host) } : wanted
  const advertise = options.advertise?.map(a => formatAddress(a.port === 0 ? { ...a, port: listen.port } : a))
  return { ...base, name: options.name ?? base.name, listen: formatAddress(listen), advertise: advertise ?? base.advertise, peers: [] }
}

function nameOfMachine(): string {
  try {
    return parseDisplayName(hostname().slice(0, 64))
  } catch {
    return 'node' // A machine with an unprintable name, or none.
  }
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', cause =>
      reject(new ShoalError('PORT_IN_USE', `${host}: no port can be taken there (${systemCodeOf(cause) ?? messageOf(cause)})`, { cause })),
    )
    server.listen({ host, port: 0 }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
