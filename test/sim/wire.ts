/**
 * One TCP connection between two simulated nodes: in order, nothing lost while it lives. A cut network holds what is sent and
 * delivers it when it heals, as TCP does, unless one side gave up meanwhile. Either direction can stand still alone.
 */
import type { Frame } from '../../src/mesh/core/index.ts'
import type { Random } from '../helpers/random.ts'
import type { SimNode } from './node.ts'

/** What travels: a frame, a ping, a pong, or the end with its code. */
export type Parcel = Frame | { readonly t: 'ping' } | { readonly t: 'pong' } | { readonly t: 'end'; readonly code: number }

export interface End {
  readonly node: SimNode
  /** Which life of the node: a new process knows nothing of old connections. */
  readonly life: number
  readonly link: number
  /** The nothing-is-later-than-this of what this side sends. */
  lastAt: number
  /** Sent into a cut network. */
  held: { readonly parcel: Parcel; readonly bytes: number }[]
  isStalled: boolean
  /** This side has ended it. */
  isOver: boolean
}

export interface Wire {
  /** [dialler, accepter] */
  readonly ends: readonly [End, End]
  readonly latencyMs: number
  readonly random: Random
}

/** Bytes per millisecond: 10 Mbit/s. */
const bytesPerMs = 1_250
/** WebSocket header, mask, TLS record. */
export const frameOverheadBytes = 30

/** When a parcel that is sent now arrives. */
export function arrivalOf(wire: Wire, from: End, bytes: number, now: number): number {
  const jitter = 1 + 0.1 * -Math.log(1 - wire.random.next())
  from.lastAt = Math.max(from.lastAt, now + wire.latencyMs * jitter + bytes / bytesPerMs)
  return from.lastAt
}
