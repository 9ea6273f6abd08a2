/** What the API shows (CONTRACT section 3), made from the replica. Every node makes the same picture from the same facts. */
import compare from 'semver/functions/compare.js'
import {
  type Digest,
  type Fact,
  factKey,
  type NodeId,
  type PackageKind,
  parseHoldingsBody,
  parseJson,
  type StatusBody,
} from '../model/index.ts'
import {
  isNewer,
  type KnownOrder,
  type KnownRelease,
  opensNext,
  opensWhen,
  type RolloutState,
  stateOf,
  waveState,
  weigh,
} from '../rollout/index.ts'
import { type NodePicture, type NodeView, NodeViews } from './node-views.ts'
import type { WebServices } from './services.ts'

export interface WaveView {
  readonly state: 'closed' | 'open' | 'passed'
  readonly nodes: readonly NodeId[]
  readonly need: number
  readonly confirmed: number
  readonly failed: number
  readonly missing: number
}

const holdingsRead = new WeakMap<Fact, readonly Digest[]>()

function holdingsOf(fact: Fact | undefined): readonly Digest[] {
  if (fact === undefined) return []
  const packages = holdingsRead.get(fact) ?? parseHoldingsBody(parseJson(fact.body, 'holdings')).packages
  holdingsRead.set(fact, packages)
  return packages
}

export interface ReleaseView {
  readonly id: Digest
  readonly kind: PackageKind
  readonly name: string
  readonly version: string
  readonly packages: Readonly<Record<string, string>>
  /** How many members have a package of it. */
  readonly nodes: number
  readonly notes: string
}

export class Views {
  readonly #s: WebServices
  readonly #nodes: NodeViews

  constructor(services: WebServices) {
    this.#s = services
    this.#nodes = new NodeViews(services)
  }

  status(id: NodeId): StatusBody | null {
    return this.#nodes.status(id)
  }

