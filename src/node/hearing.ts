/** What the node hears from its links, and who in it has to know: the disk, the replica, whoever watches, whoever waits for it. */
import type { MeshNews } from '../mesh/index.ts'
import { type Fact, parseNodeId } from '../model/index.ts'
import type { Replica } from '../rollout/index.ts'
import type { NodeStore } from '../store/index.ts'
import type { EventLog } from '../web/index.ts'
import type { Clones } from './clones.ts'
import { type Log, refusedFields } from './log.ts'
import type { Unsaved } from './node-db.ts'
import type { Reachability } from './reach.ts'
import type { Recall } from './recall.ts'
import type { Voice } from './voice.ts'

export interface HearingOptions {
  readonly store: NodeStore
  readonly unsaved: Unsaved
  readonly replica: Replica
  readonly recall: Recall
  readonly clones: Clones
  readonly reach: Reachability
  readonly events: EventLog
  readonly voice: Voice
  readonly sayStatus: () => void
  /** Something may have come that an order waits for. */
  readonly changed: () => void
  readonly log: Log
}

export class Hearing {
  readonly #o: HearingOptions
  #isOver = false

  constructor(options: HearingOptions) {
    this.#o = options
  }

  /** From now on links go because this node parks: nobody is told. */
  stop(): void {
    this.#isOver = true
  }

  heard(news: MeshNews): void {
    this.#take(news)
    this.#o.recall.heard(news)
  }

  #take(news: MeshNews): void {
    const { unsaved, reach, recall, clones, replica, log } = this.#o
    switch (news.t) {
      case 'store':
        unsaved.save(news.facts, news.durable)
        return
      case 'changed':
        this.#learned(news.facts)
        return
      case 'linkUp':
        reach.linkUp(news.peer)
        this.#linksChanged()
        return
      case 'linkDown':
        reach.linkDown(news.peer, news.code)
        this.#linksChanged()
        return
      case 'refused':
        log('fact refused', refusedFields(news))
        return
      case 'alarm':
        log('alarm', { ...news.alarm })
        if (!recall.isLost) clones.heard(news.alarm, replica.epoch, above => this.#raiseEpoch(above))
        return
      case 'synced':
        return
    }
  }

  #learned(facts: readonly Fact[]): void {
    const { replica, events, reach, changed } = this.#o
    replica.take(facts)
    for (const fact of facts) {
      events.add(fact.kind, fact.owner, fact.name)
      if (fact.kind === 'status') reach.heard(parseNodeId(fact.owner))
      if (fact.kind === 'links') reach.linksChanged()
    }
    changed()
  }

  #linksChanged(): void {
    if (this.#isOver) return
    const { voice, events, replica, changed } = this.#o
    voice.saysLinks()
    events.add('link', replica.self, '')
    changed()
  }

  /** This node lost its memory: its facts must go above what the others hold of it. */
  #raiseEpoch(above: number): void {
    const { replica, store, voice, sayStatus } = this.#o
    replica.raiseEpoch(store.raiseEpoch(above + 1))
    voice.sayNode()
    sayStatus()
    voice.sayHoldings()
  }
}
