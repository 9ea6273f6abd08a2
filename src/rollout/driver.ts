/**
 * The rollout driver: after every change it asks the pure core what this node has to do, and has it done. It holds time (soak, look interval)
 * and what the supervisor told; every decision is in core/.
 */
import {
  type Digest,
  type Fact,
  type LastSwitch,
  messageOf,
  type NodeBody,
  type NodeId,
  type OutcomeBody,
  type PackageKind,
  codeFrom,
  type Reason,
  shortId,
  type SwitchTarget,
} from '../model/index.ts'
import { hasEvidence, isInWindow, type KnownOrder, nextTasks, type Own } from './core/index.ts'
import { lookIntervalMs } from './limits.ts'
import type { Replica } from './replica.ts'
import type { StatusBoard } from './status.ts'
import { type Hands, Tasks } from './tasks.ts'
import { dueReceipts, type RunsOf } from './witness.ts'

export interface DriverOptions {
  readonly replica: Replica
  readonly status: StatusBoard
  /** Says facts of this node's to the fleet; durable: on disk before anybody hears them. */
  readonly publish: (facts: readonly Fact[], durable: boolean) => void
  readonly hands: Omit<Hands, 'say' | 'requestSwitch'>
  /** Asks the supervisor to switch. */
  readonly requestSwitch: (target: SwitchTarget) => void
  readonly running: () => Readonly<Record<PackageKind, Digest | null>>
  readonly hasPackage: (digest: Digest) => boolean
  readonly isStaged: (digest: Digest) => boolean
  readonly isHeld: () => boolean
  readonly isLost: (node: NodeId) => boolean
  readonly linked: () => readonly NodeId[]
  readonly runsOf: RunsOf
  readonly platform: string
  readonly about: () => NodeBody
  /** Fetches a plan by its digest from any linked peer; null if nobody has it yet. */
  readonly fetchPlan: (digest: Digest, signal: AbortSignal) => Promise<string | null>
  /** Monotonic, ms. */
  readonly now: () => number
  readonly wallNow: () => Date
}

export class RolloutDriver {
  readonly #o: DriverOptions
  readonly #tasks: Tasks
  /** Orders whose switch was asked for and has not been reported. */
  readonly #begun = new Set<string>()
  readonly #evidenceSince = new Map<string, number>()
  readonly #fetchingPlans = new Set<Digest>()
  readonly #abort = new AbortController()
  #timer: NodeJS.Timeout | null = null
  #isQueued = false

