/** Limits and times of the command line. */

/** An answer of the node's API: longer than it waits itself for what only another node knows (30 s), so that it can say which one was silent. */
export const answerDeadlineMs = 40_000
/** A package on its way to the node, and judged there. */
export const uploadDeadlineMs = 15 * 60_000
/** Bytes of one answer: 10,000 nodes are 7 MB. */
export const maxAnswerBytes = 64 << 20
/** The longest `Retry-After` that a command waits for. */
export const maxRetryAfterMs = 5000
/** A node may be changing over: so long a watch waits for it to come back. */
export const reconnectMs = 60_000
/** How often a watched rollout is asked for; twice as long as an answer takes, but no longer than that. */
export const pollMs = 250
export const maxPollMs = 2000
/** How often a bar is drawn. */
export const progressMs = 100
/** How often a log that is followed is asked for. */
export const followLogMs = 1000
/** `halted` and `stalled` can pass by themselves when facts arrive in odd order; so long they must stand to be a verdict. */
export const settledMs = 3000
/** `stop`, `restart` and `leave` wait for the node to have done it. */
export const lifecycleDeadlineMs = 60_000
/** Connecting to one of a token's addresses. */
export const dialDeadlineMs = 10_000
/** An unattended join tries again: at first after this, at most after that. */
export const joinRetryMs = 2000
export const joinRetryMaxMs = 60_000
/** Fleets up to this size show every step of every node in plain lines; larger ones outcomes only. */
export const allStepsUpTo = 50
/** A token, an invite's answer, a passphrase file: far less. */
export const maxInputChars = 8192
/** Slots and backups of one node that are shown; it tells no more. */
export const maxListed = 500
/** Elements of a list that are asked for at once; the node gives no more. */
export const pageSize = 10_000

/** ms after which a shell that waits for names is told none; counted from the start of the process. */
export const completionDeadlineMs = 1000
/** ms that the node is given in any case, however long the process took to start. */
export const completionLeastMs = 300
/** Names that a shell is given at once. */
export const maxCompletedNames = 1000
