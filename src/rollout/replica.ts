/**
 * This node's replica of the fleet's facts, with what it reads out of them: who is a member, which orders there are. It signs the node's own
 * facts, each version once, and keeps everything in the store. It decides nothing.
 */
import { FleetView, fleetJudge, type Judge, Registers, type Verdict } from '../facts/index.ts'
import { type Digest, type Fact, factKey, messageOf, type NodeId, type OrderId, parsePlan, parseJson, type Plan } from '../model/index.ts'
import { type TrustedRoot, trustChain } from '../trust/index.ts'
import { OrderBook } from './core/index.ts'

/** What the replica needs of the store. */
export interface FactStore {
  facts(): readonly Fact[]
  saveFacts(facts: readonly Fact[], durable: boolean): void
  document(digest: Digest): string | undefined
  documents(): readonly Digest[]
  saveDocument(digest: Digest, text: string): void
  remembered(key: string): string | undefined
  remember(key: string, value: string): void
}

export interface ReplicaOptions {
  readonly self: NodeId
  readonly epoch: number
  readonly sign: (fact: Omit<Fact, 'sig'>) => Fact
  readonly store: FactStore
  /** Wall clock, ms. */
  readonly now: () => number
}

const first = ['root', 'member', 'removal', 'node']
const rank = (f: Fact): number => (first.includes(f.kind) ? first.indexOf(f.kind) : first.length)

export class Replica {
  readonly registers = new Registers()
  readonly book = new OrderBook()
  readonly fleet: FleetView
  readonly judge: Judge
  readonly #options: ReplicaOptions
  readonly #firstSeen = new Map<OrderId, number>()
  #epoch: number

  constructor(options: ReplicaOptions, fleetId: TrustedRoot['fleet']) {
    this.#options = options
    this.#epoch = options.epoch
    const facts = options.store.facts().toSorted((a, b) => rank(a) - rank(b) || a.version - b.version)
    const roots = facts.filter(f => f.kind === 'root')
    this.fleet = new FleetView(
      trustChain(
        roots.map(f => f.body),
        fleetId,
      ),
    )
    const judge = fleetJudge(this.fleet)
    // What is accepted counts for the very next fact of the same batch.
    this.judge = (fact, registers): Verdict => {
      const verdict = judge(fact, registers)
      if (verdict.v === 'accept' && registers.compare(fact) === 'new') this.fleet.apply(fact)
      return verdict
    }
    for (const fact of facts) this.#load(fact)
    for (const digest of this.book.missingPlans()) this.#loadPlan(digest)
  }

  get self(): NodeId {
    return this.#options.self
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Peers hold facts of this node from a later epoch: it lost its memory and speaks from above it. */
  raiseEpoch(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch)
  }

  /** Takes in what the mesh accepted or this node published. */
  take(facts: readonly Fact[]): void {
    for (const fact of facts) {
      this.fleet.apply(fact)
      this.book.take(fact)
      if (fact.kind === 'order') this.#loadPlan(this.book.order(fact.name, 0)?.order.plan)
    }
  }

  /** The next version of one of this node's own facts; null if it would say the same again in the same epoch. */
  own(kind: string, name: string, body: unknown): Fact | null {
    const text = JSON.stringify(body)
    const held = this.registers.get(factKey({ kind, owner: this.self, name }))
    if (held?.body === text && (held.epoch === this.#epoch || kind !== 'status')) return null
    const version = held === undefined || held.epoch < this.#epoch ? 1 : held.version + 1
    return this.#options.sign({ kind, owner: this.self, name, epoch: Math.max(this.#epoch, held?.epoch ?? 0), version, body: text })
  }

  /** How long this node has known the order, by its own clock; survives restarts. */
  ageOf(id: OrderId): number {
    const seen = this.#firstSeen.get(id) ?? this.#seen(id)
    return Math.max(0, this.#options.now() - seen)
  }

  #seen(id: OrderId): number {
    const key = `seen ${id}`
    const stored = this.#options.store.remembered(key)
    const seen = stored === undefined ? this.#options.now() : Number(stored)
    if (stored === undefined) this.#options.store.remember(key, String(seen))
    this.#firstSeen.set(id, seen)
    return seen
  }

  orders(): ReturnType<OrderBook['orders']> {
    return this.book.orders(id => this.ageOf(id))
  }

  addPlan(digest: Digest, text: string): Plan {
    const plan = parsePlan(parseJson(text, `plan ${digest}`))
    this.#options.store.saveDocument(digest, text)
    this.book.addPlan(digest, plan)
    return plan
  }

  #load(fact: Fact): void {
    try {
      this.registers.merge(fact)
      this.fleet.apply(fact)
      this.book.take(fact)
    } catch (error) {
      // A later release may have stored kinds or fields that this one cannot read: they are kept for it and relayed.
      process.emitWarning(`fact ${factKey(fact)}: ${messageOf(error)}`)
    }
  }

  #loadPlan(digest: Digest | undefined): void {
    const text = digest === undefined ? undefined : this.#options.store.document(digest)
    if (digest !== undefined && text !== undefined) this.book.addPlan(digest, parsePlan(parseJson(text, `plan ${digest}`)))
  }
}
