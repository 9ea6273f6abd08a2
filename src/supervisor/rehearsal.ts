/**
 * The rehearsal that a new Shoal asks for in its probation: the supervisor loads a second worker of the running slots to `ready` and ends
 * it, without `go`. So it is known before the trial is confirmed that the next switch can be asked for, and begun.
 */
import type { Turn } from './turn.ts'
import type { Worker } from './state.ts'
import { staysSafe } from './switching.ts'

export function beginRehearsal(turn: Turn, asker: Worker): void {
  const { trial, stopping, rehearsal, current } = turn.state
  if (trial?.newId !== asker.id || asker.stage !== 'serving' || stopping !== null || rehearsal !== null) {
    turn.send(asker, { t: 'rehearsed', code: 'CONFLICT', message: 'only a worker in its probation rehearses, once at a time' })
    return
  }
  const workerId = turn.fork({ app: current.app, shoal: current.shoal }, { isRehearsal: true, isSafe: staysSafe(trial) })
  turn.set({ rehearsal: { askerId: asker.id, workerId, failure: null } })
}

/** The worker says, or shows by its end, why it cannot be loaded. */
export function noteFailure(turn: Turn, worker: Worker, code: string, message: string): void {
  const { rehearsal } = turn.state
  if (rehearsal?.workerId !== worker.id || rehearsal.failure !== null) return
  turn.set({ rehearsal: { ...rehearsal, failure: { code, message: message.slice(0, 1000) } } })
}

/** A rule: ends the rehearsal when it is decided, or when nobody waits for it any more. */
export function endRehearsal(turn: Turn): void {
  const { rehearsal, trial } = turn.state
  if (rehearsal === null) return
  const worker = turn.worker(rehearsal.workerId)
  const asker = trial?.newId === rehearsal.askerId ? turn.worker(rehearsal.askerId) : undefined
  if (asker !== undefined && worker?.stage === 'loading') return
  turn.set({ rehearsal: null })
  if (asker !== undefined) {
    const isReady = worker?.stage === 'ready'
    const failure = rehearsal.failure ?? { code: 'WORKER_SILENT', message: 'it was not loaded in time' }
    turn.send(asker, { t: 'rehearsed', ...(isReady ? { code: '', message: '' } : failure) })
  }
  if (worker !== undefined) turn.retire(worker)
}
