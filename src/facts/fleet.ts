/**
 * Who the fleet is, as the facts say: the trusted root, the members with their keys, the removals. A node is a member if an admission of
 * it has a greater generation than every removal of it, and it did not leave. One node's opinion never removes another.
 */
import { type Fact, type NodeBody, type NodeId, parseJson, parseNodeBody, parseNodeId, ShoalError } from '../model/index.ts'
import { inviteOf, parseAdmission, readTrustedRoot, trustNextRoot, type TrustedRoot } from '../trust/index.ts'

export interface Member {
  readonly id: NodeId
  /** Public key, SPKI DER base64. */
  readonly spki: string
  /** Generation of the invite that let it in. */
  readonly generation: number
  readonly invite: string
  readonly redeemer: NodeId
  /** It was given the CA's key: the founder, and who came by an invite that says so. */
  readonly mayInvite: boolean
}

export class FleetView {
  #root: TrustedRoot
  readonly #roots = new Map<number, string>()
  readonly #admitted = new Map<NodeId, Member>()
  readonly #removed = new Map<NodeId, number>()
  readonly #nodes = new Map<NodeId, NodeBody>()
  #believed: ReadonlySet<string> = new Set()
  #generation = 0
  #settled = 0
  #membership = 0

  constructor(root: TrustedRoot) {
    this.#root = root
    this.#roots.set(root.version, root.text)
  }

  get root(): TrustedRoot {
    return this.#root
  }

  /** The text of a root version that was accepted. */
  rootText(version: number): string | undefined {
    return this.#roots.get(version)
  }

  /** A root version that was accepted. */
  rootAt(version: number): TrustedRoot | undefined {
    const text = this.#roots.get(version)
    if (text === undefined) return undefined
    if (version === this.#root.version) return this.#root
    return readTrustedRoot(text, this.#root.fleet)
  }

  /** Counts up whenever who is a member may have changed: what was worked out of members stands as long as it is the same. */
  get membership(): number {
    return this.#membership
  }

  /** Highest version of the root that has stood for so long that nobody who is no admin any more may sign another in its place. */
  get settled(): number {
    return this.#settled
  }

  settle(version: number): void {
    this.#settled = Math.max(this.#settled, Math.min(version, this.#root.version))
  }

  /** Forgets all but the roots: what is known is judged, and applied, once more. The next document is still above all that ever were. */
  startAgain(): void {
    for (const known of [this.#admitted, this.#removed, this.#nodes]) known.clear()
    this.#membership += 1
  }

  /** Highest generation of all that operators signed; the next document takes one more. */
  get generation(): number {
    return this.#generation
  }

  /** The key of a node that was ever admitted, member or not. */
  admitted(id: string): Member | undefined {
    return this.#admitted.get(id as NodeId)
  }

  /**
   * A node that lost its memory knows no members, but config.json pins its sync peers: until it has asked them they count as such, unless it
   * hears that one was removed.
   */
  believe(peers: readonly NodeId[]): void {
    this.#believed = new Set(peers)
    this.#membership += 1
  }

  isMember(id: string): boolean {
    if (this.#believed.has(id) && this.removalOf(id) === 0) return true
    const member = this.#admitted.get(id as NodeId)
    return member !== undefined && member.generation > this.removalOf(id) && this.#nodes.get(member.id)?.left !== true
  }

  /** Was a member and is none any more: removed, or left. Who is only not known yet has not gone. */
  hasGone(id: string): boolean {
    return !this.isMember(id) && (this.removalOf(id) > 0 || this.#nodes.get(id as NodeId)?.left === true)
  }

  /** Generation of the node's last removal; 0 if it never was removed. */
  removalOf(id: string): number {
    return this.#removed.get(id as NodeId) ?? 0
  }

  members(): readonly Member[] {
    return [...this.#admitted.values()].filter(m => this.isMember(m.id))
  }

  removed(): readonly NodeId[] {
    return [...this.#removed.keys()].filter(id => !this.isMember(id))
  }

  node(id: NodeId): NodeBody | undefined {
    return this.#nodes.get(id)
  }

  /** Takes in a fact that was judged good. Facts of other kinds change nothing here. */
  apply(fact: Fact): void {
    if (['order', 'control', 'hold', 'removal'].includes(fact.kind)) this.#raise(fact.version)
    if (fact.kind === 'root') this.#takeRoot(fact)
    else if (fact.kind === 'member') this.#takeMember(fact)
    else if (fact.kind === 'removal') this.#takeRemoval(fact)
    else if (fact.kind === 'node') this.#takeNode(fact)
  }

  #raise(generation: number): void {
    this.#generation = Math.max(this.#generation, generation)
  }

  #takeRemoval(fact: Fact): void {
    this.#removed.set(parseNodeId(fact.name), Math.max(this.removalOf(fact.name), fact.version))
    this.#membership += 1
  }

  #takeNode(fact: Fact): void {
    const id = parseNodeId(fact.owner)
    const body = parseNodeBody(parseJson(fact.body, 'node'))
    if (body.left !== (this.#nodes.get(id)?.left ?? false)) this.#membership += 1
    this.#nodes.set(id, body)
  }

  #takeRoot(fact: Fact): void {
    // Of an earlier version only the text is kept: who joins is given the chain from the first one on.
    if (fact.version <= this.#root.version && !this.#roots.has(fact.version)) this.#roots.set(fact.version, fact.body)
    if (fact.version <= this.#root.version && this.#roots.get(fact.version) !== fact.body) this.#goBackTo(fact.version - 1)
    if (fact.version !== this.#root.version + 1) return
    this.#root = trustNextRoot(fact.body, this.#root)
    this.#roots.set(fact.version, fact.body)
  }

  /** Another root counts in the place of the next one. */
  #goBackTo(version: number): void {
    const root = this.rootAt(version)
    if (root === undefined) throw new ShoalError('BAD_ROOT', `root ${version + 1}: version ${version} is not known here`)
    for (let gone = this.#root.version; gone > version; gone--) this.#roots.delete(gone)
    this.#root = root
    this.#settled = Math.min(this.#settled, version)
  }

  #takeMember(fact: Fact): void {
    const admission = parseAdmission(parseJson(fact.body, 'member'))
    // Judged when it came: who signed the invite may be no operator any more, and the node stays a member all the same.
    const invite = inviteOf(admission)
    this.#raise(invite.generation)
    const held = this.#admitted.get(admission.node)
    if (held !== undefined && held.generation >= invite.generation) return
    this.#membership += 1
    this.#admitted.set(admission.node, {
      id: admission.node,
      spki: admission.spki,
      generation: invite.generation,
      invite: invite.id,
      redeemer: invite.redeemer,
      mayInvite: invite.canInvite || invite.redeemer === admission.node,
    })
  }

  /** @throws ShoalError NOT_MEMBER */
  mustBeMember(id: NodeId): void {
    if (!this.isMember(id)) throw new ShoalError('NOT_MEMBER', `node ${id} is not a member of fleet ${this.#root.fleet}`)
  }
}
