/** Bodies of the facts that nodes write about themselves and about each other. */
import { type Code, isCode } from './codes.ts'
import { type Digest, type NodeId, type OrderId, parseDigest, parseNodeId, parseOrderId } from './ids.ts'
import { maxHeldPackages } from './limits.ts'
import { parseDisplayName } from './units.ts'
import { asBoolean, asInteger, asOneOf, asString, Fields } from './parse.ts'

export const steps = ['idle', 'preflight', 'transfer', 'staged', 'waiting', 'switching', 'probation'] as const
export type Step = (typeof steps)[number]
/** `missing` is never written by a node: it is what the others say of one that is silent. */
export const outcomes = ['confirmed', 'rolled-back', 'failed', 'refused', 'skipped', 'superseded', 'missing'] as const
export type Outcome = (typeof outcomes)[number]
export const healths = ['ok', 'degraded', 'safe-mode', 'held'] as const
export type Health = (typeof healths)[number]

/** Why: a code of the closed list and one line for people. */
export interface Reason {
  readonly code: Code
  readonly message: string
}

export const parseReason = (value: unknown, where: string): Reason => {
  const f = new Fields(value, where)
  const code = f.string('code', 64)
  return { code: isCode(code) ? code : 'INTERNAL', message: f.string('message', 1000) }
}

/** What runs: an app or Shoal itself. */
export interface Running {
  readonly name: string
  readonly version: string
  readonly digest: Digest
}

const asRunning = (value: unknown, where: string): Running => {
  const f = new Fields(value, where)
  return { name: f.string('name', 130), version: f.string('version', 64), digest: f.get('digest', parseDigest) }
}

/** Bytes of the present or last rollout, as counted by the node itself. */
export interface Bytes {
  readonly fetched: number
  readonly reused: number
  readonly served: number
  readonly sources: number
}

/** Body of `node`: who and where a node is. */
export interface NodeBody {
  readonly name: string
  /** `host:port`, the first is the best. */
  readonly addresses: readonly string[]
  readonly tags: readonly string[]
  readonly platform: string
  readonly nodejs: string
  readonly console: boolean
  /** It has the CA's key, and so lets others in; null: it is of a version that does not say. */
  readonly redeems: boolean | null
  /** The node went out gracefully; its facts may be forgotten. */
  readonly left: boolean
}

const text =
  (max: number) =>
  (v: unknown, w: string): string =>
    asString(v, w, max)

export function parseNodeBody(value: unknown): NodeBody {
  const f = new Fields(value, 'node')
  return {
    name: f.get('name', parseDisplayName),
    addresses: f.list('addresses', text(300), 16),
    tags: f.list('tags', text(130), 64),
    platform: f.string('platform', 32),
    nodejs: f.string('nodejs', 32),
    console: f.maybe('console', asBoolean, false),
    redeems: f.maybe('redeems', asBoolean, null),
    left: f.maybe('left', asBoolean, false),
  }
}

/** Body of `status`: what a node runs and does now. `since` is for people. */
export interface StatusBody {
  readonly app: Running | null
  readonly shoal: Running
  readonly health: Health
  readonly rollout: OrderId | null
  readonly step: Step
  readonly percent: number
  readonly bytes: Bytes
  /** ms that the migration which this rollout brings took in its rehearsal; null: none was rehearsed. */
  readonly migrationMs: number | null
  readonly since: string
}

export function parseStatusBody(value: unknown): StatusBody {
  const f = new Fields(value, 'status')
  const b = new Fields(f.raw('bytes'), 'status.bytes')
  return {
    app: f.maybe('app', asRunning, null),
    shoal: f.get('shoal', asRunning),
    health: f.get('health', (v, w) => asOneOf(v, w, healths)),
    rollout: f.maybe('rollout', parseOrderId, null),
    step: f.get('step', (v, w) => asOneOf(v, w, steps)),
    percent: f.integer('percent', 0, 100),
    bytes: { fetched: b.integer('fetched'), reused: b.integer('reused'), served: b.integer('served'), sources: b.integer('sources') },
    migrationMs: f.maybe('migrationMs', asInteger, null),
    since: f.string('since', 40),
  }
}

/** Body of `holdings`: packages that the node has verified and serves. */
export interface HoldingsBody {
  readonly packages: readonly Digest[]
}

export function parseHoldingsBody(value: unknown): HoldingsBody {
  return { packages: new Fields(value, 'holdings').list('packages', parseDigest, maxHeldPackages) }
}

/** Body of `links`: members that the node has a link to. */
export interface LinksBody {
  readonly peers: readonly NodeId[]
}

export function parseLinksBody(value: unknown): LinksBody {
  return { peers: new Fields(value, 'links').list('peers', parseNodeId, 256) }
}

/** Body of `preflight`, one per order: may this node do it? */
export interface PreflightBody {
  readonly order: OrderId
  readonly attempt: number
  readonly go: boolean
  readonly reason: Reason | null
}

export function parsePreflightBody(value: unknown): PreflightBody {
  const f = new Fields(value, 'preflight')
  return {
    order: f.get('order', parseOrderId),
    attempt: f.integer('attempt', 1, 1000),
    go: f.boolean('go'),
    reason: f.maybe('reason', parseReason, null),
  }
}

/** Body of `outcome`, one per order: how it ended on this node. */
export interface OutcomeBody {
  readonly order: OrderId
  readonly attempt: number
  readonly outcome: Exclude<Outcome, 'missing'>
  readonly reason: Reason | null
  /** What the node runs now, of the order's kind. */
  readonly digest: Digest | null
  /** Receipts that make a confirmation count: min(order.witnesses, peers linked at the switch). */
  readonly witnesses: number
  /** The node's epoch after the switch; a receipt names it too. */
  readonly epoch: number
  /** Last log lines on failure, at most 20. */
  readonly log: readonly string[]
}

export function parseOutcomeBody(value: unknown): OutcomeBody {
  const f = new Fields(value, 'outcome')
  return {
    order: f.get('order', parseOrderId),
    attempt: f.integer('attempt', 1, 1000),
    outcome: f.get('outcome', (v, w) => asOneOf(v, w, ['confirmed', 'rolled-back', 'failed', 'refused', 'skipped', 'superseded'])),
    reason: f.maybe('reason', parseReason, null),
    digest: f.maybe('digest', parseDigest, null),
    witnesses: f.integer('witnesses', 0, 100),
    epoch: f.integer('epoch'),
    log: f.list('log', text(500), 20),
  }
}

/** Body of `receipt`, written by the witness: I saw this node come back with this digest. */
export interface ReceiptBody {
  readonly order: OrderId
  readonly node: NodeId
  readonly digest: Digest
  readonly epoch: number
}

export function parseReceiptBody(value: unknown): ReceiptBody {
  const f = new Fields(value, 'receipt')
  return {
    order: f.get('order', parseOrderId),
    node: f.get('node', parseNodeId),
    digest: f.get('digest', parseDigest),
    epoch: asInteger(f.raw('epoch'), 'receipt.epoch'),
  }
}
