/** Workers that end or stall when no switch is being tried: start again with back-off; too often in the window means safe mode. */
import * as limits from './limits.ts'
import type { Turn } from './turn.ts'
import type { Worker } from './state.ts'

/** Codes that no other slot and no other try would cure: the start ends with them. */
const blockers: readonly string[] = ['PORT_IN_USE', 'KEY_FILE_MODE', 'HOME_DAMAGED', 'HOME_EMPTY', 'ALREADY_RUNNING', 'NODE_VERSION']

/** Not the app's fault: a fresh worker is the cure, and safe mode would be none. */
const innocent: readonly string[] = ['DISK_FULL', 'DB_LOCKED', 'SLOT_DAMAGED']

/** The main worker is gone: plans the next. */
export function scheduleRestart(turn: Turn, ended: Worker): void {
  const wasSteady = turn.now - ended.servingSince >= limits.steadyMs
  const backoffMs = wasSteady ? 0 : turn.state.backoffMs
  const waitMs = backoffMs === 0 ? limits.firstBackoffMs : Math.min(backoffMs * 2, limits.maxBackoffMs)
  turn.set({ mainId: null, backoffMs: waitMs, restartAt: turn.now + waitMs })
}

/** Counts against the running slots. */
export function strike(turn: Turn, weight: number, why: string): void {
  turn.log(`worker failed: ${why}`)
  const recent = turn.state.strikes.filter(s => s.at > turn.now - limits.strikeWindowMs)
  const strikes = [...recent, { at: turn.now, weight }]
  turn.set({ strikes, ...(recent.length === 0 && { safeTries: 0 }) })
  if (strikes.reduce((sum, s) => sum + s.weight, 0) < limits.maxStrikes) return
  const { current, isAnnounced } = turn.state
  if (current.state !== 'safe') {
    turn.save({ ...current, state: 'safe' })
    turn.set({ strikes: [], backoffMs: 0 })
    planRetry(turn)
    turn.log(
      `ALARM safe mode: the app stays out until a release or a restart is ordered, or it starts when tried again; the last failure: ${why}`,
    )
  } else if (!isAnnounced) {
    turn.log('the worker does not start even without the app')
    beginStop(turn, 1)
  }
}

/** The app stays out for a while. */
export function planRetry(turn: Turn): void {
  const { safePausesMs } = limits
  const pauseMs = safePausesMs[Math.min(turn.state.safeTries, safePausesMs.length - 1)] ?? Infinity
  turn.set({ retryAt: turn.now + pauseMs })
}

/**
 * What the app could not do without may be there again. The worker without it serves until the one with it is ready; a single failure
 * sends it back.
 */
export function retryApp(turn: Turn): void {
  const { current, retryAt, trial, rehearsal, stopping, safeTries } = turn.state
  if (current.state !== 'safe' || retryAt > turn.now) return
  if (trial !== null || rehearsal !== null || stopping !== null || turn.main?.stage !== 'serving') {
    turn.set({ retryAt: turn.now + limits.safePausesMs[0] })
    return
  }
  turn.log('safe mode: the app is tried again')
  turn.save({ ...current, state: 'good' })
  const mainId = turn.fork({ app: current.app, shoal: current.shoal })
  // One strike more, and it is out again.
  const strikes = [{ at: turn.now, weight: limits.maxStrikes - 1 }]
  turn.set({ mainId, handover: 'exclusive', safeTries: safeTries + 1, strikes, backoffMs: 0 })
}

/** The main worker says itself that it cannot be the node. */
export function condemnMain(turn: Turn, worker: Worker, code: string, message: string): void {
  if (!turn.state.isAnnounced && blockers.includes(code)) {
    turn.emit({ kind: 'blocked', code, message })
    beginStop(turn, 1)
    return
  }
  const isIll = code === 'APP_UNHEALTHY'
  // One that serves may finish what is in flight; what it could not become, it has nothing of.
  if (worker.stage === 'serving' && (isIll || innocent.includes(code))) turn.retire(worker)
  else turn.kill(worker)
  // What crashed was not what was signed; it is now.
  const { current } = turn.state
  if (code === 'SLOT_DAMAGED' && current.state === 'safe') turn.save({ ...current, state: 'good' })
  if (innocent.includes(code)) turn.log(`worker ends: ${code}: ${message}`)
  else strike(turn, isIll ? limits.stallWeight : 1, `${code}: ${message}`)
}

/** Everything drains and ends; the supervisor exits with the code when the last worker has. */
export function beginStop(turn: Turn, code: number): void {
  if (turn.state.stopping !== null) return
  turn.set({ stopping: code, restartAt: Infinity })
  for (const worker of turn.state.workers) turn.retire(worker)
}
