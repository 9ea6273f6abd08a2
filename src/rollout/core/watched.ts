/** Which orders still matter to somebody who looks, or is told: what a newer one has taken the place of everywhere is history. */
import type { NodeId } from '../../model/index.ts'
import { isNewer } from './own.ts'
import type { KnownOrder } from './types.ts'

/** Orders of one kind that are looked at: a few groups of nodes may be under way at once. */
const maxWatched = 8

/** Those that are the newest one for some node. Older ones are history, and dry runs change nothing: nobody is woken for them. */
export function watchedOrders(orders: readonly KnownOrder[]): readonly KnownOrder[] {
  const real = orders.filter(known => !known.order.dryRun)
  return [...Map.groupBy(real, known => known.order.kind).values()].flatMap(ofKind => {
    const newest = ofKind.toSorted((a, b) => (isNewer(a, b) ? -1 : 1)).slice(0, maxWatched)
    const covered = new Set<NodeId>()
    return newest.filter(({ plan }, at) => {
      const nodes = plan?.waves.flatMap(wave => wave.nodes) ?? []
      const isSomebodys = at === 0 || nodes.some(node => !covered.has(node))
      for (const node of nodes) covered.add(node)
      return isSomebodys
    })
  })
}
