/**
 * Which backups, snapshots and kept folders stay, and why. Pure. What somebody made goes only if somebody says so, and the newest of it never: a
 * clock that runs wrong must not make all of them old.
 */
import type { Kept } from '../data/index.ts'
import type { Need } from './items.ts'

export interface KeptRule {
  /** Snapshots, and folders kept aside, that stay of each sort. */
  readonly snapshots: number
  /** Backups that stay; 0: all. */
  readonly backups: number
  /** Older ones go, but the newest; null: age does not matter. */
  readonly backupsOlderMs: number | null
  /** Ids that a switch which is not over, or the way back over the last migration, needs. */
  readonly wayBack: ReadonlySet<string>
  /** Ids that something reads or writes now. */
  readonly busy: ReadonlySet<string>
  readonly nowMs: number
}

/** @param list newest first */
export function keptNeeds(list: readonly Kept[], rule: KeptRule): ReadonlyMap<string, readonly Need[]> {
  const sorts = Map.groupBy(list, sortOf)
  return new Map(
    list.map(k => {
      const at = sorts.get(sortOf(k))?.indexOf(k) ?? 0
      const needs: Need[] = []
      if (k.isOpen || rule.busy.has(k.id)) needs.push('under-way')
      if (rule.wayBack.has(k.id)) needs.push('rollback')
      if (k.kind === 'backup' ? staysAsBackup(k, at, rule) : at < rule.snapshots)
        needs.push(k.kind === 'backup' ? 'made-by-people' : 'recent')
      return [k.id, needs]
    }),
  )
}

/** What a restore put aside is counted apart from what failed migrations made, a whole backup from a damaged one: none pushes the other out. */
const sortOf = ({ kind, id, damage }: Kept): string =>
  kind === 'kept' && id.includes('-swap-') ? 'swapped' : damage === null ? kind : 'damaged'

function staysAsBackup({ at }: Kept, place: number, { backups, backupsOlderMs, nowMs }: KeptRule): boolean {
  if (place === 0) return true
  if (backups > 0 && place >= backups) return false
  const ageMs = nowMs - Date.parse(at)
  return backupsOlderMs === null || !(ageMs > backupsOlderMs)
}
