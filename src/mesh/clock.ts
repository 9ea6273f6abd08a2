/** Time for the driver, passed in so that tests can bring their own. */
export interface MeshClock {
  /** Monotonic, ms. */
  readonly now: () => number
  /** Wall clock, ms since 1970; only for `peers test`. */
  readonly wallNow: () => number
  /** Calls after so long; the result cancels. */
  readonly after: (ms: number, then: () => void) => () => void
}

/** Node's timers take at most this; a longer wait is asked for again. */
const maxTimerMs = 2 ** 31 - 1

export const systemClock: MeshClock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.min(maxTimerMs, Math.max(0, ms)))
    return () => clearTimeout(timer)
  },
}
