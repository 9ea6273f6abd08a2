/**
 * What the node says of itself and for its operators: facts, signed, kept and sent. While it is silent (its memory is lost, or node.db takes no
 * writes) it says its own to itself only, and what others are to rely on is refused.
 */
import { type Fact, maxHeldPackages, type NodeBody, type NodeId, ShoalError } from '../model/index.ts'
import { type PackageStore, testPackage } from '../packages/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { NodeStore } from '../store/index.ts'
import { describe, type Settings } from './home.ts'
import type { Recall } from './recall.ts'
import { Soon } from './soon.ts'

/** ms in which changes of links become one fact. */
const linksPauseMs = 150

export interface VoiceOptions {
  readonly store: NodeStore
  readonly replica: Replica
  readonly recall: Recall
  readonly packages: PackageStore
  readonly settings: Settings
  /** It holds the fleet's CA: invites are redeemed here. */
  readonly redeems: boolean
  readonly linked: () => readonly NodeId[]
  /** To the peers. */
  readonly send: (facts: readonly Fact[], durable: boolean) => void
  /** What it holds may be what an order waits for. */
  readonly holdingsChanged: () => void
}

export class Voice {
  readonly #o: VoiceOptions
  readonly #links: Soon

  constructor(options: VoiceOptions) {
    this.#o = options
    this.#links = new Soon(linksPauseMs, () => this.say('links', '', { peers: options.linked().toSorted() }))
  }

  about(left = false): NodeBody {
    const { store, settings, redeems } = this.#o
    return describe(settings.config, { console: store.remembered('console') === 'true', redeems }, left)
  }

  /** Says a fact of this node's own, unless it is what was said last. A silent node says it to itself. */
  say(kind: string, name: string, body: unknown, durable = false): void {
    const { replica, recall, store } = this.#o
    const fact = recall.isMute ? null : replica.own(kind, name, body)
    if (fact === null) return
    if (store.isCopy || recall.isLost) replica.registers.merge(fact)
    else this.publish([fact], durable)
  }

  /** Name, addresses, tags and what it can. */
  sayNode(): void {
    this.say('node', '', this.about())
  }

  /** The last word of a node that leaves the fleet. */
  sayFarewell(): void {
    this.say('node', '', this.about(true), true)
  }

  sayHoldings(): void {
    const { digest } = testPackage().ref
    const held = this.#o.packages.list().filter(each => each !== digest)
    this.say('holdings', '', { packages: held.slice(0, maxHeldPackages) })
    this.#o.holdingsChanged()
  }

  /** Soon: links come and go by dozens. */
  saysLinks(): void {
    this.#links.ask()
  }

  stop(): void {
    this.#links.stop()
  }

  /** @throws ShoalError DISK_FULL, DB_LOCKED, FLEET_UNKNOWN: what must not be forgotten was not said to anybody then */
  readonly publish = (facts: readonly Fact[], durable: boolean): void => {
    const { store, recall, send } = this.#o
    if (facts.length === 0) return
    if (store.isCopy) throw new ShoalError('DISK_FULL', 'node.db cannot be written: the node is silent until it can')
    if (recall.isLost) throw new ShoalError('FLEET_UNKNOWN', 'node.db was lost: the node is silent until a sync peer has told it')
    // The mesh has it stored too, but goes on if that fails.
    if (durable) store.saveFacts(facts, true)
    send(facts, durable)
  }
}
