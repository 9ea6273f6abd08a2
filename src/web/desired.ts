/** What a node should run, as anybody can tell from the facts: the newest order that counts for it and has come to its wave. Pure. */
import type { NodeBody, NodeId, PackageKind, StatusBody } from '../model/index.ts'
import { followed, isNewer, isOpen, type KnownOrder, type Own, waveOf, weigh } from '../rollout/index.ts'

/** `name@version`; null: no order names the kind. */
export function desiredOf(orders: readonly KnownOrder[], kind: PackageKind, own: Own): string | null {
  let rest = orders
  for (;;) {
    const known = followed(rest, kind, own)
    if (known === null) return null
    const wave = waveOf(known, own)
    if (own.begun.has(known.id) || known.outcomes.has(own.id) || (wave !== null && isOpen(known, weigh(known), wave))) {
      return `${known.order.name}@${known.order.version}`
    }
    rest = rest.filter(o => isNewer(known, o))
  }
}

/** Another node as it would see itself, by what it said. */
export function ownOf(id: NodeId, body: NodeBody | undefined, status: StatusBody | null, isLost: Own['isLost']): Own {
  const isBusy = status?.step === 'switching' || status?.step === 'probation'
  return {
    id,
    tags: body?.tags ?? [],
    platform: body?.platform ?? '',
    running: { app: status?.app?.digest ?? null, shoal: status?.shoal.digest ?? null },
    begun: new Set(isBusy && status.rollout !== null ? [status.rollout] : []),
    hasPackage: () => true,
    isStaged: () => true,
    needsRehearsal: () => false,
    needsPreparation: () => false,
    isHeld: false,
    isHealthy: true,
    isInWindow: () => true,
    evidenceAgeMs: () => 0,
    isLost,
  }
}
