/**
 * A fleet of any size that is only written: real keys, real signatures, facts that every judge accepts, and nobody behind them. Its founder, or a
 * node of a home that is there, has let all others in.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { admissionFact, controlName, envelopeFact, orderIdOfDigest, rootFact } from '../../src/facts/index.ts'
import {
  type Control,
  type Digest,
  type Fact,
  type Hold,
  type NodeBody,
  type NodeId,
  type Order,
  type OrderId,
  type OutcomeBody,
  parseOrderId,
  type Plan,
  type PreflightBody,
  type ReceiptBody,
  type Release,
  type Removal,
  type StatusBody,
} from '../../src/model/index.ts'
import {
  factSigner,
  fleetIdOf,
  makeCa,
  makeRoot,
  newNodeKey,
  newOneTimeKey,
  type NodeKey,
  operatorKey,
  type OperatorKey,
  pinOf,
  proveToken,
  sha256,
  signDocument,
  type Token,
  trustFirstRoot,
  type TrustedRoot,
} from '../../src/trust/index.ts'
import type { FactStore } from '../../src/rollout/index.ts'

/** Members that one node may let in: every one is a fact of its own. */
const perRedeemer = 3000

export interface Ordered {
  readonly id: OrderId
  readonly fact: Fact
  readonly planText: string
}

export class WrittenNode {
  readonly key: NodeKey
  readonly name: string
  readonly #sign: (fact: Omit<Fact, 'sig'>) => Fact
  readonly #versions = new Map<string, number>()

  constructor(key: NodeKey, name: string) {
    this.key = key
    this.name = name
    this.#sign = factSigner(key.key)
  }

  get id(): NodeId {
    return this.key.id
  }

  get sign(): (fact: Omit<Fact, 'sig'>) => Fact {
    return this.#sign
  }

  says(kind: string, name: string, body: unknown): Fact {
    const version = (this.#versions.get(`${kind} ${name}`) ?? 0) + 1
    this.#versions.set(`${kind} ${name}`, version)
    return this.#sign({ kind, owner: this.id, name, epoch: 1, version, body: JSON.stringify(body) })
  }

  about(over: Partial<NodeBody> = {}): Fact {
    const body: NodeBody = {
      name: this.name,
      addresses: ['192.0.2.1:8443'],
      tags: [],
      platform: 'linux-x64',
      nodejs: '24.21.0',
      console: false,
      redeems: null,
      left: false,
    }
    return this.says('node', '', { ...body, ...over })
  }

  status(over: Partial<StatusBody> = {}): Fact {
    const body: StatusBody = {
      app: null,
      shoal: { name: 'shoal', version: '0.1.0', digest: sha256('shoal') },
      health: 'ok',
      rollout: null,
      step: 'idle',
      percent: 0,
      bytes: { fetched: 0, reused: 0, served: 0, sources: 0 },
      migrationMs: null,
      since: '2026-11-24T10:00:00.000Z',
    }
    return this.says('status', '', { ...body, ...over })
  }

  links(peers: readonly NodeId[]): Fact {
    return this.says('links', '', { peers: peers.toSorted() })
  }

  preflight(order: OrderId, over: Partial<PreflightBody> = {}): Fact {
    return this.says('preflight', order, { order, attempt: 1, go: true, reason: null, ...over })
  }

  outcome(order: OrderId, over: Partial<OutcomeBody> = {}): Fact {
    const body: OutcomeBody = {
      order,
      attempt: 1,
      outcome: 'confirmed',
      reason: null,
      digest: null,
      witnesses: 0,
      epoch: 1,
      log: [],
    }
    return this.says('outcome', order, { ...body, ...over })
  }

  receipt(body: ReceiptBody): Fact {
    return this.says('receipt', `${body.order}.${body.node}`, body)
  }
}

export class WrittenFleet {
  readonly root: TrustedRoot
  readonly operator: OperatorKey
  readonly nodes: WrittenNode[] = []
  generation: number

  /** @param generation the highest that the fleet has signed */
  constructor(root: TrustedRoot, operator: OperatorKey, generation: number) {
    this.root = root
    this.operator = operator
    this.generation = generation
  }

  static found(): WrittenFleet {
    const [anna, kit] = ['anna', 'kit'].map(name => operatorKey(name, generateKeyPairSync('ed25519').privateKey)) as [
      OperatorKey,
      OperatorKey,
    ]
    const text = makeRoot(
      {
        version: 1,
        fleetName: 'written',
        people: [{ name: anna.name, role: 'admin', keyid: anna.keyid, publicHex: anna.publicHex }],
        caPin: pinOf(makeCa().cert),
        thresholds: { release: 1, order: 1 },
        spareAdmins: [{ keyid: kit.keyid, publicHex: kit.publicHex }],
      },
      [anna],
    )
    return new WrittenFleet(trustFirstRoot(text, fleetIdOf(text)), anna, 0)
  }

  get rootFact(): Fact {
    return rootFact(this.root)
  }

