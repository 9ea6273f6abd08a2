/** This node's own status fact: what it runs and does now. Said when it changes; progress at most twice a second. */
import type { Bytes, Health, OrderId, Running, StatusBody, Step } from '../model/index.ts'
import { progressIntervalMs } from './limits.ts'

export interface StatusSource {
  readonly running: () => { readonly app: Running | null; readonly shoal: Running }
  readonly health: () => Health
  readonly publish: (body: StatusBody) => void
  /** Wall clock, for people. */
  readonly wallNow: () => Date
}

const noBytes: Bytes = { fetched: 0, reused: 0, served: 0, sources: 0 }

export class StatusBoard {
  readonly #source: StatusSource
  #step: Step = 'idle'
  #rollout: OrderId | null = null
  #percent = 0
  #bytes: Bytes = noBytes
  #since: string
  #timer: NodeJS.Timeout | null = null

  constructor(source: StatusSource) {
    this.#source = source
    this.#since = source.wallNow().toISOString()
  }

  get step(): Step {
    return this.#step
  }

  get rollout(): OrderId | null {
    return this.#rollout
  }

  get body(): StatusBody {
    return {
      ...this.#source.running(),
      health: this.#source.health(),
      rollout: this.#rollout,
      step: this.#step,
      percent: this.#percent,
      bytes: this.#bytes,
      since: this.#since,
    }
  }

  set(step: Step, rollout: OrderId | null = this.#rollout): void {
    if (step === this.#step && rollout === this.#rollout) return
    if (rollout !== this.#rollout) this.#bytes = noBytes
    this.#step = step
    this.#rollout = rollout
    this.#percent = step === 'transfer' ? 0 : this.#percent
    this.#since = this.#source.wallNow().toISOString()
    this.say()
  }

  progress(percent: number, bytes: Partial<Bytes>): void {
    this.#percent = Math.max(0, Math.min(100, Math.round(percent)))
    this.#bytes = { ...this.#bytes, ...bytes }
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.say()
    }, progressIntervalMs)
  }

  /** Says it now; the replica leaves out what it has said already. */
  say(): void {
    this.#source.publish(this.body)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
