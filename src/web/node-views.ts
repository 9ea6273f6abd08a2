/**
 * How each node is shown, worked out once and kept until something that it is made of changes: what the node said of itself, a hold, how far an
 * order is, how the node is reached. So a question about ten thousand nodes costs what has changed since the last one. What only time changes,
 * ages and what is left of a hold, is never kept.
 */
import {
  type Fact,
  factKey,
  type Health,
  type NodeBody,
  type NodeId,
  type Outcome,
  parseJson,
  parseStatusBody,
  type Reason,
  type StatusBody,
} from '../model/index.ts'
import { type Held, isExpired, isNewer, type KnownOrder, plannedWave, stateOf, weigh } from '../rollout/index.ts'
import { desiredOf, ownOf } from './desired.ts'
import type { WebServices } from './services.ts'

/** A node without its age, which is another at each look. */
export interface NodePicture {
  readonly id: NodeId
  readonly name: string
  readonly address: string
  readonly platform: string
  readonly nodejs: string
  readonly tags: readonly string[]
  readonly self: boolean
  readonly reach: string
  readonly app: StatusBody['app']
  readonly shoal: StatusBody['shoal'] | null
  readonly desired: { readonly app: string | null; readonly shoal: string | null }
  readonly health: Health
  /** Who holds the node, and for how long still. */
  readonly held: Held | null
  readonly rollout: string | null
  readonly step: StatusBody['step']
  readonly outcome: Outcome | null
  readonly percent: number
  readonly reason: Reason | null
  readonly bytes: StatusBody['bytes']
  readonly migrationMs: StatusBody['migrationMs']
  readonly since: string
}

export interface NodeView extends NodePicture {
  readonly ageMs: number
}

type InOrder = Pick<NodePicture, 'rollout' | 'step' | 'outcome' | 'percent' | 'reason' | 'bytes' | 'migrationMs'>

const noBytes = { fetched: 0, reused: 0, served: 0, sources: 0 }
/** Facts of a node that are shown of it alone, and those that name the node which they are about. */
const ofOwner = new Set(['node', 'status', 'outcome', 'preflight'])
const ofName = new Set(['hold', 'member', 'removal'])
const ofAll = new Set(['root', 'order', 'control'])

const byName = new Intl.Collator('en').compare
const read = new WeakMap<Fact, StatusBody>()

/** A status fact, parsed once. */
function statusOf(fact: Fact | undefined): StatusBody | null {
  if (fact === undefined) return null
  const body = read.get(fact) ?? parseStatusBody(parseJson(fact.body, 'status'))
  read.set(fact, body)
  return body
}

export class NodeViews {
  readonly #s: Pick<WebServices, 'replica' | 'reach' | 'ageMs' | 'self'>
  readonly #kept = new Map<NodeId, NodePicture>()
  /** Newest first, as of the last look. */
  #orders: readonly KnownOrder[] = []
  #standing = ''
  #members: readonly NodeId[] = []
  /** Of which members, by which names, the sequence is. */
  #sequence = ''
  #isWatching = false

  constructor(services: Pick<WebServices, 'replica' | 'reach' | 'ageMs' | 'self'>) {
    this.#s = services
  }

