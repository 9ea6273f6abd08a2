/** Facts from peers on their way into the replica: judged first, merged then, with everything that must be said about them. */
import type { Registers } from '../../facts/index.ts'
import { type Code, type Fact, factKey } from '../../model/index.ts'
import type { Context } from './events.ts'
import { isTrust, isUrgent } from './kinds.ts'
import { maxRefused, refusedForMs } from './limits.ts'
import type { Link } from './link.ts'

interface Refusal {
  readonly h: number
  readonly at: number
}

export class Intake {
  readonly #ctx: Context
  readonly #registers: Registers
  /** By id; so that what a peer keeps offering is not pulled again and again. */
  readonly #refused = new Map<string, Refusal>()

  constructor(ctx: Context) {
    this.#ctx = ctx
    this.#registers = ctx.options.registers
  }

  /** Takes a peer's facts in. @returns those that changed the replica */
  take(facts: readonly Fact[], from: Link): readonly Fact[] {
    const accepted = facts.filter(fact => this.#isTaken(fact, from))
    this.#say(accepted, null)
    return accepted
  }

  /** Takes this node's own facts in; whoever publishes has judged them. */
  publish(facts: readonly Fact[], durable: boolean): readonly Fact[] {
    const accepted = facts.filter(fact => this.#merge(fact))
    this.#say(accepted, durable)
    return accepted
  }

  /** Was exactly this refused lately? */
  isRefused(id: string, h: number): boolean {
    const refusal = this.#refused.get(id)
    return refusal !== undefined && refusal.h === h && this.#ctx.now - refusal.at < refusedForMs
  }

  #isTaken(fact: Fact, from: Link): boolean {
    const standing = this.#registers.compare(fact)
    if (standing !== 'new' && standing !== 'conflict') return false
    const verdict = this.#ctx.options.judge(fact, this.#registers)
    if (verdict.v === 'wait') from.waited = true
    if (verdict.v === 'reject') this.#refuse(fact, from, verdict)
    if (verdict.v !== 'accept') return false
    if (fact.owner === this.#ctx.options.node) {
      this.#ctx.out.push({ t: 'alarm', alarm: { alarm: 'ahead', epoch: fact.epoch, version: fact.version } })
    }
    return this.#merge(fact, verdict.replaces)
  }

  /** true: the replica changed. */
  #merge(fact: Fact, replaces = false): boolean {
    const key = factKey(fact)
    const before = this.#registers.get(key)
    const standing = this.#registers.merge(fact, replaces)
    if (standing === 'new') return true
    if (standing !== 'conflict' || before === undefined) return false
    const kept = this.#registers.get(key) ?? before
    this.#ctx.out.push({ t: 'alarm', alarm: { alarm: 'conflict', kept, other: kept === before ? fact : before } })
    return kept !== before
  }

  #refuse(fact: Fact, from: Link, { code, message }: { readonly code: Code; readonly message: string }): void {
    this.#ctx.out.push({ t: 'refused', peer: from.peer, fact, code, message })
    const { id, h } = this.#registers.entryFor(fact)
    this.#refused.delete(id)
    this.#refused.set(id, { h, at: this.#ctx.now })
    const oldest = this.#refused.keys().next()
    if (this.#refused.size > maxRefused && oldest.done !== true) this.#refused.delete(oldest.value)
  }

  #say(accepted: readonly Fact[], durable: boolean | null): void {
    if (accepted.length === 0) return
    const isDurable = (f: Fact): boolean => durable ?? isUrgent(f.kind)
    const [durables, others] = [accepted.filter(isDurable), accepted.filter(f => !isDurable(f))]
    if (durables.length > 0) this.#ctx.out.push({ t: 'store', facts: durables, durable: true })
    if (others.length > 0) this.#ctx.out.push({ t: 'store', facts: others, durable: false })
    this.#ctx.out.push({ t: 'changed', facts: accepted })
    if (accepted.some(f => isTrust(f.kind))) this.#refused.clear()
  }
}
