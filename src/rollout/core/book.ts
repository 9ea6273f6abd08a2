/**
 * The order book: what the facts say about rollouts, indexed by order. It takes facts that were judged good, in any sequence, and never
 * decides anything. Plans come by digest, later than their orders.
 */
import {
  type Control,
  type Digest,
  type Fact,
  type NodeId,
  type Order,
  type OrderId,
  type OutcomeBody,
  parseControl,
  parseEnvelope,
  parseJson,
  parseNodeId,
  parseOrder,
  parseOrderId,
  parseOutcomeBody,
  parsePreflightBody,
  parseReceiptBody,
  parseRelease,
  type Plan,
  type PreflightBody,
  type Release,
} from '../../model/index.ts'
import type { KnownControl, KnownOrder, Receipt } from './types.ts'

interface Entry {
  order: Order | null
  readonly controls: Map<string, KnownControl>
  readonly preflights: Map<NodeId, PreflightBody>
  readonly outcomes: Map<NodeId, OutcomeBody>
  readonly receipts: Map<NodeId, Receipt[]>
  /** What was last made of it. */
  made: Made | null
}

interface Made {
  /** Nothing but the age has changed since. */
  stands: boolean
  readonly membership: number
  readonly known: KnownOrder
}

type IsGone = (node: NodeId) => boolean
const nobody: IsGone = () => false

/** What an order is seen with beside its facts. */
export interface Surroundings {
  readonly ageOf: (id: OrderId) => number
  readonly isGone: IsGone
  /** Counts changes of what `isGone` answers; without it nothing is remembered. */
  readonly membership?: number
}

/** A release with the digest of its document, by which orders name it. */
export interface KnownRelease {
  readonly document: Digest
  readonly release: Release
}

/** The payload of an envelope's fact; the signature was judged before. */
export const payloadOf = (fact: Fact): unknown =>
  parseJson(Buffer.from(parseEnvelope(parseJson(fact.body, fact.kind)).payload, 'base64').toString('utf8'), fact.kind)

export class OrderBook {
  readonly #entries = new Map<string, Entry>()
  readonly #forgotten = new Set<string>()
  readonly #plans = new Map<Digest, Plan>()
  readonly #releases = new Map<Digest, Release>()

  take(fact: Fact): void {
    if (fact.kind === 'release') this.addRelease(fact.name as Digest, parseRelease(payloadOf(fact)))
    else if (fact.kind === 'order') this.addOrder(parseOrderId(fact.name), parseOrder(payloadOf(fact)))
    else if (fact.kind === 'control') this.addControl(fact.name, parseControl(payloadOf(fact)))
    else if (fact.kind === 'preflight') this.addPreflight(parseNodeId(fact.owner), parsePreflightBody(parseJson(fact.body, 'preflight')))
    else if (fact.kind === 'outcome') this.addOutcome(parseNodeId(fact.owner), parseOutcomeBody(parseJson(fact.body, 'outcome')))
    else if (fact.kind === 'receipt') {
      this.addReceipt({ ...parseReceiptBody(parseJson(fact.body, 'receipt')), witness: parseNodeId(fact.owner) })
    }
  }

  addRelease(document: Digest, release: Release): void {
    this.#releases.set(document, release)
    this.#changed(order => order.release === document)
  }

  addPlan(digest: Digest, plan: Plan): void {
    this.#plans.set(digest, plan)
    this.#changed(order => order.plan === digest)
  }

  addOrder(id: OrderId, order: Order): void {
    this.#touched(id).order = order
  }

  /** `name` ends in the hash that breaks ties. */
  addControl(name: string, control: Control): void {
    this.#touched(control.order).controls.set(name, { ...control, hash: name })
  }

  addPreflight(node: NodeId, body: PreflightBody): void {
    this.#touched(body.order).preflights.set(node, body)
  }

  addOutcome(node: NodeId, body: OutcomeBody): void {
    this.#touched(body.order).outcomes.set(node, body)
  }

  addReceipt(receipt: Receipt): void {
    const { receipts } = this.#touched(receipt.order)
    const others = (receipts.get(receipt.node) ?? []).filter(r => r.witness !== receipt.witness)
    receipts.set(receipt.node, [...others, receipt])
  }

  releases(): readonly KnownRelease[] {
    return [...this.#releases].map(([document, release]) => ({ document, release }))
  }

  release(document: Digest): Release | undefined {
    return this.#releases.get(document)
  }

  /** Digests of plans that orders name and that are not here yet. */
  missingPlans(): readonly Digest[] {
    const wanted = [...this.#entries.values()].flatMap(e => (e.order === null ? [] : [e.order.plan]))
    return [...new Set(wanted)].filter(digest => !this.#plans.has(digest))
  }

  /** They are not looked at again, whatever comes about them. */
  forget(order: OrderId): void {
    this.#forgotten.add(order)
    this.#entries.delete(order)
  }

  /** @param isGone no member any more; without it everybody is one */
  order(id: string, ageMs: number, isGone: IsGone = nobody): KnownOrder | undefined {
    const entry = this.#entries.get(id)
    return entry?.order == null ? undefined : this.#known(id as OrderId, entry, entry.order, ageMs, isGone)
  }

  orders({ ageOf, isGone, membership }: Surroundings): readonly KnownOrder[] {
    const known: KnownOrder[] = []
    for (const [id, entry] of this.#entries) {
      if (entry.order === null) continue
      const { made } = entry
      const ageMs = ageOf(id as OrderId)
      if (made?.stands === true && made.membership === membership) known.push({ ...made.known, ageMs })
      else known.push(this.#remember(entry, this.#known(id as OrderId, entry, entry.order, ageMs, isGone, membership), membership))
    }
    return known
  }

  #known(id: OrderId, entry: Entry, order: Order, ageMs: number, isGone: IsGone, membership?: number): KnownOrder {
    const plan = this.#plans.get(order.plan) ?? null
    const before = entry.made?.membership === membership && entry.made?.known.plan === plan ? entry.made.known.gone : null
    return {
      id,
      order,
      plan,
      gone: before ?? new Set(plan?.waves.flatMap(w => w.nodes.filter(isGone))),
      release: this.#releases.get(order.release) ?? null,
      controls: [...entry.controls.values()],
      preflights: entry.preflights,
      outcomes: entry.outcomes,
      receipts: entry.receipts,
      ageMs,
    }
  }

  #remember(entry: Entry, known: KnownOrder, membership: number | undefined): KnownOrder {
    if (membership === undefined) return known
    const stamped = { ...known, stamp: {} }
    entry.made = { stands: true, membership, known: stamped }
    return stamped
  }

  #changed(isMeant: (order: Order) => boolean): void {
    for (const { order, made } of this.#entries.values()) if (order !== null && made !== null && isMeant(order)) made.stands = false
  }

  /** The entry, to be changed. */
  #touched(id: string): Entry {
    const entry = this.#entry(id)
    if (entry.made !== null) entry.made.stands = false
    return entry
  }

  #entry(id: string): Entry {
    let entry = this.#entries.get(id)
    if (entry === undefined) {
      entry = { order: null, controls: new Map(), preflights: new Map(), outcomes: new Map(), receipts: new Map(), made: null }
      if (!this.#forgotten.has(id)) this.#entries.set(id, entry)
    }
    return entry
  }
}
