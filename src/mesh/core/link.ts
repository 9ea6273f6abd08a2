/** What is known about one connection. Only the parts of the core change it. */
import type { FactKey, NodeId } from '../../model/index.ts'
import type { LinkId } from './events.ts'
import type { Frame, Hello } from './frames.ts'
import { bulkCredit } from './limits.ts'

export interface Link {
  readonly id: LinkId
  readonly peer: NodeId
  readonly dialled: boolean
  readonly openedAt: number
  hello: Hello | null
  /** When the hellos were exchanged. */
  upAt: number
  /** Our side has asked to close it: nothing more is sent or heard. */
  closing: boolean
  lastInboundAt: number
  pings: number
  /** The connection's buffer is full: only urgent facts go out. */
  pressed: boolean
  credit: number
  /** Facts that the peer wants, by rank. */
  readonly queues: readonly Set<FactKey>[]
  /** Facts to announce to the peer. */
  readonly pending: Set<FactKey>
  /** Pulls that wait for this peer. */
  asked: number
  lastFactsAt: number
  /** A fact of this peer waits for its writer: compare again when trust grows. */
  waited: boolean
  digestAt: number
  /** Our side's digest exchange. */
  exchange: 'idle' | 'root' | 'lists'
  exchangeAt: number
  lists: Frame[]
  /** Since when the peer's exchange is being answered; null: none. */
  servingSince: number | null
  /** Both replicas have been compared to the end, only pulls may be open. */
  compared: boolean
  synced: boolean
}

export const rankCount = 4

export const makeLink = (id: LinkId, peer: NodeId, dialled: boolean, now: number): Link => ({
  id,
  peer,
  dialled,
  openedAt: now,
  hello: null,
  upAt: 0,
  closing: false,
  lastInboundAt: now,
  pings: 0,
  pressed: false,
  credit: bulkCredit,
  queues: Array.from({ length: rankCount }, () => new Set<FactKey>()),
  pending: new Set(),
  asked: 0,
  lastFactsAt: now,
  waited: false,
  digestAt: Number.POSITIVE_INFINITY,
  exchange: 'idle',
  exchangeAt: 0,
  lists: [],
  servingSince: null,
  compared: false,
  synced: false,
})
