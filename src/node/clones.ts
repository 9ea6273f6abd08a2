/**
 * A cloned disk: two machines live under this node's id. Its peers see it, since boot nonces that were replaced come back, and close both links
 * with 4006; or two machines write the same facts and raise their epochs over each other's. Then this one takes no orders and says so, as the
 * other does, until it has heard nothing of it for a while. `reset-identity` on one of them is the cure.
 */
import type { MeshNews } from '../mesh/index.ts'
import type { NodeId } from '../model/index.ts'
import type { Log } from './log.ts'

type Alarm = Extract<MeshNews, { t: 'alarm' }>['alarm']

/** ms without a sign of the other one after which there is none: clones that peers let go dial again within two minutes. */
const quietMs = 300_000
/** Times within the window that a peer may hold something newer of this node than it has itself: after a loss of memory it happens once. */
const raisesAllowed = 3
const raiseWindowMs = 600_000

export interface ClonesOptions {
  readonly self: NodeId
  /** Monotonic, ms. */
  readonly now: () => number
  /** It is one of two, or is not any more. */
  readonly changed: () => void
  readonly log: Log
}

export class Clones {
  readonly #o: ClonesOptions
  #seenAt = Number.NEGATIVE_INFINITY
  #raises: readonly number[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(options: ClonesOptions) {
    this.#o = options
  }

  get isCloned(): boolean {
    return this.#o.now() - this.#seenAt < quietMs
  }

  /** @param raise this node lost its memory, and must speak from above that epoch */
  heard(alarm: Alarm, epoch: number, raise: (above: number) => void): void {
    const { self, now } = this.#o
    if (alarm.alarm === 'cloned' && alarm.peer === self) this.#seen()
    if (alarm.alarm !== 'ahead' || alarm.epoch < epoch || this.isCloned) return
    this.#raises = [...this.#raises.filter(at => now() - at < raiseWindowMs), now()]
    if (this.#raises.length <= raisesAllowed) raise(alarm.epoch)
    else this.#seen()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #seen(): void {
    const { log, now, changed } = this.#o
    const wasCloned = this.isCloned
    this.#seenAt = now()
    this.stop()
    this.#timer = setTimeout(changed, quietMs + 1).unref()
    if (wasCloned) return
    log('alarm', { alarm: 'this id lives on two machines: no orders are taken; stop one, reset-identity there' })
    changed()
  }
}
