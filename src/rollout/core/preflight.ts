/** May this node do what an order says? Every no-go has a code of the closed list and both values; nothing has been touched by then. */
import gt from 'semver/functions/gt.js'
import lt from 'semver/functions/lt.js'
import satisfies from 'semver/functions/satisfies.js'
import { type Digest, type Order, type PackageRef, type Reason, type Release, type Running } from '../../model/index.ts'

/** What the driver found out about the machine and the node, before anything is fetched. */
export interface Condition {
  readonly platform: string
  /** Version of the Node.js that runs the app. */
  readonly nodejs: string
  /** Its NODE_MODULE_VERSION. */
  readonly abi: string
  readonly running: Running | null
  /** `dataVersion` and name of the app whose data lies in data/, and the older version that may read it too; null: no data yet. */
  readonly data: { readonly name: string; readonly dataVersion: number; readonly readBy?: number } | null
  /** What lay in data/ before it was migrated from what the release knows can be put back. */
  readonly hasSnapshot: boolean
  readonly freeBytes: number
  readonly reserveBytes: number
  /** A path that cannot be written, if any. */
  readonly notWritable: string | null
  /** Digests that failed here before. */
  readonly failedBefore: ReadonlySet<Digest>
  /** Settings or secrets of the app with which no release could start. */
  readonly badSettings: Reason | null
  readonly hasRestartPath: boolean
  /** Another machine lives under this node's id. */
  readonly isCloned: boolean
}

/** A package becomes about four times its size: the zip itself, its unpacked slot, and room to work. */
const spacePerPackageByte = 4

/** Bytes that an order's package takes at most while it comes. */
export const bytesToCome = (ref: PackageRef): number => ref.size * spacePerPackageByte

const no = (code: Reason['code'], message: string): Reason => ({ code, message })

/** Native addons that no Node.js but those of one ABI can load. */
export const otherAbi = (abi: string, own: string): string =>
  `the package's native addons were built for ABI ${abi}, this node's Node.js has ${own}: pack it with the Node.js that the nodes have`

type Check = (order: Order, release: Release, ref: PackageRef, now: Condition) => Reason | null

const checks: readonly Check[] = [
  (_order, _release, _ref, now) => (now.isCloned ? no('CLONED_ID', 'another machine lives under this node’s id') : null),
  (_order, { engines }, _ref, now) =>
    engines !== null && !satisfies(now.nodejs, engines, { includePrerelease: true })
      ? no('ENGINE_UNSUPPORTED', `the release needs Node.js ${engines}, this node has ${now.nodejs}`)
      : null,
  (_order, _release, { abi }, now) => (abi === undefined || abi === now.abi ? null : no('ENGINE_UNSUPPORTED', otherAbi(abi, now.abi))),
  (order, release, ref, now) =>
    now.failedBefore.has(ref.digest) && !order.force ? no('FAILED_BEFORE', `${release.name}@${release.version} failed here before`) : null,
  (order, release, _ref, now) =>
    release.kind === 'app' && now.data !== null && now.data.name !== release.name && !order.replaceApp
      ? no('OTHER_APP', `data/ belongs to ${now.data.name}, the release is ${release.name}`)
      : null,
  (order, release, _ref, { running }) =>
    running?.name === release.name && gt(running.version, release.version) && !order.allowDowngrade
      ? no('DOWNGRADE', `runs ${running.version}, the release is ${release.version}`)
      : null,
  (order, release, _ref, now) => dataNewer(order, release, now),
  (_order, { minFrom, name }, _ref, { running }) =>
    minFrom !== null && running?.name === name && lt(running.version, minFrom)
      ? no('MIN_FROM', `runs ${running.version}, the release needs at least ${minFrom}`)
      : null,
  (_order, release, _ref, now) =>
    release.kind === 'shoal' && !now.hasRestartPath
      ? no('NO_RESTART_PATH', 'neither a loader nor a service would start this node again')
      : null,
  (_order, _release, _ref, now) => now.badSettings,
  (_order, _release, _ref, now) => (now.notWritable === null ? null : no('NOT_WRITABLE', `cannot write ${now.notWritable}`)),
  (_order, _release, ref, now) => {
    const needs = bytesToCome(ref) + now.reserveBytes
    const lacking = needs - now.freeBytes
    return lacking > 0 ? no('DISK_FULL', `has ${now.freeBytes} bytes free, needs ${needs}: ${lacking} are missing`) : null
  },
]

/** Newer data is opened, or older put back, only where the order says which. */
function dataNewer({ data: how }: Order, release: Release, { data, hasSnapshot }: Condition): Reason | null {
  if (release.kind !== 'app' || data?.name !== release.name) return null
  if (data.dataVersion <= release.dataVersion || data.readBy === release.dataVersion) return null
  const versions = `the data has version ${data.dataVersion}, the release knows ${release.dataVersion}`
  if (how === null) return no('DATA_NEWER', `${versions}: --data keep opens it as it is, --data restore puts back what lay there before`)
  if (how === 'restore' && !hasSnapshot) return no('NO_SNAPSHOT', `${versions}, and no data of that version lies on this node`)
  return null
}

/** null: go. */
export function preflight(order: Order, release: Release, now: Condition): Reason | null {
  const ref = release.packages[now.platform] ?? release.packages['any']
  if (ref === undefined) {
    const has = Object.keys(release.packages).join(', ')
    return no(
      'NO_PACKAGE_FOR_PLATFORM',
      `this node is ${now.platform}, ${release.name}@${release.version} has ${has === '' ? 'none' : has}`,
    )
  }
  for (const check of checks) {
    const reason = check(order, release, ref, now)
    if (reason !== null) return reason
  }
  return null
}
