/**
 * Drafts of orders: the node knows the fleet, so it makes the plan; the operator's client checks and signs it. Nothing is changed by a draft.
 */
import gt from 'semver/functions/gt.js'
import {
  asBoolean,
  asInteger,
  asOneOf,
  asString,
  didYouMean,
  Fields,
  type NodeId,
  type Order,
  parseOperatorName,
  parseOrderId,
  parseSelector,
  parseTag,
  type Plan,
  type Selector,
  ShoalError,
} from '../model/index.ts'
import { type Candidate, defaultWaves, digestFor, type KnownOrder, type KnownRelease, makePlan, parseWindow } from '../rollout/index.ts'
import { sha256 } from '../trust/index.ts'
import { earlierOrder } from './earlier.ts'
import { findNode, findRollout } from './names.ts'
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
   * @throws ShoalError UNKNOWN_RELEASE, DOWNGRADE, DATA_NEWER, NOTHING_TO_DO, NO_EARLIER_RELEASE, NOT_FOUND, AMBIGUOUS, BAD_REQUEST
   */
  order(f: Fields, person: string | null): Draft {
    const isRollback = f.has('rollback')
    const chosen = isRollback ? this.#earlier(f) : this.#named(f.string('release', 200))
    const { document, release } = chosen
    const window = f.maybe('window', text(100), null)
    if (window !== null) parseWindow(window)
    const data = f.maybe('data', (v, w) => asOneOf(v, w, ['keep', 'restore']), null)
    const candidates = this.#candidates(f)
    const allowDowngrade = isRollback || flag(f, 'allowDowngrade')
    if (!allowDowngrade) this.#refuseDowngrade(release, candidates)
    if (data === null) this.#refuseNewerData(release, candidates)
    this.#refuseWithoutPackage(chosen, candidates)
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
      selector: this.#selector(f),
      soakMs: number(f, 'soakMs', 10_000),
      witnesses: number(f, 'witnesses', 1),
      deadlineMs: number(f, 'deadlineMs', week),
      window,
      allowDowngrade,
      data,
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
    if (at > 0 && found !== undefined) return found
    const names = this.#s.replica.book.releases().map(({ release }) => `${release.name}@${release.version}`)
    throw new ShoalError('UNKNOWN_RELEASE', `there is no release ${wanted}${didYouMean(wanted, names)}`)
  }

  /** What was confirmed before, or the named version of the same app. */
  #earlier(f: Fields): KnownRelease {
    const orders = this.#views.rollouts().filter(o => o.order.kind === 'app')
    const to = new Fields(f.raw('rollback'), 'rollback').maybe('to', text(64), null)
    const from = this.#backFrom(f)
    const newest = from ?? orders.find(o => !o.order.dryRun)
    if (to !== null && newest !== undefined) return this.#named(`${newest.order.name}@${to}`)
    const { order } = earlierOrder(orders, this.#selector(f), from, known => this.#views.state(known))
    const release = this.#s.replica.book.release(order.release)
    if (release === undefined) throw new ShoalError('UNKNOWN_RELEASE', `the release ${order.name}@${order.version} is not known here yet`)
    return { document: order.release, release }
  }

  /** @throws ShoalError PACKAGE_UNAVAILABLE: an order that nobody could ever fulfil */
  #refuseWithoutPackage({ release }: KnownRelease, candidates: readonly Candidate[]): void {
    const held = new Set(this.#s.replica.fleet.members().flatMap(m => this.#views.holdings(m.id)))
    for (const { id, platform } of candidates) {
      const digest = digestFor(release, platform)
      if (digest === null || held.has(digest)) continue
      const what = `${release.name}@${release.version}`
      throw new ShoalError(
        'PACKAGE_UNAVAILABLE',
        `package ${digest.slice(0, 12)}… of ${what}, for node ${id.slice(0, 8)}: no node has it any more`,
      )
    }
  }

  /** The order that a rollback names as the one to leave. */
  #backFrom(f: Fields): KnownOrder | null {
    const id = f.has('rollback') ? new Fields(f.raw('rollback'), 'rollback').maybe('of', parseOrderId, null) : null
    return id === null ? null : findRollout(this.#views, id)
  }

  /** Whom it is for: as asked, else whom the order was for that is left. */
  #selector(f: Fields): Selector {
    const asked = { only: this.#nodes(f, 'only'), tags: this.#tags(f) }
    const isForAll = asked.only.length === 0 && asked.tags.length === 0
    return isForAll ? (this.#backFrom(f)?.order.selector ?? asked) : parseSelector(asked)
  }

  #nodes(f: Fields, key: string): readonly NodeId[] {
    return f.has(key) ? f.list(key, (v, w) => findNode(this.#s, asString(v, w, 64)), 20_000) : []
  }

  #tags(f: Fields): readonly string[] {
    return f.has('tags') ? f.list('tags', parseTag, 100) : []
  }

  #candidates(f: Fields): readonly Candidate[] {
    const { only, tags } = this.#selector(f)
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

  /** Each node knows its own data, and says no to what it cannot open; of others only the release that they run tells. */
  #refuseNewerData({ kind, name, version, dataVersion }: KnownRelease['release'], candidates: readonly Candidate[]): void {
    if (kind !== 'app') return
    const versions = new Map(
      this.#s.replica.book
        .releases()
        .flatMap(({ release }) => Object.values(release.packages).map(ref => [ref.digest, release.dataVersion] as const)),
    )
    for (const { id } of candidates) {
      const runs = this.#views.status(id)?.app
      const has = runs?.name === name ? (versions.get(runs.digest) ?? 0) : 0
      if (has <= dataVersion) continue
      throw new ShoalError(
        'DATA_NEWER',
        `node ${id.slice(0, 8)} has data of version ${has}, ${name}@${version} knows ${dataVersion}: --data keep opens it as it is, --data restore puts back what lay there before`,
      )
    }
  }

  #names(candidates: readonly Candidate[]): Readonly<Record<string, string>> {
    return Object.fromEntries(candidates.map(c => [c.id, this.#s.replica.fleet.node(c.id)?.name ?? c.id.slice(0, 8)]))
  }
}
