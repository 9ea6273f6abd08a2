/**
 * A switch from its first moment to its end: begun, confirmed, or gone back from. Whatever way it ends, current.json says so
 * before anybody is told, and `last` keeps it until the next one.
 */
import type { Current, LastSwitch, Slots, SwitchTarget } from '../model/index.ts'
import * as limits from './limits.ts'
import type { Turn } from './turn.ts'
import type { Trial, Worker } from './state.ts'

/** current.json during the trial of a target. */
function withTrial(current: Current, target: SwitchTarget): Current {
  const old: Slots = { app: current.app, shoal: current.shoal }
  const shoal = target.kind === 'shoal' && target.digest !== null ? target.digest : old.shoal
  const app = target.kind === 'app' ? target.digest : old.app
  return { ...current, app, shoal, previous: old, state: 'trial', attempts: 0, trial: target }
}

export function beginSwitch(turn: Turn, asker: Worker, target: SwitchTarget): void {
  const { state } = turn
  const refusal = whyNot(turn, asker, target)
  if (refusal !== null) {
    turn.send(asker, { t: 'refused', code: refusal, message: `order ${target.order}: ${reasons[refusal]}` })
    return
  }
  const before = state.current.state === 'safe' ? 'safe' : 'good'
  const trial: Trial = { target, newId: state.nextId, oldId: asker.id, hadGo: false, deadlineAt: Infinity, before, isConfirmed: false }
  const current = withTrial(state.current, target)
  turn.save(current)
  turn.set({ trial, mainId: state.nextId, handover: target.handover })
  // An app that was out stays out while another Shoal is tried: it would be the one that is judged.
  turn.fork({ app: current.app, shoal: current.shoal }, { isSafe: staysSafe(trial) })
  turn.log(`switch to ${target.kind} ${target.digest ?? 'none'} begun`)
}

const reasons = {
  BUSY: 'another switch is under way, or the node is stopping',
  CONFLICT: 'only the worker that serves may switch',
  BAD_REQUEST: 'a shoal release needs a digest',
} as const

function whyNot(turn: Turn, asker: Worker, target: SwitchTarget): keyof typeof reasons | null {
  if (turn.state.trial !== null || turn.state.stopping !== null) return 'BUSY'
  if (asker.id !== turn.state.mainId || asker.stage !== 'serving') return 'CONFLICT'
  return target.kind === 'shoal' && target.digest === null ? 'BAD_REQUEST' : null
}

export const staysSafe = ({ before, target }: Trial): boolean => before === 'safe' && target.kind === 'shoal'

/** The new worker proved itself. */
export function confirm(turn: Turn, worker: Worker): void {
  const { trial, current } = turn.state
  if (trial === null || trial.newId !== worker.id || worker.stage !== 'serving') return
  const { order, attempt, linked } = trial.target
  const last: LastSwitch = { order, attempt, result: 'confirmed', code: '', message: '', linked, log: [] }
  turn.save({ ...current, state: staysSafe(trial) ? 'safe' : 'good', attempts: 0, trial: null, last })
  turn.set({ trial: null, strikes: [], backoffMs: 0 })
  turn.send(worker, { t: 'switched', last })
  turn.log(`switch confirmed: order ${order}`)
}

/** current.json after a trial that failed. */
function undone(current: Current, state: 'good' | 'safe', last: LastSwitch | null): Current {
  const old = current.previous ?? { app: null, shoal: current.builtIn }
  return { ...current, ...old, previous: null, state, attempts: 0, trial: null, last }
}

/**
 * Ends the trial against the new worker. The old one becomes the node again if it lives (rules.ts moves the socket), else a fresh
 * one from the old slots. A `hung` one can be asked nothing more, one that is `alive` parks first if it holds the node.
 */
export function goBack(turn: Turn, code: string, message: string, failedIs: 'alive' | 'hung' | 'gone'): void {
  const { trial, current } = turn.state
  if (trial === null) return
  const failed = turn.worker(trial.newId)
  const old = turn.worker(trial.oldId)
  const { order, attempt, linked } = trial.target
  const result = trial.hadGo ? 'rolled-back' : 'failed'
  const last: LastSwitch = { order, attempt, result, code, message: message.slice(0, 1000), linked, log: failed?.tail ?? [] }
  turn.save(undone(current, trial.before, last))
  const isOldAlive = old !== undefined && ['serving', 'parking', 'parked'].includes(old.stage)
  turn.set({ trial: null, mainId: isOldAlive ? old.id : null, restartAt: isOldAlive ? Infinity : turn.now })
  if (failed !== undefined && failedIs === 'hung') turn.kill(failed)
  if (failed?.isHolding === false && failedIs === 'alive') turn.retire(failed)
  // A worker that was parked learns it with `go`.
  if (old?.stage === 'serving') turn.send(old, { t: 'switched', last })
  turn.log(`switch ${result}: order ${order}: ${code}: ${message}`)
}

/** The supervisor starts and finds a trial open: everything was killed in its middle. */
export function resumeTrial(turn: Turn): void {
  const { current, fallback } = turn.state
  if (current.trial === null || current.previous === null) {
    turn.save({ ...current, state: 'good', attempts: 0, trial: null })
    return
  }
  const attempts = current.attempts + 1
  const trial: Trial = {
    target: current.trial,
    newId: null,
    oldId: null,
    hadGo: true,
    deadlineAt: Infinity,
    before: 'good',
    isConfirmed: false,
  }
  turn.set({ trial })
  if (fallback !== null)
    goBack(turn, 'INTERRUPTED', 'everything ended in the middle of the switch, and its supervisor does not start', 'gone')
  else if (attempts > limits.maxTrialStarts)
    goBack(turn, 'INTERRUPTED', `everything ended in the middle of the switch ${attempts} times`, 'gone')
  else turn.save({ ...current, attempts })
}
