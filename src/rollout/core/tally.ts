/**
 * Counts the evidence of one wave. Success is what the new worker proved and what witnesses saw: an outcome `confirmed` with its receipts.
 * "At least q succeeded" stays true once it is true, so no partition, delay or clock opens a gate early.
 */
import { assertNever, type Digest, type NodeId, type OutcomeBody, type PlannedWave } from '../../model/index.ts'
import { type ControlState, joinControls } from './controls.ts'
import { digestsOf, type KnownOrder } from './types.ts'

export type Standing = 'success' | 'failed' | 'refused' | 'superseded' | 'skipped' | 'gone' | 'pending'

export interface Tally {
  readonly size: number
  /** Successes that pass the wave. */
  readonly need: number
  readonly confirmed: readonly NodeId[]
  readonly failed: readonly NodeId[]
  /** Refused or superseded: they cannot succeed any more by themselves. */
  readonly refused: readonly NodeId[]
  readonly skipped: readonly NodeId[]
  /** No members any more: nobody waits for them. */
  readonly gone: readonly NodeId[]
  readonly pending: readonly NodeId[]
  readonly maxFailed: number
  readonly maxMissing: number
}

/** Distinct members other than the node itself that saw it come back with this digest in this epoch. */
function isWitnessed(known: KnownOrder, node: NodeId, digest: Digest | null, epoch: number, need: number): boolean {
  if (need === 0) return true
  const seen = (known.receipts.get(node) ?? []).filter(r => r.digest === digest && r.epoch >= epoch && r.witness !== node)
  return new Set(seen.map(r => r.witness)).size >= need
}

/** How a node stands to an order, by the facts alone. */
export function standingOf(known: KnownOrder, controls: ControlState, node: NodeId): Standing {
  const outcome = known.outcomes.get(node)
  if (outcome?.outcome === 'confirmed') {
    const isRight = outcome.digest !== null && (known.release === null || digestsOf(known.release).has(outcome.digest))
    return isRight && isWitnessed(known, node, outcome.digest, outcome.epoch, outcome.witnesses) ? 'success' : 'pending'
  }
  if (controls.skipped.has(node)) return 'skipped'
  if (known.gone.has(node)) return 'gone'
  const attempt = controls.attemptOf(node)
  if (outcome !== undefined && outcome.attempt >= attempt) return ofOutcome(outcome.outcome)
  const preflight = known.preflights.get(node)
  return preflight !== undefined && !preflight.go && preflight.attempt >= attempt ? 'refused' : 'pending'
}

function ofOutcome(outcome: 'rolled-back' | 'failed' | 'refused' | 'skipped' | 'superseded'): Standing {
  switch (outcome) {
    case 'rolled-back':
    case 'failed':
      return 'failed'
    case 'refused':
    case 'superseded':
    case 'skipped':
      return outcome
    default:
      return assertNever(outcome)
  }
}

/** @param isGate another wave opens on this one's evidence, or there is only this one */
export function tallyWave(known: KnownOrder, wave: PlannedWave, isGate: boolean, controls = joinControls(known.controls)): Tally {
  const of: Record<Standing, NodeId[]> = { success: [], failed: [], refused: [], superseded: [], skipped: [], gone: [], pending: [] }
  for (const node of wave.nodes) of[standingOf(known, controls, node)].push(node)
  const { maxFailed, maxMissing } = wave
  const counted = wave.nodes.length - of.skipped.length - of.gone.length
  // What is tolerated never makes evidence needless: only an operator's skip of all of them does.
  const least = !isGate || of.skipped.length === wave.nodes.length ? 0 : 1
  return {
    size: wave.nodes.length,
    need: Math.max(least, counted - maxFailed - maxMissing),
    confirmed: of.success,
    failed: of.failed,
    refused: [...of.refused, ...of.superseded],
    skipped: of.skipped,
    gone: of.gone,
    pending: of.pending,
    maxFailed,
    maxMissing,
  }
}

/** The node's outcome, unless a retry has asked for another attempt since. */
export function presentOutcome(known: KnownOrder, controls: ControlState, node: NodeId): OutcomeBody['outcome'] | undefined {
  const outcome = known.outcomes.get(node)
  if (outcome === undefined || (outcome.outcome !== 'confirmed' && outcome.attempt < controls.attemptOf(node))) return undefined
  return outcome.outcome
}

export const hasPassed = (t: Tally): boolean => t.confirmed.length >= t.need && t.failed.length <= t.maxFailed
export const isHalted = (t: Tally): boolean => t.failed.length > t.maxFailed

/**
 * The gate before the first wave: every node that could be reached when the order was made has answered go or no-go, no more no-gos than a
 * wave tolerates as missing, and nobody knows a newer order. So a release that some node cannot take touches nobody, and of two orders made
 * at once at most one starts: the maker of the greater never says go to the lesser.
 */
export function isCleared(known: KnownOrder, controls = joinControls(known.controls)): boolean {
  if (known.plan === null) return false
  const lost = new Set(known.plan.lost)
  return known.plan.waves.every(wave => {
    let noGo = 0
    for (const node of wave.nodes) {
      if (lost.has(node) || controls.skipped.has(node) || known.gone.has(node)) continue
      const outcome = presentOutcome(known, controls, node)
      if (outcome === 'superseded') return false
      if (outcome === 'confirmed' || known.preflights.get(node)?.go === true) continue
      noGo += 1
    }
    return noGo <= wave.maxMissing
  })
}
