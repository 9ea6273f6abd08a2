/**
 * Every thing that was found, with the reasons why it stays. Pure: so what is about to go can be judged by what is known at that very moment,
 * however long the measuring took.
 */
import { type Digest, parseDigest } from '../model/index.ts'
import type { KnownRelease } from '../rollout/index.ts'
import type { DiskItem, ItemKind, Need } from './items.ts'
import { keptNeeds, type KeptRule } from './kept.ts'
import { litterMs, unsignedMs } from './limits.ts'
import type { Found } from './look.ts'
import type { Named } from './measure.ts'
import { type FleetUse, type KeepRule, type PackageNeeds, packageNeeds } from './needs.ts'

export interface JudgeOptions {
  /** null: the node does not know its fleet now, and so cannot say what is needed. */
  readonly use: FleetUse | null
  readonly keep: KeepRule & {
    /** Bytes of all packages above which those that were used longest ago go; 0: no limit. */
    readonly maxPackageBytes: number
  }
  readonly kept: KeptRule
  /** Older log files go. */
  readonly logs: boolean
  /** What is being taken in: parts by their digest, uploads by their file's name. */
  readonly underWay: ReadonlySet<string>
}

interface Judging extends JudgeOptions {
  readonly needs: PackageNeeds | null
  /** Releases by digest, for people. */
  readonly names: ReadonlyMap<string, string>
}

export function judge(found: Found, options: JudgeOptions): readonly DiskItem[] {
  const { use, keep } = options
  const o = { ...options, needs: use === null ? null : packageNeeds(use, keep), names: namesOf(use?.releases ?? []) }
  return [
    ...packageItems(found, o),
    ...found.slots.filter(each => each.isFolder).map(each => slotItem(each, o)),
    ...found.packages.flatMap(each => partItems(each, found, o)),
    ...found.inbox.flatMap(each => uploadItems(each, o)),
    ...keptItems(found, o),
    ...otherItems(found, o),
  ]
}

const item = (kind: ItemKind, id: string, bytes: number, needs: readonly Need[], name = ''): DiskItem => ({ kind, id, name, bytes, needs })

const digestOf = (name: string, ending: string): Digest | null =>
  name.length === 64 + ending.length && /^[0-9a-f]{64}\./.test(name) && name.endsWith(ending) ? parseDigest(name.slice(0, 64)) : null

function namesOf(releases: readonly KnownRelease[]): ReadonlyMap<string, string> {
  const named = releases.flatMap(({ release: { name, version, packages } }) =>
    Object.entries(packages).map(([platform, { digest }]) => {
      return [digest, `${name}@${version}${platform === 'any' ? '' : ` for ${platform}`}`] as const
    }),
  )
  return new Map(named)
}

/** A clock that is wrong by more than that makes nothing younger. */
const isFresh = ({ changedMs }: Named, { kept }: Judging, ms: number): boolean => Math.abs(kept.nowMs - changedMs) < ms

function packageItems(found: Found, o: Judging): readonly DiskItem[] {
  const blockmaps = new Map(found.packages.map(each => [each.name, each.bytes]))
  const items = found.packages.flatMap((each): DiskItem[] => {
    const digest = digestOf(each.name, '.zip')
    if (digest === null) return []
    const bytes = each.bytes + (blockmaps.get(`${digest}.blockmap`) ?? 0)
    return [item('package', digest, bytes, needsOfPackage(digest, each, o), o.names.get(digest))]
  })
  return o.needs === null ? items : withinLimit(items, o.keep.maxPackageBytes, o.needs.byUse)
}

/** What is handed in at the dashboard lies here until somebody signs for it, a day at most. */
function needsOfPackage(digest: Digest, file: Named, o: Judging): readonly Need[] {
  if (o.needs === null) return ['unknown']
  const needs = o.needs.packages.get(digest) ?? []
  return needs.length === 0 && !o.names.has(digest) && isFresh(file, o, unsignedMs) ? ['unsigned'] : needs
}