  holdings(id: NodeId): readonly Digest[] {
    return holdingsOf(this.#s.replica.registers.get(factKey({ kind: 'holdings', owner: id, name: '' })))
  }

  /** Who is lost, or held, does nothing for a rollout now. */
  readonly isAway = (id: NodeId): boolean => this.#nodes.isLost(id) || this.#s.replica.holds.of(id) !== null

  nodes(withRemoved: boolean): readonly NodePicture[] {
    return this.#nodes.all(withRemoved)
  }

  node(id: NodeId): NodeView {
    return this.withAge(this.#nodes.one(id))
  }

  someNodes(ids: readonly NodeId[]): readonly NodePicture[] {
    return this.#nodes.some(ids)
  }

  /** The nodes with the step and outcome that they had in this order; of all others it is their last. */
  nodesIn(known: KnownOrder, ids: readonly NodeId[] = known.plan?.waves.flatMap(w => w.nodes) ?? []): readonly NodePicture[] {
    return this.#nodes.inOrder(ids, known)
  }

  withAge(node: NodePicture): NodeView {
    return this.#nodes.withAge(node)
  }

  rollouts(): readonly KnownOrder[] {
    return this.#s.replica.orders().toSorted((a, b) => (isNewer(a, b) ? -1 : 1))
  }

  state(known: KnownOrder): RolloutState {
    return stateOf(known, weigh(known), this.isAway)
  }

  /** When the window of an order opens, by this node's clock; null: it has none, or that is open. */
  opens({ order: { window } }: KnownOrder): string | null {
    if (window === null) return null
    try {
      return opensNext(window, this.#s.wallNow())
    } catch {
      // A zone that this node's tables do not know keeps it shut here (the driver's log says why), until nobody can say when.
      return window
    }
  }

  rollout(known: KnownOrder, withNodes: boolean): Record<string, unknown> {
    const evidence = weigh(known)
    const state = stateOf(known, evidence, this.isAway)
    const { order } = known
    const view = {
      id: known.id,
      release: `${order.name}@${order.version}`,
      kind: order.kind,
      initiatedBy: order.by,
      initiatedAt: order.at,
      dryRun: order.dryRun,
      state,
      opensWhen: opensWhen(known, evidence, state, this.opens(known)) + this.#heldText(known, state),
      waves: this.waves(known, evidence),
    }
    if (!withNodes) return view
    const log = (id: NodeId): readonly string[] => known.outcomes.get(id)?.log ?? []
    const go = (id: NodeId): boolean | null => known.preflights.get(id)?.go ?? null
    return { ...view, nodes: this.nodesIn(known).map(node => ({ ...this.withAge(node), go: go(node.id), log: log(node.id) })) }
  }

  /** A rollout whose waves say how many they are instead of who: in a great fleet the names are half a megabyte. */
  brief(known: KnownOrder): Record<string, unknown> {
    const waves = this.waves(known).map(({ nodes, ...wave }) => ({ ...wave, size: nodes.length }))
    return { ...this.rollout(known, false), waves }
  }

  /** Whom a rollout waits for because somebody holds them. */
  #heldText(known: KnownOrder, state: RolloutState): string {
    if (state !== 'stalled' && state !== 'open') return ''
    const nodes = known.plan?.waves.flatMap(w => w.nodes) ?? []
    const held = nodes.filter(id => !known.outcomes.has(id) && this.#s.replica.holds.of(id) !== null)
    const names = held.slice(0, 5).map(id => this.#s.replica.fleet.node(id)?.name ?? id.slice(0, 8))
    return held.length === 0
      ? ''
      : `; held: ${names.join(', ')}${held.length > names.length ? ` and ${held.length - names.length} more` : ''}`
  }

  readonly #isMidway =
    (known: KnownOrder) =>
    (id: NodeId): boolean => {
      const status = this.status(id)
      return status?.rollout === known.id && (status.step === 'switching' || status.step === 'probation')
    }

  waves(known: KnownOrder, evidence = weigh(known)): readonly WaveView[] {
    return (known.plan?.waves ?? []).map((wave, at) => {
      const t = evidence.tallies[at]
      if (t === undefined) return { state: 'closed', nodes: wave.nodes, need: wave.nodes.length, confirmed: 0, failed: 0, missing: 0 }
      const lost = t.pending.filter(this.isAway).length
      return {
        state: waveState(known, evidence, at, this.#isMidway(known)),
        nodes: wave.nodes,
        need: t.need,
        confirmed: t.confirmed.length,
        failed: t.failed.length,
        missing: t.refused.length + t.skipped.length + t.gone.length + lost,
      }
    })
  }

  releases(): readonly ReleaseView[] {
    const sorted = this.#s.replica.book.releases().toSorted(
      // By what they say, since facts come in another order to every node and at every start.
      ({ release: a, document }, { release: b, document: other }) =>
        a.name.localeCompare(b.name, 'en') || compare(a.version, b.version) || (document < other ? -1 : 1),
    )
    const holders = this.#holdersOf(sorted)
    return sorted.map(({ document, release }) => ({
      id: document,
      kind: release.kind,
      name: release.name,
      version: release.version,
      packages: Object.fromEntries(Object.entries(release.packages).map(([platform, ref]) => [platform, ref.digest])),
      nodes: holders.get(document) ?? 0,
      notes: release.notes,
    }))
  }

  /** How many members have a package of each release, whichever platform's. */
  #holdersOf(releases: readonly KnownRelease[]): ReadonlyMap<Digest, number> {
    const documents = Map.groupBy(
      releases.flatMap(({ document, release }) => Object.values(release.packages).map(({ digest }) => ({ digest, document }))),
      ({ digest }) => digest,
    )
    const counts = new Map<Digest, number>()
    for (const { id } of this.#s.replica.fleet.members()) {
      const held = new Set(this.holdings(id).flatMap(digest => documents.get(digest)?.map(each => each.document) ?? []))
      for (const document of held) counts.set(document, (counts.get(document) ?? 0) + 1)
    }
    return counts
  }
}
