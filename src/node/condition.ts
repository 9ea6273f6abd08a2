/** What a preflight looks at: the machine and this node, before anything is fetched. */
import { access, constants } from 'node:fs/promises'
import { readSettings } from '../app/index.ts'
import { copyBytes, heldData, wayBackTo } from '../data/index.ts'
import { codeOf, type Digest, messageOf, type NodeId, type Reason, type Running } from '../model/index.ts'
import { bytesToCome, type Condition, digestFor, type KnownOrder } from '../rollout/index.ts'
import { freeBytes, type HomePaths, thisPlatform } from '../slots/index.ts'
import { readConfig } from './home.ts'

export interface ConditionSource {
  readonly paths: HomePaths
  readonly self: NodeId
  readonly running: () => { readonly app: Running | null; readonly shoal: Running }
  readonly reserveBytes: () => number
  readonly orders: () => readonly KnownOrder[]
  readonly hasLoader: boolean
  readonly isCloned: () => boolean
  /** What nothing needs makes way. */
  readonly makeRoom: (coming: readonly Digest[]) => Promise<void>
}

async function firstNotWritable(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    try {
      await access(path, constants.W_OK)
    } catch {
      return path
    }
  }
  return null
}

/** Digests whose switch failed here in another order and that did not succeed since. */
export function failedBefore(orders: readonly KnownOrder[], self: NodeId, except: KnownOrder): ReadonlySet<Digest> {
  const failed = new Set<Digest>()
  for (const known of orders.toSorted((a, b) => a.order.generation - b.order.generation)) {
    const outcome = known.outcomes.get(self)
    const digest = known.release === null ? null : digestFor(known.release, thisPlatform())
    if (digest === null || outcome === undefined || known.id === except.id) continue
    if (outcome.outcome === 'confirmed') failed.delete(digest)
    else if (outcome.outcome === 'rolled-back' || outcome.outcome === 'failed') failed.add(digest)
  }
  return failed
}

/** Why no app could start with the settings and secrets that lie here; null: one could. */
async function badSettings({ home, appEnv }: HomePaths): Promise<Reason | null> {
  try {
    await readSettings(readConfig(home).app, appEnv)
    return null
  } catch (error) {
    return { code: codeOf(error), message: messageOf(error).slice(0, 1000) }
  }
}

/** Free bytes, after what nothing needs has made way if that is what it takes. */
async function freeFor({ release }: KnownOrder, reserveBytes: number, { paths, makeRoom }: ConditionSource): Promise<number> {
  const ref = release === null ? undefined : (release.packages[thisPlatform()] ?? release.packages['any'])
  const free = await freeBytes(paths.instance)
  if (ref === undefined || free >= bytesToCome(ref) + reserveBytes) return free
  await makeRoom([ref.digest])
  return freeBytes(paths.instance)
}

export async function conditionFor(known: KnownOrder, s: ConditionSource): Promise<Condition> {
  const { app, shoal } = s.running()
  const { paths } = s
  const { release } = known
  const isApp = release?.kind === 'app'
  const copies = isApp ? await copyBytes(paths, release, known.order.data) : 0
  // What copies of the data will take is not free for the package.
  const reserveBytes = s.reserveBytes() + copies
  return {
    platform: thisPlatform(),
    nodejs: process.versions.node,
    abi: process.versions.modules,
    running: known.order.kind === 'app' ? app : shoal,
    data: heldData(paths),
    hasSnapshot: isApp && wayBackTo(paths, release)?.snapshot != null,
    freeBytes: await freeFor(known, reserveBytes, s),
    reserveBytes,
    notWritable: await firstNotWritable([paths.instance, paths.packages, paths.slots, paths.data]),
    failedBefore: failedBefore(s.orders(), s.self, known),
    badSettings: await badSettings(paths),
    hasRestartPath: s.hasLoader,
    isCloned: s.isCloned(),
  }
}
