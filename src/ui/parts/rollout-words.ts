/** What a rollout and its gates say of themselves, as sentences. Pure. */
import type { Board, BoardWave, Failure, Outcome, RolloutState } from '../api/types.ts'
import type { Words } from '../words/en.ts'
import type { Mark } from './marks.ts'
import { duration, opening, releaseName } from './say.ts'

const sum = (board: Board, of: (wave: BoardWave) => number): number => board.waves.reduce((total, wave) => total + of(wave), 0)

export const totalOf = (board: Board): number => sum(board, wave => wave.size)
export const confirmedOf = (board: Board): number => sum(board, wave => wave.confirmed)
const failedOf = (board: Board): number => sum(board, wave => wave.failed)
const missingOf = (board: Board): number => sum(board, wave => wave.missing)
const endedSo = (board: Board, outcome: Outcome): number =>
  board.failures.reduce((n, failure) => n + (failure.outcome === outcome ? failure.count : 0), 0)

const over: ReadonlySet<RolloutState> = new Set(['completed', 'completed-with-exceptions', 'aborted', 'expired'])
const stuck: ReadonlySet<RolloutState> = new Set(['halted', 'stalled', 'paused'])

type Stands = Pick<Board, 'state' | 'dryRun'>

/** A dry run in which somebody said no: it was answered, there is nothing that could go on. */
const isAnswered = ({ state, dryRun }: Stands): boolean => dryRun && state === 'stalled'

export const isOver = (rollout: Stands): boolean => over.has(rollout.state) || isAnswered(rollout)

/** Does it stand until somebody does something? A dry run never does. */
export const isStuck = ({ state, dryRun }: Stands): boolean => stuck.has(state) && !dryRun

const markOf: Readonly<Record<RolloutState, Mark>> = {
  open: 'busy',
  paused: 'held',
  halted: 'failed',
  stalled: 'lost',
  aborted: 'excused',
  expired: 'excused',
  completed: 'ok',
  'completed-with-exceptions': 'refused',
}

export const markOfRollout = (rollout: Stands): Mark => (isAnswered(rollout) ? 'refused' : markOf[rollout.state])
export const rolloutWord = (rollout: Stands, w: Words): string => (isAnswered(rollout) ? w.rollout.answered : w.states[rollout.state])

const maxNames = 6

/** @param count how many there are, if not all of them are named */
export function namesOf(nodes: readonly { readonly name: string }[], w: Words, count = nodes.length): string {
  const names = nodes.slice(0, maxNames).map(node => node.name)
  return w.list(count > names.length ? [...names, w.rollout.and(count - names.length)] : names)
}

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
      return board.dryRun ? answers(board, w) : stalled(board, w)
    case 'aborted':
      return s.aborted
    case 'expired':
      return s.expired
    case 'completed':
      return board.dryRun && done < total ? answers(board, w) : s.completed(total)
    case 'completed-with-exceptions':
      return s.exceptions(done, total)
  }
}

/** Who waits for a node that follows another order waits in vain. */
function stalled(board: Board, w: Words): string {
  const replaced = endedSo(board, 'superseded')
  return replaced > 0 ? w.rollout.sentences.replaced(replaced) : w.rollout.sentences.stalled(missingOf(board))
}

/** What a dry run was for. */
function answers(board: Board, w: Words): string {
  const s = w.rollout.sentences
  const rest = board.failures.map(({ nodes, count, outcome, message }) => {
    const names = namesOf(nodes, w, count)
    return outcome === 'missing' ? s.unseen(names) : s.cannot(names, count, message)
  })
  return rest.length === 0 ? s.dryRun : s.could(board.able, totalOf(board), rest.slice(0, 3).join('; '))
}

const isAtWork = ({ step }: BoardWave['cells'][number]): boolean => step === 'switching' || step === 'probation'

/** Too many failed in this wave. */
export const isHaltedIn = (board: Board, wave: BoardWave): boolean => board.state === 'halted' && wave.failed > wave.maxFailed

