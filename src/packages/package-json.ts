/** package.json of an app: what of it Shoal reads, and the manifest that comes of it (CONTRACT section 2). */
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import validRange from 'semver/ranges/valid.js'
import {
  asInteger,
  asString,
  Fields,
  type Manifest,
  messageOf,
  parseAppName,
  parseHandover,
  parseJson,
  parseVersion,
  quote,
  ShoalError,
  systemCodeOf,
} from '../model/index.ts'

/** @throws ShoalError NOT_AN_APP if there is none, or no JSON object */
export function readPackageJson(dir: string): Fields {
  const file = join(dir, 'package.json')
  try {
    return new Fields(parseJson(readFileSync(file, 'utf8'), file), file)
  } catch (cause) {
    const what = systemCodeOf(cause) === 'ENOENT' ? 'there is no package.json' : messageOf(cause)
    throw new ShoalError('NOT_AN_APP', `${dir}: ${what}`, { cause })
  }
}

/** What packing finds out itself. */
export interface Target {
  readonly platform: string
  /** NODE_MODULE_VERSION that native addons were built for. */
  readonly abi: string | null
}

/** @throws ShoalError NOT_AN_APP, BAD_VERSION */
export function appManifest(pkg: Fields, target: Target): Manifest {
  const shoal = shoalOf(pkg)
  return {
    ...identity(pkg),
    kind: 'app',
    platform: target.platform,
    engines: enginesOf(pkg, target),
    dataVersion: field(() => shoal.maybe('dataVersion', (v, w) => asInteger(v, w, 1, 1_000_000), 1)),
    minFrom: shoal.maybe('minFrom', parseVersion, null),
    handover: field(() => shoal.maybe('handover', parseHandover, 'exclusive')),
    probationMs: field(() => probationOf(shoal)),
    entry: entryOf(pkg),
  }
}

/**
 * The manifest of Shoal's own package. `engines` only where it brings no Node.js: else the one that runs it is its own. Of the key `shoal`,
 * which it need not have, it takes `minFrom` and `probation`.
 */
export function shoalManifest(pkg: Fields, { platform, entry, hasNode }: { platform: string; entry: string; hasNode: boolean }): Manifest {
  const shoal = field(() => new Fields(pkg.raw('shoal') ?? {}, `${pkg.where}.shoal`))
  return {
    ...identity(pkg),
    kind: 'shoal',
    platform,
    engines: hasNode ? {} : { node: ownEngines },
    dataVersion: 1,
    minFrom: shoal.maybe('minFrom', parseVersion, null),
    handover: 'exclusive',
    probationMs: field(() => probationOf(shoal)),
    entry,
  }
}

/** What runs supervisor and worker; package.json's own `engines` are those of the loader. */
const ownEngines = '>=24'

/** Path of the app's entry, with `/`, relative to the package. @throws ShoalError NOT_AN_APP */
export const entryOf = (pkg: Fields): string => plainPath(field(() => shoalOf(pkg).string('app', 1000)))

const plainPath = (entry: string): string => posix.normalize(entry.replaceAll('\\', '/')).replace(/^\/+/, '')

const shoalOf = (pkg: Fields): Fields => field(() => new Fields(pkg.raw('shoal'), `${pkg.where}.shoal`))

function identity(pkg: Fields): Pick<Manifest, 'schema' | 'name' | 'version'> {
  return { schema: 1, name: field(() => pkg.get('name', parseAppName)), version: pkg.get('version', parseVersion) }
}

function enginesOf(pkg: Fields, target: Target): Manifest['engines'] {
  const engines = field(() => new Fields(pkg.raw('engines') ?? {}, `${pkg.where}.engines`))
  const node = field(() => engines.maybe('node', asRange, null))
  return { ...(node === null ? {} : { node }), ...(target.abi === null ? {} : { abi: target.abi }) }
}

function asRange(value: unknown, where: string): string {
  const range = asString(value, where, 200)
  if (validRange(range) === null) throw new ShoalError('BAD_REQUEST', `${where}: ${quote(range)} is no range of versions such as >=24`)
  return range
}

function probationOf(shoal: Fields): number | null {
  if (!shoal.has('probation')) return null
  return new Fields(shoal.raw('probation'), `${shoal.where}.probation`).integer('seconds', 0, 86_400) * 1000
}

/** A field that is missing or wrong makes the folder no app; the message names it. */
function field<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new ShoalError('NOT_AN_APP', messageOf(cause), { cause })
  }
}
