/**
 * Runs what `nextTasks` says: the hands of the rollout. Each task is idempotent: done twice, or cut in the middle, it ends the same. It holds
 * no policy but how often to try again.
 */
import {
  type Code,
  codeOf,
  defaultProbationMs,
  type Digest,
  messageOf,
  type PackageRef,
  type Reason,
  type Release,
  type SwitchTarget,
} from '../model/index.ts'
import { type Condition, type KnownOrder, type NextTask, preflight, type Task } from './core/index.ts'
import { maxStageFailures, retryBaseMs, retryMaxMs } from './limits.ts'

/** What the tasks need of the rest of the node. */
export interface Hands {
  /** Finds out about the machine before anything is fetched. */
  readonly condition: (known: KnownOrder) => Promise<Condition>
  readonly fetch: (ref: PackageRef, signal: AbortSignal) => Promise<void>
  /** Judges and unpacks a package that is here. */
  readonly stage: (digest: Digest, signal: AbortSignal) => Promise<void>
  /** The package of this release for this node, if it is staged here already and would have to migrate on a copy first. */
  readonly toRehearse: (release: Release) => Digest | null
  /** Migrates a copy of the data. @throws ShoalError as it failed; BUSY if something came in between */
  readonly rehearse: (digest: Digest, signal: AbortSignal) => Promise<void>
  /** Gets ready what the order says about newer data. @throws ShoalError NO_SNAPSHOT, DISK_FULL */
  readonly prepare: (known: KnownOrder, attempt: number, signal: AbortSignal) => Promise<void>
  /** The orders for which there is something to do: what was prepared for others goes. */
  readonly keepFor: (orders: ReadonlySet<string>) => void
  /** Asks the supervisor; it answers by `switched` or `refused`. */
  readonly requestSwitch: (target: SwitchTarget, release: Release) => void
  readonly say: {
    preflight(known: KnownOrder, attempt: number, reason: Reason | null): void
    outcome(known: KnownOrder, attempt: number, task: Extract<Task, { do: 'report' }>): void
    step(known: KnownOrder, step: 'preflight' | 'transfer' | 'staged' | 'waiting' | 'switching' | 'idle'): void
  }
  readonly log: (event: string, fields: Record<string, unknown>) => void
  /** Monotonic, ms. */
  readonly now: () => number
}

interface Effort {
  failures: number
  notBefore: number
}

const refForPlatform = (release: Release, digest: Digest): PackageRef | undefined =>
  Object.values(release.packages).find(r => r.digest === digest)

export class Tasks {
  readonly #hands: Hands
  readonly #busy = new Set<string>()
  readonly #efforts = new Map<string, Effort>()
  readonly #abort = new AbortController()

  constructor(hands: Hands) {
    this.#hands = hands
  }

  stop(): void {
    this.#abort.abort()
  }

  /** Starts what is not running yet. `again` is called when something ended. */
  run(next: readonly NextTask[], nowMs: number, again: () => void): void {
    for (const each of next) {
      const key = `${each.known.id} ${each.attempt} ${each.task.do}`
      if (this.#busy.has(each.known.id) || nowMs < (this.#efforts.get(key)?.notBefore ?? 0)) continue
      this.#busy.add(each.known.id)
      this.#do(each)
        .then(() => this.#efforts.set(key, { failures: 0, notBefore: isAnswer(each.task) ? nowMs + retryBaseMs : 0 }))
        .catch((error: unknown) => this.#failed(each, key, error))
        .finally(() => {
          this.#busy.delete(each.known.id)
          if (each.task.do !== 'wait' && !this.#abort.signal.aborted) again()
        })
    }
  }

  async #do({ known, attempt, task }: NextTask): Promise<void> {
    const { release } = known
    if (release === null) return
    const { say } = this.#hands
    switch (task.do) {
      case 'preflight':
        say.step(known, 'preflight')
        say.preflight(known, attempt, await this.#preflight(known, release))
        return
      case 'fetch': {
        const ref = refForPlatform(release, task.digest)
        if (ref === undefined) return
        say.step(known, 'transfer')
        await this.#hands.fetch(ref, this.#abort.signal)
        return
      }
      case 'stage':
        await this.#hands.stage(task.digest, this.#abort.signal)
        say.step(known, 'staged')
        return
      case 'rehearse':
        await this.#hands.rehearse(task.digest, this.#abort.signal)
        return
      case 'prepare':
        say.step(known, 'switching')
        await this.#hands.prepare(known, attempt, this.#abort.signal)
        return
      case 'wait':
        say.step(known, 'waiting')
        return
      case 'switch':
        say.step(known, 'switching')
        this.#switch(known, release, attempt, task.digest)
        return
      case 'report':
        say.outcome(known, attempt, task)
        return
    }
  }

  /** What is staged already shows now whether it can migrate: after everything else, since it takes the longest. */
  async #preflight(known: KnownOrder, release: Release): Promise<Reason | null> {
    const reason = preflight(known.order, release, await this.#hands.condition(known))
    const digest = reason === null ? this.#hands.toRehearse(release) : null
    if (digest === null) return reason
    try {
      await this.#hands.rehearse(digest, this.#abort.signal)
      return null
    } catch (error) {
      if (this.#abort.signal.aborted || codeOf(error) === 'BUSY') throw error
      return reasonOf(error)
    }
  }

  #switch(known: KnownOrder, release: Release, attempt: number, digest: Digest): void {
    const { id } = known
    const probationMs = release.probationMs ?? defaultProbationMs
    this.#hands.requestSwitch(
      { order: id, attempt, kind: release.kind, digest, handover: release.handover, probationMs, linked: 0 },
      release,
    )
  }

  #failed(next: NextTask, key: string, error: unknown): void {
    if (this.#abort.signal.aborted) return
    const failures = (this.#efforts.get(key)?.failures ?? 0) + 1
    this.#efforts.set(key, { failures, notBefore: this.#hands.now() + Math.min(retryMaxMs, retryBaseMs * 2 ** (failures - 1)) })
    this.#hands.log('task failed', { order: next.known.id, task: next.task.do, failures, error: messageOf(error) })
    if (isFinal(next.task, error, failures)) this.#refuse(next, error)
  }

  /** The release is bad for this node whatever is tried: say so instead of trying for ever. */
  #refuse(next: NextTask, error: unknown): void {
    this.#hands.say.outcome(next.known, next.attempt, { do: 'report', outcome: 'refused', reason: reasonOf(error), digest: null })
  }
}

/** An answer that was given is not given again at once, whatever became of it. */
const isAnswer = (task: Task): boolean => task.do === 'preflight' || task.do === 'report'

const reasonOf = (error: unknown): Reason => ({ code: codeOf(error), message: messageOf(error).slice(0, 1000) })

/** Errors after which nothing else would come of another try. */
const finalCodes: readonly Code[] = [
  'PACKAGE_REJECTED',
  'NOT_A_ZIP',
  'ENGINE_UNSUPPORTED',
  'APP_IMPORT_FAILED',
  'MIGRATE_FAILED',
  'NO_SNAPSHOT',
]

const isFinal = (task: Task, error: unknown, failures: number): boolean =>
  ['stage', 'rehearse', 'prepare'].includes(task.do) &&
  codeOf(error) !== 'BUSY' &&
  (finalCodes.includes(codeOf(error)) || failures >= maxStageFailures)
