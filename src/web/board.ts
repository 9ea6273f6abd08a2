/**
 * A rollout as one picture of bounded size, whatever the fleet's: waves with a cell per node (of great waves the remarkable ones), what the gate
 * waits for as numbers, failures by cause and platform. The dashboard makes the sentences.
 */
import type { NodeId, OrderId, Outcome } from '../model/index.ts'
import {
  type Evidence,
  isNewer,
  type KnownOrder,
  plannedWave,
  presentOutcome,
  type RolloutState,
  stateOf,
  type Tally,
  weigh,
  waveState,
} from '../rollout/index.ts'
import type { NodePicture } from './node-views.ts'
import type { Views } from './views.ts'

/** Cells of a wave that are drawn one by one. */
const maxCells = 200
/** Nodes of a failure that are named. */
const maxNamed = 50

export type Cell = Pick<NodePicture, 'id' | 'name' | 'reach' | 'health' | 'step' | 'outcome' | 'percent'>

interface NamedNode {
  readonly id: NodeId
  readonly name: string
  readonly serves: string | null
  /** What it serves is what it went back to in this rollout. */
  readonly again: boolean
}

export interface Failure {
  readonly code: string
  readonly platform: string
  readonly outcome: Outcome
  readonly message: string
  readonly count: number
  readonly nodes: readonly NamedNode[]
  readonly log: readonly string[]
  /** The order that has taken this one's place there. */
  readonly newer: OrderId | null
}

export interface Board {
  readonly id: string
  readonly state: RolloutState
  readonly [more: string]: unknown
}

export const cellOf = ({ id, name, reach, health, step, outcome, percent }: NodePicture): Cell => ({
  id,
  name,
  reach,
  health,
  step,
  outcome,
  percent,
})

export function boardOf(views: Views, known: KnownOrder): Board {
  const evidence = weigh(known)
  const { order, plan } = known
  const nodes = (plan?.waves ?? []).map(wave => views.nodesIn(known, wave.nodes))
  const all = nodes.flat()
  return {
    id: known.id,
    release: `${order.name}@${order.version}`,
    kind: order.kind,
    by: order.by,
    at: order.at,
    state: stateOf(known, evidence, views.isAway),
    dryRun: order.dryRun,
    hasPlan: plan !== null,
    unanswered: unansweredOf(known, evidence).length,
    able: ableOf(known),
    soakMs: order.soakMs,
    window: order.window,
    opens: views.opens(known),
    leftMs: Math.max(0, Math.round(order.deadlineMs - known.ageMs)),
    waves: nodes.map((of, at) => waveOf(views, known, evidence, at, of)),
    failures: failuresOf(views, known, all),
    bytes: {
      fetched: sum(all, n => n.bytes.fetched),
      reused: sum(all, n => n.bytes.reused),
      served: sum(all, n => n.bytes.served),
      sources: all.reduce((most, n) => Math.max(most, n.bytes.sources), 0),
    },
  }
}

const sum = (nodes: readonly NodePicture[], of: (node: NodePicture) => number): number => nodes.reduce((total, node) => total + of(node), 0)

/** Who could answer the preflight and has not. */
function unansweredOf(known: KnownOrder, { controls }: Evidence): readonly NodeId[] {
  const lost = new Set(known.plan?.lost)
  const all = (known.plan?.waves ?? []).flatMap(w => w.nodes)
  return all.filter(
    n => !lost.has(n) && !controls.skipped.has(n) && !known.preflights.has(n) && presentOutcome(known, controls, n) === undefined,
  )
}

/** How many have said that they can take it; what a dry run is for. */
const ableOf = (known: KnownOrder): number =>
  (known.plan?.waves ?? []).flatMap(w => w.nodes).filter(id => known.preflights.get(id)?.go === true).length

const isPlain = (node: NodePicture): boolean =>
  node.outcome === 'confirmed' ||
  (node.outcome === null && node.reach !== 'lost' && !['transfer', 'switching', 'probation'].includes(node.step))

