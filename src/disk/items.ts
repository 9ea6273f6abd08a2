/** What lies on the disk under a node's home, thing by thing, with the reasons why it stays. Data only. */

export const itemKinds = [
  /** A zip with its blockmap. */
  'package',
  /** An unpacked package. */
  'slot',
  /** A package that is being fetched or handed in, or that was not brought to its end. */
  'transfer',
  /** Made by somebody. */
  'backup',
  /** data/ from before a migration. */
  'snapshot',
  /** data/ that something else took the place of. */
  'kept',
  /** The app's own. */
  'data',
  'database',
  'logs',
  'cache',
  /** What something that was cut left behind. */
  'litter',
] as const
export type ItemKind = (typeof itemKinds)[number]

/** Why a thing stays. A thing without a reason may go. */
export type Need =
  | 'built-in'
  | 'current'
  | 'previous'
  | 'supervisor'
  /** This node confirmed it last. */
  | 'confirmed'
  /** An open order names it. */
  | 'order'
  /** One of the last that were used, made or published. */
  | 'recent'
  /** Nobody ordered it yet, and nobody else keeps it. */
  | 'only-copy'
  /** Nobody signed for it yet. */
  | 'unsigned'
  /** What a new Shoal proves an update with. */
  | 'probe'
  /** Being fetched, made, read or restored; part of a switch that is not over. */
  | 'under-way'
  /** The way back to the release before. */
  | 'rollback'
  | 'made-by-people'
  /** Damaged and put aside, for people to look at. */
  | 'aside'
  /** The app's data, the node's memory, the log that is written now. */
  | 'in-use'
  /** The node does not know its fleet now, so it cannot judge. */
  | 'unknown'

export interface DiskItem {
  readonly kind: ItemKind
  /** Digest, name of a backup, or path below instance/. */
  readonly id: string
  /** For people: `till@1.0.0 for linux-x64`; or empty. */
  readonly name: string
  /** On the disk. */
  readonly bytes: number
  /** Why it stays; empty: it may go. */
  readonly needs: readonly Need[]
}

export interface KindTotal {
  readonly kind: ItemKind
  readonly count: number
  readonly bytes: number
  /** Of which so many may go. */
  readonly reclaimable: number
}

export function totalsOf(items: readonly DiskItem[]): readonly KindTotal[] {
  return itemKinds.map(kind => {
    const own = items.filter(item => item.kind === kind)
    const sum = (of: readonly DiskItem[]): number => of.reduce((bytes, item) => bytes + item.bytes, 0)
    return { kind, count: own.length, bytes: sum(own), reclaimable: sum(own.filter(item => item.needs.length === 0)) }
  })
}
