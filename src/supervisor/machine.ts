/**
 * The supervisor's decisions: `step(state, event, now)`. Pure: no clock, process, socket or disk. Holds every deadline of a switch,
 * so that no state lasts for ever. Times are milliseconds of any steady clock.
 */
import { assertNever, type FromWorker } from '../model/index.ts'
import { beginStop, condemnMain, planRetry, retryApp, scheduleRestart, strike } from './crashes.ts'
import { grantHold } from './hold.ts'
import * as limits from './limits.ts'
import { beginRehearsal, noteFailure } from './rehearsal.ts'
import { applyRules, retireAt } from './rules.ts'
import type { Event, State, Step, Worker } from './state.ts'
import { beginSwitch, confirm, goBack, resumeTrial } from './switching.ts'
import { Turn } from './turn.ts'

export function step(state: State, event: Event, now: number): Step {
  if (event.kind === 'unsaved') return stepUnsaved(state, event, now)
  return stepWith(new Turn(state, now, false), event)
}

function stepWith(turn: Turn, event: Exclude<Event, { kind: 'unsaved' }>): Step {
  handle(turn, event)
  applyRules(turn)
  return turn.end()
}

/** A full disk stops no going back and no start; it only keeps a switch from beginning or from being final. */
function stepUnsaved(state: State, event: Extract<Event, { kind: 'unsaved' }>, now: number): Step {
  const { cause } = event
  const turn = new Turn(state, now, true)
  turn.log(`current.json cannot be written: ${event.message}`)
  if (cause.kind === 'unsaved') return turn.end()
  const asker = cause.kind === 'message' && cause.message.t === 'switch' ? turn.worker(cause.worker) : undefined
  if (asker !== undefined) {
    turn.send(asker, { t: 'refused', code: event.code, message: event.message })
    return turn.end()
  }
  const isConfirm = cause.kind === 'message' && cause.message.t === 'confirm'
  if (isConfirm || (cause.kind === 'tick' && state.trial?.isConfirmed === true && now < state.trial.deadlineAt)) {
    turn.setTrial({ isConfirmed: true })
    turn.set({ saveAt: now + limits.saveAgainMs })
    return turn.end()
  }
  return stepWith(turn, cause)
}

function handle(turn: Turn, event: Exclude<Event, { kind: 'unsaved' }>): void {
  switch (event.kind) {
    case 'start':
      start(turn)
      return
    case 'stop':
      beginStop(turn, 0)
      return
    case 'tick':
      tick(turn, event.lateMs)
      return
    case 'message':
    case 'line':
    case 'exited': {
      const worker = turn.worker(event.worker)
      if (worker === undefined) return
      if (event.kind === 'exited') exited(turn, worker, event.how)
      else if (event.kind === 'message') heard(turn, worker, event.message)
      else turn.setWorker(worker.id, { tail: [...worker.tail, event.line.slice(0, limits.tailLineLength)].slice(-limits.tailLines) })
      return
    }
    default:
      assertNever(event)
  }
}

function start(turn: Turn): void {
  turn.set({ restartAt: turn.now, startedAt: turn.now })
  planRetry(turn)
  if (turn.state.current.state === 'trial') resumeTrial(turn)
  const { fallback, current } = turn.state
  // The supervisor of `shoal` does not start: the slot that does takes over whole. Saved when it serves (announce).
  if (fallback !== null) turn.set({ current: { ...current, shoal: fallback, previous: null } })
}

function heard(turn: Turn, worker: Worker, message: FromWorker): void {
  turn.setWorker(worker.id, { beatAt: turn.now })
  switch (message.t) {
    case 'beat':
      return
    case 'ready':
      if (worker.stage === 'loading') turn.setWorker(worker.id, { stage: 'ready', deadlineAt: Infinity })
      return
    case 'listening':
      listening(turn, worker, message)
      return
    case 'parked':
      if (worker.stage !== 'parking') return
      turn.setWorker(worker.id, { stage: 'parked', isHolding: false, parkedAt: turn.now, deadlineAt: Infinity, socket: null })
      return
    case 'condemn':
      condemned(turn, worker, message.code, message.message)
      return
    case 'confirm':
      confirm(turn, worker)
      return
    case 'switch':
      beginSwitch(turn, worker, message.target)
      return
    case 'hold':
      grantHold(turn, worker, message.ms, message.reason)
      return
    case 'rehearse':
      beginRehearsal(turn, worker)
      return
    case 'restart':
    case 'stop':
      askedToStop(turn, worker, message.t === 'restart' ? 75 : 0)
      return
    default:
      assertNever(message)
  }
}

function listening(turn: Turn, worker: Worker, said: Extract<FromWorker, { t: 'listening' }>): void {
  if (worker.stage !== 'going') return
  turn.setWorker(worker.id, { stage: 'serving', socket: said.forward, servingSince: turn.now, deadlineAt: Infinity })
  if (turn.state.isAnnounced) return
  turn.set({ isAnnounced: true })
  const { current, fallback, ownSlot } = turn.state
  const isAdopted = ownSlot === null || current.supervisor === ownSlot
  if (fallback !== null || !isAdopted) turn.save({ ...current, supervisor: ownSlot })
  turn.emit({ kind: 'announce', line: `ready ${said.url} node=${said.id8} app=${said.app} shoal=${said.shoal}` })
}