const ends: ReadonlySet<Outcome | null> = new Set(['confirmed', 'failed', 'rolled-back'])

/** A wave that has begun stays open to the eye when the rollout is paused or halted in it. */
function shownState(known: KnownOrder, evidence: Evidence, at: number, nodes: readonly NodePicture[]): 'closed' | 'open' | 'passed' {
  const state = waveState(known, evidence, at)
  const hasBegun = nodes.some(n => n.step === 'switching' || n.step === 'probation' || ends.has(n.outcome))
  return state === 'closed' && evidence.cleared && at === evidence.reached && hasBegun ? 'open' : state
}

function waveOf(views: Views, known: KnownOrder, evidence: Evidence, at: number, nodes: readonly NodePicture[]): Record<string, unknown> {
  const t: Tally | undefined = evidence.tallies[at]
  const shown = nodes.length <= maxCells ? nodes : nodes.filter(node => !isPlain(node)).slice(0, maxCells)
  const lost = t?.pending.filter(views.isAway).length ?? 0
  return {
    state: shownState(known, evidence, at, nodes),
    size: nodes.length,
    need: t?.need ?? nodes.length,
    confirmed: t?.confirmed.length ?? 0,
    failed: t?.failed.length ?? 0,
    missing: t === undefined ? 0 : t.refused.length + t.skipped.length + t.gone.length + lost,
    maxFailed: t?.maxFailed ?? 0,
    waiting: (t?.pending.length ?? 0) - lost,
    cells: shown.map(cellOf),
  }
}

const bad: ReadonlySet<Outcome | null> = new Set(['failed', 'rolled-back', 'refused', 'superseded', 'missing'])

export interface Cause {
  readonly code: string
  readonly platform: string
  readonly outcome: Outcome
}

/** Why a node ended badly in a rollout, and on what; null: it did not. */
export function causeOf({ outcome, reason, platform }: Pick<NodePicture, 'outcome' | 'reason' | 'platform'>): Cause | null {
  return outcome === null || !bad.has(outcome) ? null : { code: reason?.code ?? 'NOT_SEEN', platform, outcome }
}

/** One block per cause and platform: forty nodes with one fault are one thing to understand. */
function failuresOf(views: Views, known: KnownOrder, nodes: readonly NodePicture[]): readonly Failure[] {
  const groups = new Map<string, NodePicture[]>()
  for (const node of nodes) {
    const cause = causeOf(node)
    if (cause === null) continue
    const key = `${cause.outcome} ${cause.code} ${cause.platform}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [node])
    else group.push(node)
  }
  return [...groups.values()].flatMap(group => failureOf(views, known, group) ?? []).toSorted((a, b) => b.count - a.count)
}

function failureOf(views: Views, known: KnownOrder, group: readonly NodePicture[]): Failure | null {
  const [first] = group
  const cause = first === undefined ? null : causeOf(first)
  if (first === undefined || cause === null) return null
  const running = known.order.kind
  return {
    ...cause,
    message: first.reason?.message ?? '',
    count: group.length,
    nodes: group.slice(0, maxNamed).map(node => {
      const serves = node[running]
      const again = serves !== null && known.outcomes.get(node.id)?.digest === serves.digest
      return { id: node.id, name: node.name, serves: serves === null ? null : `${serves.name}@${serves.version}`, again }
    }),
    log: group.map(node => known.outcomes.get(node.id)?.log ?? []).find(log => log.length > 0) ?? [],
    newer: cause.outcome === 'superseded' ? newerOf(views, known, first.id) : null,
  }
}

/** The newest order of the kind for a node, if it is newer than this one. */
function newerOf(views: Views, known: KnownOrder, node: NodeId): OrderId | null {
  const isOf = ({ order, plan }: KnownOrder): boolean =>
    order.kind === known.order.kind && !order.dryRun && plan !== null && plannedWave(plan, node) !== undefined
  return views.rollouts().find(other => isNewer(other, known) && isOf(other))?.id ?? null
}
