/**
 * The app's health outside a probation: ill twice, the node says that it is degraded; ill for 30 s, another worker is to try. Three such spells
 * within five minutes and the supervisor keeps the app out (safe mode).
 */
import { messageOf } from '../model/index.ts'

/** ms between two looks. */
const healthIntervalMs = 5000
/** Consecutive failures after which the node says that it is degraded, and after which this worker is given up. */
const illAfter = 2
const hopelessAfter = 6

export interface HealthWatchOptions {
  /** Throws while the app is unhealthy; without an app it returns. */
  readonly health: () => Promise<void>
  readonly changed: () => void
  readonly hopeless: (why: string) => void
}

export class HealthWatch {
  readonly #o: HealthWatchOptions
  #failures = 0
  /** In a probation the probation judges. */
  #isOnTrial: boolean
  #timer: NodeJS.Timeout | null = null

  constructor(options: HealthWatchOptions, isOnTrial: boolean) {
    this.#o = options
    this.#isOnTrial = isOnTrial
  }

  get isIll(): boolean {
    return this.#failures > 0
  }

  get isDegraded(): boolean {
    return this.#failures >= illAfter
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), healthIntervalMs)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  trialEnded(): void {
    this.#isOnTrial = false
    this.#failures = 0
  }

  async #look(): Promise<void> {
    const was = this.isDegraded
    const why = await this.#o.health().then(
      () => null,
      (error: unknown) => messageOf(error),
    )
    this.#failures = why === null ? 0 : this.#failures + 1
    if (was !== this.isDegraded) this.#o.changed()
    if (why !== null && this.#failures === hopelessAfter && !this.#isOnTrial) this.#o.hopeless(why)
  }
}