/** Above the limit, what is here only because it was used not long ago goes, the longest ago first. */
function withinLimit(items: readonly DiskItem[], maxBytes: number, byUse: readonly Digest[]): readonly DiskItem[] {
  if (maxBytes === 0) return items
  const lastUse = new Map<string, number>(byUse.map((digest, at) => [digest, at]))
  const ageOf = ({ id }: DiskItem): number => lastUse.get(id) ?? byUse.length
  const spare = items.filter(({ needs }) => needs.every(need => need === 'recent') && needs.length > 0)
  let left = items.reduce((sum, { needs, bytes }) => sum + (needs.length > 0 ? bytes : 0), 0)
  const going = new Set<DiskItem>()
  for (const each of spare.toSorted((a, b) => ageOf(b) - ageOf(a))) {
    if (left <= maxBytes) break
    going.add(each)
    left -= each.bytes
  }
  return items.map(each => (going.has(each) ? { ...each, needs: [] } : each))
}

function slotItem(slot: Named, o: Judging): DiskItem {
  const { name: id, bytes } = slot
  // What differed of a slot that was mended: it may be an app's only copy.
  if (id.startsWith('.damaged-')) return item('litter', `slots/${id}`, bytes, o.keep.isAll ? [] : ['aside'])
  if (id.startsWith('.')) return item('litter', `slots/${id}`, bytes, isFresh(slot, o, litterMs) ? ['under-way'] : [])
  return item('slot', id, bytes, o.needs === null ? ['unknown'] : (o.needs.slots.get(id as Digest) ?? []), o.names.get(id))
}

/** Parts stay as long as what they are parts of is wanted: an interrupted transfer goes on where it stopped. */
function partItems(file: Named, found: Found, o: Judging): readonly DiskItem[] {
  const digest = digestOf(file.name, '.part') ?? digestOf(file.name, '.blockmap')
  const isOfWhole = file.name.endsWith('.blockmap') && found.packages.some(each => each.name === `${digest ?? ''}.zip`)
  if (isOfWhole || digestOf(file.name, '.zip') !== null) return []
  const id = `packages/${file.name}`
  if (isFresh(file, o, litterMs) || o.underWay.has(digest ?? '')) return [item('transfer', id, file.bytes, ['under-way'])]
  if (digest === null) return [item('litter', id, file.bytes, [])]
  return [item('transfer', id, file.bytes, o.needs === null ? ['unknown'] : (o.needs.packages.get(digest) ?? []), o.names.get(digest))]
}

/** What somebody put into the inbox by hand is theirs. */
const uploadItems = ({ name, bytes }: Named, { underWay }: Judging): readonly DiskItem[] =>
  name.startsWith('upload-') ? [item('transfer', `inbox/${name}`, bytes, underWay.has(name) ? ['under-way'] : [])] : []

function keptItems(found: Found, { kept }: Judging): readonly DiskItem[] {
  const needs = keptNeeds(found.kept, kept)
  return found.kept.map(k => item(k.kind, k.id, k.bytes, needs.get(k.id) ?? [], k.app ?? ''))
}

/** The app's data, the node's memory, what it logged, what it can make again. */
function otherItems(found: Found, { keep, logs }: Judging): readonly DiskItem[] {
  const log = ({ name, bytes }: Named): DiskItem =>
    item('logs', `logs/${name}`, bytes, name === 'node.log' ? ['in-use'] : logs ? [] : ['recent'])
  const database = found.instance.filter(({ name }) => /^node\.db(?:$|-)/.test(name))
  const aside = found.instance.filter(({ name }) => name.startsWith('node.db.damaged-'))
  return [
    item('data', 'data', found.dataBytes, ['in-use']),
    ...database.map(({ name, bytes }) => item('database', name, bytes, ['in-use'])),
    ...aside.map(({ name, bytes }) => item('database', name, bytes, keep.isAll ? [] : ['aside'])),
    ...found.logs.map(log),
    item('cache', 'cache', found.cacheBytes, keep.isAll ? [] : ['in-use']),
  ]
}
