/** Durations (`30s`, `10m`, `2h`, `7d`), addresses (`host:port`), platforms, versions and names, as people and files write them. */
import parseSemver from 'semver/functions/parse.js'
import valid from 'semver/functions/valid.js'
import { quote, ShoalError } from './errors.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A duration's text to milliseconds. */
export function parseDurationMs(text: unknown, where = 'duration'): number {
  const match = typeof text === 'string' ? /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) : null
  if (match === null) throw new ShoalError('BAD_REQUEST', `${where}: ${quote(text)} is no duration such as 30s, 10m, 2h or 7d`)
  return Math.round(Number(match[1]) * unitMs[match[2] as keyof typeof unitMs])
}

/** `host:port`, IPv6 in brackets. */
export interface Address {
  readonly host: string
  readonly port: number
}

export function parseAddress(value: unknown, where = 'address'): Address {
  const match = typeof value === 'string' ? /^(?:\[([0-9a-fA-F:.%]{2,64})\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/.exec(value) : null
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new ShoalError('BAD_REQUEST', `${where}: ${quote(value)} is no HOST:PORT`)
  return { host: match[1] ?? match[2] ?? '', port }
}

export const formatAddress = (a: Address): string => (a.host.includes(':') ? `[${a.host}]:${a.port}` : `${a.host}:${a.port}`)

/** Node's `process.platform`-`process.arch`, e.g. `linux-x64`; musl is `linuxmusl-x64`. */
export const isPlatform = (text: string): boolean => /^[a-z0-9]{3,12}-[a-z0-9_]{2,10}$/.test(text)

export function parsePlatform(value: unknown, where = 'platform'): string {
  if (typeof value !== 'string' || (value !== 'any' && !isPlatform(value))) {
    throw new ShoalError('BAD_REQUEST', `${where}: ${quote(value)} is no platform such as linux-x64, or any`)
  }
  return value
}

/** A semver version in its plain form. @throws ShoalError BAD_VERSION */
export function parseVersion(value: unknown, where = 'version'): string {
  if (
    typeof value !== 'string' ||
    value.length > 64 ||
    valid(value) === null ||
    parseSemver(value)?.raw !== value ||
    value.startsWith('v')
  ) {
    throw new ShoalError('BAD_VERSION', `${where}: ${quote(value)} is no semver version such as 1.2.3`)
  }
  return value
}

const plainName = /^[a-z0-9][a-z0-9._-]{0,63}$/
const npmName = /^(?:@[a-z0-9][a-z0-9._-]{0,63}\/)?[a-z0-9][a-z0-9._-]{0,63}$/

const named =
  (pattern: RegExp, what: string) =>
  (value: unknown, where = what): string => {
    if (typeof value !== 'string' || !pattern.test(value)) {
      throw new ShoalError('BAD_REQUEST', `${where}: ${quote(value)} is no ${what} (lower-case letters, digits, . _ -)`)
    }
    return value
  }

/** An app's name: npm's rule, lower case. */
export const parseAppName = named(npmName, 'app name')
/** An operator's name. */
export const parseOperatorName = named(plainName, 'operator name')
/** A tag or tag key, `key` or `key=value`. */
export const parseTag = named(/^[a-z0-9][a-z0-9._-]{0,63}(?:=[A-Za-z0-9._-]{0,63})?$/, 'tag')

/** A node's display name: one line for people, no control characters. */
export function parseDisplayName(value: unknown, where = 'name'): string {
  if (
    typeof value !== 'string' ||
    value.trim() === '' ||
    value.length > 64 ||
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(value)
  ) {
    throw new ShoalError('BAD_REQUEST', `${where}: ${quote(value)} is no name of 1 to 64 printable characters`)
  }
  return value
}
