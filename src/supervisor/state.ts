/** What the supervisor knows, what happens to it and what it does: the nouns of its machine. Data only. */
import type { Current, Digest, FromWorker, Handover, Slots, SwitchTarget, ToWorker } from '../model/index.ts'

/**
 * loading → ready → going → serving → parking → parked → (going again, or leaving). `killed`: a signal is on its way, the exit is not
 * seen yet.
 */
export type Stage = 'loading' | 'ready' | 'going' | 'serving' | 'parking' | 'parked' | 'leaving' | 'killed'

export interface Worker {
  readonly id: number
  readonly slots: Slots
  readonly stage: Stage
  /** Has, or may have, the app's data open and the right to be the node: from `go` to `parked` or its end. */
  readonly isHolding: boolean
  /** It has been the node at some time, so it may have connections to drain. */
  readonly hasServed: boolean
  readonly beatAt: number
  /** When the present stage has lasted too long. */
  readonly deadlineAt: number
  /** No deadline is moved beyond this, whatever the app asks for. */
  readonly holdLimitAt: number
  readonly servingSince: number
  readonly parkedAt: number
  /** Its private socket, while it serves. */
  readonly socket: string | null
  /** Where it was told to pass late requests to. */
  readonly forwardsTo: string | null
  /** Its last lines of output. */
  readonly tail: readonly string[]
}

/** A switch that is not decided. */
export interface Trial {
  readonly target: SwitchTarget
  readonly newId: number | null
  readonly oldId: number | null
  /** The new worker got `go` once: what it did to data is done. */
  readonly hadGo: boolean
  readonly deadlineAt: number
  readonly before: 'good' | 'safe'
  /** It confirmed, but the disk did not take it yet. */
  readonly isConfirmed: boolean
}

/** A second worker that is loaded to see whether it can be, and never gets `go`. */
export interface Rehearsal {
  readonly askerId: number
  readonly workerId: number
  /** Why it failed, in the worker's own words. */
  readonly failure: { readonly code: string; readonly message: string } | null
}

export interface Strike {
  readonly at: number
  readonly weight: number
}

export interface State {
  readonly current: Current
  readonly workers: readonly Worker[]
  /** The worker that is, or is to become, the node. */
  readonly mainId: number | null
  readonly nextId: number
  readonly trial: Trial | null
  readonly rehearsal: Rehearsal | null
  /** Order of the hand-over that is under way or was the last. */
  readonly handover: Handover
  readonly strikes: readonly Strike[]
  /** How often the app was tried again out of safe mode, one failure after the other, and when it is tried next; counts in safe mode only. */
  readonly safeTries: number
  readonly retryAt: number
  readonly backoffMs: number
  /** When to start a worker, if there is none. */
  readonly restartAt: number
  readonly startedAt: number
  /** This process has served: `ready` was said. */
  readonly isAnnounced: boolean
  /** The slot that this supervisor comes from; null: nobody said. */
  readonly ownSlot: Digest | null
  /** The slot in which the loader found a supervisor that starts, if it is not the current one. */
  readonly fallback: Digest | null
  /** Exit code to end with. */
  readonly stopping: number | null
  /** current.json on the disk is older than `current`; tried again at `saveAt`. */
  readonly isDirty: boolean
  readonly saveAt: number
}

export type Event =
  | { readonly kind: 'start' }
  | { readonly kind: 'message'; readonly worker: number; readonly message: FromWorker }
  | { readonly kind: 'line'; readonly worker: number; readonly line: string }
  | { readonly kind: 'exited'; readonly worker: number; readonly how: string }
  /** A signal, or the loader is gone or asks. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'tick'; readonly lateMs: number }
  /** The disk did not take what the step for `cause` wanted saved: that step was not made. */
  | { readonly kind: 'unsaved'; readonly cause: Event; readonly code: string; readonly message: string }

export type Effect =
  /** Always the first of its step; if it fails the step is undone and `unsaved` comes. */
  | { readonly kind: 'save'; readonly current: Current }
  | {
      readonly kind: 'fork'
      readonly worker: number
      readonly slots: Slots
      readonly builtIn: Digest
      readonly isSafe: boolean
      readonly isRehearsal: boolean
      readonly trial: SwitchTarget | null
    }
  /** `go` takes the handle along. */
  | { readonly kind: 'send'; readonly worker: number; readonly message: ToWorker }
  | { readonly kind: 'kill'; readonly worker: number }
  /** The node does not serve yet, for a good reason: tell the loader that this supervisor works. */
  | { readonly kind: 'alive' }
  /** The node serves for the first time: tell people and the loader. */
  | { readonly kind: 'announce'; readonly line: string }
  /** It cannot start for a reason that no other slot would cure: the loader must not try one. */
  | { readonly kind: 'blocked'; readonly code: string; readonly message: string }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'exit'; readonly code: number }

export interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}

/** @param ownSlot the slot that the loader started; another than the current one if that one's supervisor does not start */
export function initialState(current: Current, ownSlot: Digest | null): State {
  return {
    current,
    workers: [],
    mainId: null,
    nextId: 1,
    trial: null,
    rehearsal: null,
    handover: 'exclusive',
    strikes: [],
    safeTries: 0,
    retryAt: Infinity,
    backoffMs: 0,
    restartAt: Infinity,
    startedAt: 0,
    isAnnounced: false,
    ownSlot,
    fallback: ownSlot === current.shoal ? null : ownSlot,
    stopping: null,
    isDirty: false,
    saveAt: Infinity,
  }
}
