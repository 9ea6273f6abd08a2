/** What the API shows (CONTRACT section 3), made from the replica. Every node makes the same picture from the same facts. */
import compare from 'semver/functions/compare.js'
import {
  type Digest,
  type Health,
  type NodeId,
  type Outcome,
  parseJson,
  parseStatusBody,
  parseHoldingsBody,
  type PackageKind,
  type Reason,
  type StatusBody,
  factKey,
} from '../model/index.ts'
import {
  followed,
  type Held,
  isNewer,
  isOpen,
  type KnownOrder,
  opensWhen,
  plannedWave,
  type Own,
  type RolloutState,
  stateOf,
  waveOf,
  waveState,
  weigh,
} from '../rollout/index.ts'
import type { WebServices } from './services.ts'

export interface NodeView {
  readonly id: NodeId
  readonly name: string
  readonly address: string
  readonly platform: string
  readonly nodejs: string
  readonly tags: readonly string[]
  readonly self: boolean
  readonly reach: string
  readonly ageMs: number
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
  readonly since: string
}

export interface WaveView {
  readonly state: 'closed' | 'open' | 'passed'
  readonly nodes: readonly NodeId[]
  readonly need: number
  readonly confirmed: number
  readonly failed: number
  readonly missing: number
}

const noBytes = { fetched: 0, reused: 0, served: 0, sources: 0 }
const lastOf = <T>(list: readonly T[]): T | undefined => list[list.length - 1]

export class Views {
  readonly #s: WebServices

  constructor(services: WebServices) {
    this.#s = services
  }

  status(id: NodeId): StatusBody | null {
    const fact = this.#s.replica.registers.get(factKey({ kind: 'status', owner: id, name: '' }))
    return fact === undefined ? null : parseStatusBody(parseJson(fact.body, 'status'))
  }

  holdings(id: NodeId): readonly Digest[] {
    const fact = this.#s.replica.registers.get(factKey({ kind: 'holdings', owner: id, name: '' }))
    return fact === undefined ? [] : parseHoldingsBody(parseJson(fact.body, 'holdings')).packages
  }

  readonly isLost = (id: NodeId): boolean => this.#s.reach(id) === 'lost'

  /** Who is lost, or held, does nothing for a rollout now. */
  readonly isAway = (id: NodeId): boolean => this.isLost(id) || this.#s.replica.holds.of(id) !== null

  nodes(isAll: boolean): readonly NodeView[] {
    const { fleet } = this.#s.replica
    const ids = [...fleet.members().map(m => m.id), ...(isAll ? fleet.removed() : [])]
    const orders = this.#s.replica.orders()
    return ids.map(id => this.node(id, orders)).toSorted((a, b) => a.name.localeCompare(b.name, 'en') || (a.id < b.id ? -1 : 1))
  }

  /** @param rollout the order whose step and outcome are shown; default: the node's last */
  node(id: NodeId, orders: readonly KnownOrder[] = this.#s.replica.orders(), rollout?: KnownOrder): NodeView {
    const body = this.#s.replica.fleet.node(id)
    const status = this.status(id)
    const shown = rollout ?? orders.find(o => o.id === status?.rollout) ?? lastOrderOf(orders, id)
    const held = this.#s.replica.holds.of(id)
    const isCurrent = shown !== undefined && status !== null && status.rollout === shown.id
    return {
      id,
      name: body?.name ?? id.slice(0, 8),
      address: body?.addresses[0] ?? '',
      platform: body?.platform ?? '',
      nodejs: body?.nodejs ?? '',
      tags: body?.tags ?? [],
      self: id === this.#s.self,
      reach: this.#s.reach(id),
      ageMs: this.#s.ageMs(id),
      app: status?.app ?? null,
      shoal: status?.shoal ?? null,
      desired: { app: this.#desired(orders, id, status, 'app'), shoal: this.#desired(orders, id, status, 'shoal') },
      health: held !== null && status?.health !== 'degraded' && status?.health !== 'safe-mode' ? 'held' : (status?.health ?? 'ok'),
      held,
      rollout: shown?.id ?? null,
      step: isCurrent ? status.step : 'idle',
      ...this.#ending(id, shown),
      percent: isCurrent ? status.percent : 0,
      bytes: isCurrent ? status.bytes : noBytes,
      since: status?.since ?? '',
    }
  }

  #ending(id: NodeId, known: KnownOrder | undefined): { readonly outcome: Outcome | null; readonly reason: Reason | null } {
    if (known === undefined) return { outcome: null, reason: null }
    const outcome = known.outcomes.get(id)
    const { controls } = weigh(known)
    if (outcome !== undefined && (outcome.outcome === 'confirmed' || outcome.attempt >= controls.attemptOf(id)))
      return { outcome: outcome.outcome, reason: outcome.reason }
    if (controls.skipped.has(id)) return { outcome: 'skipped', reason: { code: 'SKIPPED', message: 'an operator left the node out' } }
    const preflight = known.preflights.get(id)
    if (preflight?.go === false && preflight.attempt >= controls.attemptOf(id)) return { outcome: 'refused', reason: preflight.reason }
    const held = this.#s.replica.holds.of(id)
    const why = held === null ? '' : `held by ${held.by}${held.reason === '' ? '' : `: ${held.reason}`}`
    return { outcome: this.isLost(id) ? 'missing' : null, reason: held === null ? null : { code: 'HELD', message: why } }
  }

