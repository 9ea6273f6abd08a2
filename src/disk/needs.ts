/**
 * What of the packages and slots is needed, and why. Pure: it looks at the pointer, the orders, and at who says that they hold what. Whatever it
 * gives no reason for may go, so it must never lack one: the last copy of what somebody published is lost for the fleet.
 */
import rcompare from 'semver/functions/rcompare.js'
import { type Current, type Digest, type NodeId, packageKinds } from '../model/index.ts'
import { isExpired, isNewer, joinControls, type KnownOrder, type KnownRelease, weigh } from '../rollout/index.ts'
import type { Need } from './items.ts'

/** What a decision about packages and slots is made of. */
export interface FleetUse {
  readonly self: NodeId
  /** null: the home has none, or it cannot be read. */
  readonly current: Current | null
  readonly orders: readonly KnownOrder[]
  readonly releases: readonly KnownRelease[]
  /** Members that say they hold a package. */
  readonly holders: (digest: Digest) => readonly NodeId[]
  /** The package that every node serves. */
  readonly test: Digest
  /** What is about to be staged or taken in. */
  readonly coming: readonly Digest[]
}

export interface PackageNeeds {
  readonly packages: ReadonlyMap<Digest, readonly Need[]>
  readonly slots: ReadonlyMap<Digest, readonly Need[]>
  /** Packages in the order of their last use, what ran last first: where there is too much, the end of it goes. */
  readonly byUse: readonly Digest[]
}

export interface KeepRule {
  /** Releases of one name that stay though nothing runs or orders them. */
  readonly releases: number
  /** The last copy of what nobody ordered may go too. */
  readonly isAll: boolean
}

class NeedBook {
  readonly #needs = new Map<Digest, Need[]>()

  add(digest: Digest | null | undefined, need: Need): void {
    if (digest === null || digest === undefined) return
    const known = this.#needs.get(digest)
    if (known === undefined) this.#needs.set(digest, [need])
    else if (!known.includes(need)) known.push(need)
  }

  get map(): ReadonlyMap<Digest, readonly Need[]> {
    return this.#needs
  }
}

const digestsOf = ({ release }: Pick<KnownOrder, 'release'>): readonly Digest[] =>
  Object.values(release?.packages ?? {}).map(ref => ref.digest)

const isAlive = (known: KnownOrder): boolean => !known.order.dryRun && !isExpired(known) && !joinControls(known.controls).aborted

/** Somebody of its plan has not confirmed: they fetch from whoever has it. */
const isWantedByAny = (known: KnownOrder): boolean => {
  const { tallies } = weigh(known)
  return isAlive(known) && !(tallies.length > 0 && tallies.every(t => t.confirmed.length + t.gone.length === t.size))
}

export function packageNeeds(use: FleetUse, rule: KeepRule): PackageNeeds {
  const [packages, slots] = [new NeedBook(), new NeedBook()]
  for (const book of [packages, slots]) nameRunning(use, book)
  for (const known of use.orders) {
    const isDone = known.outcomes.get(use.self)?.outcome === 'confirmed'
    for (const digest of digestsOf(known)) {
      if (isWantedByAny(known)) packages.add(digest, 'order')
      if (isAlive(known) && !isDone) slots.add(digest, 'order')
    }
  }
  packages.add(use.test, 'probe')
  const used = byLastUse(use)
  for (const releases of Map.groupBy(used, nameOf).values()) {
    for (const release of releases.slice(0, rule.releases)) for (const digest of digestsOf(release)) packages.add(digest, 'recent')
  }
  nameUnordered(use, rule, packages)
  nameUnproven(use, rule, used, packages)
  return { packages: packages.map, slots: slots.map, byUse: used.flatMap(digestsOf) }
}

const nameOf = ({ release }: KnownRelease): string => `${release.kind} ${release.name}`

/** What the pointer names, what comes, and what this node confirmed last: the way back from a lost pointer. */
function nameRunning({ self, current, orders, coming }: FleetUse, book: NeedBook): void {
  book.add(current?.builtIn, 'built-in')
  for (const digest of [current?.app, current?.shoal]) book.add(digest, 'current')
  for (const digest of [current?.previous?.app, current?.previous?.shoal]) book.add(digest, 'previous')
  book.add(current?.supervisor, 'supervisor')
  for (const digest of coming) book.add(digest, 'under-way')
  for (const kind of packageKinds) {
    const confirmed = orders.filter(o => o.order.kind === kind && o.outcomes.get(self)?.outcome === 'confirmed')
    const newest = confirmed.toSorted((a, b) => (isNewer(a, b) ? -1 : 1))[0]
    book.add(newest?.outcomes.get(self)?.digest, 'confirmed')
  }
}

/** Releases that were ordered: those that some node confirmed first, of these the one of the newest order. Versions say nothing about use. */
function byLastUse({ orders, releases }: FleetUse): readonly KnownRelease[] {
  const uses = new Map<Digest, readonly [confirmed: number, ordered: number]>()
  for (const { order, outcomes } of orders.filter(o => !o.order.dryRun)) {
    const [confirmed, ordered] = uses.get(order.release) ?? [0, 0]
    const isConfirmed = outcomes.values().some(o => o.outcome === 'confirmed')
    uses.set(order.release, [Math.max(confirmed, isConfirmed ? order.generation : 0), Math.max(ordered, order.generation)])
  }
  const useOf = ({ document }: KnownRelease): readonly [number, number] => uses.get(document) ?? [0, 0]
  return releases
    .filter(r => uses.has(r.document))
    .toSorted((a, b) => useOf(b)[0] - useOf(a)[0] || useOf(b)[1] - useOf(a)[1] || (a.document < b.document ? -1 : 1))
}

/** Releases that were ordered and that no node confirmed yet, the newest of each name: who aborted one may order it again. The only copy stays. */
function nameUnproven(
  { self, orders, holders }: FleetUse,
  { releases: kept, isAll }: KeepRule,
  used: readonly KnownRelease[],
  book: NeedBook,
): void {
  if (isAll) return
  const isProven = ({ outcomes }: KnownOrder): boolean => outcomes.values().some(o => o.outcome === 'confirmed')
  const proven = new Set(orders.filter(o => !o.order.dryRun && isProven(o)).map(o => o.order.release))
  const unproven = used.filter(r => !proven.has(r.document))
  for (const each of Map.groupBy(unproven, nameOf).values())
    for (const digest of each.slice(0, kept).flatMap(digestsOf)) if (isKeeper(self, holders(digest))) book.add(digest, 'only-copy')
}

/** Of several members that hold it, the one with the lowest id keeps it: they need no word with each other, and never let go of it together. */
const isKeeper = (self: NodeId, holders: readonly NodeId[]): boolean => !holders.some(id => id < self)

/**
 * Releases that nobody ordered yet: the newest, and every one whose package no other member keeps.
 */
function nameUnordered({ self, orders, releases, holders }: FleetUse, { releases: kept, isAll }: KeepRule, book: NeedBook): void {
  const ordered = new Set(orders.filter(o => !o.order.dryRun).map(o => o.order.release))
  const waiting = releases.filter(r => !ordered.has(r.document))
  for (const each of Map.groupBy(waiting, nameOf).values()) {
    const newest = each.toSorted((a, b) => rcompare(a.release.version, b.release.version)).slice(0, isAll ? 0 : kept)
    for (const release of newest) for (const digest of digestsOf(release)) book.add(digest, 'recent')
  }
  if (isAll) return
  for (const digest of waiting.flatMap(digestsOf)) if (isKeeper(self, holders(digest))) book.add(digest, 'only-copy')
}
