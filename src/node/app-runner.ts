/**
 * The user's app in this worker: imported before the node has anything, started when it becomes the node, closed when it parks. Before it starts,
 * the data room brings data/ to its version: migrated, or as it was before a newer one.
 */
import { type AppModule, createHost, importApp, type Logger, migrateApp, type RunningApp, startApp } from '../app/index.ts'
import { heldData, isSame, noteSwap, prepareData, settleData, type Swap, undoSwap } from '../data/index.ts'
import {
  type Config,
  type Digest,
  type Manifest,
  maxHoldMs,
  messageOf,
  type NodeId,
  reserveBytesOf,
  type Running,
  type SwitchTarget,
} from '../model/index.ts'
import { type HomePaths, readSlotManifest, slotDir } from '../slots/index.ts'
import type { Log } from './log.ts'

/** ms that a migration may take: the longest that a switch waits. The trial's own deadline is shorter unless a rehearsal took longer. */
const migrateMs = maxHoldMs

export interface LoadedApp {
  readonly manifest: Manifest
  readonly module: AppModule
  readonly running: Running
}

/** @throws ShoalError APP_IMPORT_FAILED, HOME_DAMAGED */
export async function loadApp(home: string, digest: Digest): Promise<LoadedApp> {
  const dir = slotDir(home, digest)
  const manifest = readSlotManifest(dir)
  const module = await importApp(dir, manifest)
  return { manifest, module, running: { name: manifest.name, version: manifest.version, digest } }
}

export interface StartOptions {
  readonly app: LoadedApp
  readonly paths: HomePaths
  /** The switch in whose probation it starts. */
  readonly trial: SwitchTarget | null
  readonly config: Config
  readonly node: NodeId
  readonly log: Logger
  /** The app asked for time. */
  readonly onHold: (ms: number, reason: string) => void
}

/**
 * Migrates if need be, then starts the app.
 * @throws ShoalError MIGRATE_FAILED, DATA_NEWER, APP_START_FAILED, DISK_FULL
 */
export async function runApp(o: StartOptions): Promise<RunningApp> {
  await prepareAppData(o)
  const { name, tags } = o.config
  const host = await createHost({
    dataDir: o.paths.data,
    version: o.app.manifest.version,
    node: { id: o.node, name, tags: [...tags] },
    config: o.config.app,
    log: o.log,
    envFile: o.paths.appEnv,
    onHold: o.onHold,
  })
  return startApp(o.app.module, host)
}

function prepareAppData({ app, paths, config, trial, log }: StartOptions): Promise<void> {
  const { name, dataVersion } = app.manifest
  return prepareData({
    paths,
    app: { name, dataVersion, digest: app.running.digest },
    trial,
    reserveBytes: reserveBytesOf(config),
    migrate: from => migrateApp(app.module, { dataDir: paths.data, from, to: dataVersion, log }, AbortSignal.timeout(migrateMs)),
    log: log.warn,
  })
}

/** The app stays out: what a switch brought that is over goes all the same. What cannot be done now is done at the next start of an app. */
export async function tidyData(paths: HomePaths, log: Log): Promise<void> {
  try {
    await undoSwap({ paths, log: (fields, event) => log(event, fields) })
  } catch (error) {
    log('data not put back', { error: messageOf(error) })
  }
}

/** The release is proven: from now on data/ is of its version. What a full disk does not take is closed before the next switch. */
export function confirmData(paths: HomePaths, log: Log): void {
  try {
    settleData(paths)
  } catch (error) {
    log('data.json not written', { error: messageOf(error) })
  }
}

/**
 * The switch as it may be asked for: both releases have data/ open at once only if the next one reads it as it is, and with another
 * Shoal only if the app allows two of itself. `swap`: other data that this switch is to try.
 * @throws ShoalError DISK_FULL, before anything began
 */
export function safeSwitch(paths: HomePaths, target: SwitchTarget, running: LoadedApp | null, swap: Swap | null = null): SwitchTarget {
  settleData(paths)
  if (swap !== null) noteSwap(paths, swap)
  if (target.handover === 'exclusive') return target
  if (swap !== null) return { ...target, handover: 'exclusive' }
  const isSafe = target.kind === 'shoal' ? running?.manifest.handover !== 'exclusive' : readsAsItIs(paths, target)
  return isSafe ? target : { ...target, handover: 'exclusive' }
}

const readsAsItIs = (paths: HomePaths, { digest }: SwitchTarget): boolean =>
  digest !== null && isSame(heldData(paths), readSlotManifest(slotDir(paths.home, digest)))
