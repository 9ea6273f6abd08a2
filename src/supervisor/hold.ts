/**
 * An app asks for time by `host.hold`: a large index, a slow disk. Its worker may then take longer to become the node, and its probation to end;
 * but no deadline goes beyond one hour from the worker's own start, so that none is without an end.
 */
import type { Turn } from './turn.ts'
import type { Worker } from './state.ts'

export function grantHold(turn: Turn, worker: Worker, ms: number, reason: string): void {
  const { trial, isAnnounced } = turn.state
  const isTrial = trial?.newId === worker.id
  if (worker.stage !== 'going' && !(isTrial && worker.stage === 'serving')) return
  const until = Math.min(turn.now + ms, worker.holdLimitAt)
  if (worker.stage === 'going') turn.setWorker(worker.id, { deadlineAt: Math.max(worker.deadlineAt, until) })
  if (isTrial) turn.setTrial({ deadlineAt: Math.max(trial.deadlineAt, until + turn.trialMs(trial)) })
  turn.log(`the app asks for ${ms} ms: ${reason}`)
  // The loader's limit is for supervisors that do not start; this one does.
  if (!isAnnounced) turn.emit({ kind: 'alive' })
}
