/**
 * What goes into the mesh and what comes out. The driver runs effects in their order: `store` is done when the next one runs, so a
 * node's own facts are on disk before a peer hears them.
 */
import type { Judge, Registers } from '../../facts/index.ts'
import type { Code, Digest, Fact, FleetId, NodeId, OrderId, PinnedPeer } from '../../model/index.ts'
import type { Frame, Hello } from './frames.ts'

/** What a node says of itself in its hellos: digests of what runs, and the order whose probation lasts. */
export interface Runs {
  readonly app: Digest | null
  readonly shoal: Digest
  readonly trial: OrderId | null
}

/** Given by the driver, one per connection, never used twice. */
export type LinkId = number

export type MeshEvent =
  /** The node became *the* node; `nonce` is a new random one. */
  | { readonly t: 'start'; readonly nonce: string }
  /** Close all links with 1012 and dial nobody until `start`. */
  | { readonly t: 'park' }
  /** A connection is open, TLS named the peer. `dialled`: by us. */
  | { readonly t: 'opened'; readonly link: LinkId; readonly peer: NodeId; readonly dialled: boolean }
  | { readonly t: 'dialFailed'; readonly peer: NodeId }
  | { readonly t: 'frame'; readonly link: LinkId; readonly frame: Frame }
  /** A sign of life that is no frame: ping, pong. */
  | { readonly t: 'alive'; readonly link: LinkId }
  /** The peer sent what is no frame. */
  | { readonly t: 'malformed'; readonly link: LinkId }
  | { readonly t: 'closed'; readonly link: LinkId; readonly code: number }
  /** The connection's send buffer went over its mark, or under it again. */
  | { readonly t: 'pressure'; readonly link: LinkId; readonly high: boolean }
  | { readonly t: 'wake' }
  /** This node's own facts, or what an operator signed here; already judged by whoever publishes. */
  | { readonly t: 'publish'; readonly facts: readonly Fact[]; readonly durable: boolean }
  | { readonly t: 'pinned'; readonly peers: readonly PinnedPeer[] }
  /** What this node tells in its next hellos. */
  | { readonly t: 'runs'; readonly runs: Runs }
  | { readonly t: 'drop'; readonly peer: NodeId }

export type Alarm =
  /** Two machines live under one id; `peer` may be this node's own. */
  | { readonly alarm: 'cloned'; readonly peer: NodeId }
  /** Its writer signed two bodies for one version. */
  | { readonly alarm: 'conflict'; readonly kept: Fact; readonly other: Fact }
  /** Peers hold a fact of this node that is newer than its own: it lost its memory and must raise its epoch above this. */
  | { readonly alarm: 'ahead'; readonly epoch: number; readonly version: number }

export type Effect =
  | { readonly t: 'dial'; readonly peer: NodeId; readonly address: string }
  | { readonly t: 'send'; readonly link: LinkId; readonly frame: Frame }
  | { readonly t: 'ping'; readonly link: LinkId }
  | { readonly t: 'close'; readonly link: LinkId; readonly code: number }
  /** End at once, without a closing handshake. */
  | { readonly t: 'terminate'; readonly link: LinkId }
  | { readonly t: 'store'; readonly facts: readonly Fact[]; readonly durable: boolean }
  /** The replica changed; `facts` are the changes, also this node's own. */
  | { readonly t: 'changed'; readonly facts: readonly Fact[] }
  | { readonly t: 'linkUp'; readonly peer: NodeId; readonly hello: Hello }
  | { readonly t: 'linkDown'; readonly peer: NodeId; readonly code: number }
  /** First full comparison with this peer's replica since linkUp: nothing that it had is missing here. */
  | { readonly t: 'synced'; readonly peer: NodeId }
  | { readonly t: 'refused'; readonly peer: NodeId; readonly fact: Fact; readonly code: Code; readonly message: string }
  | { readonly t: 'alarm'; readonly alarm: Alarm }
  /** Send `wake` at this time; replaces an earlier wish. */
  | { readonly t: 'wake'; readonly atMs: number }

/** Uniform in [0, 1). */
export type Rng = () => number

/** Whom the fleet has, and where. */
export interface Directory {
  /** Members that have not left, without this node. */
  readonly ids: () => readonly NodeId[]
  /** `HOST:PORT`, best first; empty: nobody can dial it. */
  readonly addressesOf: (id: NodeId) => readonly string[]
  /** Facts that were accepted. true: members or addresses changed. */
  readonly learn: (facts: readonly Fact[]) => boolean
}

export interface MeshOptions {
  readonly node: NodeId
  readonly fleet: FleetId
  readonly registers: Registers
  readonly judge: Judge
  readonly isMember: (id: NodeId) => boolean
  /** Default: the `node` facts of members in `registers`. */
  readonly directory?: Directory
  readonly rng: Rng
  readonly runs: Runs
  readonly pinned?: readonly PinnedPeer[]
  readonly caps?: readonly string[]
}

/** What the parts of the core share. `now` and `out` are those of the event being handled. */
export interface Context {
  readonly options: MeshOptions
  readonly directory: Directory
  readonly rng: Rng
  runs: Runs
  now: number
  out: Effect[]
  /** Asks for a `wake` no later than this. */
  readonly wakeBy: (atMs: number) => void
}
