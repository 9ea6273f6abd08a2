/**
 * May a wave start? Asked by every node of its own replica, and by the page that shows it. Wave k opens on evidence of all waves before it.
 */
import type { NodeId } from '../../model/index.ts'
import { type ControlState, joinControls } from './controls.ts'
import { hasPassed, isCleared, isHalted, presentOutcome, type Tally, tallyWave } from './tally.ts'
import type { IsLost, KnownOrder } from './types.ts'

export type RolloutState = 'open' | 'paused' | 'halted' | 'stalled' | 'aborted' | 'expired' | 'completed' | 'completed-with-exceptions'

export interface Evidence {
  readonly controls: ControlState
  readonly cleared: boolean
  readonly tallies: readonly Tally[]
  /** Waves before this one have passed; equal to the number of waves when all have. */
  readonly reached: number
  readonly halted: boolean
}

/** What was weighed once stands until something about the order changes: with ten thousand nodes it is the dearest thing that anybody asks for. */
const weighed = new WeakMap<object, Evidence>()

export function weigh(known: KnownOrder): Evidence {
  const key = known.stamp ?? known
  const evidence = weighed.get(key) ?? weighAnew(known)
  weighed.set(key, evidence)
  return evidence
}

function weighAnew(known: KnownOrder): Evidence {
  const controls = joinControls(known.controls)
  const waves = known.plan?.waves ?? []
  const tallies = waves.map((wave, at) => tallyWave(known, wave, at === 0 || at < waves.length - 1, controls))
  const firstShut = tallies.findIndex(t => !hasPassed(t))
  return {
    controls,
    cleared: isCleared(known, controls),
    tallies,
    reached: firstShut === -1 ? tallies.length : firstShut,
    halted: tallies.some(isHalted),
  }
}

/** Evidence and controls allow wave `k` (of the plan, or one past the last for nodes that joined later) to start; the soak comes on top. */
export function isOpen(known: KnownOrder, evidence: Evidence, k: number): boolean {
  const { controls, cleared, reached, halted } = evidence
  if (known.plan === null || controls.aborted || controls.paused || halted) return false
  return cleared && reached >= k
}

/**
 * How a wave stands, for display: one that has begun stays open to the eye where the rollout is paused or halted in it, though nobody starts.
 * @param isMidway in the middle of a switch that this order asked for
 */
export function waveState(
  known: KnownOrder,
  evidence: Evidence,
  at: number,
  isMidway: (node: NodeId) => boolean = () => false,
): 'closed' | 'open' | 'passed' {
  const tally = evidence.tallies[at]
  if (tally === undefined) return 'closed'
  if (at < evidence.reached && hasPassed(tally)) return 'passed'
  if (isOpen(known, evidence, at)) return 'open'
  if (evidence.controls.aborted) return 'closed'
  const hasBegun = (): boolean => tally.confirmed.length + tally.failed.length > 0 || tally.pending.some(isMidway)
  return isHalted(tally) || (at === evidence.reached && hasBegun()) ? 'open' : 'closed'
}

export const isExpired = (known: KnownOrder): boolean => known.ageMs > known.order.deadlineMs

/** The state in one word (CONTRACT section 3). `halted` wins over `stalled`. */
export function stateOf(known: KnownOrder, evidence: Evidence, isLost: IsLost): RolloutState {
  const { controls, tallies, halted } = evidence
  const isAll = (t: Tally): boolean => t.confirmed.length > 0 && t.confirmed.length + t.gone.length === t.size
  if (tallies.length > 0 && tallies.every(isAll)) return 'completed'
  if (controls.aborted) return 'aborted'
  if (hasEnded(evidence, isLost)) return 'completed-with-exceptions'
  if (known.order.dryRun && evidence.cleared) return 'completed'
  if (isExpired(known)) return 'expired'
  if (halted) return 'halted'
  if (isStalled(known, evidence, isLost)) return 'stalled'
  return controls.paused ? 'paused' : 'open'
}

/** Every wave has passed and nobody who is left can still be waited for. */
function hasEnded({ tallies, reached }: Evidence, isLost: IsLost): boolean {
  return tallies.length > 0 && reached === tallies.length && tallies.every(t => t.pending.every(isLost))
}

/** The first wave that has not passed cannot pass without nodes that are lost or have refused. */
function isStalled(known: KnownOrder, { tallies, reached, cleared, controls }: Evidence, isLost: IsLost): boolean {
  const wave = tallies[reached]
  if (wave === undefined) return false
  const able = wave.confirmed.length + wave.pending.filter(n => !isLost(n)).length
  if (able < wave.need) return true
  return !cleared && isBlockedBeforeStart(known, controls, isLost)
}

