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
import { hasEvidence, isInWindow, type KnownOrder, type NextTask, nextTasks, type Own } from './core/index.ts'
import { keepAgesMs, lateWitnessMs, lookIntervalMs } from './limits.ts'
import type { Replica } from './replica.ts'
import type { StatusBoard } from './status.ts'
import { type Hands, Tasks } from './tasks.ts'
import { dueReceipts, type RunsOf } from './witness.ts'

export interface DriverOptions {
  readonly replica: Replica
  readonly status: StatusBoard
  /** Says facts of this node's to the fleet; durable: on disk before anybody hears them. */
  readonly publish: (facts: readonly Fact[], durable: boolean) => void
  readonly hands: Omit<Hands, 'say' | 'requestSwitch' | 'now'>
  /** Asks the supervisor to switch. */
  readonly requestSwitch: (target: SwitchTarget) => void
  readonly running: () => Readonly<Record<PackageKind, Digest | null>>
  readonly hasPackage: (digest: Digest) => boolean
  readonly isStaged: (digest: Digest) => boolean
  readonly needsRehearsal: (digest: Digest) => boolean
  readonly needsPreparation: (known: KnownOrder, attempt: number) => boolean
  readonly isHeld: () => boolean
  /** The app is well. */
  readonly isHealthy: () => boolean
  readonly isLost: (node: NodeId) => boolean
  readonly linked: () => readonly NodeId[]
  /** What linked peers run, as of now. */
  readonly runs: () => RunsOf
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
  readonly #outcomeSince = new Map<string, number>()
  #asked: string | null = null
  #agesKeptAt = 0
  #timer: NodeJS.Timeout | null = null
  #isQueued = false

