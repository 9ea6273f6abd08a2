/**
 * This node's replica of the fleet's facts, with what it reads out of them: who is a member, which orders there are. It signs the node's own
 * facts, each version once, and keeps everything in the store. It decides nothing.
 */
import { FleetView, fleetJudge, type Judge, Registers, type Verdict } from '../facts/index.ts'
import { type Digest, type Fact, factKey, messageOf, type NodeId, parseJson, parseOrderId, parsePlan, type Plan } from '../model/index.ts'
import { storedChain, type TrustedRoot, trustChain, unknownRoot } from '../trust/index.ts'
import { OrderBook, pastOrders } from './core/index.ts'
import { Holds } from './holds.ts'
import { RootAges } from './root-ages.ts'

/** What the replica needs of the store. */
export interface FactStore {
  facts(): readonly Fact[]
  saveFacts(facts: readonly Fact[], durable: boolean): void
  document(digest: Digest): string | undefined
  saveDocument(digest: Digest, text: string): void
  forgetFacts(facts: readonly Fact[]): void
  remembered(key: string): string | undefined
  remember(key: string, value: string): void
}

/** What is on disk now, to see what another wrote since a replica was read. */
export interface WrittenFacts {
  signatures(): Iterable<readonly [kind: string, owner: string, name: string, sig: string]>
  fact(named: Pick<Fact, 'kind' | 'owner' | 'name'>): Fact | undefined
}

export interface ReplicaOptions {
  readonly self: NodeId
  readonly epoch: number
  readonly sign: (fact: Omit<Fact, 'sig'>) => Fact
  readonly store: FactStore
  /** Monotonic clock, ms. */
  readonly now: () => number
}

/** Orders of one kind that are kept whole, however old; of older ones see core/past.ts. What operators signed is always kept. */
export const keptOrders = 50
const evidenceKinds = new Set(['preflight', 'outcome', 'receipt'])

const first = ['root', 'member', 'removal', 'node']
const rank = (f: Fact): number => (first.includes(f.kind) ? first.indexOf(f.kind) : first.length)
const inOrder = (a: Fact, b: Fact): number => rank(a) - rank(b) || a.version - b.version

export class Replica {
  readonly registers = new Registers()
  #book = new OrderBook()
  readonly fleet: FleetView
  readonly judge: Judge
  readonly #options: ReplicaOptions
  readonly holds: Holds
  readonly #ages = new Map<string, { readonly before: number; readonly since: number }>()
  #store: FactStore
  #rootAges: RootAges
  readonly #past = new Set<string>()
  #epoch: number

