/** A release document from the packages that it is to name: one of each platform, all of one name, version and way. */
import { type FleetId, type Manifest, type PackageRef, type Release, ShoalError } from '../model/index.ts'
import { sha256Hex } from './blockmap.ts'
import { inspectPackage } from './unpack.ts'

export interface ReadPackage {
  readonly file: string
  readonly manifest: Manifest
  readonly ref: PackageRef
}

/** Reads and judges a zip with all that is in it. @throws ShoalError NOT_A_ZIP, PACKAGE_REJECTED */
export async function readZip(file: string): Promise<ReadPackage> {
  const { manifest, digest, size, blockmapText } = await inspectPackage(file)
  const { abi } = manifest.engines
  return { file, manifest, ref: { digest, size, blockmap: sha256Hex(blockmapText), ...(abi === undefined ? {} : { abi }) } }
}

const nameOf = (m: Manifest): string => `${m.kind} ${m.name}@${m.version}`

/** One release of the packages of one name and version. @throws ShoalError BAD_REQUEST if they are not one release */
export function releaseOf(packages: readonly [ReadPackage, ...ReadPackage[]], fleet: FleetId, notes: string): Release {
  const [{ manifest }] = packages
  const refs: Record<string, PackageRef> = {}
  for (const each of packages) {
    if (nameOf(each.manifest) !== nameOf(manifest))
      throw new ShoalError('BAD_REQUEST', `${nameOf(each.manifest)} and ${nameOf(manifest)} are not one release`)
    const { platform } = each.manifest
    if (refs[platform] !== undefined)
      throw new ShoalError('BAD_REQUEST', `${each.file}: a second package of ${nameOf(manifest)} for ${platform}`)
    for (const field of ['dataVersion', 'minFrom', 'handover', 'probationMs'] as const) {
      if (each.manifest[field] !== manifest[field])
        throw new ShoalError(
          'BAD_REQUEST',
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
