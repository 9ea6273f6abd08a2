/**
 * node.db was lost. What proves the node is left: its key and its certificate, in which the fleet's id stands. So it serves its app, dials the
 * sync peers that config.json pins, by TLS pinned to their ids, and takes in what they hold by the ordinary comparison of replicas: the root
 * chain first, checked against the fleet's id, then all that it judges. It says nothing of itself until a peer has told it everything, since
 * what it says must be newer than all that it ever said.
 */
import type { MeshNews } from '../mesh/index.ts'
import type { NodeId } from '../model/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { NodeStore } from '../store/index.ts'
import type { Log } from './log.ts'
import { endLoss } from './node-db.ts'

export interface RecallOptions {
  readonly isLost: boolean
  readonly store: NodeStore
  readonly replica: Replica
  readonly peers: readonly NodeId[]
  readonly log: Log
}

export class Recall {
  readonly #o: RecallOptions
  #isLost: boolean
  #isAsking = false
  #isTold = false
  #whole: () => void = () => undefined

  constructor(options: RecallOptions) {
    this.#o = options
    this.#isLost = options.isLost
    if (options.isLost) options.replica.fleet.believe(options.peers)
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** Not even to itself: from now on a peer may tell a fact of this node's own, and nothing may stand above that. */
  get isMute(): boolean {
    return this.#isLost && this.#isAsking
  }

  /** @param whole the node knows what it knew, and may speak */
  start(whole: () => void): void {
    this.#isAsking = true
    this.#whole = whole
    const { peers, log } = this.#o
    log('alarm', { alarm: 'node.db was lost: the app is served, the sync peers are asked', peers })
  }

  heard(news: MeshNews): void {
    if (!this.#isLost) return
    if (news.t === 'synced') this.#isTold = true
    if (this.#isTold && (news.t === 'synced' || news.t === 'changed')) this.#end()
  }

  #end(): void {
    const { replica, store, log } = this.#o
    const { fleet, self } = replica
    // Removed while it was away, or told by somebody who knows less than its own admission: it stays as it is.
    if (fleet.admitted(self) === undefined || !fleet.isMember(self)) return
    replica.raiseEpoch(endLoss(store, replica.registers.highestOf(self)?.epoch ?? 0))
    fleet.believe([])
    this.#isLost = false
    log('node.db is whole again', { epoch: replica.epoch, facts: replica.registers.size })
    this.#whole()
  }
}
