/** This node's own status fact: what it runs and does now. Said when it changes; progress at most twice a second. */
import {
  type Bytes,
  factKey,
  type Health,
  type OrderId,
  parseJson,
  parseStatusBody,
  type Running,
  type StatusBody,
  type Step,
} from '../model/index.ts'
import { progressIntervalMs } from './limits.ts'
import type { Replica } from './replica.ts'

export interface StatusSource {
  readonly running: () => { readonly app: Running | null; readonly shoal: Running }
  readonly health: () => Health
  /** Bytes that this process has served to peers. */
  readonly served: () => number
  readonly publish: (body: StatusBody) => void
  /** Wall clock, for people. */
  readonly wallNow: () => Date
}

/** The status that this node said last, by its replica. */
export function saidBefore(replica: Replica): StatusBody | null {
  const fact = replica.registers.get(factKey({ kind: 'status', owner: replica.self, name: '' }))
  return fact === undefined ? null : parseStatusBody(parseJson(fact.body, 'status'))
}

const noBytes: Bytes = { fetched: 0, reused: 0, served: 0, sources: 0 }

export class StatusBoard {
  readonly #source: StatusSource
  #step: Step = 'idle'
  #rollout: OrderId | null = null
  #percent = 0
  #migrationMs: number | null
  #bytes: Bytes
  /** What the process had served when the rollout began. */
  #servedBefore = 0
  #since: string
  #timer: NodeJS.Timeout | null = null

  /** @param last what this node said last: the bytes of a rollout outlive the worker that fetched them */
  constructor(source: StatusSource, last: StatusBody | null = null) {
    this.#source = source
    this.#rollout = last?.rollout ?? null
    this.#bytes = last?.bytes ?? noBytes
    this.#migrationMs = last?.migrationMs ?? null
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
      migrationMs: this.#migrationMs,
      bytes: { ...this.#bytes, served: this.#bytes.served + this.#source.served() - this.#servedBefore },
      since: this.#since,
    }
  }

  set(step: Step, rollout: OrderId | null = this.#rollout): void {
    if (step === this.#step && rollout === this.#rollout) return
    if (rollout !== this.#rollout) {
      this.#bytes = noBytes
      this.#migrationMs = null
      this.#servedBefore = this.#source.served()
    }
    this.#step = step
    this.#rollout = rollout
    this.#percent = step === 'transfer' ? 0 : this.#percent
    this.#since = this.#source.wallNow().toISOString()
    this.say()
  }

  progress(percent: number, bytes: Partial<Omit<Bytes, 'served'>>): void {
    this.#percent = Math.max(0, Math.min(100, Math.round(percent)))
    this.#bytes = { ...this.#bytes, ...bytes }
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.say()
    }, progressIntervalMs)
  }

  /** The migration that the rollout brings took so long on a copy. */
  rehearsed(ms: number): void {
    this.#migrationMs = ms
    this.say()
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