  status(id: NodeId): StatusBody | null {
    return statusOf(this.#s.replica.registers.get(factKey({ kind: 'status', owner: id, name: '' })))
  }

  readonly isLost = (id: NodeId): boolean => this.#s.reach(id) === 'lost'

  /** All members by name; with those that were removed, if they are asked for. */
  all(withRemoved: boolean): readonly NodePicture[] {
    this.#look()
    const members = this.#sorted().map(id => this.#picture(id))
    if (!withRemoved) return members
    return [...members, ...this.#s.replica.fleet.removed().map(id => this.#picture(id))].toSorted(inSequence)
  }

  one(id: NodeId): NodePicture {
    this.#look()
    return this.#picture(id)
  }

  some(ids: readonly NodeId[]): readonly NodePicture[] {
    this.#look()
    return ids.map(id => this.#picture(id))
  }

  /** As `some`, with what each did in one order, be it the node's last or not. */
  inOrder(ids: readonly NodeId[], known: KnownOrder): readonly NodePicture[] {
    return this.some(ids).map(node => (node.rollout === known.id ? node : { ...node, ...this.#inOrder(node.id, known) }))
  }

  withAge(node: NodePicture): NodeView {
    return { ...node, ageMs: this.#s.ageMs(node.id) }
  }

  /** Drops what is not so any more, as far as it is not of one node alone. */
  #look(): void {
    const { replica } = this.#s
    if (!this.#isWatching) replica.registers.watch(fact => this.#forget(fact))
    this.#isWatching = true
    this.#orders = replica.orders().toSorted((a, b) => (isNewer(a, b) ? -1 : 1))
    const standing = this.#orders.map(known => this.#standingOf(known)).join(' ')
    if (standing !== this.#standing) this.#kept.clear()
    this.#standing = standing
  }

  #forget({ kind, owner, name }: Fact): void {
    if (ofAll.has(kind)) this.#kept.clear()
    else if (ofOwner.has(kind)) this.#kept.delete(owner as NodeId)
    else if (ofName.has(kind)) this.#kept.delete(name as NodeId)
  }

  /** All of an order by which it concerns nodes that did nothing themselves. */
  #standingOf(known: KnownOrder): string {
    const evidence = weigh(known)
    const { controls, halted, cleared, reached, tallies } = evidence
    const isOver = reached === tallies.length && stateOf(known, evidence, this.isLost).startsWith('completed')
    return [known.id, known.plan === null, controls.aborted, controls.paused, halted, cleared, reached, isExpired(known), isOver].join()
  }

  #sorted(): readonly NodeId[] {
    const { fleet, registers } = this.#s.replica
    const sequence = `${fleet.membership} ${registers.revisionOf('node')}`
    if (sequence === this.#sequence) return this.#members
    const named = fleet.members().map(({ id }) => ({ id, name: nameOf(id, fleet.node(id)) }))
    this.#members = named.toSorted(inSequence).map(({ id }) => id)
    this.#sequence = sequence
    return this.#members
  }

  #picture(id: NodeId): NodePicture {
    const kept = this.#kept.get(id)
    // What this node says of itself while it is silent stands in the registers alone.
    if (kept?.held === null && !kept.self && kept.reach === this.#s.reach(id)) return kept
    const made = this.#make(id)
    this.#kept.set(id, made)
    return made
  }

  #make(id: NodeId): NodePicture {
    const body = this.#s.replica.fleet.node(id)
    const status = this.status(id)
    const held = this.#s.replica.holds.of(id)
    const shown = this.#orders.find(o => o.id === status?.rollout) ?? this.#orders.find(o => concerns(o, id))
    const own = ownOf(id, body, status, this.isLost)
    return {
      id,
      name: nameOf(id, body),
      address: body?.addresses[0] ?? '',
      platform: body?.platform ?? '',
      nodejs: body?.nodejs ?? '',
      tags: body?.tags ?? [],
      self: id === this.#s.self,
      reach: this.#s.reach(id),
      app: status?.app ?? null,
      shoal: status?.shoal ?? null,
      desired: { app: desiredOf(this.#orders, 'app', own), shoal: desiredOf(this.#orders, 'shoal', own) },
      health: held !== null && status?.health !== 'degraded' && status?.health !== 'safe-mode' ? 'held' : (status?.health ?? 'ok'),
      held,
      ...this.#inOrder(id, shown),
      since: status?.since ?? '',
    }
  }

  #inOrder(id: NodeId, known: KnownOrder | undefined): InOrder {
    const status = this.status(id)
    const isCurrent = known !== undefined && status?.rollout === known.id
    return {
      rollout: known?.id ?? null,
      step: isCurrent ? status.step : 'idle',
      percent: isCurrent ? status.percent : 0,
      bytes: isCurrent ? status.bytes : noBytes,
      migrationMs: isCurrent ? status.migrationMs : null,
      ...this.#ending(id, known),
    }
  }

  #ending(id: NodeId, known: KnownOrder | undefined): Pick<NodePicture, 'outcome' | 'reason'> {
    if (known === undefined) return { outcome: null, reason: null }
    const outcome = known.outcomes.get(id)
    const { controls } = weigh(known)
    if (outcome !== undefined && (outcome.outcome === 'confirmed' || outcome.attempt >= controls.attemptOf(id)))
      return { outcome: outcome.outcome, reason: outcome.reason }
    if (controls.skipped.has(id)) return { outcome: 'skipped', reason: { code: 'SKIPPED', message: 'an operator left the node out' } }
    if (known.gone.has(id)) return { outcome: 'missing', reason: { code: 'NOT_MEMBER', message: 'it has left the fleet' } }
    const preflight = known.preflights.get(id)
    if (preflight?.go === false && preflight.attempt >= controls.attemptOf(id)) return { outcome: 'refused', reason: preflight.reason }
    const held = this.#s.replica.holds.of(id)
    const why = held === null ? '' : `held by ${held.by}${held.reason === '' ? '' : `: ${held.reason}`}`
    return { outcome: this.isLost(id) ? 'missing' : null, reason: held === null ? null : { code: 'HELD', message: why } }
  }
}

const nameOf = (id: NodeId, body: NodeBody | undefined): string => body?.name ?? id.slice(0, 8)

type Named = Pick<NodePicture, 'id' | 'name'>
const inSequence = (a: Named, b: Named): number => byName(a.name, b.name) || (a.id < b.id ? -1 : 1)

const concerns = (known: KnownOrder, id: NodeId): boolean =>
  known.outcomes.has(id) || (known.plan !== null && plannedWave(known.plan, id) !== undefined)