  /** Lets nodes in; every so many by another of them. @param by who lets the first ones in; null: the first node itself */
  admit(count: number, nameOf: (n: number) => string, by: WrittenNode | null = null): readonly Fact[] {
    const made = Array.from({ length: count }, (_, n) => new WrittenNode(newNodeKey(), nameOf(n)))
    this.nodes.push(...made)
    const facts: Fact[] = []
    for (let at = 0; at < made.length; at += perRedeemer) {
      const some = made.slice(at, at + perRedeemer)
      const redeemer = at === 0 ? (by ?? made[0]) : made[at / perRedeemer]
      // Whoever lets in the next ones is among the first.
      if (redeemer !== undefined) facts.push(...this.#admitted(redeemer, some))
    }
    return facts
  }

  #admitted(redeemer: WrittenNode, nodes: readonly WrittenNode[]): readonly Fact[] {
    const oneTime = newOneTimeKey()
    const id = randomBytes(16).toString('hex')
    const { fleet } = this.root
    const invite = signDocument(
      'invite',
      {
        fleet,
        id,
        key: oneTime.publicKey,
        redeemer: redeemer.id,
        uses: nodes.length,
        expiresAt: '2100-01-01T00:00:00.000Z',
        generation: ++this.generation,
        canInvite: true,
        console: false,
        by: this.operator.name,
      },
      [this.operator],
    )
    const token: Token = { fleet, ca: this.root.caPin, redeemer: redeemer.id, addresses: [], invite: id, key: oneTime.privateKey }
    return nodes.map(({ key }) =>
      admissionFact(
        redeemer.sign,
        redeemer.id,
        { node: key.id, spki: key.spki, invite, proof: proveToken(token, key.id) },
        this.generation,
      ),
    )
  }

  /** A release of a package that is nowhere. */
  release(name: string, version: string): { readonly document: Digest; readonly digest: Digest; readonly fact: Fact } {
    const digest = sha256(`${name}@${version}`)
    const release: Release = {
      fleet: this.root.fleet,
      kind: 'app',
      name,
      version,
      dataVersion: 1,
      minFrom: null,
      engines: null,
      handover: 'exclusive',
      probationMs: null,
      packages: { any: { digest, size: 1000, blockmap: digest } },
      notes: '',
    }
    const { envelope, payload } = this.#signed('release', release)
    const document = sha256(payload)
    return { document, digest, fact: envelopeFact('release', envelope, document, 1) }
  }

  order(name: string, version: string, plan: Plan, over: Partial<Order> = {}): Ordered {
    const planText = JSON.stringify(plan)
    const order: Order = {
      ...this.#act(),
      kind: 'app',
      name,
      version,
      release: sha256(`${name}@${version}`),
      plan: sha256(planText),
      selector: { only: [], tags: [] },
      soakMs: 0,
      witnesses: 0,
      deadlineMs: 604_800_000,
      window: null,
      allowDowngrade: false,
      data: null,
      replaceApp: false,
      force: false,
      dryRun: false,
      node: this.nodes[0]?.id ?? ('' as NodeId),
      ...over,
    }
    const { envelope, payload } = this.#signed('order', order)
    const id = parseOrderId(orderIdOfDigest(sha256(payload)))
    return { id, planText, fact: envelopeFact('order', envelope, id, order.generation) }
  }

  control(order: OrderId, action: Control['action'], nodes: readonly NodeId[] = []): Fact {
    const control: Control = { ...this.#act(), order, action, nodes }
    const { envelope, payload } = this.#signed('control', control)
    return envelopeFact('control', envelope, controlName(order, sha256(payload)), control.generation)
  }

  hold(node: NodeId, hold: boolean): Fact {
    const body: Hold = { ...this.#act(), node, hold, forMs: null, reason: 'stocktaking' }
    return envelopeFact('hold', this.#signed('hold', body).envelope, node, body.generation)
  }

  removal(node: NodeId): Fact {
    const body: Removal = { ...this.#act(), node, reason: 'sold' }
    return envelopeFact('removal', this.#signed('removal', body).envelope, node, body.generation)
  }

  #act(): Pick<Control, 'fleet' | 'generation' | 'by' | 'at'> {
    return { fleet: this.root.fleet, generation: ++this.generation, by: this.operator.name, at: '2026-11-24T10:00:00.000Z' }
  }

  #signed(kind: Parameters<typeof signDocument>[0], body: unknown): { envelope: ReturnType<typeof signDocument>; payload: Buffer } {
    const envelope = signDocument(kind, body, [this.operator])
    return { envelope, payload: Buffer.from(envelope.payload, 'base64') }
  }
}

/** What a replica writes, in memory. */
export function memoryStore(facts: readonly Fact[] = []): FactStore {
  const documents = new Map<string, string>()
  const memory = new Map<string, string>()
  return {
    facts: () => facts,
    saveFacts: () => undefined,
    forgetFacts: () => undefined,
    document: digest => documents.get(digest),
    saveDocument: (digest, text) => void documents.set(digest, text),
    remembered: key => memory.get(key),
    remember: (key, value) => void memory.set(key, value),
  }
}
