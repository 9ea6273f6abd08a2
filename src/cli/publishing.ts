/** Publishing: zips become one signed release per name and version, with a package for each platform; then the node is given the bytes. */
import { access } from 'node:fs/promises'
import { type Digest, type Manifest, type PackageRef, type Release, ShoalError, systemCodeOf, type FleetId } from '../model/index.ts'
import { inspectPackage, sha256Hex } from '../packages/index.ts'
import { parseFleet, parseMade, parseReleases, type ReleaseAnswer } from './answers.ts'
import type { Context } from './context.ts'
import { type LockedKey, personOf, sign } from './signing.ts'

export interface ReadPackage {
  readonly file: string
  readonly manifest: Manifest
  readonly ref: PackageRef
}

/** Reads and judges a zip with all that is in it: what is signed must be what nodes take. @throws ShoalError NOT_FOUND, NOT_A_ZIP, PACKAGE_REJECTED */
export async function readPackage(file: string): Promise<ReadPackage> {
  try {
    await access(file)
  } catch (cause) {
    throw new ShoalError('NOT_FOUND', `${file}: cannot be read (${systemCodeOf(cause) ?? 'unreadable'})`, { cause })
  }
  const { manifest, digest, size, blockmapText } = await inspectPackage(file)
  return { file, manifest, ref: { digest, size, blockmap: sha256Hex(blockmapText) } }
}

/** One release of the packages of one name and version. @throws ShoalError USAGE if they are not one release */
export function releaseOf(packages: readonly [ReadPackage, ...ReadPackage[]], fleet: FleetId, notes: string): Release {
  const [{ manifest }] = packages
  const refs: Record<string, PackageRef> = {}
  for (const each of packages) {
    const { platform } = each.manifest
    if (refs[platform] !== undefined) throw new ShoalError('USAGE', `${each.file}: a second package of ${nameOf(manifest)} for ${platform}`)
    for (const field of ['dataVersion', 'minFrom', 'handover', 'probationMs'] as const) {
      if (each.manifest[field] !== manifest[field])
        throw new ShoalError(
          'USAGE',
          `${each.file}: ${field} is ${String(each.manifest[field])}, of the other packages of ${nameOf(manifest)} ${String(manifest[field])}`,
        )
    }
    refs[platform] = each.ref
  }
  return {
    fleet,
    kind: manifest.kind,
    name: manifest.name,
    version: manifest.version,
    dataVersion: manifest.dataVersion,
    minFrom: manifest.minFrom,
    engines: manifest.engines.node ?? null,
    handover: manifest.handover,
    probationMs: manifest.probationMs,
    packages: refs,
    notes,
  }
}

const nameOf = (m: Manifest): string => `${m.name}@${m.version}`

export interface Published {
  readonly id: string | null
  readonly kind: string
  readonly name: string
  readonly version: string
  readonly packages: Readonly<Record<string, Digest>>
}

/**
 * Signs and hands in what the fleet does not know yet.
 * @throws ShoalError RELEASE_EXISTS and whatever else the node refuses
 */
export async function publish(context: Context, key: LockedKey, files: readonly string[], notes: string): Promise<readonly Published[]> {
  const groups = new Map<string, [ReadPackage, ...ReadPackage[]]>()
  for (const file of files) {
    const read = await readPackage(file)
    const id = `${read.manifest.kind} ${nameOf(read.manifest)}`
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [read])
    else group.push(read)
  }
  const fleet = parseFleet(await context.api().get('fleet'))
  personOf(key, fleet)
  const known = parseReleases(await context.api().getAll('releases', 'releases'))
  const published: Published[] = []
  for (const packages of groups.values())
    published.push(await publishOne(context, key, packages, releaseOf(packages, fleet.fleet, notes), known))
  return published
}

async function publishOne(
  context: Context,
  key: LockedKey,
  packages: readonly ReadPackage[],
  release: Release,
  known: readonly ReleaseAnswer[],
): Promise<Published> {
  const digests = Object.fromEntries(Object.entries(release.packages).map(([platform, ref]) => [platform, ref.digest]))
  const same = known.find(each => each.kind === release.kind && each.name === release.name && each.version === release.version)
  const isKnown =
    same !== undefined &&
    same.packages.size === packages.length &&
    packages.every(p => same.packages.get(p.manifest.platform) === p.ref.digest)
  const id = isKnown ? null : parseMade(await context.api().post('releases', { envelope: await sign('release', release, key) }))
  // The release comes first: a node takes the bytes of signed digests only. An earlier try may have ended before the last package.
  for (const each of packages) await context.api().upload(each.file, each.ref.digest)
  return { id, kind: release.kind, name: release.name, version: release.version, packages: digests }
}
