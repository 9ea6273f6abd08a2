/**
 * current.json and its copy are gone: which app ran? The node's own outcomes say which it confirmed last. It goes back to that by a switch like
 * any other, with its probation, since nothing is known of how it was.
 */
import { defaultProbationMs, type Digest, type NodeId, type SwitchTarget } from '../model/index.ts'
import type { KnownOrder } from '../rollout/index.ts'

/** The switch that makes this node run again what it confirmed last; null: it never confirmed an app. */
export function lastConfirmed(orders: readonly KnownOrder[], self: NodeId): SwitchTarget | null {
  for (const { id, order, release, outcomes } of orders.toSorted((a, b) => b.order.generation - a.order.generation)) {
    const outcome = outcomes.get(self)
    if (order.kind !== 'app' || outcome?.outcome !== 'confirmed' || outcome.digest === null) continue
    const probationMs = release?.probationMs ?? defaultProbationMs
    return { order: id, attempt: outcome.attempt, kind: 'app', digest: outcome.digest, handover: 'exclusive', probationMs, linked: 0 }
  }
  return null
}

/** This node confirmed the release at some time. */
export const wasConfirmed = (orders: readonly KnownOrder[], self: NodeId, digest: Digest): boolean =>
  orders.some(({ outcomes }) => outcomes.get(self)?.outcome === 'confirmed' && outcomes.get(self)?.digest === digest)