  constructor(options: DriverOptions) {
    this.#o = options
    this.#tasks = new Tasks({
      ...options.hands,
      now: options.now,
      requestSwitch: target => this.#beginSwitch(target),
      say: {
        preflight: (known, attempt, reason) => this.#sayPreflight(known, attempt, reason),
        outcome: (known, attempt, task) => this.#sayOutcome(known, attempt, task.outcome, task.reason, task.digest, []),
        step: (known, step) => this.#sayStep(known, step),
      },
    })
  }

  /** @param trial the switch in whose probation this worker is */
  start(trial: SwitchTarget | null, last: LastSwitch | null): void {
    // First what was: the last switch may have been an earlier attempt of the order that is on trial now.
    if (last !== null) this.switched(last)
    if (trial !== null) {
      this.#begun.add(trial.order)
      this.#o.status.set('probation', trial.order)
    }
    this.#timer = setInterval(() => this.look(), lookIntervalMs)
    this.look()
  }

  stop(): void {
    this.#abort.abort()
    this.#tasks.stop()
    this.#o.status.stop()
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** Something changed: look again soon, once for many changes. Before `start` there is nothing to look at. */
  changed(): void {
    if (this.#isQueued || this.#timer === null || this.#abort.signal.aborted) return
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
    const isTold =
      told !== undefined && (told.attempt > last.attempt || (told.attempt === last.attempt && told.outcome === outcomeOf(last)))
    if (known !== undefined && !isTold) this.#report(known, last)
    this.#o.status.set('idle')
    this.changed()
  }

  /** The node confirmed this release of Shoal, and then could not start with it. */
  fellBack(known: KnownOrder, message: string): void {
    const attempt = known.outcomes.get(this.#o.replica.self)?.attempt ?? 1
    this.#sayOutcome(known, attempt, 'rolled-back', { code: 'SUPERVISOR_FAILED', message }, this.#o.running()[known.order.kind], [])
  }

  /** The supervisor did not begin the switch: it is asked again. */
  refused(code: string, message: string): void {
    this.#o.hands.log('switch refused', { code, message })
    if (this.#asked !== null) this.#begun.delete(this.#asked)
    this.#asked = null
  }

  /** What it cannot do now it does at the next look: a fault here must not end the node. */
  look(): void {
    if (this.#abort.signal.aborted) return
    try {
      this.#look()
    } catch (error) {
      this.#o.hands.log('look failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }

  #look(): void {
    const orders = this.#o.replica.orders()
    this.#keepEvidence(orders)
    this.#giveReceipts(orders)
    this.#pullPlans()
    this.#keepAges()
    // While a switch or a probation lasts, nothing else is begun.
    if (this.#begun.size > 0) return
    const next = nextTasks(orders, this.#own())
    if (!next.some(n => n.known.id === this.#o.status.rollout)) this.#o.status.set('idle')
    this.#o.hands.keepFor(new Set(next.map(({ known }) => known.id)))
    this.#tasks.run(oneSwitch(next), this.#o.now(), () => this.changed())
  }

  #keepAges(): void {
    if (this.#o.now() - this.#agesKeptAt < keepAgesMs) return
    this.#agesKeptAt = this.#o.now()
    this.#o.replica.keepAges()
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
      needsRehearsal: o.needsRehearsal,
      needsPreparation: o.needsPreparation,
      isHeld: o.isHeld(),
      isHealthy: o.isHealthy(),
      isInWindow: window => this.#isInWindow(window),
      evidenceAgeMs: order => o.now() - (this.#evidenceSince.get(order) ?? o.now()),
      isLost: o.isLost,
    }
  }

  /** A zone that this node's tables do not know keeps it shut, and the log says why. */
  #isInWindow(window: string): boolean {
    try {
      return isInWindow(window, this.#o.wallNow())
    } catch (error) {
      this.#o.hands.log('window not understood', { window, error: messageOf(error) })
      return false
    }
  }

  /** Of two orders that both wait, the one that is shown stays shown. */
  #sayStep(known: KnownOrder, step: Parameters<Hands['say']['step']>[1]): void {
    const { status } = this.#o
    if (step === 'waiting' && status.step !== 'idle' && status.rollout !== known.id) return
    status.set(step, known.id)
  }

  #keepEvidence(orders: readonly KnownOrder[]): void {
    const who = { id: this.#o.replica.self, tags: this.#o.about().tags }
    for (const known of orders) {
      if (!hasEvidence(known, who)) this.#evidenceSince.delete(known.id)
      else if (!this.#evidenceSince.has(known.id)) this.#evidenceSince.set(known.id, this.#o.now())
    }
  }

  #giveReceipts(orders: readonly KnownOrder[]): void {
    const { replica, runs, publish, linked, now } = this.#o
    const isLate = (order: string, node: NodeId): boolean => {
      const key = `${order} ${node}`
      const since = this.#outcomeSince.get(key) ?? now()
      this.#outcomeSince.set(key, since)
      return now() - since >= lateWitnessMs
    }
    const due = dueReceipts(orders, replica.self, runs(), linked(), isLate)
    const facts = due.map(r => replica.own('receipt', r.name, r.body)).filter(f => f !== null)
    if (facts.length > 0) publish(facts, false)
  }

  #pullPlans(): void {
    for (const digest of this.#o.replica.book.missingPlans()) {
      if (this.#fetchingPlans.has(digest)) continue
      this.#fetchingPlans.add(digest)
      this.#o
        .fetchPlan(digest, this.#abort.signal)
        .then(text => {
          if (text !== null) this.#o.replica.addPlan(digest, text)
        })
        .catch((error: unknown) => this.#o.hands.log('plan not fetched, or not kept', { digest, error: messageOf(error) }))
        .finally(() => {
          this.#fetchingPlans.delete(digest)
          if (!this.#o.replica.book.missingPlans().includes(digest)) this.changed()
        })
    }
  }

  #beginSwitch(target: SwitchTarget): void {
    this.#o.requestSwitch({ ...target, linked: this.#o.linked().length })
    this.#begun.add(target.order)
    this.#asked = target.order
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
    this.#sayOutcome(known, last.attempt, outcomeOf(last), reason, digest, last.log, last.linked)
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

/** Ill before and after is no verdict on the release: the node counts as missing. */
const outcomeOf = (last: LastSwitch): OutcomeBody['outcome'] => (last.code === 'UNHEALTHY_BEFORE' ? 'refused' : last.result)

/** One switch at a time; nothing is staged beside it, since staging makes room, and nothing rehearsed, since a new worker clears that away. */
function oneSwitch(next: readonly NextTask[]): readonly NextTask[] {
  const first = next.find(n => n.task.do === 'switch' || n.task.do === 'prepare')
  return first === undefined ? next : [first, ...next.filter(n => !['switch', 'prepare', 'stage', 'rehearse'].includes(n.task.do))]
}
