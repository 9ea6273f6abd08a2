/** One step being made: the state as it becomes, the effects so far, and the small moves from which the rules are built. */
import { type Current, maxHoldMs, type Slots, type ToWorker } from '../model/index.ts'
import * as limits from './limits.ts'
import type { Effect, State, Step, Trial, Worker } from './state.ts'

export class Turn {
  readonly now: number
  /** The disk is known to refuse: what is to be saved waits, the step goes on. */
  readonly isDiskFailing: boolean
  #state: State
  #save: Current | null = null
  readonly #effects: Effect[] = []

  constructor(state: State, now: number, isDiskFailing: boolean) {
    this.#state = state
    this.now = now
    this.isDiskFailing = isDiskFailing
  }

  get state(): State {
    return this.#state
  }

  get main(): Worker | undefined {
    return this.worker(this.#state.mainId)
  }

  worker(id: number | null): Worker | undefined {
    return this.#state.workers.find(w => w.id === id)
  }

  get others(): readonly Worker[] {
    return this.#state.workers.filter(w => w.id !== this.#state.mainId)
  }

  set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change }
  }

  setTrial(change: Partial<Trial>): void {
    if (this.#state.trial !== null) this.set({ trial: { ...this.#state.trial, ...change } })
  }

  setWorker(id: number, change: Partial<Worker>): void {
    this.set({ workers: this.#state.workers.map(w => (w.id === id ? { ...w, ...change } : w)) })
  }

  emit(effect: Effect): void {
    this.#effects.push(effect)
  }

  send(worker: Worker, message: ToWorker): void {
    this.emit({ kind: 'send', worker: worker.id, message })
  }

  log(text: string): void {
    this.emit({ kind: 'log', text })
  }

  /** Changes current.json, durably before anything else of this step happens. */
  save(current: Current): void {
    if (this.isDiskFailing) this.set({ current, isDirty: true, saveAt: this.now + limits.saveAgainMs })
    else {
      this.set({ current, isDirty: false, saveAt: Infinity })
      this.#save = current
    }
  }

  /** When a worker that is to become the node must have done its next step. */
  get startDeadlineAt(): number {
    const { isAnnounced, startedAt } = this.#state
    if (isAnnounced) return this.now + limits.loadLimitMs
    return Math.max(startedAt + limits.firstServeMs, this.now + limits.firstChanceMs)
  }

  /** How long a trial may last from the moment that its worker may serve. */
  trialMs({ target }: Trial): number {
    return target.probationMs + limits.probationSlackMs
  }

  fork(slots: Slots, { isSafe = false, isRehearsal = false } = {}): number {
    const { nextId: id, current, trial } = this.#state
    const fresh = {
      isHolding: false,
      holdLimitAt: this.now + maxHoldMs,
      hasServed: false,
      servingSince: Infinity,
      parkedAt: Infinity,
      socket: null,
      forwardsTo: null,
      tail: [],
    }
    const worker: Worker = { id, slots, stage: 'loading', beatAt: this.now, deadlineAt: this.startDeadlineAt, ...fresh }
    this.set({ nextId: id + 1, workers: [...this.#state.workers, worker] })
    this.emit({ kind: 'fork', worker: id, slots, builtIn: current.builtIn, isSafe, isRehearsal, trial: trial?.target ?? null })
    return id
  }

  kill(worker: Worker): void {
    if (worker.stage === 'killed') return
    this.setWorker(worker.id, { stage: 'killed', deadlineAt: Infinity })
    this.emit({ kind: 'kill', worker: worker.id })
  }

  /** Asks a worker to drain and exit; it is killed if it does not. */
  retire(worker: Worker): void {
    if (worker.stage === 'killed' || worker.stage === 'leaving') return
    const graceMs = worker.hasServed ? limits.stopGraceMs : limits.dismissGraceMs
    this.setWorker(worker.id, { stage: 'leaving', deadlineAt: this.now + graceMs + limits.killAfterMs })
    this.send(worker, { t: 'stop', graceMs })
  }

  /** Where the next worker serves already (`overlap`), what arrives from now on need not wait for the slowest request in flight. */
  park(worker: Worker): void {
    this.setWorker(worker.id, { stage: 'parking', deadlineAt: this.now + limits.parkDeadlineMs })
    const forward = this.main?.socket ?? null
    this.send(worker, { t: 'park', limitMs: limits.parkLimitMs, ...(forward !== null && { forward }) })
  }

  end(): Step {
    const saved: readonly Effect[] = this.#save === null ? [] : [{ kind: 'save', current: this.#save }]
    return { state: this.#state, effects: [...saved, ...this.#effects] }
  }
}
