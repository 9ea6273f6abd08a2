/**
 * This node's own part: which order it follows, and the one next thing to do for it. Asked again after every change and after every
 * restart, it needs no memory but the facts and what lies on disk; so it is the same after kill -9 at any point.
 */
import type { Digest, NodeId, OutcomeBody, PackageKind, Plan, Reason } from '../../model/index.ts'
import { type Evidence, isExpired, isOpen, stateOf, weigh } from './gate.ts'
import { digestFor, type KnownOrder } from './types.ts'

/** What the node knows of itself when it decides. */
export interface Own {
  readonly id: NodeId
  readonly tags: readonly string[]
  readonly platform: string
  /** What runs, per kind. */
  readonly running: Readonly<Record<PackageKind, Digest | null>>
  /** Orders whose switch has begun here and is not reported yet. */
  readonly begun: ReadonlySet<string>
  readonly hasPackage: (digest: Digest) => boolean
  readonly isStaged: (digest: Digest) => boolean
  /** The staged app would migrate the data, and has not shown yet on a copy that it can. */
  readonly needsRehearsal: (digest: Digest) => boolean
  /** What becomes of newer data, by the order's word, is not prepared yet for this attempt. */
  readonly needsPreparation: (known: KnownOrder, attempt: number) => boolean
  readonly isHeld: boolean
  /** The app that runs is well; true without one. */
  readonly isHealthy: boolean
  /** The order's window, if it has one, is open by this node's clock. */
  readonly isInWindow: (window: string) => boolean
  /** How long this node has held the evidence that opens its wave, ms; its own monotonic clock. */
  readonly evidenceAgeMs: (order: string) => number
  readonly isLost: (node: NodeId) => boolean
}

export type Task =
  | { readonly do: 'preflight' }
  | { readonly do: 'fetch'; readonly digest: Digest }
  | { readonly do: 'stage'; readonly digest: Digest }
  | { readonly do: 'rehearse'; readonly digest: Digest }
  | { readonly do: 'prepare' }
  | { readonly do: 'wait'; readonly forMs: number | null; readonly gateOpen: boolean }
  | { readonly do: 'switch'; readonly digest: Digest }
  /** Already runs what is ordered, or will never do it: say so. */
  | { readonly do: 'report'; readonly outcome: OutcomeBody['outcome']; readonly reason: Reason | null; readonly digest: Digest | null }

export interface NextTask {
  readonly known: KnownOrder
  readonly attempt: number
  readonly task: Task
}

export const isNewer = (a: KnownOrder, b: KnownOrder): boolean =>
  a.order.generation !== b.order.generation ? a.order.generation > b.order.generation : a.id > b.id

export const matches = (known: KnownOrder, own: Pick<Own, 'id' | 'tags'>): boolean => {
  const { only, tags } = known.order.selector
  return (only.length === 0 && tags.length === 0) || only.includes(own.id) || tags.some(t => own.tags.includes(t))
}

/** Where each node of a plan stands; worked out once per plan, since every view of every node asks. */
const places = new WeakMap<Plan, ReadonlyMap<NodeId, number>>()

/** The wave of the plan that names the node. */
export function plannedWave(plan: Plan, node: NodeId): number | undefined {
  let found = places.get(plan)
  if (found === undefined) {
    found = new Map(plan.waves.flatMap((wave, at) => wave.nodes.map(id => [id, at] as const)))
    places.set(plan, found)
  }
  return found.get(node)
}

/** Index of the node's wave; nodes that joined later come after the last; null: the order is not for it. */
export function waveOf(known: KnownOrder, own: Pick<Own, 'id' | 'tags'>): number | null {
  if (known.plan === null) return null
  const at = plannedWave(known.plan, own.id)
  if (at !== undefined) return at
  return matches(known, own) ? known.plan.waves.length : null
}

/** The node is in the middle of the order, or has done it: it counts for it whatever becomes of the rollout. */
const hasStarted = (known: KnownOrder, own: Own): boolean => {
  return own.begun.has(known.id) || known.outcomes.get(own.id)?.outcome === 'confirmed'
}

/** Aborted, expired and halted orders do not count for who has not started; dry runs never count. */
function counts(known: KnownOrder, evidence: Evidence, own: Own): boolean {
  if (known.order.dryRun) return false
  if (hasStarted(known, own)) return true
  if (evidence.controls.aborted || isExpired(known)) return false
  // Who failed waits for a retry.
  const outcome = known.outcomes.get(own.id)?.outcome
  if (outcome === 'rolled-back' || outcome === 'failed') return true
  if (evidence.halted) return false
  if (known.plan === null) return matches(known, own)
  const wave = waveOf(known, own)
  if (wave === null) return false
  if (wave < known.plan.waves.length) return true
  // Asked of every node that joined later: an order that is not through its waves needs no look at all of its nodes.
  if (evidence.reached < evidence.tallies.length) return false
  const state = stateOf(known, evidence, own.isLost)
  return state === 'completed' || state === 'completed-with-exceptions'
}

