/** What the rollout decisions are made of: an order with everything that is known about it. Data only. */
import type { Control, Digest, NodeId, Order, OrderId, OutcomeBody, Plan, PreflightBody, ReceiptBody, Release } from '../../model/index.ts'

/** A control with the hash that breaks ties of generation. */
export interface KnownControl extends Control {
  readonly hash: string
}

export interface Receipt extends ReceiptBody {
  readonly witness: NodeId
}

export interface KnownOrder {
  readonly id: OrderId
  readonly order: Order
  /** null until it was pulled by its digest; nothing starts without it. */
  readonly plan: Plan | null
  readonly release: Release | null
  readonly controls: readonly KnownControl[]
  readonly preflights: ReadonlyMap<NodeId, PreflightBody>
  readonly outcomes: ReadonlyMap<NodeId, OutcomeBody>
  /** By the node that was seen. */
  readonly receipts: ReadonlyMap<NodeId, readonly Receipt[]>
  /** Nodes of the plan that are no members any more: removed, or left. */
  readonly gone: ReadonlySet<NodeId>
  /** By this node's own clock: how long it has known the order. The only use of time in a rollout but the soak. */
  readonly ageMs: number
  /** The same object for as long as nothing but the age has changed: what was weighed for it still stands. Missing: weighed for itself. */
  readonly stamp?: object
}

/** What a node knows of the others beside facts: whom it can reach now. Used for `stalled` and for display, never to open a gate. */
export type IsLost = (node: NodeId) => boolean

/** The digest that a node of this platform should run, or null if the release has none for it. */
export function digestFor(release: Release, platform: string): Digest | null {
  return (release.packages[platform] ?? release.packages['any'])?.digest ?? null
}

/** All digests that count as this release. */
export const digestsOf = (release: Release): ReadonlySet<Digest> => new Set(Object.values(release.packages).map(p => p.digest))
