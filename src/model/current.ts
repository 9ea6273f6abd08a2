/**
 * instance/slots/current.json: which slots are current. The supervisor is its only writer, the loader reads `shoal`, `previous`,
 * `supervisor` and `builtIn`; so its format is frozen and only grows.
 */
import { type Digest, type OrderId, parseDigest, parseOrderId } from './ids.ts'
import { type Handover, type PackageKind, parseHandover, parsePackageKind } from './manifest.ts'
import { asInteger, asOneOf, asString, Fields } from './parse.ts'

/** What the worker asks the supervisor for, and what a trial is while it lasts. */
export interface SwitchTarget {
  readonly order: OrderId
  readonly attempt: number
  readonly kind: PackageKind
  /** null: no app (going back to none). */
  readonly digest: Digest | null
  readonly handover: Handover
  readonly probationMs: number
  /** Peers linked before the switch, for the receipts. */
  readonly linked: number
}

export type SwitchResult = 'confirmed' | 'rolled-back' | 'failed'

/** How the last switch ended; kept until the next one, so that it is reported even if everything dies in between. */
export interface LastSwitch {
  readonly order: OrderId
  readonly attempt: number
  readonly result: SwitchResult
  readonly code: string
  readonly message: string
  readonly linked: number
  readonly log: readonly string[]
}

export interface Slots {
  readonly app: Digest | null
  readonly shoal: Digest
}

export interface Current extends Slots {
  readonly builtIn: Digest
  readonly previous: Slots | null
  /** The slot whose supervisor served last: a way back where `previous` has been overwritten since. */
  readonly supervisor: Digest | null
  /** good: proven; trial: in probation; safe: the app stays out. */
  readonly state: 'good' | 'trial' | 'safe'
  /** Starts of an unproven state; the supervisor counts before it starts. */
  readonly attempts: number
  readonly trial: SwitchTarget | null
  readonly last: LastSwitch | null
}

const asSlots = (value: unknown, where: string): Slots => {
  const f = new Fields(value, where)
  return { app: f.maybe('app', parseDigest, null), shoal: f.get('shoal', parseDigest) }
}

export function parseSwitchTarget(value: unknown, where = 'trial'): SwitchTarget {
  const f = new Fields(value, where)
  return {
    order: f.get('order', parseOrderId),
    attempt: f.integer('attempt', 1, 1000),
    kind: f.get('kind', parsePackageKind),
    digest: f.maybe('digest', parseDigest, null),
    handover: f.get('handover', parseHandover),
    probationMs: f.integer('probationMs', 0, 86_400_000),
    linked: f.integer('linked', 0, 100_000),
  }
}

export function parseLastSwitch(value: unknown, where = 'last'): LastSwitch {
  const f = new Fields(value, where)
  return {
    order: f.get('order', parseOrderId),
    attempt: f.integer('attempt', 1, 1000),
    result: f.get('result', (v, w) => asOneOf(v, w, ['confirmed', 'rolled-back', 'failed'])),
    code: f.string('code', 64),
    message: f.string('message', 1000),
    linked: f.integer('linked', 0, 100_000),
    log: f.list('log', (v, w) => asString(v, w, 500), 20),
  }
}

export function parseCurrent(value: unknown): Current {
  const f = new Fields(value, 'current.json')
  return {
    ...asSlots(value, 'current.json'),
    builtIn: f.get('builtIn', parseDigest),
    previous: f.maybe('previous', asSlots, null),
    supervisor: f.maybe('supervisor', parseDigest, null),
    state: f.get('state', (v, w) => asOneOf(v, w, ['good', 'trial', 'safe'])),
    attempts: f.maybe('attempts', (v, w) => asInteger(v, w, 0, 1000), 0),
    trial: f.maybe('trial', parseSwitchTarget, null),
    last: f.maybe('last', parseLastSwitch, null),
  }
}
