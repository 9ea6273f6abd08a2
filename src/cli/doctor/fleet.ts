/** Checks of this node among others: who starts it again, its links, its clock, its id. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { parseNodeId } from '../../model/index.ts'
import { type Config, type FleetId, parseAddress } from '../../model/index.ts'
import { probe, type ProbeReport } from '../../mesh/index.ts'
import { type HomePaths, type RunningSupervisor, runningSupervisor } from '../../slots/index.ts'
import { readNodeKey } from '../../trust/index.ts'
import { parseNode, parseNodes } from '../answers.ts'
import type { Client } from '../client.ts'
import { fleetAtHome, readHomeFile } from '../home/index.ts'
import { oneLine, plural } from '../output.ts'
import { filesOf, installed, serviceFacts, thisKind } from '../service/index.ts'
import { advice, type Check, ok, problem } from './finding.ts'

export const checkRuns =
  (paths: HomePaths, api: () => Client): Check =>
  async found => {
    const running = await runningSupervisor(paths)
    if (running === null) {
      found(advice('the node does not run', '`shoal start`, or start its service'))
      return
    }
    const status = await api().probe('readyz')
    if (status === 200) found(ok(`the node serves (supervisor ${running.pid})`))
    else
      found(
        problem(
          'NO_NODE',
          `its supervisor runs (${running.pid}), its port answers ${status ?? 'nothing'}`,
          '`shoal logs` says why; `shoal restart` starts a new worker',
        ),
      )
  }

export const checkRestart =
  (paths: HomePaths, running: RunningSupervisor | null): Check =>
  async found => {
    if (running?.restart === '')
      found(problem('NO_RESTART_PATH', `supervisor ${running.pid}: neither a loader nor a service starts it again`))
    const facts = await serviceFacts(paths, running?.service.split(':')[1] ?? 'shoal')
    const files = filesOf(thisKind(), facts)
    const there = installed(files)
    if (there.length === 0) {
      found(advice('nothing starts the node when this machine does', '`shoal service install`'))
      return
    }
    const old = files.find(file => there.every(each => each.path !== file.path || each.text !== file.text))
    if (old !== undefined) found(problem('SERVICE_OUTDATED', `${old.path}: is not what it would be now`))
    else found(ok(`the service ${facts.name} is installed`))
  }

/** Health and the last failure, as the node itself tells. */
export const checkHealth =
  (api: () => Client): Check =>
  async found => {
    const { health, reason } = parseNode(await api().get('nodes/self'))
    if (health === 'ok' || health === 'held') found(ok(`health is ${health}`))
    else
      found(
        problem(
          health === 'safe-mode' ? 'APP_UNHEALTHY' : 'DEGRADED',
          `health is ${health}${reason === null ? '' : `: ${oneLine(reason.message)}`}`,
        ),
      )
  }

/** Members that nobody pinned would be forgotten by a node that lost its database. */
export const checkPinned =
  (config: Config, api: () => Client): Check =>
  async found => {
    const others = parseNodes(await api().getAll('nodes', 'nodes')).filter(node => !node.isSelf)
    if (config.peers.length > 0) found(ok(plural(config.peers.length, 'sync peer')))
    else if (others.length === 0) found(ok('this node is alone in its fleet'))
    else found(problem('NO_SYNC_PEERS', `config.json pins no peer, the fleet has ${plural(others.length, 'other node')}`))
  }

/** Goes to every sync peer, step by step, as this node would. */
export const checkLinks =
  (paths: HomePaths, config: Config, signal: AbortSignal): Check =>
  async found => {
    const identity = identityOf(paths)
    const tests = config.peers.map(async peer => {
      const options = { address: parseAddress(peer.address), expect: peer.id, isMember: () => true, wallNow: () => Date.now(), signal }
      return { peer, report: await probe({ ...identity, ...options }) }
    })
    for (const { peer, report } of await Promise.all(tests)) judge(`${peer.id.slice(0, 8)} at ${peer.address}`, report, found)
  }

function judge(who: string, report: ProbeReport, found: Parameters<Check>[0]): void {
  const failed = report.steps.find(step => !step.ok)
  if (failed === undefined) found(ok(`${who}: linked to it would be possible, clocks agree`))
  else if (failed.step === 'clock') found(problem('CLOCK_OFF', `${who}: ${failed.message}`))
  else found(problem('PEER_FAILED', `${who}: fails at ${failed.step}: ${oneLine(failed.message)}`))
}

function identityOf(paths: HomePaths): {
  readonly self: ReturnType<typeof parseNodeId>
  readonly fleet: FleetId
  readonly tls: { key: string; cert: string; ca: string }
} {
  const key = readNodeKey(readHomeFile(paths.nodeKey))
  return {
    self: key.id,
    fleet: fleetAtHome(paths),
    tls: { key: key.key, cert: readHomeFile(paths.nodePem), ca: readHomeFile(paths.caPem) },
  }
}

const logTailBytes = 1 << 18

/** Another machine that is this node too: the tail of the log has the alarm. */
export const checkCloned =
  (paths: HomePaths): Check =>
  found => {
    const { self } = identityOf(paths)
    const lines = tailOf(paths.nodeLog).split('\n')
    const isCloned = lines.some(line => line.includes('"alarm":"cloned"') && line.includes(self))
    if (isCloned) found(problem('CLONED_ID', `another machine runs as node ${self.slice(0, 8)} too`))
    else found(ok('nobody else was seen with this id'))
  }

function tailOf(file: string): string {
  try {
    const fd = openSync(file, 'r')
    try {
      const { size } = fstatSync(fd)
      const bytes = Buffer.alloc(Math.min(size, logTailBytes))
      readSync(fd, bytes, 0, bytes.length, size - bytes.length)
      return bytes.toString('utf8')
    } finally {
      closeSync(fd)
    }
  } catch {
    return '' // No log yet.
  }
}