  #desired(orders: readonly KnownOrder[], id: NodeId, status: StatusBody | null, kind: PackageKind): string | null {
    const who = this.#asOwn(id, status)
    let rest = orders
    for (;;) {
      const known = followed(rest, kind, who)
      if (known === null) return null
      const wave = waveOf(known, who)
      if (who.begun.has(known.id) || known.outcomes.has(id) || (wave !== null && isOpen(known, weigh(known), wave))) {
        return `${known.order.name}@${known.order.version}`
      }
      rest = rest.filter(o => isNewer(known, o))
    }
  }

  #asOwn(id: NodeId, status: StatusBody | null): Own {
    const body = this.#s.replica.fleet.node(id)
    const isBusy = status?.step === 'switching' || status?.step === 'probation'
    return {
      id,
      tags: body?.tags ?? [],
      platform: body?.platform ?? '',
      running: { app: status?.app?.digest ?? null, shoal: status?.shoal.digest ?? null },
      begun: new Set(isBusy && status.rollout !== null ? [status.rollout] : []),
      hasPackage: () => true,
      isStaged: () => true,
      isHeld: false,
      isHealthy: true,
      isInWindow: () => true,
      evidenceAgeMs: () => 0,
      isLost: this.isLost,
    }
  }

  rollouts(): readonly KnownOrder[] {
    return this.#s.replica.orders().toSorted((a, b) => (isNewer(a, b) ? -1 : 1))
  }

  state(known: KnownOrder): RolloutState {
    return stateOf(known, weigh(known), this.isAway)
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
      opensWhen: opensWhen(known, evidence, state) + this.#heldText(known, state),
      waves: this.waves(known, evidence),
    }
    if (!withNodes) return view
    const ids = known.plan?.waves.flatMap(w => w.nodes) ?? []
    const orders = this.#s.replica.orders()
    const log = (id: NodeId): readonly string[] => known.outcomes.get(id)?.log ?? []
    return { ...view, nodes: ids.map(id => ({ ...this.node(id, orders, known), log: log(id) })) }
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

  waves(known: KnownOrder, evidence = weigh(known)): readonly WaveView[] {
    return (known.plan?.waves ?? []).map((wave, at) => {
      const t = evidence.tallies[at]
      if (t === undefined) return { state: 'closed', nodes: wave.nodes, need: wave.nodes.length, confirmed: 0, failed: 0, missing: 0 }
      const lost = t.pending.filter(this.isAway).length
      return {
        state: waveState(known, evidence, at),
        nodes: wave.nodes,
        need: t.need,
        confirmed: t.confirmed.length,
        failed: t.failed.length,
        missing: t.refused.length + t.skipped.length + lost,
      }
    })
  }

  releases(): readonly Record<string, unknown>[] {
    const members = this.#s.replica.fleet.members().map(m => this.holdings(m.id))
    const sorted = this.#s.replica.book.releases().toSorted(
      // By what they say, since facts come in another order to every node and at every start.
      ({ release: a, document }, { release: b, document: other }) =>
        a.name.localeCompare(b.name, 'en') || compare(a.version, b.version) || (document < other ? -1 : 1),
    )
    return sorted.map(({ document, release }) => {
      const digests = Object.values(release.packages).map(p => p.digest)
      return {
        id: document,
        kind: release.kind,
        name: release.name,
        version: release.version,
        packages: Object.fromEntries(Object.entries(release.packages).map(([platform, ref]) => [platform, ref.digest])),
        nodes: members.filter(held => digests.some(d => held.includes(d))).length,
        notes: release.notes,
      }
    })
  }
}

function lastOrderOf(orders: readonly KnownOrder[], id: NodeId): KnownOrder | undefined {
  return lastOf(
    orders
      .filter(o => o.outcomes.has(id) || (o.plan !== null && plannedWave(o.plan, id) !== undefined))
      .toSorted((a, b) => (isNewer(a, b) ? 1 : -1)),
  )
}
