/**
 * Drafts of orders: the node knows the fleet, so it makes the plan; the operator's client checks and signs it. Nothing is changed by a draft.
 */
import gt from 'semver/functions/gt.js'
import {
  asBoolean,
  asInteger,
  asString,
  type Digest,
  type Fields,
  type NodeId,
  type Order,
  parseOperatorName,
  parseSelector,
  parseTag,
  type Plan,
  ShoalError,
} from '../model/index.ts'
import { type Candidate, defaultWaves, type KnownRelease, makePlan, parseWindow } from '../rollout/index.ts'
import { sha256 } from '../trust/index.ts'
import { findNode } from './names.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

export interface Draft {
  readonly order: Order
  readonly planText: string
  readonly plan: Plan
  readonly names: Readonly<Record<string, string>>
}

const week = 7 * 86_400_000
const text = (max: number) => (v: unknown, w: string) => asString(v, w, max)
const flag = (f: Fields, key: string): boolean => f.maybe(key, asBoolean, false)
const number = (f: Fields, key: string, otherwise: number): number => f.maybe(key, (v, w) => asInteger(v, w, 0), otherwise)
const limit = (f: Fields, key: string): number | null => f.maybe(key, (v, w) => asInteger(v, w, 0), null)

export class Drafts {
  readonly #s: WebServices
  readonly #views: Views

  constructor(services: WebServices, views: Views) {
    this.#s = services
    this.#views = views
  }

  /**
   * @param person who will sign; null: the field `by` says
   * @throws ShoalError UNKNOWN_RELEASE, DOWNGRADE, NOTHING_TO_DO, NO_EARLIER_RELEASE, NOT_FOUND, AMBIGUOUS, BAD_REQUEST
   */
  order(f: Fields, person: string | null): Draft {
    const isRollback = f.has('rollback')
    const { document, release } = isRollback ? this.#earlier(f) : this.#named(f.string('release', 200))
    const window = f.maybe('window', text(100), null)
    if (window !== null) parseWindow(window)
    if (f.has('data'))
      throw new ShoalError('BAD_REQUEST', 'data: keep and restore are not there yet; a rollback over a migration is refused by DATA_NEWER')
    const candidates = this.#candidates(f)
    const allowDowngrade = isRollback || flag(f, 'allowDowngrade')
    if (!allowDowngrade) this.#refuseDowngrade(release, candidates)
    const plan = makePlan(candidates, {
      waves: f.maybe('waves', text(200), defaultWaves),
      canary: this.#nodes(f, 'canary'),
      maxFailed: limit(f, 'maxFailed'),
      maxMissing: limit(f, 'maxMissing'),
      self: this.#s.self,
    })
    const planText = JSON.stringify(plan)
    const order: Order = {
      fleet: this.#s.replica.fleet.root.fleet,
      generation: this.#s.replica.fleet.generation + 1,
      kind: release.kind,
      name: release.name,
      version: release.version,
      release: document,
      plan: sha256(planText),
      selector: parseSelector({ only: this.#nodes(f, 'only'), tags: this.#tags(f) }),
      soakMs: number(f, 'soakMs', 10_000),
      witnesses: number(f, 'witnesses', 1),
      deadlineMs: number(f, 'deadlineMs', week),
      window,
      allowDowngrade,
      data: null,
      replaceApp: flag(f, 'replaceApp'),
      force: flag(f, 'force'),
      dryRun: flag(f, 'dryRun'),
      by: person ?? f.get('by', parseOperatorName),
      at: this.#s.wallNow().toISOString(),
      node: this.#s.self,
    }
    return { order, planText, plan, names: this.#names(candidates) }
  }

  #named(wanted: string): KnownRelease {
    const at = wanted.lastIndexOf('@')
    const found = this.#s.replica.book
      .releases()
      .find(r => r.release.name === wanted.slice(0, at) && r.release.version === wanted.slice(at + 1))
    if (at < 1 || found === undefined) throw new ShoalError('UNKNOWN_RELEASE', `there is no release ${wanted}`)
    return found
  }

  /** The last release that the whole fleet confirmed before the one that is ordered now, or the named version of the same app. */
  #earlier(f: Fields): KnownRelease {
    const orders = this.#views.rollouts().filter(o => o.order.kind === 'app' && !o.order.dryRun)
    const [newest] = orders
    if (newest === undefined) throw new ShoalError('NO_EARLIER_RELEASE', 'there was no rollout yet')
    const to = f.get('rollback', (v): string | null => {
      const asked = (v as { to?: unknown }).to ?? null
      return asked === null ? null : asString(asked, 'rollback.to', 64)
    })
    if (to !== null) return this.#named(`${newest.order.name}@${to}`)
    const isDone = (o: (typeof orders)[number]): boolean => ['completed', 'completed-with-exceptions'].includes(this.#views.state(o))
    // The last one that was confirmed; if that is what runs everywhere, the one before it.
    const earlier = orders.find(o => isDone(o) && !this.#runsEverywhere(o.order.release))
    const release = earlier === undefined ? undefined : this.#s.replica.book.release(earlier.order.release)
    if (earlier === undefined || release === undefined) {
      throw new ShoalError('NO_EARLIER_RELEASE', `no release was confirmed before ${newest.order.name}@${newest.order.version}`)
    }
    return { document: earlier.order.release, release }
  }

  #runsEverywhere(document: Digest): boolean {
    const release = this.#s.replica.book.release(document)
    const digests = Object.values(release?.packages ?? {}).map(p => p.digest)
    const members = this.#s.replica.fleet
      .members()
      .filter(m => !this.#views.isLost(m.id))
      .map(m => this.#views.status(m.id)?.app?.digest)
    return members.every(running => running === undefined || digests.includes(running))
  }

  #nodes(f: Fields, key: string): readonly NodeId[] {
    return f.has(key) ? f.list(key, (v, w) => findNode(this.#s, asString(v, w, 64)), 20_000) : []
  }

  #tags(f: Fields): readonly string[] {
    return f.has('tags') ? f.list('tags', parseTag, 100) : []
  }

  #candidates(f: Fields): readonly Candidate[] {
    const only = this.#nodes(f, 'only')
    const tags = this.#tags(f)
    const isMeant = (id: NodeId, has: readonly string[]): boolean =>
      (only.length === 0 && tags.length === 0) || only.includes(id) || tags.some(t => has.includes(t))
    return this.#views
      .nodes(false)
      .filter(n => isMeant(n.id, n.tags))
      .map(n => ({
        id: n.id,
        platform: n.platform,
        nodejs: n.nodejs,
        tags: n.tags,
        lost: n.reach === 'lost' || n.held !== null,
        healthy: n.health === 'ok',
      }))
  }

  #refuseDowngrade(release: KnownRelease['release'], candidates: readonly Candidate[]): void {
    for (const { id } of candidates) {
      const runs = release.kind === 'app' ? this.#views.status(id)?.app : this.#views.status(id)?.shoal
      if (runs?.name === release.name && gt(runs.version, release.version)) {
        throw new ShoalError('DOWNGRADE', `node ${id.slice(0, 8)} runs ${runs.name}@${runs.version}, the order is for ${release.version}`)
      }
    }
  }

  #names(candidates: readonly Candidate[]): Readonly<Record<string, string>> {
    return Object.fromEntries(candidates.map(c => [c.id, this.#s.replica.fleet.node(c.id)?.name ?? c.id.slice(0, 8)]))
  }
}
