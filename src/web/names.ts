/** What people write for a node or a rollout: an id, a unique prefix, a name, `self`, `latest`. */
import { didYouMean, isNodeId, type NodeId, resolvePrefix, ShoalError } from '../model/index.ts'
import type { KnownOrder } from '../rollout/index.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

export function findNode(services: WebServices, text: string): NodeId {
  if (text === 'self') return services.self
  const { fleet } = services.replica
  // An order may name thousands: a whole id needs no look through all.
  if (isNodeId(text) && (fleet.isMember(text) || fleet.removalOf(text) > 0)) return text
  const ids = [...fleet.members().map(m => m.id), ...fleet.removed()]
  // An id, or a prefix of one, is what it says, whatever somebody calls a node.
  if (ids.some(id => id === text || (text.length >= 6 && id.startsWith(text.toLowerCase())))) return resolvePrefix(text, ids, 'node')
  const named = ids.filter(id => fleet.node(id)?.name === text && fleet.isMember(id))
  const [only] = named
  if (named.length > 1) throw new ShoalError('AMBIGUOUS', `${named.length} nodes are named ${text}; use the id`)
  if (only !== undefined) return only
  const names = fleet.members().map(m => fleet.node(m.id)?.name ?? '')
  throw new ShoalError('NOT_FOUND', `there is no node ${text}${didYouMean(text, names)}`)
}

export function findRollout(views: Views, text: string): KnownOrder {
  const all = views.rollouts()
  const [latest] = all
  if (text === 'latest' && latest !== undefined) return latest
  if (latest === undefined) throw new ShoalError('NOT_FOUND', `there is no rollout ${text}: nothing was rolled out yet`)
  const id = resolvePrefix(
    text,
    all.map(o => o.id),
    'rollout',
  )
  const found = all.find(o => o.id === id)
  if (found === undefined) throw new ShoalError('NOT_FOUND', `there is no rollout ${text}`)
  return found
}
