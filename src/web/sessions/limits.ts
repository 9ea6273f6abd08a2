/** Limits of sessions: how long they last, how often one may try to log in. All times in ms. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** An open page keeps its session in use; it ends when the page was closed, or its machine asleep, for longer than this. */
export const idleMs = { admin: 30 * minuteMs, operator: 30 * minuteMs, viewer: 7 * 24 * hourMs } as const
/** Whatever happens, it ends then. A viewer's may hang on a wall for a month: it changes nothing. */
export const longestMs = { admin: 12 * hourMs, operator: 12 * hourMs, viewer: 30 * 24 * hourMs } as const
/** Its use is written down this often. */
export const touchMs = minuteMs
/** Clocks may run apart this much within one node, not more: a session that began in the future has ended. */
export const clockSlackMs = 5 * minuteMs
/** Sessions of one person at one node; with one more the longest unused ends. */
export const maxPerPerson = 20

/** Tries of one name from one address that cost no wait. */
export const freeTries = 5
/** The wait after the first try beyond, doubled by each further one. */
export const firstWaitMs = 1000
export const longestWaitMs = 15 * minuteMs
/** Without a try for so long, a name and address begin anew. */
export const forgetTriesMs = hourMs
/** Tries per minute from one address, and from all. */
export const maxPerAddress = 30
export const maxPerMinute = 100
/** Names with addresses that are remembered at once; beyond, the oldest go. */
export const maxRemembered = 5000

/** Passphrases that are tried at once: each takes 64 MiB for a quarter of a second. */
export const maxHashing = 2
/** Those that wait for it; beyond: 503. */
export const maxWaiting = 20

/** A challenge is answered by a program. */
export const challengeMs = minuteMs
