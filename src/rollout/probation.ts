/**
 * The new worker's trial of itself: healthy to the end of its probation, reachable through TLS, identity and configuration as they were, and
 * seen again by the peers that were linked before. What cannot be proven until the deadline ends in going back; what is the network's fault
 * does not.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, type NodeId, ShoalError, shortId } from '../model/index.ts'
import { probationLookMs, relinkDeadlineMs } from './limits.ts'

/** Result of asking a peer: over its address, through TCP, through TLS and hello. */
export type PeerSight = 'linked' | 'tcp-only' | 'unreachable'

export interface ProbationChecks {
  /** Throws while the app is unhealthy; without an app it returns. */
  readonly health: (signal: AbortSignal) => Promise<void>
  /** The port answers through TLS. */
  readonly port: (signal: AbortSignal) => Promise<void>
  /** Digests of identity and config.json, as remembered before the switch and as they are. */
  readonly isUnchanged: () => boolean
  readonly linkedBefore: readonly NodeId[]
  readonly sight: (peer: NodeId, signal: AbortSignal) => Promise<PeerSight>
  readonly isLinked: (peer: NodeId) => boolean
  /** The app asked for time to become healthy until then, in the clock of `now`. */
  readonly heldUntil: () => number
  /** Monotonic, ms. */
  readonly now: () => number
}

/** Returns when the probation is passed. @throws ShoalError with the reason for going back */
export async function stand(checks: ProbationChecks, probationMs: number, signal: AbortSignal): Promise<void> {
  const start = checks.now()
  let ill: unknown = null
  do {
    ill = await checks.health(signal).then(
      () => null,
      (error: unknown) => error ?? 'unhealthy',
    )
    await sleep(probationLookMs, undefined, { signal })
  } while (checks.now() - start < probationMs || (ill !== null && checks.now() < checks.heldUntil()))
  if (ill !== null) throw new ShoalError('APP_UNHEALTHY', messageOf(ill), { cause: ill })
  await checks.port(signal).catch((cause: unknown) => {
    throw new ShoalError('PORT_SILENT', messageOf(cause), { cause })
  })
  if (!checks.isUnchanged()) throw new ShoalError('DATA_CHANGED', 'identity or config.json differs from before the update')
  await peersAreBack(checks, start, signal)
}

/**
 * Our fault only if none of those that were linked is linked again, though one of them can be reached by TCP, twice in a row: a peer that is
 * changing over itself, or ill, is no witness against us.
 */
async function peersAreBack(checks: ProbationChecks, start: number, signal: AbortSignal): Promise<void> {
  let blamed = 0
  while (checks.linkedBefore.length > 0 && !checks.linkedBefore.some(checks.isLinked)) {
    const seen = await Promise.all(checks.linkedBefore.map(async peer => [peer, await checks.sight(peer, signal)] as const))
    if (seen.some(([, sight]) => sight === 'linked')) return
    const ours = seen.filter(([, sight]) => sight === 'tcp-only').map(([peer]) => shortId(peer))
    if (ours.length === 0) return
    blamed += checks.now() - start > relinkDeadlineMs ? 1 : 0
    if (blamed >= 2) throw new ShoalError('PEERS_LOST', `${ours.join(', ')} can be reached by TCP, but not through TLS and hello`)
    await sleep(probationLookMs, undefined, { signal })
  }
}