function condemned(turn: Turn, worker: Worker, code: string, message: string): void {
  if (worker.stage === 'killed' || worker.stage === 'leaving') return
  noteFailure(turn, worker, code, message)
  // Condemned on the way to serve, its app may still be writing: the old one must not open the data before that process has ended.
  if (turn.state.trial?.newId === worker.id) goBack(turn, code, message, worker.stage === 'going' ? 'hung' : 'alive')
  else if (turn.state.mainId === worker.id) condemnMain(turn, worker, code, message)
  else turn.kill(worker)
}

/** Somebody asked for it at this node: so safe mode is given another chance. */
function askedToStop(turn: Turn, worker: Worker, code: number): void {
  const { current, mainId, stopping } = turn.state
  if (stopping !== null || (worker.id !== mainId && worker.stage !== 'serving')) return
  if (current.state === 'safe') turn.save({ ...current, state: 'good' })
  beginStop(turn, code)
}

function exited(turn: Turn, worker: Worker, how: string): void {
  noteFailure(turn, worker, 'WORKER_EXITED', `it ended while it was loaded: ${how}`)
  const isNew = turn.state.trial !== null && turn.state.trial.newId === worker.id
  if (isNew && turn.state.stopping === null) goBack(turn, 'WORKER_EXITED', `the worker ended during the switch: ${how}`, 'gone')
  const wasMain = turn.state.mainId === worker.id
  turn.set({ workers: turn.state.workers.filter(w => w.id !== worker.id) })
  if (turn.state.trial?.oldId === worker.id) turn.setTrial({ oldId: null })
  if (turn.state.stopping !== null || !wasMain) return
  scheduleRestart(turn, worker)
  // What was killed or told to leave was counted then.
  if (worker.stage !== 'killed' && worker.stage !== 'leaving') strike(turn, 1, how)
}

function tick(turn: Turn, lateMs: number): void {
  if (lateMs >= limits.sleptMs) shiftTimes(turn, lateMs)
  for (const worker of turn.state.workers) checkWorker(turn, worker)
  const isSaveDue = turn.state.saveAt <= turn.now
  if (isSaveDue) turn.set({ saveAt: Infinity })
  const { trial } = turn.state
  if (trial !== null && turn.state.stopping === null && trial.deadlineAt <= turn.now) expireTrial(turn)
  else if (trial?.isConfirmed === true && isSaveDue) {
    const worker = turn.worker(trial.newId)
    if (worker !== undefined) confirm(turn, worker)
  }
  if (turn.state.isDirty && isSaveDue) turn.save(turn.state.current)
  retryApp(turn)
}

/**
 * The machine slept, or this process did: nobody is late because of that. How long it slept before the wake-up was due is not known, so a
 * worker is silent from now.
 */
function shiftTimes(turn: Turn, ms: number): void {
  turn.set({ workers: turn.state.workers.map(w => ({ ...w, beatAt: turn.now, deadlineAt: w.deadlineAt + ms })) })
  if (turn.state.trial !== null) turn.setTrial({ deadlineAt: turn.state.trial.deadlineAt + ms })
}

/**
 * While it loads and during `go` the beat does not count: modules are read in one go, which takes a slow or busy box half a minute, and
 * migrating data may keep the event loop busy. Both stages have deadlines.
 */
const silentAt = (w: Worker): number =>
  w.stage === 'loading' || w.stage === 'going' || w.stage === 'leaving' || w.stage === 'killed' ? Infinity : w.beatAt + limits.silentMs

function checkWorker(turn: Turn, worker: Worker): void {
  const isSilent = silentAt(worker) <= turn.now
  if (!isSilent && worker.deadlineAt > turn.now) return
  const why = isSilent ? `no beat for ${limits.silentMs} ms while ${worker.stage}` : `${worker.stage} for too long`
  const { trial, mainId, stopping } = turn.state
  if (stopping === null && trial?.newId === worker.id) goBack(turn, 'WORKER_SILENT', why, 'hung')
  else {
    turn.kill(worker)
    const isStarting = worker.stage === 'loading' || worker.stage === 'ready' || worker.stage === 'going'
    if (stopping === null && mainId === worker.id && worker.stage !== 'leaving')
      strike(turn, isStarting ? limits.maxStrikes : limits.stallWeight, why)
  }
}

function expireTrial(turn: Turn): void {
  const worker = turn.worker(turn.state.trial?.newId ?? null)
  goBack(turn, 'WORKER_SILENT', `no verdict in time, ${worker?.stage ?? 'gone'}`, worker?.stage === 'going' ? 'hung' : 'alive')
}

/** When the machine wants its next `tick`; Infinity: only events count. */
export function wakeAt(state: State): number {
  const retire = state.workers.filter(w => w.id !== state.mainId && w.id !== state.trial?.oldId)
  return Math.min(
    ...state.workers.flatMap(w => [w.deadlineAt, silentAt(w)]),
    ...retire.map(w => retireAt(state, w)),
    state.stopping === null && state.mainId === null ? state.restartAt : Infinity,
    state.stopping === null ? (state.trial?.deadlineAt ?? Infinity) : Infinity,
    state.stopping === null && state.current.state === 'safe' ? state.retryAt : Infinity,
    state.saveAt,
  )
}
