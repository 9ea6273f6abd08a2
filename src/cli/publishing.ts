/** Publishing: zips become one signed release per name and version, with a package for each platform; then the node is given the bytes. */
import { stat } from 'node:fs/promises'
import { type Digest, type Manifest, type Release, ShoalError, systemCodeOf } from '../model/index.ts'
import { type ReadPackage, readZip, releaseOf } from '../packages/index.ts'
import { parseFleet, parseMade, parseReleases, type ReleaseAnswer } from './answers.ts'
import type { Context } from './context.ts'
import { type LockedKey, personOf, sign } from './signing.ts'
import { withBar } from './upload-bar.ts'
import { asUsage } from './spec.ts'

/** Reads and judges a zip with all that is in it: what is signed must be what nodes take. @throws ShoalError NOT_FOUND, NOT_A_ZIP, PACKAGE_REJECTED */
export async function readPackage(file: string): Promise<ReadPackage> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new ShoalError('NOT_FOUND', `${file}: cannot be read (${systemCodeOf(cause) ?? 'unreadable'})`, { cause })
  })
  if (found.isDirectory())
    throw new ShoalError('NOT_A_ZIP', `${file}: is a folder; \`shoal pack ${file}\` makes the zip, \`shoal deploy ${file}\` does all`)
  return readZip(file)
}

const nameOf = (m: Pick<Manifest, 'name' | 'version'>): string => `${m.name}@${m.version}`

export interface Published {
  /** The release's, the same whoever published it when. */
  readonly id: string
  /** The fleet did not know it. */
  readonly isNew: boolean
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
    published.push(
      await publishOne(
        context,
        key,
        packages,
        asUsage(() => releaseOf(packages, fleet.fleet, notes)),
        known,
      ),
    )
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
  const isSame = same?.packages.size === packages.length && packages.every(p => same.packages.get(p.manifest.platform) === p.ref.digest)
  const knownId = same !== undefined && isSame ? same.id || nameOf(release) : null
  const id = knownId ?? parseMade(await context.api().post('releases', { envelope: await sign('release', release, key) }))
  // The release comes first: a node takes the bytes of signed digests only. An earlier try may have ended before the last package.
  for (const each of packages)
    await withBar(context, nameOf(each.manifest), onSent => context.api().upload(each.file, each.ref.digest, { onSent }))
  return { id, isNew: knownId === null, kind: release.kind, name: release.name, version: release.version, packages: digests }
}
