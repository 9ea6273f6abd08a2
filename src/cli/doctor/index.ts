/** What is wrong with this machine's node, and what to do: each check by itself, whether the node runs or not. */
import { type HomePaths, readCurrent, runningSupervisor } from '../../slots/index.ts'
import type { Client } from '../client.ts'
import { readConfig } from '../home/index.ts'
import { checkCloned, checkHealth, checkLinks, checkPinned, checkRestart, checkRuns } from './fleet.ts'
import { type Check, type Finding, ok, problem, runCheck } from './finding.ts'
import { checkCertificates, checkDatabase, checkDisk, checkModes, checkNode, checkPortFree, checkSettings, checkSlots } from './machine.ts'

export type { Finding }

export interface Patient {
  readonly paths: HomePaths
  readonly api: () => Client
  readonly signal: AbortSignal
  readonly now: Date
}

export async function examine({ paths, api, signal, now }: Patient): Promise<readonly Finding[]> {
  const findings: Finding[] = [...(await runCheck('nodejs', checkNode))]
  const look = async (check: string, run: Check): Promise<void> => void findings.push(...(await runCheck(check, run)))
  await look('home', found => {
    found(readCurrent(paths.home) === null ? problem('HOME_EMPTY', `${paths.home} is no node yet`) : ok(paths.home))
  })
  if (findings.some(f => f.check === 'home' && f.code === 'HOME_EMPTY')) return findings
  await look('modes', checkModes(paths))
  await look('certificates', checkCertificates(paths, now))
  await look('database', checkDatabase(paths))
  await look('slots', checkSlots(paths, signal))
  await look('cloned', checkCloned(paths))
  const running = await runningSupervisor(paths)
  await look('config', found => {
    readConfig(paths)
    found(ok('config.json can be read'))
  })
  if (findings.at(-1)?.state !== 'ok') return findings
  const config = readConfig(paths)
  await look('settings', checkSettings(paths, config))
  await look('disk', checkDisk(paths, config))
  await look('runs', checkRuns(paths, api))
  if (running === null) await look('port', checkPortFree(config))
  else {
    await look('health', checkHealth(api))
    await look('peers', checkPinned(config, api))
  }
  await look('restart', checkRestart(paths, running))
  await look('links', checkLinks(paths, config, signal))
  return findings
}
