/**
 * A release of Shoal was confirmed by its worker, but its supervisor did not start later, and the loader went back. The fleet must not go on
 * believing that this node runs it: what was confirmed last is compared with what runs.
 */
import type { Digest, NodeId, Running } from '../model/index.ts'
import type { KnownOrder, Replica, RolloutDriver } from '../rollout/index.ts'

interface FallenBack {
  readonly known: KnownOrder
  /** The fleet knows it already. */
  readonly isTold: boolean
}

/** Tells the fleet if another Shoal runs than this node confirmed. @returns whether that is so */
export function tellFallenBack(replica: Replica, driver: RolloutDriver, { version, digest }: Running): boolean {
  const found = fallenBack(replica.orders(), replica.self, digest)
  if (found === null) return false
  const { name, version: wanted } = found.known.order
  if (!found.isTold) driver.fellBack(found.known, `${name}@${wanted} did not start, or current.json was lost: ${version} runs`)
  return true
}

/** null: what runs is what was confirmed last. */
function fallenBack(orders: readonly KnownOrder[], self: NodeId, running: Digest): FallenBack | null {
  for (const known of orders.toSorted((a, b) => b.order.generation - a.order.generation)) {
    const outcome = known.outcomes.get(self)
    if (known.order.kind !== 'shoal' || outcome === undefined) continue
    const isTold = outcome.reason?.code === 'SUPERVISOR_FAILED'
    if (isTold) return { known, isTold }
    if (outcome.outcome === 'confirmed') return outcome.digest === running ? null : { known, isTold }
  }
  return null
}
