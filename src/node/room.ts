/** Makes room before anything new is staged: slots and packages that nothing needs any more go (DESIGN section 5). */
import rcompare from 'semver/functions/rcompare.js'
import type { Digest } from '../model/index.ts'
import { type PackageStore, testPackage } from '../packages/index.ts'
import { isExpired, joinControls, type Replica } from '../rollout/index.ts'
import { pruneSlots, readCurrent } from '../slots/index.ts'

/** Releases of one name whose packages are kept though no slot and no open order needs them. */
const keptReleases = 3

/** What orders that may still be done here name. */
function openDigests(replica: Replica): Set<Digest> {
  const open = new Set<Digest>()
  for (const known of replica.orders()) {
    if (known.release === null || isExpired(known) || joinControls(known.controls).aborted) continue
    if (known.outcomes.get(replica.self)?.outcome === 'confirmed') continue
    for (const ref of Object.values(known.release.packages)) open.add(ref.digest)
  }
  return open
}

function neededDigests(replica: Replica): Set<Digest> {
  const needed = openDigests(replica)
  const byName = Map.groupBy(replica.book.releases(), r => `${r.release.kind} ${r.release.name}`)
  for (const releases of byName.values()) {
    const newest = releases.toSorted((a, b) => rcompare(a.release.version, b.release.version)).slice(0, keptReleases)
    for (const { release } of newest) for (const ref of Object.values(release.packages)) needed.add(ref.digest)
  }
  return needed
}

export async function keepRoom(home: string, replica: Replica, packages: PackageStore, staging: Digest): Promise<void> {
  const current = readCurrent(home)
  await pruneSlots(home, [staging, ...openDigests(replica)])
  const needed = neededDigests(replica).add(staging).add(testPackage().ref.digest)
  for (const digest of [current?.app, current?.shoal, current?.previous?.app, current?.previous?.shoal])
    if (digest !== undefined && digest !== null) needed.add(digest)
  for (const digest of packages.list()) if (!needed.has(digest)) await packages.remove(digest)
}
