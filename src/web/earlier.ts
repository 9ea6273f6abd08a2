/**
 * What `rollback` goes back to: the release that was confirmed before the newest order for these nodes, whether that one failed, was aborted
 * or is what runs now. Orders for fewer nodes than are meant say nothing about all of them.
 */
import type { Selector } from '../model/index.ts'
import { ShoalError } from '../model/index.ts'
import { covers, isNewer, type KnownOrder, type RolloutState } from '../rollout/index.ts'

/**
 * @param orders of apps, newest first
 * @param from the order to go back from; null: the newest
 * @throws ShoalError NO_EARLIER_RELEASE
 */
export function earlierOrder(
  orders: readonly KnownOrder[],
  meant: Selector,
  from: KnownOrder | null,
  stateOf: (known: KnownOrder) => RolloutState,
): KnownOrder {
  const [newest, ...older] = orders.filter(o => !o.order.dryRun && covers(o.order.selector, meant) && !(from !== null && isNewer(o, from)))
  if (newest === undefined) throw new ShoalError('NO_EARLIER_RELEASE', 'there was no rollout for these nodes yet')
  const isDone = (o: KnownOrder): boolean => ['completed', 'completed-with-exceptions'].includes(stateOf(o))
  const earlier = older.find(o => isDone(o) && o.order.release !== newest.order.release)
  if (earlier !== undefined) return earlier
  throw new ShoalError('NO_EARLIER_RELEASE', `no release was confirmed before ${newest.order.name}@${newest.order.version}`)
}
