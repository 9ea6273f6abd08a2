/** The demo: a fleet, a deployment, an update under load from another node, a bad release that stops at its canary. All of it is checked. */
import { copyFile, mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { homePaths, removeTree } from '../../slots/index.ts'
import type { Io } from '../io.ts'
import { type DemoApp, demoApps } from './app.ts'
import { type DemoNode, passphraseFile, startFleet } from './fleet.ts'
import { askApp, Load, type LoadReport, type Served } from './load.ts'
import { Processes } from './processes.ts'

export interface ServedBy extends Served {
  readonly node: string
}

export interface DemoReport {
  readonly nodes: number
  readonly requests: LoadReport
  readonly seconds: number
  /** What each node serves at the end. */
  readonly serves: readonly ServedBy[]
  /** What was not as promised; empty: all was. */
  readonly problems: readonly string[]
}

/** @throws ShoalError INTERNAL if a step could not even be tried; nothing is left behind in any case */
export async function showDemo(io: Io, count: number, say: (line: string) => void): Promise<DemoReport> {
  const begun = performance.now()
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'shoal-demo-')))
  const processes = new Processes(io.env, io.signal)
  try {
    const at = (line: string): void => say(`${((performance.now() - begun) / 1000).toFixed(1).padStart(5)} s  ${line}`)
    const apps = await demoApps(join(folder, 'apps'))
    at(`a fleet of ${count} on this machine, in ${folder}`)
    const nodes = await startFleet(processes, folder, count, io.signal, at)
    const shown = await deployments(processes, folder, nodes, apps, at)
    return { ...shown, nodes: count, seconds: Math.round((performance.now() - begun) / 1000) }
  } finally {
    await processes.stopAll()
    await removeTree(folder)
  }
}

interface Deployed {
  readonly requests: LoadReport
  readonly serves: readonly ServedBy[]
  readonly problems: readonly string[]
}

async function deployments(
  processes: Processes,
  folder: string,
  nodes: readonly [DemoNode, ...DemoNode[]],
  { v1, v2, v3 }: { readonly v1: DemoApp; readonly v2: DemoApp; readonly v3: DemoApp },
  say: (line: string) => void,
): Promise<Deployed> {
  const [first] = nodes
  const key = join(folder, 'demo-key.json')
  await copyFile(join(homePaths(first.home).operators, 'demo.json'), key)
  const problems: string[] = []
  const deploy = async (app: DemoApp, from: DemoNode, wanted: number, plan: readonly string[]): Promise<void> => {
    say(`deploy ${app.name}@${app.version} at ${from.name}`)
    const signing = ['--key', key, '--passphrase-file', passphraseFile(first.home)]
    const { code, stdout } = await processes.run(['deploy', app.dir, '--home', from.home, ...plan, '--yes', ...signing], line =>
      say(`  ${line}`),
    )
    for (const line of stdout.trimEnd().split('\n')) say(`  ${line}`)
    if (code !== wanted) problems.push(`deploying ${app.version} ended with exit code ${code}, expected ${wanted}`)
  }
  const at = (n: number): DemoNode => nodes[n % nodes.length] ?? first
  // The first time there is nothing to lose yet: two waves, no pause.
  await deploy(v1, first, 0, ['--waves', '1,100%', '--soak', '0s'])
  const before = await Promise.all(nodes.map(served))
  const load = new Load(nodes.map(node => node.endpoint))
  try {
    await deploy(v2, at(1), 0, ['--soak', '1s'])
    say('now a release that is ill')
    await deploy(v3, at(2), 5, ['--soak', '1s'])
  } finally {
    await load.end()
  }
  const requests = await load.end()
  const serves = await Promise.all(nodes.map(served))
  return { requests, serves, problems: [...problems, ...complaints(requests, v2.version, before, serves)] }
}

const served = async (node: DemoNode): Promise<ServedBy> => ({ node: node.name, ...(await askApp(node.endpoint)) })

function complaints(requests: LoadReport, version: string, before: readonly ServedBy[], after: readonly ServedBy[]): readonly string[] {
  const failed = requests.failed === 0 ? [] : [`${requests.failed} of ${requests.sent} requests failed: ${requests.failures.join(', ')}`]
  const wrong = after.filter(each => each.version !== version).map(each => `${each.node} serves ${each.version}, expected ${version}`)
  const lost = after
    .filter((each, n) => each.visits <= (before[n]?.visits ?? 0))
    .map(each => `${each.node} lost data: ${each.visits} visits`)
  return [...failed, ...wrong, ...lost]
}