/** Not cleared, and nobody is left who could still answer go. */
function isBlockedBeforeStart(known: KnownOrder, controls: ControlState, isLost: IsLost): boolean {
  const lost = new Set(known.plan?.lost)
  const blocks = (node: NodeId): boolean => {
    if (lost.has(node) || controls.skipped.has(node) || known.gone.has(node)) return false
    const outcome = presentOutcome(known, controls, node)
    const preflight = known.preflights.get(node)
    if (outcome === 'confirmed') return false
    if (outcome === 'superseded' || outcome === 'refused') return true
    return preflight === undefined ? isLost(node) : !preflight.go && preflight.attempt >= controls.attemptOf(node)
  }
  return (known.plan?.waves ?? []).some(wave => {
    const blocked = wave.nodes.filter(blocks)
    const superseded = blocked.some(n => presentOutcome(known, controls, n) === 'superseded')
    return superseded || blocked.length > wave.maxMissing
  })
}

/**
 * One sentence: what the rollout waits for.
 * @param opens when its window opens, if that is shut by the clock of who asks (`opensNext`)
 */
export function opensWhen(known: KnownOrder, evidence: Evidence, state: RolloutState, opens: string | null = null): string {
  const { tallies, reached, cleared } = evidence
  const wave = tallies[reached]
  if (known.plan === null) return 'opens when the plan has been fetched from a peer'
  if (state === 'completed' && known.order.dryRun) return 'every node has answered go; a dry run changes nothing'
  if (state === 'completed' || state === 'completed-with-exceptions') return 'every wave has passed'
  if (state === 'aborted') return 'an operator aborted it: nobody else will start'
  if (state === 'expired') return 'its deadline has passed: nobody else will start'
  if (state === 'paused') return 'opens when an operator resumes it'
  if (state === 'halted') return `halted in wave ${tallies.findIndex(isHalted) + 1}: more failures than tolerated; opens by retry or skip`
  if (!cleared) return clearsWhen(known, evidence)
  if (wave === undefined) return 'every wave has passed'
  const which = `wave ${reached + 1} of ${tallies.length}`
  const hasBegun = wave.confirmed.length + wave.failed.length > 0
  const left = leftBehind(wave)
  if (left > 0) return `${which} cannot pass: ${left} of its ${wave.size} node${wave.size === 1 ? '' : 's'} left the fleet; skip or abort`
  if (opens !== null && state === 'open') return `${which} ${hasBegun ? 'goes on' : 'starts'} when the window opens: ${opens}`
  const { soakMs } = known.order
  const soak = soakMs > 0 && reached > 0 && !hasBegun ? `; it starts ${soakMs / 1000} s after wave ${reached} has passed` : ''
  const missing = wave.need - wave.confirmed.length
  return `${which} passes when ${missing} more of its ${wave.size} node${wave.size === 1 ? '' : 's'} ${missing === 1 ? 'has' : 'have'} confirmed${soak}`
}

/** Who left the fleet, where the wave needs them: they do not come back (decision 25). */
const leftBehind = ({ gone, confirmed, pending, need }: Tally): number => (confirmed.length + pending.length < need ? gone.length : 0)

/** What the first gate waits for: answers, or somebody who takes those out that said no. */
function clearsWhen(known: KnownOrder, { controls, tallies }: Evidence): string {
  const left = unanswered(known, controls)
  if (left > 0) return `opens when every reachable node has answered the preflight: ${left} to go`
  const no = tallies.flatMap(t => t.refused)
  const replaced = no.filter(node => presentOutcome(known, controls, node) === 'superseded')
  const count = ({ length }: readonly NodeId[]): string => `${length} node${length === 1 ? '' : 's'}`
  if (known.order.dryRun) return `${count(no)} said no-go; a dry run changes nothing`
  if (replaced.length > 0) return `a newer order has taken its place on ${count(replaced)}`
  return `${count(no)} cannot take it, so nobody starts; opens by retry or skip`
}

function unanswered(known: KnownOrder, controls: ControlState): number {
  const lost = new Set(known.plan?.lost)
  const nodes = (known.plan?.waves ?? []).flatMap(w => w.nodes)
  return nodes.filter(n => !lost.has(n) && !controls.skipped.has(n) && !known.gone.has(n) && !known.preflights.has(n)).length
}
