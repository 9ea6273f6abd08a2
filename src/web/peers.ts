/** Peers as the API lists them, and the test that names the first step that fails. */
import { asString, type Fields, formatAddress, type NodeId, parseAddress, ShoalError } from '../model/index.ts'
import { findNode } from './names.ts'
import type { ProbeStep, Reach, WebServices } from './services.ts'
import type { Views } from './views.ts'

export interface PeerView {
  readonly id: NodeId
  readonly name: string
  readonly address: string
  readonly pinned: boolean
  readonly reach: Reach
}

/** Sync peers, and members that this node has a link to. */
export function listPeers(s: WebServices, views: Views): readonly PeerView[] {
  const pinned = new Map(s.config().peers.map(p => [p.id, p.address]))
  return views
    .nodes(false)
    .filter(n => !n.self && (pinned.has(n.id) || n.reach === 'direct'))
    .map(n => ({ id: n.id, name: n.name, address: pinned.get(n.id) ?? n.address, pinned: pinned.has(n.id), reach: s.reach(n.id) }))
}

export interface PeerTest {
  readonly id: NodeId | null
  readonly address: string
  readonly ok: boolean
  /** The first step that fails; null: none. */
  readonly step: string | null
  readonly message: string
  readonly steps: readonly ProbeStep[]
}

/** @throws ShoalError NOT_FOUND, AMBIGUOUS, BAD_REQUEST */
export async function testPeers(s: WebServices, views: Views, f: Fields): Promise<readonly PeerTest[]> {
  const target = f.maybe('target', (v, w) => asString(v, w, 300), null)
  const targets = target === null ? listPeers(s, views) : [oneTarget(s, views, target)]
  return Promise.all(targets.map(t => testOne(s, t.id, t.address)))
}

function oneTarget(s: WebServices, views: Views, target: string): { readonly id: NodeId | null; readonly address: string } {
  if (/:\d+$/.test(target)) return { id: null, address: formatAddress(parseAddress(target)) }
  const id = findNode(s, target)
  const address = s.config().peers.find(p => p.id === id)?.address ?? views.node(id).address
  if (address === '') throw new ShoalError('NOT_FOUND', `node ${target} has told no address`)
  return { id, address }
}

async function testOne(s: WebServices, id: NodeId | null, address: string): Promise<PeerTest> {
  const probed = await s.probe(parseAddress(address), id)
  const failed = probed.steps.find(step => !step.ok)
  return {
    id: probed.id ?? id,
    address,
    ok: failed === undefined,
    step: failed?.step ?? null,
    message: failed?.message ?? 'linked and of this fleet',
    steps: probed.steps,
  }
}
