/** instance/config.json: the only truth for name, addresses, tags and sync peers. Written whole and atomically, never by a package. */
import { quote, ShoalError } from './errors.ts'
import { type NodeId, parseNodeId } from './ids.ts'
import { defaultPort } from './limits.ts'
import { asInteger, asString, Fields } from './parse.ts'
import { formatAddress, parseAddress, parseDisplayName, parseTag } from './units.ts'

/** A sync peer: a member that this node keeps a link to for ever. */
export interface PinnedPeer {
  readonly id: NodeId
  readonly address: string
}

/** Who is told when something is wrong: a URL that takes JSON by POST, or a program with its arguments. */
export type AlertTarget = { readonly webhook: string } | { readonly command: readonly string[] }

export interface Limits {
  /** Packages that are served to peers at once. */
  readonly uploads: number
  /** MiB of the disk that stay free whatever comes. */
  readonly reserveMb: number
  /** MiB of all packages above which uploads are refused, and those that were used longest ago go; 0: none. */
  readonly packagesMb: number
  /** Releases of one name whose packages stay though nothing runs or orders them. */
  readonly releases: number
  /** Snapshots of migrations that stay, and as many of each sort of folder that was kept aside. */
  readonly snapshots: number
  /** Backups that stay when a new release was confirmed; 0: all. */
  readonly backups: number
}

export interface Config {
  readonly name: string
  /** `HOST:PORT` that the node binds. */
  readonly listen: string
  /** What others may dial; empty: the machine's own addresses. */
  readonly advertise: readonly string[]
  readonly tags: readonly string[]
  readonly peers: readonly PinnedPeer[]
  /** Further names by which people reach the node. */
  readonly hosts: readonly string[]
  readonly limits: Limits
  readonly alerts: readonly AlertTarget[]
  /** Settings of the app, handed to it as `host.config`. */
  readonly app: unknown
}

export const defaultConfig = (name: string): Config => ({
  name,
  listen: `0.0.0.0:${defaultPort}`,
  advertise: [],
  tags: [],
  peers: [],
  hosts: [],
  limits: { uploads: 2, reserveMb: 64, packagesMb: 0, releases: 3, snapshots: 3, backups: 0 },
  alerts: [],
  app: {},
})

const asAddressText = (value: unknown, where: string): string => formatAddress(parseAddress(value, where))

function asAlertTarget(value: unknown, where: string): AlertTarget {
  const f = new Fields(value, where)
  if (f.has('webhook') === f.has('command')) throw new ShoalError('BAD_REQUEST', `${where}: is either { webhook } or { command }`)
  if (f.has('command')) {
    const command = f.list('command', (v, w) => asString(v, w, 4096), 64)
    if ((command[0] ?? '') === '') throw new ShoalError('BAD_REQUEST', `${where}.command: names no program`)
    return { command }
  }
  const webhook = f.string('webhook', 2000)
  if (!/^https?:\/\/[^\s/]/.test(webhook) || !URL.canParse(webhook))
    throw new ShoalError('BAD_REQUEST', `${where}.webhook: ${quote(webhook)} is no URL`)
  return { webhook }
}

function parseLimits(value: unknown, where: string): Limits {
  const f = new Fields(value, where)
  const base = defaultConfig('node').limits
  const count = (key: keyof Limits, min: number, max: number): number => f.maybe(key, (v, w) => asInteger(v, w, min, max), base[key])
  return {
    uploads: count('uploads', 1, 64),
    reserveMb: count('reserveMb', 0, 1_000_000),
    packagesMb: count('packagesMb', 0, 1_000_000),
    releases: count('releases', 1, 50),
    snapshots: count('snapshots', 1, 1000),
    backups: count('backups', 0, 10_000),
  }
}

export function parseConfig(value: unknown, where = 'config.json'): Config {
  const f = new Fields(value, where)
  const base = defaultConfig('node')
  const peer = (each: unknown, at: string): PinnedPeer => {
    const p = new Fields(each, at)
    return { id: p.get('id', parseNodeId), address: p.get('address', asAddressText) }
  }
  return {
    name: f.get('name', parseDisplayName),
    listen: f.maybe('listen', asAddressText, base.listen),
    advertise: f.has('advertise') ? f.list('advertise', asAddressText, 16) : [],
    tags: f.has('tags') ? f.list('tags', parseTag, 64) : [],
    peers: f.has('peers') ? f.list('peers', peer, 256) : [],
    hosts: f.has('hosts') ? f.list('hosts', (v, w) => asString(v, w, 253), 64) : [],
    limits: parseLimits(f.raw('limits') ?? {}, `${where}.limits`),
    alerts: f.has('alerts') ? f.list('alerts', asAlertTarget, 10) : [],
    app: f.raw('app') ?? {},
  }
}

/**
 * What an app's settings are made of. A file that breaks it is read all the same: the app stays out then, not the node; but nobody shall write it.
 * @throws ShoalError BAD_REQUEST
 */
export function requireAppSettings({ app }: Config, where = 'config.json'): void {
  const f = new Fields(app ?? {}, `${where}.app`)
  if (f.has('env')) new Fields(f.raw('env'), `${where}.app.env`)
}

/** Bytes of the disk that stay free whatever comes. */
export const reserveBytesOf = ({ limits }: Pick<Config, 'limits'>): number => limits.reserveMb * 2 ** 20

/** The text of config.json: two spaces, one newline at the end, keys in the contract's order. */
export const formatConfig = (c: Config): string => `${JSON.stringify(c, null, 2)}\n`