  constructor(options: ReplicaOptions, fleetId: TrustedRoot['fleet']) {
    this.#options = options
    this.#epoch = options.epoch
    this.#store = options.store
    const stored = options.store.facts().toSorted(inOrder)
    const roots = stored.filter(f => f.kind === 'root').map(f => f.body)
    const texts = storedChain(roots, fleetId)
    const facts = stored.filter(f => f.kind !== 'root' || texts.includes(f.body))
    // None: this node lost its memory. The chain is then believed from version 1 on, which the fleet's id pins.
    this.fleet = new FleetView(texts.length === 0 ? unknownRoot(fleetId) : trustChain(texts, fleetId))
    const judge = fleetJudge(this.fleet)
    // What is accepted counts for the very next fact of the same batch.
    this.judge = (fact, registers): Verdict => {
      if (this.#isForgotten(fact))
        return { v: 'reject', code: 'ORDER_CLOSED', message: `${fact.kind} of ${fact.name.slice(0, 52)}: the order is long past` }
      const verdict = judge(fact, registers)
      if (verdict.v === 'accept' && (verdict.replaces === true || registers.compare(fact) === 'new')) this.fleet.apply(fact)
      if (verdict.v === 'accept' && verdict.replaces === true) this.#judgeAgain(judge)
      return verdict
    }
    this.holds = new Holds(this.registers, key => this.ageOf(key))
    for (const fact of facts) this.#load(fact)
    for (const digest of this.book.missingPlans()) this.#loadPlan(digest)
    this.forgetOldEvidence()
    this.#rootAges = new RootAges(this.fleet, options.store, options.now)
  }

  get book(): OrderBook {
    return this.#book
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

  /**
   * It was read while another worker was the node, or by this one before it parked: now it is the node's, with what was written meanwhile.
   * @returns false, and it is good for nothing any more: facts have gone, or there is another root
   */
  catchUp(written: WrittenFacts, store: FactStore, epoch: number): boolean {
    this.registers.leaveWatchers()
    let count = 0
    const changed: Fact[] = []
    for (const [kind, owner, name, sig] of written.signatures()) {
      count++
      if (this.registers.get(factKey({ kind, owner, name }))?.sig === sig) continue
      const fact = written.fact({ kind, owner, name })
      if (fact === undefined || kind === 'root') return false
      changed.push(fact)
    }
    this.#store = store
    this.#epoch = epoch
    this.#ages.clear()
    for (const fact of changed.toSorted(inOrder)) this.#load(fact)
    if (this.registers.size !== count) return false
    for (const digest of this.book.missingPlans()) this.#loadPlan(digest)
    this.#dropForgotten()
    this.forgetOldEvidence()
    this.#rootAges = new RootAges(this.fleet, store, this.#options.now)
    return true
  }

  /** Takes in what the mesh accepted or this node published. */
  take(facts: readonly Fact[]): void {
    for (const fact of facts) {
      this.fleet.apply(fact)
      this.book.take(fact)
      if (fact.kind === 'order') this.#loadPlan(this.book.order(fact.name, 0)?.order.plan)
    }
    if (facts.some(f => f.kind === 'order')) this.forgetOldEvidence()
    if (facts.some(f => f.kind === 'root')) this.#rootAges.look()
  }

  /**
   * Another root counts in the place of one that was trusted: what does not stand by it goes, from the disk first, so that a crash in between
   * leaves less and never both.
   */
  #judgeAgain(judge: Judge): void {
    const { fleet, registers } = this
    const book = new OrderBook()
    this.#book = book
    fleet.startAgain()
    const stands = (fact: Fact): boolean =>
      fact.kind === 'root' ? fact.version <= fleet.root.version : judge(fact, registers).v === 'accept'
    let open = registers.all().toSorted(inOrder)
    for (let before = -1; before !== open.length; ) {
      before = open.length
      open = open.filter(fact => {
        if (!stands(fact)) return true
        if (fact.kind !== 'root') fleet.apply(fact)
        book.take(fact)
        return false
      })
    }
    const gone = new Set(open)
    this.#store.forgetFacts(open)
    registers.forget(fact => gone.has(fact))
    for (const id of this.#past) book.forget(parseOrderId(id))
    for (const digest of book.missingPlans()) this.#loadPlan(digest)
  }

  /** What nodes said about orders that decide nothing any more goes; all replicas that know the same forget the same. */
  forgetOldEvidence(): void {
    const past = pastOrders(this.orders(), keptOrders)
    if (past.length === 0) return
    for (const { id } of past) {
      this.#past.add(id)
      this.book.forget(id)
    }
    this.#dropForgotten()
  }

  #dropForgotten(): void {
    this.#store.forgetFacts(this.registers.forget(fact => this.#isForgotten(fact)))
  }

  #isForgotten(fact: Fact): boolean {
    return evidenceKinds.has(fact.kind) && this.#past.has(fact.name.slice(0, 52))
  }

  /** The next version of one of this node's own facts; null if it would say the same again in the same epoch. */
  own(kind: string, name: string, body: unknown): Fact | null {
    const text = JSON.stringify(body)
    const held = this.registers.get(factKey({ kind, owner: this.self, name }))
    if (held?.body === text && (held.epoch === this.#epoch || kind !== 'status')) return null
    const version = held === undefined || held.epoch < this.#epoch ? 1 : held.version + 1
    return this.#options.sign({ kind, owner: this.self, name, epoch: Math.max(this.#epoch, held?.epoch ?? 0), version, body: text })
  }

  /** How long this node has known an order, or a hold, while it ran, ms: no clock that somebody sets decides about a deadline. */
  ageOf(id: string): number {
    let age = this.#ages.get(id)
    if (age === undefined) {
      age = { before: Number(this.#store.remembered(`age ${id}`) ?? 0), since: this.#options.now() }
      this.#ages.set(id, age)
    }
    return age.before + this.#options.now() - age.since
  }

  /** Writes the ages down, for the next start. */
  keepAges(): void {
    for (const id of this.#ages.keys()) this.#store.remember(`age ${id}`, String(Math.round(this.ageOf(id))))
    this.#rootAges.keep()
  }

  orders(): ReturnType<OrderBook['orders']> {
    const { fleet } = this
    return this.book.orders({ ageOf: id => this.ageOf(id), isGone: node => fleet.hasGone(node), membership: fleet.membership })
  }

  /** @throws ShoalError DISK_FULL, DB_LOCKED: the plan counts, but is asked for again after the next start, and nobody gets it from here */
  addPlan(digest: Digest, text: string): Plan {
    const plan = parsePlan(parseJson(text, `plan ${digest}`))
    this.book.addPlan(digest, plan)
    this.#store.saveDocument(digest, text)
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
    const text = digest === undefined ? undefined : this.#store.document(digest)
    if (digest !== undefined && text !== undefined) this.book.addPlan(digest, parsePlan(parseJson(text, `plan ${digest}`)))
  }
}
