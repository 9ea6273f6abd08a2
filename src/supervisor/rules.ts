/**
 * The rules that hold after every event, whatever it was: there is a worker that is to be the node, it gets the socket when nobody
 * else holds the node, and whoever was parked passes late requests to it. Deaths at any point need no case of their own.
 */
import * as limits from './limits.ts'
import { endRehearsal } from './rehearsal.ts'
import type { Turn } from './turn.ts'
import type { State, Worker } from './state.ts'

export function applyRules(turn: Turn): void {
  if (turn.state.stopping !== null) {
    if (turn.state.workers.length === 0) turn.emit({ kind: 'exit', code: turn.state.stopping })
    return
  }
  startMissing(turn)
  const main = turn.main
  if (main?.stage === 'ready' || main?.stage === 'parked') handOver(turn, main)
  if (main?.stage === 'serving') takeOver(turn, main)
  retireParked(turn)
  endRehearsal(turn)
}

function startMissing(turn: Turn): void {
  const { mainId, restartAt, current, trial } = turn.state
  if (mainId !== null || restartAt > turn.now) return
  const id = turn.fork({ app: current.app, shoal: current.shoal }, { isSafe: current.state === 'safe' })
  turn.set({ mainId: id, restartAt: Infinity })
  if (trial?.newId === null) turn.setTrial({ newId: id })
}

/** `exclusive`: first whoever holds the node lets go of it. `overlap`: both may, the order is turned round. */
function handOver(turn: Turn, main: Worker): void {
  const holders = turn.others.filter(w => w.isHolding)
  if (holders.length === 0 || turn.state.handover === 'overlap') go(turn, main)
  else for (const holder of holders) if (holder.stage === 'serving' || holder.stage === 'going') turn.park(holder)
}

function go(turn: Turn, main: Worker): void {
  const { trial, current, isAnnounced } = turn.state
  const isTrial = trial?.newId === main.id
  const deadlineAt = isTrial && isAnnounced ? Infinity : turn.startDeadlineAt // else the trial's own counts
  if (isTrial) turn.setTrial({ hadGo: true, deadlineAt: turn.now + turn.trialMs(trial) })
  const taken = { isHolding: true, hasServed: true, parkedAt: Infinity, forwardsTo: null }
  turn.setWorker(main.id, { stage: 'going', deadlineAt, ...taken })
  turn.send(main, { t: 'go', last: current.last })
}

function takeOver(turn: Turn, main: Worker): void {
  for (const other of turn.others) {
    if (other.stage === 'serving' || other.stage === 'going') turn.park(other)
    if (other.stage !== 'parked' || main.socket === null || other.forwardsTo === main.socket) continue
    turn.setWorker(other.id, { forwardsTo: main.socket })
    turn.send(other, { t: 'forward', path: main.socket })
  }
}

/** The old worker stays through the probation, any parked one until somebody serves what it holds and its idle clients have gone. */
function retireParked(turn: Turn): void {
  for (const other of turn.others) {
    if (other.id !== turn.state.trial?.oldId && turn.now >= retireAt(turn.state, other)) turn.retire(other)
  }
}

/** When a parked worker has nobody left to pass on for: its clients may keep their connections from the moment that the next one serves. */
export function retireAt(state: State, { stage, parkedAt }: Worker): number {
  if (stage !== 'parked') return Infinity
  const main = state.workers.find(w => w.id === state.mainId)
  return main?.stage === 'serving' ? Math.max(parkedAt, main.servingSince) + limits.retireAfterMs : parkedAt + limits.unservedMs
}
