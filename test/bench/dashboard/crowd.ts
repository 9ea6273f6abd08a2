/**
 * A fleet of thousands around one real node: all others are only written, but for one that lives in this process, has the same facts, and is linked to
 * the real node over the real mesh. Whatever a written node says reaches the real one as everything does: signed, announced, judged, stored.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMesh, type Mesh, MeshCore } from '../../../src/mesh/index.ts'
import { type Digest, type Fact, factKey, type OrderId, parseNodeId } from '../../../src/model/index.ts'
import { Replica } from '../../../src/rollout/index.ts'
import { NodeStore } from '../../../src/store/index.ts'
import { makeNodeCertificate, openOperatorKey, sha256, trustChain } from '../../../src/trust/index.ts'
import { operator, passphrase, type TestNode, until } from '../../e2e/fleet.ts'
import { memoryStore, WrittenFleet, type WrittenNode } from '../../helpers/written-fleet.ts'

/** Orders that the fleet went through; the last is under way. */
const orderCount = 5
/** Distances on a ring by which written nodes are linked: degree 8, and two random ones are a few links apart. */
const distances = [1, 37, 211, 1433]
const step = 20

export class Crowd {
  readonly fleet: WrittenFleet
  readonly real: TestNode
  readonly facts: Fact[] = []
  readonly plans: string[] = []
  readonly #ca: string
  #order: OrderId | null = null
  #digest: Digest = sha256('none')
  #mesh: Mesh | null = null
  #shoal: Digest

  /** @param real a founder that is stopped */
  constructor(real: TestNode, count: number) {
    this.real = real
    this.#ca = real.file('certs/ca.pem')
    const store = new NodeStore(join(real.home, 'instance/node.db'))
    const held = store.facts()
    const roots = held.filter(f => f.kind === 'root').map(f => f.body)
    const root = trustChain(roots, parseNodeId(held.find(f => f.kind === 'root')?.owner) as never)
    const key = openOperatorKey(readFileSync(join(real.home, 'certs/operators', `${operator}.json`), 'utf8'), passphrase)
    this.#shoal = sha256('shoal')
    this.fleet = new WrittenFleet(root, key, 1)
    this.facts.push(...held, ...this.fleet.admit(count - 1, n => `box-${String(n + 2).padStart(5, '0')}`))
    this.#write()
    store.saveFacts(this.facts.slice(held.length))
    for (const text of this.plans) store.saveDocument(sha256(text), text)
    store.close()
  }

  /** The one that is linked to the real node. */
  get teller(): WrittenNode {
    return this.node(0)
  }

  node(at: number): WrittenNode {
    const node = this.fleet.nodes[at]
    if (node === undefined) throw new Error(`no node ${at}`)
    return node
  }

  #write(): void {
    const { nodes } = this.fleet
    this.facts.push(...nodes.map((n, at) => n.about({ tags: [`shop=${at % 40}`], addresses: ['192.0.2.1:8443'] })))
    const at = (n: number): WrittenNode => this.node(((n % nodes.length) + nodes.length) % nodes.length)
    const around = (n: number): WrittenNode[] => distances.flatMap(d => [at(n + d), at(n - d)])
    this.facts.push(
      ...nodes.slice(1).map((node, n) => node.links([...new Set(around(n + 1).map(each => each.id))].filter(id => id !== node.id))),
    )
    const ids = nodes.map(n => n.id)
    const cuts = [0, 1, Math.ceil(ids.length / 10), Math.ceil(ids.length / 2), ids.length]
    const waves = cuts.slice(1).map((end, n) => ({ nodes: ids.slice(cuts[n], end), maxFailed: 1, maxMissing: 1 }))
    for (let n = 1; n <= orderCount; n++) this.#rollOut(`1.${n}.0`, { waves, lost: [] }, n < orderCount ? 1 : 0.3)
    this.facts.push(...nodes.map((_, n) => this.statusOf(n)))
  }

  #rollOut(version: string, plan: Parameters<WrittenFleet['order']>[2], share: number): void {
    const { nodes } = this.fleet
    const release = this.fleet.release('till', version)
    const order = this.fleet.order('till', version, plan, { release: release.document })
    this.plans.push(order.planText)
    this.facts.push(release.fact, order.fact, ...nodes.map(n => n.preflight(order.id)))
    this.facts.push(...nodes.slice(0, nodes.length * share).map(n => n.outcome(order.id, { digest: release.digest })))
    this.#order = order.id
    this.#digest = release.digest
  }

  statusOf(at: number, over: Parameters<WrittenNode['status']>[0] = {}): Fact {
    return this.node(at).status({ app: { name: 'till', version: '1.5.0', digest: this.#digest }, rollout: this.#order, ...over })
  }

  /** What a rollout brings: one node says how far it is, another that it has done it. */
  progress(n: number): readonly Fact[] {
    const { length } = this.fleet.nodes
    const [far, next] = [
      Math.floor(length / 2) + ((n * step) % Math.floor(length / 2)),
      Math.floor(length * 0.3) + (n % Math.floor(length / 5)),
    ]
    const done = this.#order === null ? [] : [this.node(next).outcome(this.#order, { digest: this.#digest })]
    return [this.statusOf(far, { step: 'transfer', percent: n % 100 }), ...done]
  }

  /** Links the teller to the real node, and waits until the two know the same. */
  async link(): Promise<void> {
    const { teller, real } = this
    const { fleet } = this.fleet.root
    const ca = { key: real.file('certs/ca.key'), cert: this.#ca }
    const tls = { key: teller.key.key, cert: makeNodeCertificate(teller.key.spki, fleet, ca), ca: this.#ca }
    const store = memoryStore(this.facts)
    const replica = new Replica({ self: teller.id, epoch: 1, sign: teller.sign, store, now: () => performance.now() }, fleet)
    const isMember = replica.fleet.isMember.bind(replica.fleet)
    const core = new MeshCore({
      node: teller.id,
      fleet,
      registers: replica.registers,
      judge: replica.judge,
      isMember,
      rng: Math.random,
      runs: { app: null, shoal: this.#shoal, trial: null },
      pinned: [{ id: parseNodeId(real.id), address: `127.0.0.1:${real.port}` }],
    })
    this.#mesh = createMesh({
      self: teller.id,
      fleet,
      tls,
      core,
      isMember,
      onNews: news => {
        if (news.t === 'changed') replica.take(news.facts)
      },
      log: () => undefined,
    })
    this.#mesh.start()
    await until('the teller is linked', async () => this.#mesh?.links().some(link => link.synced) === true, 120_000)
    const near = this.fleet.nodes
      .slice(1)
      .filter(n =>
        JSON.parse(replica.registers.get(factKey({ kind: 'links', owner: n.id, name: '' }))?.body ?? '{}').peers?.includes(teller.id),
      )
    this.tell([teller.links([parseNodeId(real.id), ...near.map(n => n.id)])])
  }

  tell(facts: readonly Fact[]): void {
    this.#mesh?.publish(facts, false)
  }

  async stop(): Promise<void> {
    await this.#mesh?.stop()
  }
}
