/**
 * What some changes mean for who looks at the fleet: the nodes and rollouts that look otherwise now, and which lists to read anew. Made once for all
 * who watch. Of very many nodes only that they changed is said: reading a page is cheaper then.
 */
import { isNodeId, type NodeId } from '../model/index.ts'
import type { Change } from './event-log.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

/** Nodes that are shown in one event. */
const maxNodes = 200
const maxRollouts = 20
const orderIdLength = 52

const ofOwner = new Set(['node', 'status', 'links', 'outcome', 'preflight'])
const ofName = new Set(['member', 'removal', 'hold'])
const ofRollout = new Set(['order', 'control', 'outcome', 'preflight', 'receipt'])
const ofFleet = new Set(['root', 'member', 'removal'])
const signed = new Set(['root', 'release', 'order', 'control', 'removal', 'member', 'hold'])

export interface ServerEvent {
  readonly event: 'nodes' | 'rollouts' | 'releases' | 'peers' | 'fleet' | 'audit'
  readonly data: unknown
}

export class Deltas {
  readonly #s: WebServices
  readonly #views: Views
  #reach = new Map<NodeId, string>()

  constructor(services: WebServices, views: Views) {
    this.#s = services
    this.#views = views
  }

  /** @param isCatchUp for one who was away: what was said to the others meanwhile is not known any more */
  of(changes: readonly Change[], isCatchUp: boolean): readonly ServerEvent[] {
    const has = (kinds: ReadonlySet<string>): boolean => changes.some(c => kinds.has(c.kind))
    const isAboutLinks = has(new Set(['links', 'link']))
    const hasPeers = changes.some(c => c.kind === 'link')
    const moved = isAboutLinks && !isCatchUp ? this.#moved() : []
    const named = changes.flatMap(c => (ofOwner.has(c.kind) ? [c.owner] : ofName.has(c.kind) ? [c.name] : [])).filter(isNodeId)
    return [
      ...this.#nodes(new Set([...named, ...moved]), isAboutLinks && isCatchUp),
      ...this.#rollouts(new Set(changes.filter(c => ofRollout.has(c.kind)).map(c => c.name.slice(0, orderIdLength)))),
      ...this.#plain(
        'releases',
        changes.some(c => c.kind === 'release' || c.kind === 'holdings'),
      ),
      ...this.#plain('peers', hasPeers),
      ...this.#plain('fleet', has(ofFleet)),
      ...this.#plain('audit', has(signed)),
    ]
  }

  #plain(event: ServerEvent['event'], is: boolean): readonly ServerEvent[] {
    return is ? [{ event, data: {} }] : []
  }

  #nodes(ids: ReadonlySet<NodeId>, isMany: boolean): readonly ServerEvent[] {
    if (ids.size === 0 && !isMany) return []
    if (isMany || ids.size > maxNodes) return [{ event: 'nodes', data: { nodes: [], removed: [], many: true } }]
    const { fleet } = this.#s.replica
    const members = [...ids].filter(id => fleet.isMember(id))
    const nodes = this.#views.someNodes(members).map(node => this.#views.withAge(node))
    return [{ event: 'nodes', data: { nodes, removed: [...ids].filter(id => !fleet.isMember(id)), many: false } }]
  }

  #rollouts(ids: ReadonlySet<string>): readonly ServerEvent[] {
    if (ids.size === 0) return []
    const known = this.#views.rollouts().filter(o => ids.has(o.id))
    return [{ event: 'rollouts', data: { rollouts: known.slice(0, maxRollouts).map(o => this.#views.brief(o)) } }]
  }

  /** Nodes that are reached otherwise than at the last look. */
  #moved(): readonly NodeId[] {
    const now = new Map(this.#s.replica.fleet.members().map(m => [m.id, this.#s.reach(m.id)]))
    const moved = [...now].filter(([id, reach]) => this.#reach.get(id) !== reach).map(([id]) => id)
    this.#reach = now
    return moved
  }
}
