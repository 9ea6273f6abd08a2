/** Members and their addresses as their own `node` facts say: what others tell about a node's address never counts. */
import type { Registers } from '../../facts/index.ts'
import { type Fact, type NodeBody, type NodeId, parseJson, parseNodeBody, parseNodeId, ShoalError } from '../../model/index.ts'
import type { Directory } from './events.ts'
import { isTrust } from './kinds.ts'

/** null: a body that this version cannot read, as a later one may write; the node is then one without an address. */
function readNode(fact: Fact): NodeBody | null {
  try {
    return parseNodeBody(parseJson(fact.body, 'node'))
  } catch (error) {
    if (error instanceof ShoalError) return null
    throw error
  }
}

export class KnownNodes implements Directory {
  readonly #self: NodeId
  readonly #isMember: (id: NodeId) => boolean
  readonly #addresses = new Map<NodeId, readonly string[]>()
  #ids: readonly NodeId[] | null = null

  constructor(self: NodeId, registers: Registers, isMember: (id: NodeId) => boolean) {
    this.#self = self
    this.#isMember = isMember
    this.learn(registers.ofKind('node'))
  }

  ids(): readonly NodeId[] {
    this.#ids ??= [...this.#addresses.keys()].filter(id => this.#isMember(id))
    return this.#ids
  }

  addressesOf(id: NodeId): readonly string[] {
    return this.#addresses.get(id) ?? []
  }

  learn(facts: readonly Fact[]): boolean {
    const relevant = facts.filter(f => f.kind === 'node' || isTrust(f.kind))
    for (const fact of relevant) if (fact.kind === 'node') this.#learnNode(fact)
    if (relevant.length > 0) this.#ids = null
    return relevant.length > 0
  }

  #learnNode(fact: Fact): void {
    const id = parseNodeId(fact.owner, 'node.owner')
    const body = readNode(fact)
    if (id === this.#self || body?.left === true) this.#addresses.delete(id)
    else this.#addresses.set(id, body?.addresses ?? [])
  }
}
