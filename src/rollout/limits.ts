/** Limits of the rollout room. */

/** ms between looks when nothing changes: deadlines, windows and soaks pass by themselves. */
export const lookIntervalMs = 1000
/** ms before a failed fetch or staging is tried again; doubles to the maximum. */
export const retryBaseMs = 1000
export const retryMaxMs = 60_000
/** Times that a package whose bytes are right may fail to unpack, or its rehearsal by no fault of its own, before the node refuses the order. */
export const maxStageFailures = 3
/** ms between two health checks of a release in probation. */
export const probationLookMs = 200
/** ms in all that a link to a peer that was linked before may take to come back. */
export const relinkDeadlineMs = 25_000
/** ms after which who is not among the first witnesses writes what is still missing. */
export const lateWitnessMs = 1500
/** ms between two times that the ages of orders are written down. */
export const keepAgesMs = 60_000
/** ms that progress is held back, so that a transfer is not a fact per segment. */
export const progressIntervalMs = 500
/**
 * Time that a root stands before nobody but an admin of now may sign another in its place: two admins who change it at once, while the network
 * is cut, find together within it; who was removed has no longer to sign the past anew.
 */
export const rootSettledMs = 86_400_000
