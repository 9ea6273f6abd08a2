/**
 * Is a Host header a name of this node? Against DNS rebinding, and against whoever sends requests here that are meant for another machine. Names are
 * those of config.json and of the fleet; of addresses those that the machine has. What a router translates stands in `hosts` or `advertise`.
 */
import { isIP } from 'node:net'
import { type Config, parseAddress } from '../model/index.ts'

export interface OwnHosts {
  readonly config: Pick<Config, 'name' | 'listen' | 'hosts'>
  /** By which others dial this node, `host:port`. */
  readonly addresses: readonly string[]
  readonly fleet: string
  /** The address at which the request arrived; empty if it was passed on by another process. */
  readonly local: string
  /** Addresses of the machine's interfaces; asked last. */
  readonly interfaces: () => readonly string[]
}

/** One text for each address: `[::1]`, `0:0:0:0:0:0:0:1` and `::ffff:127.0.0.1` have several. */
function plain(host: string): string {
  const text = host
    .toLowerCase()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '')
  return isIP(text) === 6 ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text
}

/** null: no host at all. The port says nothing: it may have been translated. */
function hostOf(text: string): string | null {
  if (isIP(text) !== 0) return plain(text)
  try {
    return plain(parseAddress(/:\d+$/.test(text) ? text : `${text}:443`).host)
  } catch {
    return null
  }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

export function isOwnHost(header: string, { config, addresses, fleet, local, interfaces }: OwnHosts): boolean {
  const host = hostOf(header)
  if (host === null) return false
  if (isLoopback(host) || host === config.name.toLowerCase() || host.endsWith(`.${fleet}.shoal`)) return true
  if ([...addresses, config.listen, ...config.hosts].some(own => hostOf(own) === host && !isUnspecified(host))) return true
  return isIP(host) !== 0 && (plain(local) === host || interfaces().some(own => plain(own) === host))
}

/** Where a node listens when it listens everywhere: no address that anybody could have dialled. */
const isUnspecified = (host: string): boolean => host === '0.0.0.0' || host === '::'
