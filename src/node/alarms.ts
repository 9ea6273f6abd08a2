/**
 * What people want to be told without looking: rollouts that stand, nodes that went back, that serve without their app, that nobody reaches.
 * A function of what this node knows; each condition has a key that stays the same as long as it lasts.
 */
import { factKey, type NodeId, parseJson, parseStatusBody, type StatusBody } from '../model/index.ts'
import { type KnownOrder, type Replica, stateOf, watchedOrders, weigh } from '../rollout/index.ts'

export type AlertEvent = 'halted' | 'stalled' | 'rolled-back' | 'safe-mode' | 'node-lost'

export interface Condition {
  readonly key: string
  readonly event: AlertEvent
  /** ms that it must last to be told: a node that switches is silent for a moment. */
  readonly settleMs: number
  readonly message: string
  readonly node: NodeId | null
  readonly rollout: { readonly id: string; readonly release: string } | null
}

const settleMs: Readonly<Record<AlertEvent, number>> = { halted: 0, stalled: 15_000, 'rolled-back': 0, 'safe-mode': 0, 'node-lost': 60_000 }

export interface Surroundings {
  readonly replica: Replica
  readonly isLost: (node: NodeId) => boolean
}

export function conditionsOf(s: Surroundings): readonly Condition[] {
  return [
    ...watchedOrders(s.replica.orders()).flatMap(known => ofRollout(known, s)),
    ...s.replica.fleet.members().flatMap(m => ofNode(m.id, s)),
  ]
}

function ofRollout(known: KnownOrder, { replica, isLost }: Surroundings): readonly Condition[] {
  const isAway = (id: NodeId): boolean => isLost(id) || replica.holds.of(id) !== null
  const state = stateOf(known, weigh(known), isAway)
  const rollout = { id: known.id, release: `${known.order.name}@${known.order.version}` }
  const back = [...known.outcomes].flatMap(([node, { outcome, attempt, reason }]): readonly Condition[] => {
    if (outcome !== 'rolled-back' && outcome !== 'failed') return []
    const why = reason === null ? '' : `: ${reason.code}: ${reason.message}`
    const message = `${nameOf(node, replica)} went back from ${rollout.release}${why}`
    return [
      {
        key: `rolled-back ${known.id} ${node} ${attempt}`,
        event: 'rolled-back',
        settleMs: settleMs['rolled-back'],
        message,
        node,
        rollout,
      },
    ]
  })
  if (state !== 'halted' && state !== 'stalled') return back
  const message =
    state === 'halted'
      ? 'more nodes failed than tolerated; nobody else starts'
      : 'it cannot go on without nodes that are lost, held or refused'
  // First: of a wave that goes back as a whole each node is told, and that nobody else starts must not wait for the last of them.
  return [
    {
      key: `${state} ${known.id}`,
      event: state,
      settleMs: settleMs[state],
      message: `${rollout.release} is ${state}: ${message}`,
      node: null,
      rollout,
    },
    ...back,
  ]
}

function ofNode(node: NodeId, { replica, isLost }: Surroundings): readonly Condition[] {
  const of = (event: AlertEvent, message: string): Condition => ({
    key: `${event} ${node}`,
    event,
    settleMs: settleMs[event],
    message: `${nameOf(node, replica)} ${message}`,
    node,
    rollout: null,
  })
  if (isLost(node)) return [of('node-lost', 'is reached by nobody')]
  return statusOf(node, replica)?.health === 'safe-mode' ? [of('safe-mode', 'is in safe mode: its app stays out, it can be updated')] : []
}

function statusOf(node: NodeId, replica: Replica): StatusBody | null {
  const fact = replica.registers.get(factKey({ kind: 'status', owner: node, name: '' }))
  return fact === undefined ? null : parseStatusBody(parseJson(fact.body, 'status'))
}

export const nameOf = (node: NodeId, replica: Replica): string => replica.fleet.node(node)?.name ?? node.slice(0, 8)
