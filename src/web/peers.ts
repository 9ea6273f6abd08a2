/** Peers as the API lists them, and the test that names the first step that fails. */
import { asString, type Fields, formatAddress, type NodeId, parseAddress, ShoalError } from '../model/index.ts'
import { findNode } from './names.ts'
import { type PeerTest, type PeerView, parsePeerTest } from './peer-view.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

/** Ways to members that are walked at once for others. */
const maxTests = 4
/** ms for another node's walk, which has a shorter deadline of its own. */
const testTimeoutMs = 40_000

/** Sync peers, and members that this node has a link to. */
export function listPeers(s: WebServices, views: Views): readonly PeerView[] {
  const pinned = new Map(s.config().peers.map(p => [p.id, p.address]))
  const links = new Map(s.links().map(link => [link.peer, link]))
  return views
    .nodes(false)
    .filter(n => !n.self && (pinned.has(n.id) || n.reach === 'direct'))
    .map(n => ({
      id: n.id,
      name: n.name,
      address: pinned.get(n.id) ?? n.address,
      pinned: pinned.has(n.id),
      reach: s.reach(n.id),
      linkedMs: links.get(n.id)?.ageMs ?? null,
      dialled: links.get(n.id)?.dialled ?? null,
    }))
}

/** Walked from this node, or from the member `at`, which is asked to. @throws ShoalError NOT_FOUND, AMBIGUOUS, BAD_REQUEST, NO_NODE */
export async function testPeers(s: WebServices, views: Views, f: Fields): Promise<readonly PeerTest[]> {
  const target = f.maybe('target', (v, w) => asString(v, w, 300), null)
  const at = f.maybe('at', (v, w) => findNode(s, asString(v, w, 64)), s.self)
  if (at !== s.self) return [await askForTest(s, at, findNode(s, f.string('target', 64)))]
  const targets = target === null ? listPeers(s, views) : [oneTarget(s, views, target)]
  return Promise.all(targets.map(t => testOne(s, t.id, t.address)))
}

/** Another node walks to members only: whom else it should call nobody may say but its own operator. */
const askForTest = (s: WebServices, at: NodeId, target: NodeId): Promise<PeerTest> =>
  s.askPeer(at, `test?target=${target}`, testTimeoutMs, parsePeerTest)

function oneTarget(s: WebServices, views: Views, target: string): { readonly id: NodeId | null; readonly address: string } {
  if (/:\d+$/.test(target)) return { id: null, address: formatAddress(parseAddress(target)) }
  const id = findNode(s, target)
  const address = s.config().peers.find(p => p.id === id)?.address ?? views.node(id).address
  if (address === '') throw new ShoalError('NOT_FOUND', `node ${target} has told no address`)
  return { id, address }
}

/** The way to one member, walked once for all who ask meanwhile: other members may ask for it too, and no walk is cheap for both ends. */
export class MemberTests {
  readonly #s: WebServices
  readonly #views: Views
  readonly #running = new Map<NodeId, Promise<PeerTest>>()

  constructor(services: WebServices, views: Views) {
    this.#s = services
    this.#views = views
  }

  /** @throws ShoalError NOT_FOUND, BUSY */
  async to(id: NodeId): Promise<PeerTest> {
    findNode(this.#s, id)
    const running = this.#running.get(id)
    if (running !== undefined) return running
    if (this.#running.size >= maxTests) throw new ShoalError('BUSY', `${maxTests} ways are being tested`)
    const { address } = oneTarget(this.#s, this.#views, id)
    const test = testOne(this.#s, id, address).finally(() => this.#running.delete(id))
    this.#running.set(id, test)
    return test
  }
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