const hasOpened = (wave: BoardWave): boolean => wave.state !== 'closed' || wave.confirmed + wave.failed > 0

/** The evidence is there, and yet nobody begins: the window is shut, or the soak lasts. null: nothing is in the way. */
function inTheWay(board: Board, at: number, w: Words): string | null {
  const wave = board.waves[at]
  if (board.state !== 'open' || wave?.state !== 'open' || board.unanswered > 0) return null
  const atWork = wave.cells.filter(isAtWork).length
  if (wave.waiting <= atWork) return null
  const g = w.rollout.gate
  if (board.opens !== null) return g.opens(opening(board.opens, w.locale))
  const isUntouched = atWork + wave.confirmed + wave.failed === 0
  return isUntouched && at > 0 && board.soakMs >= 1000 ? g.soaks(duration(board.soakMs, w.locale), at) : null
}

export type GateState = 'open' | 'shut' | 'next'

/** The gate that the rollout stands before is the one to look at. */
export function gateStateOf(board: Board, at: number, w: Words): GateState {
  const [before, wave] = [board.waves[at - 1], board.waves[at]]
  const isOpen = wave === undefined ? before?.state === 'passed' : hasOpened(wave)
  if (isOpen) return inTheWay(board, at, w) === null ? 'open' : 'next'
  return before === undefined || hasOpened(before) ? 'next' : 'shut'
}

/** What the gate before a wave waits for; `at` one past the last is the end. */
export function gateSentence(board: Board, at: number, w: Words): string {
  const g = w.rollout.gate
  if (!board.hasPlan) return g.plan
  const [before, wave] = [board.waves[at - 1], board.waves[at]]
  const isPast = wave === undefined ? before?.state === 'passed' : hasOpened(wave)
  if (isPast) return inTheWay(board, at, w) ?? g.open
  if (board.state === 'paused' || board.state === 'aborted' || board.state === 'expired') return g[board.state]
  if (before !== undefined && isHaltedIn(board, before)) return g.halted(before.failed, before.maxFailed)
  return endedSo(board, 'superseded') > 0 && board.state !== 'open' ? g.replaced : waits(board, at, w)
}

function waits(board: Board, at: number, w: Words): string {
  const g = w.rollout.gate
  const before = board.waves[at - 1]
  if (before === undefined) return firstWaits(board, w)
  const more = Math.max(0, before.need - before.confirmed)
  const isLast = at === board.waves.length
  const parts = [
    isLast ? g.ends(more) : g.next(more),
    ...(isLast || board.soakMs < 1000 ? [] : [g.soak(duration(board.soakMs, w.locale))]),
    ...(isLast || board.window === null ? [] : [g.window(board.window)]),
  ]
  return parts.join(' ')
}

function firstWaits(board: Board, w: Words): string {
  const g = w.rollout.gate
  if (board.unanswered > 0) return g.preflight(board.unanswered)
  const refused = endedSo(board, 'refused')
  if (refused > 0) return g.refused(refused)
  return missingOf(board) > 0 ? g.stalled(missingOf(board)) : g.open
}

/** How those that ended badly are now: each as what it serves, which is not always what it served before. */
export function presentOf(failure: Failure, w: Words): string {
  const r = w.rollout
  const { nodes, count, outcome } = failure
  if (outcome === 'missing') return r.unseen(namesOf(nodes, w, count), count)
  if (outcome === 'refused' || outcome === 'superseded') return r.stays(namesOf(nodes, w, count))
  const groups = [...Map.groupBy(nodes, node => `${node.serves ?? ''} ${node.again}`).values()]
  return groups.map(group => nowOf(group, groups.length === 1 ? count : group.length, w)).join(' ')
}

function nowOf(group: Failure['nodes'], count: number, w: Words): string {
  const r = w.rollout
  const names = namesOf(group, w, count)
  const { serves = null, again = false } = group[0] ?? {}
  if (serves === null) return r.without(names)
  if (!again) return r.servesNow(names, releaseName(serves))
  return count === 1 ? r.servesOne(names, releaseName(serves)) : r.serves(names, releaseName(serves))
}
