/**
 * What runs on a simulated node above the mesh: in a real node main.ts and the rooms below. The simulator knows only this interface;
 * the rollout plugs in here.
 */
import type { Alarm, Hello } from '../../src/mesh/core/index.ts'
import type { Fact, NodeId } from '../../src/model/index.ts'
import type { SimNode } from './node.ts'

export interface Program {
  /** The node has become the node; its replica is loaded. */
  readonly start: () => void
  readonly changed: (facts: readonly Fact[]) => void
  readonly linkUp: (peer: NodeId, hello: Hello) => void
  readonly linkDown: (peer: NodeId) => void
  readonly alarm: (alarm: Alarm) => void
}

export type MakeProgram = (node: SimNode) => Program

/** Says where the node is and that it lives; raises its epoch when peers know a newer self. */
export class Presence implements Program {
  readonly #node: SimNode

  readonly #isQuiet: boolean

  /** @param isQuiet says nothing of its own: where everybody's facts at everybody's would not fit into one machine */
  constructor(node: SimNode, isQuiet = false) {
    this.#node = node
    this.#isQuiet = isQuiet
  }

  start(): void {
    if (this.#isQuiet) return
    this.#node.publish('node', '', nodeBody(this.#node), true)
    this.#node.publish('status', '', statusBody(this.#node.store.epoch))
  }

  changed(): void {}

  linkUp(_peer: NodeId, hello: Hello): void {
    const own = this.#node.registers.highestOf(this.#node.id)
    const { seen } = hello
    if (seen === null || own === null) return
    if (seen.epoch > own.epoch || (seen.epoch === own.epoch && seen.version > own.version)) this.#goAbove(seen.epoch)
  }

  linkDown(): void {}

  alarm(alarm: Alarm): void {
    if (alarm.alarm === 'ahead' && alarm.epoch >= this.#node.store.epoch) this.#goAbove(alarm.epoch)
  }

  #goAbove(epoch: number): void {
    this.#node.store.epoch = epoch + 1
    this.#node.republish()
  }
}

const nodeBody = (node: SimNode): string =>
  JSON.stringify({
    name: `n${node.index}`,
    addresses: [node.address],
    tags: [],
    platform: 'linux-x64',
    nodejs: '24.21.0',
    console: false,
    left: false,
  })

export const statusBody = (n: number): string => JSON.stringify({ n, step: 'idle', health: 'ok', filler: 'x'.repeat(220) })
