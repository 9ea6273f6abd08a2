/** What the node answers, as far as the dashboard reads it (CONTRACT section 3). What comes from the node of the page itself is trusted in form. */
import type { Health, Outcome, Step } from '../../model/index.ts'

export type { Health, Outcome, Step }
export type Role = 'viewer' | 'operator' | 'admin'
export type Reach = 'self' | 'direct' | 'via' | 'lost'
export type RolloutState = 'open' | 'paused' | 'halted' | 'stalled' | 'aborted' | 'expired' | 'completed' | 'completed-with-exceptions'

export interface Session {
  readonly name: string
  readonly role: Role
  readonly csrf: string
}

export interface Running {
  readonly name: string
  readonly version: string
  readonly digest: string
}

export interface Reason {
  readonly code: string
  readonly message: string
}

export interface Bytes {
  readonly fetched: number
  readonly reused: number
  readonly served: number
  readonly sources: number
}

/** Who holds a node. */
export interface Held {
  readonly by: string
  readonly reason: string
  /** ms until it ends by itself; null: when somebody ends it. */
  readonly leftMs: number | null
}

/** What a cell of a picture needs. */
export interface NodeMark {
  readonly id: string
  readonly name: string
  readonly reach: Reach
  readonly health: Health
  readonly step: Step
  readonly outcome: Outcome | null
  readonly percent: number
}

export interface NodeView extends NodeMark {
  readonly address: string
  readonly platform: string
  readonly nodejs: string
  readonly tags: readonly string[]
  readonly self: boolean
  readonly ageMs: number
  /** null: nobody does. An ill node can be held too. */
  readonly held: Held | null
  readonly app: Running | null
  readonly shoal: Running | null
  readonly desired: { readonly app: string | null; readonly shoal: string | null }
  readonly rollout: string | null
  readonly reason: Reason | null
  readonly bytes: Bytes
  /** ms that the migration took on a copy of the data; null: there was none. */
  readonly migrationMs: number | null
  readonly since: string
  /** Of the node of the page: SHA-256 of the certificate that browsers get from it, as hex digits. */
  readonly fingerprint?: string
}

export interface NodePage {
  readonly nodes: readonly NodeView[]
  readonly counts: Readonly<Record<string, number>>
  readonly next: string | null
}

export interface WaveView {
  readonly state: 'closed' | 'open' | 'passed'
  readonly need: number
  readonly confirmed: number
  readonly failed: number
  readonly missing: number
}

export interface RolloutView {
  readonly id: string
  readonly release: string
  readonly kind: 'app' | 'shoal'
  readonly initiatedBy: string
  readonly initiatedAt: string
  readonly dryRun: boolean
  readonly state: RolloutState
  readonly opensWhen: string
  readonly waves: readonly (WaveView & { readonly size: number })[]
}

/** Nodes that ended badly for one reason on one platform. */
export interface Failure {
  readonly code: string
  readonly platform: string
  readonly outcome: Outcome
  readonly message: string
  readonly count: number
  /** `again`: what it serves is what it went back to. */
  readonly nodes: readonly { readonly id: string; readonly name: string; readonly serves: string | null; readonly again: boolean }[]
  readonly log: readonly string[]
  /** The order that has taken this one's place there. */
  readonly newer: string | null
}

export interface BoardWave extends WaveView {
  readonly size: number
  readonly maxFailed: number
  /** All nodes of a small wave; of a great one those that are neither waiting nor done. */
  readonly cells: readonly NodeMark[]
  readonly waiting: number
}

export interface Board {
  readonly id: string
  readonly release: string
  readonly kind: 'app' | 'shoal'
  readonly by: string
  readonly at: string
  readonly state: RolloutState
  readonly dryRun: boolean
  readonly hasPlan: boolean
  readonly unanswered: number
  /** Nodes that have said that they can take it. */
  readonly able: number
  readonly soakMs: number
  readonly window: string | null
  /** When the window opens, if it is shut: `Sat 02:00 Europe/Berlin`. */
  readonly opens: string | null
  readonly leftMs: number
  readonly waves: readonly BoardWave[]
  readonly failures: readonly Failure[]
  readonly bytes: Bytes
}

export interface Counted {
  readonly name: string
  readonly nodes: number
}

export interface Summary {
  readonly fleet: string
  readonly name: string
  readonly generation: number
  readonly self: { readonly id: string; readonly name: string; readonly life: string; readonly address: string; readonly redeems: boolean }
  readonly counts: { readonly total: number; readonly ok: number; readonly ill: number; readonly held: number; readonly lost: number }
  /** Releases that nodes serve, the most common first; '' is none. */
  readonly apps: readonly Counted[]
  readonly shoals: readonly Counted[]
  readonly platforms: readonly Counted[]
  readonly tags: readonly Counted[]
  /** Nodes that are lost or ill, at most 50. */
  readonly ailing: readonly NodeView[]
  /** One per node, in fleets that are small enough to draw. */
  readonly cells: readonly NodeMark[]
  /** Rollouts that are not over, the newest first, and the last that is. */
  readonly rollouts: readonly Board[]
  readonly releases: number
}

export interface ReleaseView {
  readonly id: string
  readonly kind: 'app' | 'shoal'
  readonly name: string
  readonly version: string
  readonly packages: Readonly<Record<string, string>>
  readonly nodes: number
  readonly notes: string
}
