/** The demo's fleet: founded, joined and started by the same commands that a person uses. */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Fields, parseJson, ShoalError } from '../../model/index.ts'
import { homePaths } from '../../slots/index.ts'
import { parseNodes } from '../answers.ts'
import { Client } from '../client.ts'
import type { Endpoint } from '../exchange.ts'
import { nodeAtHome } from '../home/index.ts'
import { pollMs } from '../limits.ts'
import type { Processes } from './processes.ts'

export interface DemoNode {
  readonly name: string
  readonly home: string
  readonly url: string
  readonly endpoint: Endpoint
}

/** Time for the nodes to find each other. */
const meshDeadlineMs = 30_000

/** @returns the nodes, the founder first, each seen by all others */
export async function startFleet(
  processes: Processes,
  folder: string,
  count: number,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<readonly [DemoNode, ...DemoNode[]]> {
  const homeOf = (n: number): string => join(folder, `node-${n}`)
  const start = async (n: number): Promise<DemoNode> => {
    const { url } = await processes.start(homeOf(n))
    say(`node-${n} serves ${url}`)
    return { name: `node-${n}`, home: homeOf(n), url, endpoint: nodeAtHome(homePaths(homeOf(n))) }
  }
  await processes.must([
    'init',
    '--home',
    homeOf(1),
    '--name',
    'node-1',
    '--listen',
    '127.0.0.1:0',
    '--fleet',
    'demo',
    '--operator',
    'demo',
  ])
  const first = await start(1)
  const others = count - 1
  if (others === 0) return [first]
  const invite = await processes.must([
    'invite',
    '--home',
    homeOf(1),
    '--uses',
    String(others),
    '--json',
    '--passphrase-file',
    passphraseFile(first.home),
  ])
  const token = new Fields(parseJson(invite.stdout, 'invite'), 'invite').string('token', 5000)
  const enter = async (n: number): Promise<DemoNode> => {
    await processes.must(['join', token, '--home', homeOf(n), '--name', `node-${n}`, '--listen', '127.0.0.1:0'])
    return start(n)
  }
  const nodes: readonly [DemoNode, ...DemoNode[]] = [first, ...(await Promise.all(Array.from({ length: others }, (_, n) => enter(n + 2))))]
  await Promise.all(nodes.map(node => untilLinked(node, count, signal)))
  return nodes
}

export const passphraseFile = (home: string): string => homePaths(home).firstOperator

async function untilLinked(node: DemoNode, count: number, signal: AbortSignal): Promise<void> {
  const client = new Client(nodeAtHome(homePaths(node.home)), signal)
  const deadline = performance.now() + meshDeadlineMs
  try {
    for (;;) {
      const nodes = parseNodes(await client.get('nodes'))
      if (nodes.length === count && nodes.every(each => each.reach !== 'lost')) return
      if (performance.now() > deadline) {
        const seen = nodes.map(each => `${each.name} ${each.reach}`).join(', ')
        throw new ShoalError('INTERNAL', `${node.name} does not see all ${count} nodes after ${meshDeadlineMs / 1000} s: ${seen}`)
      }
      await wait(pollMs, undefined, { signal })
    }
  } finally {
    client.close()
  }
}
