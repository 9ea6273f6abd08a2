/**
 * Which orders decide nothing any more, for nobody, ever: what nodes said about them may go, and they are not looked at again. An order that is
 * only old may still be what a node that was off, or a new one, must do, or must not do: a forgotten abort would be an order again.
 */
import { type Selector, packageKinds } from '../../model/index.ts'
import { isNewer } from './own.ts'
import { weigh } from './gate.ts'
import type { KnownOrder } from './types.ts'

/** Every node that matches `inner` matches `outer`. */
export function covers(outer: Selector, inner: Selector): boolean {
  const isForAll = (s: Selector): boolean => s.only.length === 0 && s.tags.length === 0
  if (isForAll(outer)) return true
  return !isForAll(inner) && inner.only.every(id => outer.only.includes(id)) && inner.tags.every(tag => outer.tags.includes(tag))
}

/** Every node of its plan has confirmed: true once, true for ever, so that all replicas come to say the same. */
function isDone(known: KnownOrder): boolean {
  const { tallies } = weigh(known)
  return !known.order.dryRun && tallies.length > 0 && tallies.every(t => t.confirmed.length === t.size)
}

/**
 * Orders but the newest `kept` of a kind that a newer one has replaced for all whom they are for: it was confirmed by every node of its plan,
 * and whoever joins follows it. Dry runs among them are never followed.
 */
export function pastOrders(orders: readonly KnownOrder[], kept: number): readonly KnownOrder[] {
  return packageKinds.flatMap(kind => {
    const line = orders.filter(o => o.order.kind === kind).toSorted((a, b) => (isNewer(a, b) ? -1 : 1))
    const old = line.slice(kept)
    if (old.length === 0) return []
    const done = line.filter(isDone)
    return old.filter(o => o.order.dryRun || done.some(d => isNewer(d, o) && covers(d.order.selector, o.order.selector)))
  })
}
