/** What a rollout and its gates say of themselves, as sentences. Pure. */
import type { Board } from '../api/types.ts'
import type { Words } from '../words/en.ts'
import { duration } from './say.ts'

const sum = (board: Board, of: (wave: Board['waves'][number]) => number): number => board.waves.reduce((total, wave) => total + of(wave), 0)

export const totalOf = (board: Board): number => sum(board, wave => wave.size)
export const confirmedOf = (board: Board): number => sum(board, wave => wave.confirmed)
const failedOf = (board: Board): number => sum(board, wave => wave.failed)
const missingOf = (board: Board): number => sum(board, wave => wave.missing)

export function rolloutSentence(board: Board, w: Words): string {
  const s = w.rollout.sentences
  const [done, total] = [confirmedOf(board), totalOf(board)]
  switch (board.state) {
    case 'open':
      return board.hasPlan && board.unanswered > 0 ? w.rollout.gate.preflight(board.unanswered) : s.open(done, total)
    case 'paused':
      return s.paused(done, total)
    case 'halted':
      return s.halted(failedOf(board))
    case 'stalled':
      return s.stalled(missingOf(board))
    case 'aborted':
      return s.aborted
    case 'expired':
      return s.expired
    case 'completed':
      return board.dryRun && done < total ? s.dryRun : s.completed(total)
    case 'completed-with-exceptions':
      return s.exceptions(done, total)
  }
}

/** What the gate before a wave waits for; `at` one past the last is the end. */
export function gateSentence(board: Board, at: number, w: Words): string {
  const g = w.rollout.gate
  if (!board.hasPlan) return g.plan
  const before = board.waves[at - 1]
  const wave = board.waves[at]
  const isPast = wave === undefined ? before?.state === 'passed' : wave.state !== 'closed'
  if (isPast) return g.open
  if (board.state === 'paused' || board.state === 'aborted' || board.state === 'expired') return g[board.state]
  const isHalted = board.state === 'halted' && before !== undefined && before.failed > before.maxFailed
  return isHalted ? g.halted(before.failed, before.maxFailed) : waits(board, at, w)
}

function waits(board: Board, at: number, w: Words): string {
  const g = w.rollout.gate
  const before = board.waves[at - 1]
  if (before === undefined) {
    const refused = board.waves.reduce((n, wave) => n + wave.missing, 0)
    if (board.unanswered > 0) return g.preflight(board.unanswered)
    return refused === 0 ? g.open : g.refused(refused)
  }
  const more = Math.max(0, before.need - before.confirmed)
  const isLast = at === board.waves.length
  const parts = [
    isLast ? g.ends(more) : g.next(more),
    ...(isLast || board.soakMs < 1000 ? [] : [g.soak(duration(board.soakMs, w.locale))]),
    ...(isLast || board.window === null ? [] : [g.window(board.window)]),
  ]
  return parts.join(' ')
}
