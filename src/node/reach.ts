/**
 * Whom this node reaches: over its own links, or over those that other members say they have. For display, plans and `stalled`; never for a gate.
 */
import { type Fact, factKey, type NodeId, parseJson, parseLinksBody, parseStatusBody } from '../model/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { Reach } from '../web/index.ts'

/** ms in which a node that closed its links to switch still counts as reached. */
const changeOverMs = 10_000
/** WebSocket close code of a restart. */
const restartCode = 1012

/** What a fact of links says, read once: each change of one asks for all. */
const linksRead = new WeakMap<Fact, readonly NodeId[]>()

function peersOf(fact: Fact): readonly NodeId[] {
  const read = linksRead.get(fact) ?? parseLinksBody(parseJson(fact.body, 'links')).peers
  linksRead.set(fact, read)
  return read
}

export class Reachability {
  readonly #replica: Replica
  readonly #linked: () => readonly NodeId[]
  readonly #now: () => number
  readonly #heardAt = new Map<NodeId, number>()
  readonly #changingOver = new Map<NodeId, number>()

  #over: ReadonlySet<NodeId> | null = null
  #direct: ReadonlySet<NodeId> | null = null

  constructor(replica: Replica, linked: () => readonly NodeId[], now: () => number) {
    this.#replica = replica
    this.#linked = linked
    this.#now = now
  }

  /** Somebody's links changed. */
  linksChanged(): void {
    this.#over = null
    this.#direct = null
  }

  linkUp(peer: NodeId): void {
    this.linksChanged()
    this.#heardAt.set(peer, this.#now())
    this.#changingOver.delete(peer)
  }

  linkDown(peer: NodeId, code: number): void {
    this.linksChanged()
    this.#heardAt.set(peer, this.#now())
    if (code === restartCode) this.#changingOver.set(peer, this.#now())
  }

  heard(node: NodeId): void {
    this.#heardAt.set(node, this.#now())
  }

  readonly reach = (node: NodeId): Reach => {
    if (node === this.#replica.self) return 'self'
    if (this.#links.has(node) || this.#isChangingOver(node)) return 'direct'
    return this.#reachedOver(this.#links).has(node) ? 'via' : 'lost'
  }

  readonly ageMs = (node: NodeId): number => {
    if (node === this.#replica.self || this.#links.has(node)) return 0
    const at = this.#heardAt.get(node)
    return at === undefined ? 0 : Math.round(this.#now() - at)
  }

  /** Members that this node has a link to. */
  get #links(): ReadonlySet<NodeId> {
    this.#direct ??= new Set(this.#linked())
    return this.#direct
  }

  /** It said that it switches, and closed its links for that: it is back in a moment. */
  #isChangingOver(node: NodeId): boolean {
    const closedAt = this.#changingOver.get(node)
    if (closedAt === undefined || this.#now() - closedAt >= changeOverMs) return false
    const fact = this.#replica.registers.get(factKey({ kind: 'status', owner: node, name: '' }))
    return fact !== undefined && ['switching', 'probation'].includes(parseStatusBody(parseJson(fact.body, 'status')).step)
  }

  /** Members that can be reached over others' links; worked out once per change. */
  #reachedOver(linked: ReadonlySet<NodeId>): ReadonlySet<NodeId> {
    if (this.#over !== null) return this.#over
    const links = new Map<string, readonly NodeId[]>()
    for (const fact of this.#replica.registers.ofKind('links')) links.set(fact.owner, peersOf(fact))
    const seen = new Set<NodeId>(linked)
    const queue = [...linked]
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      const here = at
      for (const next of links.get(here) ?? []) {
        // Both ends must say so: the fact of a node that is gone stays as it was.
        if (seen.has(next) || links.get(next)?.includes(here) !== true) continue
        seen.add(next)
        queue.push(next)
      }
    }
    this.#over = seen
    return seen
  }
}
