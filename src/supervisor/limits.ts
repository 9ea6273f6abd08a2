/** Limits of the supervisor. Times in milliseconds. */
import { readyTimeoutMs } from '../model/index.ts'

/** A worker started after the node has served once: time to say `ready`, and from `go` to `listening`. */
export const loadLimitMs = readyTimeoutMs
/**
 * Before it has served: the first worker has until then, counted from the start of the supervisor, whoever follows it (the old
 * release, or safe mode) at least `firstChanceMs`. Together less than the 60 s that the loader gives a start.
 */
export const firstServeMs = 40_000
export const firstChanceMs = 15_000
/** Connections that the supervisor keeps while nobody is the node, where it accepts itself: as many as a backlog. */
export const maxWaitingConnections = 511
/** What is in flight at `park` may take this long. */
export const parkLimitMs = 2000
/** No `parked` by then: the worker is killed. Leaves time to close the app after what was in flight. */
export const parkDeadlineMs = 5000
/** Probation may last this much longer than asked for, `go` included; then the node goes back. */
export const probationSlackMs = 30_000
/** A parked worker lives at least this long, so that its idle clients close first: keep-alive 5 s, Node's buffer 1 s, half a second of `comeAnewMs`, reserve. */
export const retireAfterMs = 7000
/** Nobody serves what a parked worker holds: then its clients were refused, after 30 s, and nobody waits for it any more. */
export const unservedMs = 40_000
/** Time to drain at `stop`; then again `killAfterMs` until it is killed. */
export const stopGraceMs = 5000
export const killAfterMs = 2000
/** A worker that was never the node has nothing to drain. */
export const dismissGraceMs = 500
/** No `beat` for so long: its event loop stands still. */
export const silentMs = 20_000
/** A wake-up that comes this late means that the machine slept, not that the workers did. */
export const sleptMs = 2000
/**
 * Exits within the window weigh 1, stalls and spells of ill health 2, a stall while starting all: at `maxStrikes` the app stays out
 * (safe mode). A stall is seen after 20 s, a spell after 30 s: the window must hold three of them with time to fall ill in between.
 */
export const strikeWindowMs = 300_000
export const maxStrikes = 5
export const stallWeight = 2
/**
 * In safe mode the app is tried again after so long, since what it needs may have come back: a disk, a database, a network. The first failure
 * within the window sends it back, and the next pause follows; the last one stays.
 */
export const safePausesMs = [60_000, 300_000, 900_000, 3_600_000, 21_600_000] as const
/** Wait before a crashed worker is started again: doubles from the first to the second, and starts anew after a minute of service. */
export const firstBackoffMs = 100
export const maxBackoffMs = 30_000
export const steadyMs = 60_000
/** Starts of the supervisor that find the same trial open; then the node goes back. */
export const maxTrialStarts = 2
/** A write of current.json that failed is tried again after this. */
export const saveAgainMs = 1000
/** Lines of a worker's output that are kept for the report of a failure, and characters of each. */
export const tailLines = 20
export const tailLineLength = 500
/** Characters of one line of a worker's output; the rest of it is cut. */
export const maxLineLength = 8192
/** logs/node.log: bytes of one file, files in all, bytes that wait for a slow disk before lines are dropped. */
export const logFileBytes = 5 << 20
export const logFiles = 3
export const logQueueBytes = 1 << 20
/** Standard output and error: bytes that wait for somebody to read before lines are dropped; the wait for that doubles from the first to the second. */
export const consoleQueueBytes = 1 << 18
export const consoleFirstRetryMs = 5
export const consoleMaxRetryMs = 200
/** At the end of the process what still waits there gets this long. */
export const consoleFlushMs = 500
export const consoleFlushPollMs = 5
/** A worker whose supervisor was killed has this long to drain by itself; then the next supervisor ends it. */
export const leftoverGraceMs = 6000
export const leftoverPollMs = 25
/** A supervisor that is stopping is waited for this long: longer than its workers may take to drain. */
export const predecessorMs = 10_000
/** One that has let go of its socket, or is being killed, is gone after this; else it lives, and somebody removed its socket. */
export const lastBreathMs = 3000
/** One word to the service manager by its own tool, which takes some 10 ms. */
export const notifyDeadlineMs = 10_000