  constructor(options: DriverOptions) {
    this.#o = options
    this.#tasks = new Tasks({
      ...options.hands,
      requestSwitch: target => this.#beginSwitch(target),
      say: {
        preflight: (known, attempt, reason) => this.#sayPreflight(known, attempt, reason),
        outcome: (known, attempt, task) => this.#sayOutcome(known, attempt, task.outcome, task.reason, task.digest, []),
        step: (known, step) => options.status.set(step, known.id),
      },
    })
  }

  /** @param trial the switch in whose probation this worker is */
  start(trial: SwitchTarget | null, last: LastSwitch | null): void {
    if (trial !== null) {
      this.#begun.add(trial.order)
      this.#o.status.set('probation', trial.order)
    }
    if (last !== null) this.switched(last)
    this.#timer = setInterval(() => this.look(), lookIntervalMs)
    this.look()
  }

  stop(): void {
    this.#abort.abort()
    this.#tasks.stop()
    this.#o.status.stop()
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** Something changed: look again soon, once for many changes. */
  changed(): void {
    if (this.#isQueued || this.#abort.signal.aborted) return
    this.#isQueued = true
    setImmediate(() => {
      this.#isQueued = false
      this.look()
    })
  }

  /** The supervisor ended a switch: reported once, also when everything died in between. */
  switched(last: LastSwitch): void {
    this.#begun.delete(last.order)
    const known = this.#o.replica.book.order(last.order, 0)
    const told = known?.outcomes.get(this.#o.replica.self)
    if (known !== undefined && (told === undefined || told.attempt < last.attempt)) this.#report(known, last)
    this.#o.status.set('idle', last.order)
    this.changed()
  }

  /** The supervisor did not begin the switch: it is asked again. */
  refused(code: string, message: string): void {
    this.#o.hands.log('switch refused', { code, message })
    this.#begun.clear()
  }

  look(): void {
    if (this.#abort.signal.aborted) return
    const orders = this.#o.replica.orders()
    this.#keepEvidence(orders)
    this.#giveReceipts(orders)
    this.#pullPlans()
    // While a switch or a probation lasts, nothing else is begun.
    if (this.#begun.size > 0) return
    this.#tasks.run(nextTasks(orders, this.#own()), this.#o.now(), () => this.changed())
  }

  #own(): Own {
    const o = this.#o
    return {
      id: o.replica.self,
      tags: o.about().tags,
      platform: o.platform,
      running: o.running(),
      begun: this.#begun,
      hasPackage: o.hasPackage,
      isStaged: o.isStaged,
      isHeld: o.isHeld(),
      isInWindow: window => isInWindow(window, o.wallNow()),
      evidenceAgeMs: order => o.now() - (this.#evidenceSince.get(order) ?? o.now()),
      isLost: o.isLost,
    }
  }

  #keepEvidence(orders: readonly KnownOrder[]): void {
    const who = { id: this.#o.replica.self, tags: this.#o.about().tags }
    for (const known of orders) {
      if (!hasEvidence(known, who)) this.#evidenceSince.delete(known.id)
      else if (!this.#evidenceSince.has(known.id)) this.#evidenceSince.set(known.id, this.#o.now())
    }
  }

  #giveReceipts(orders: readonly KnownOrder[]): void {
    const { replica, runsOf, publish } = this.#o
    const facts = dueReceipts(orders, replica.self, runsOf).map(r => replica.own('receipt', r.name, r.body))
    publish(
      facts.filter(f => f !== null),
      false,
    )
  }

  #pullPlans(): void {
    for (const digest of this.#o.replica.book.missingPlans()) {
      if (this.#fetchingPlans.has(digest)) continue
      this.#fetchingPlans.add(digest)
      this.#o
        .fetchPlan(digest, this.#abort.signal)
        .then(text => {
          if (text !== null) this.#o.replica.addPlan(digest, text)
          if (text !== null) this.changed()
        })
        .catch((error: unknown) => this.#o.hands.log('plan not fetched', { digest, error: messageOf(error) }))
        .finally(() => this.#fetchingPlans.delete(digest))
    }
  }

  #beginSwitch(target: SwitchTarget): void {
    this.#begun.add(target.order)
    this.#o.requestSwitch({ ...target, linked: this.#o.linked().length })
  }

  #sayPreflight(known: KnownOrder, attempt: number, reason: Reason | null): void {
    const fact = this.#o.replica.own('preflight', known.id, { order: known.id, attempt, go: reason === null, reason })
    if (fact !== null) this.#o.publish([fact], false)
    if (reason === null) return
    this.#o.hands.log('preflight: no-go', { order: shortId(known.id), ...reason })
    this.#o.status.set('idle', known.id)
  }

  #report(known: KnownOrder, last: LastSwitch): void {
    const reason = last.result === 'confirmed' ? null : { code: codeFrom(last.code), message: last.message }
    const digest = this.#o.running()[known.order.kind]
    // Ill before and after is no verdict on the release: the node counts as missing.
    const outcome = reason?.code === 'UNHEALTHY_BEFORE' ? 'refused' : last.result
    this.#sayOutcome(known, last.attempt, outcome, reason, digest, last.log, last.linked)
  }

  #sayOutcome(
    known: KnownOrder,
    attempt: number,
    outcome: OutcomeBody['outcome'],
    reason: Reason | null,
    digest: Digest | null,
    log: readonly string[],
    linked = this.#o.linked().length,
  ): void {
    const { replica, publish, status, hands } = this.#o
    const witnesses = Math.min(known.order.witnesses, linked)
    const body: OutcomeBody = { order: known.id, attempt, outcome, reason, digest, witnesses, epoch: replica.epoch, log }
    const fact = replica.own('outcome', known.id, body)
    if (fact !== null) publish([fact], true)
    hands.log('outcome', { order: shortId(known.id), outcome, ...(reason ?? {}) })
    status.set('idle', known.id)
  }
}
