/** A real node under load: a fleet of one, with members that are only links, and orders that an operator signs. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, Pen, tokenOf } from '../../e2e/ask.ts'
import { must, operator, TestFleet, type TestNode } from '../../e2e/fleet.ts'
import type { Teardowns } from '../teardowns.ts'
import { type AppTraits, writeApp } from './apps.ts'
import type { Member, Target } from './protocol.ts'
import type { Json } from '../../helpers/json.ts'

const links = 25
const switchLimitMs = 60_000

export class ShoalUnderLoad {
  readonly target: Target
  readonly node: TestNode
  readonly #pen: Pen

  private constructor(node: TestNode, pen: Pen, target: Target) {
    this.node = node
    this.#pen = pen
    this.target = target
  }

  /** A node with all the releases published, the first of them running. */
  static async found(teardowns: Teardowns, releases: readonly [AppTraits, ...AppTraits[]]): Promise<ShoalUnderLoad> {
    const fleet = await new TestFleet(teardowns).found(1)
    const node = fleet.first
    const pen = await Pen.of(node)
    let digest = ''
    for (const traits of releases) {
      const zip = join(fleet.dir, `${traits.version}.zip`)
      await must(node.cli(['pack', writeApp(fleet.dir, traits), '--out', zip, '--json']))
      const done = (await must(node.cli(['publish', zip, '--operator', operator, '--json']))).json() as Json
      digest = done.packages.any
    }
    const members = await admit(node, pen)
    const [{ cert, key }] = members as [Member]
    const servername = `${node.id}.${pen.fleet}.shoal`
    const user = { tls: { servername: 'localhost' }, path: '/', slowPath: '/slow', writePath: '/write', retries: false }
    const path = `/_shoal/peer/v1/packages/${digest}/have`
    const tls = { servername, cert, key, ALPNProtocols: ['shoal/1'] }
    const peer = { tls, path, slowPath: null, writePath: null, retries: true }
    const self = new ShoalUnderLoad(node, pen, { port: node.port, user, peer, members })
    await self.switchTo(releases[0].version)
    return self
  }

  /** Orders a release that will be gone back from; `cut` is called when that begins. */
  async fall(version: string, cut: () => void): Promise<string> {
    const stream = this.node.child?.stderr
    const look = (chunk: Buffer): void => {
      if (chunk.toString().includes('switch rolled-back')) cut()
    }
    stream?.on('data', look)
    try {
      return await this.switchTo(version)
    } finally {
      stream?.off('data', look)
    }
  }

  /** Orders a release for this node and waits for the end of its switch; the outcome. */
  async switchTo(version: string): Promise<string> {
    const wish = { allowDowngrade: true, force: true, soakMs: 0, witnesses: 0 }
    const order = await this.#pen.order(`bench@${version}`, {}, wish)
    const made = await ask(this.node, tokenOf(this.node), 'rollouts', { body: order })
    if (made.status >= 300) throw new Error(`order: ${made.status} ${made.bytes.toString()}`)
    const { id } = made.json
    const end = Date.now() + switchLimitMs
    while (Date.now() < end) {
      const self = await ask(this.node, tokenOf(this.node), 'nodes/self').catch(() => null)
      if (self?.json?.rollout === id && self?.json?.outcome !== null) return self?.json.outcome
      await sleep(50)
    }
    const seen = await ask(this.node, tokenOf(this.node), `rollouts/${id}`)
    throw new Error(
      `no end of the switch to ${version} in ${switchLimitMs} ms: ${seen.bytes.toString().slice(0, 2000)}\n${this.node.output.slice(-3000)}`,
    )
  }
}

/** Members without a process: what `join` sends, and a link that says hello and no more. */
async function admit(node: TestNode, pen: Pen): Promise<readonly Member[]> {
  const { json } = await ask(node, tokenOf(node), 'nodes/self')
  const members: Member[] = []
  for (let n = 0; n < links; n++) {
    const { body, caller, joined } = await pen.ghost(`link-${n}`)
    if (joined.status >= 300) throw new Error(`join: ${joined.status} ${joined.bytes.toString()}`)
    const more = { nonce: `bench-link-${n}`, seen: null, app: null, shoal: json.shoal.digest, trial: null, keep: false, caps: [] }
    members.push({ ...caller.cert, hello: JSON.stringify({ t: 'hello', protocol: 1, node: body.node, fleet: pen.fleet, ...more }) })
  }
  return members
}