/** The newest order of a kind that counts for this node. */
export function followed(orders: readonly KnownOrder[], kind: PackageKind, own: Own): KnownOrder | null {
  let best: KnownOrder | null = null
  for (const known of orders) {
    if (known.order.kind !== kind || (best !== null && !isNewer(known, best))) continue
    if (counts(known, weigh(known), own)) best = known
  }
  return best
}

/** All that this node has to do now, at most one task per order. */
export function nextTasks(orders: readonly KnownOrder[], own: Own): readonly NextTask[] {
  const follows = { app: followed(orders, 'app', own), shoal: followed(orders, 'shoal', own) }
  const tasks: NextTask[] = []
  for (const known of orders) {
    const next = taskFor(known, follows[known.order.kind], own)
    if (next !== null) tasks.push(next)
  }
  return tasks
}

function taskFor(known: KnownOrder, follows: KnownOrder | null, own: Own): NextTask | null {
  const wave = waveOf(known, own)
  if (wave === null || known.plan === null || known.release === null || own.begun.has(known.id)) return null
  const evidence = weigh(known)
  const attempt = evidence.controls.attemptOf(own.id)
  const outcome = known.outcomes.get(own.id)
  if (outcome !== undefined && (outcome.outcome === 'confirmed' || outcome.attempt >= attempt)) return null
  const task = (t: Task): NextTask => ({ known, attempt, task: t })
  const isPlanned = wave < known.plan.waves.length
  if (known.order.dryRun) return isPlanned && needsPreflight(known, own, attempt) ? task({ do: 'preflight' }) : null
  if (known !== follows) return isPlanned && isPassedBy(known, follows, evidence, own) ? task(superseded(follows)) : null
  if (evidence.controls.skipped.has(own.id)) return null
  if (needsPreflight(known, own, attempt)) return task({ do: 'preflight' })
  return known.preflights.get(own.id)?.go === true ? task(advance(known, attempt, evidence, wave, own)) : null
}

const needsPreflight = (known: KnownOrder, own: Own, attempt: number): boolean => (known.preflights.get(own.id)?.attempt ?? 0) < attempt

/** A newer order took this one's place before the node began it. */
const isPassedBy = (known: KnownOrder, follows: KnownOrder | null, evidence: Evidence, own: Own): follows is KnownOrder =>
  // An order whose plan never comes takes nobody's place; it only holds them until it is known, aborted or expired.
  follows?.plan != null &&
  isNewer(follows, known) &&
  !evidence.controls.aborted &&
  !evidence.controls.skipped.has(own.id) &&
  !isExpired(known)

const superseded = (by: KnownOrder | null): Task => ({
  do: 'report',
  outcome: 'superseded',
  reason: { code: 'SUPERSEDED', message: `order ${by?.id.slice(0, 8) ?? ''} is newer` },
  digest: null,
})

function advance(known: KnownOrder, attempt: number, evidence: Evidence, wave: number, own: Own): Task {
  const digest = known.release === null ? null : digestFor(known.release, own.platform)
  if (digest === null) return { do: 'wait', forMs: null, gateOpen: false }
  const gateOpen = isOpen(known, evidence, wave) && !isExpired(known) && !own.isHeld
  if (own.running[known.order.kind] !== digest) {
    if (!own.isStaged(digest)) return own.hasPackage(digest) ? { do: 'stage', digest } : { do: 'fetch', digest }
    // Before its turn: who cannot migrate says so before anybody of its wave has switched.
    if (known.order.kind === 'app' && own.needsRehearsal(digest)) return { do: 'rehearse', digest }
  }
  if (!gateOpen || (known.order.window !== null && !own.isInWindow(known.order.window))) return { do: 'wait', forMs: null, gateOpen: false }
  const soakMs = wave === 0 ? 0 : known.order.soakMs
  const left = soakMs - own.evidenceAgeMs(known.id)
  if (left > 0) return { do: 'wait', forMs: left, gateOpen: true }
  if (own.running[known.order.kind] === digest) return hasIt(known, digest, own)
  return own.needsPreparation(known, attempt) ? { do: 'prepare' } : { do: 'switch', digest }
}

/** What runs already is not started again: it is a success if it is well, and no verdict on the release if it is not. */
function hasIt(known: KnownOrder, digest: Digest, own: Own): Task {
  if (known.order.kind === 'shoal' || own.isHealthy) return { do: 'report', outcome: 'confirmed', reason: null, digest }
  const message = `${known.order.name}@${known.order.version} runs here already, and its app is unhealthy`
  return { do: 'report', outcome: 'refused', reason: { code: 'UNHEALTHY_BEFORE', message }, digest }
}

/** The driver keeps time from when this first became true. */
export const hasEvidence = (known: KnownOrder, own: Pick<Own, 'id' | 'tags'>): boolean => {
  const wave = waveOf(known, own)
  return wave !== null && isOpen(known, weigh(known), wave)
}
