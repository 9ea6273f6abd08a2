/**
 * The user's app in this worker: imported before the node has anything, started when it becomes the node, closed when it parks. If the data
 * version rises, data/ is copied before migrate() and put back if the node goes back.
 */
import { type AppModule, createHost, importApp, type Logger, migrateApp, type RunningApp, startApp } from '../app/index.ts'
import { restore, snapshot } from '../data/index.ts'
import {
  asInteger,
  asString,
  type Config,
  type Digest,
  Fields,
  type Manifest,
  type NodeId,
  parseJson,
  type Running,
  ShoalError,
} from '../model/index.ts'
import { type HomePaths, readSlotManifest, slotDir } from '../slots/index.ts'

/** ms that a migration may take; the trial's own deadline is shorter unless the app asks for more probation. */
const migrateMs = 600_000

/** What lies in data/. */
interface DataRecord {
  readonly name: string
  readonly dataVersion: number
}

export interface Memory {
  remembered(key: string): string | undefined
  remember(key: string, value: string): void
}

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

export function dataRecord(memory: Memory): DataRecord | null {
  const text = memory.remembered('data')
  if (text === undefined) return null
  const f = new Fields(parseJson(text, 'data record'), 'data record')
  return { name: f.get('name', asString), dataVersion: f.get('dataVersion', (v, w) => asInteger(v, w, 1)) }
}

export interface StartOptions {
  readonly app: LoadedApp
  readonly paths: HomePaths
  readonly memory: Memory
  readonly config: Config
  readonly node: NodeId
  readonly log: Logger
}

/**
 * Migrates if need be, then starts the app.
 * @throws ShoalError MIGRATE_FAILED, DATA_NEWER, APP_START_FAILED, DISK_FULL
 */
export async function runApp(o: StartOptions): Promise<RunningApp> {
  await finishRestore(o)
  await migrateData(o)
  const { name, tags } = o.config
  const host = await createHost({
    dataDir: o.paths.data,
    version: o.app.manifest.version,
    node: { id: o.node, name, tags: [...tags] },
    config: o.config.app,
    log: o.log,
    envFile: o.paths.appEnv,
  })
  return startApp(o.app.module, host)
}

/** A snapshot stands and its migration was never confirmed: this is the older release, so the data goes back to it. */
async function finishRestore({ app, memory, paths }: StartOptions): Promise<void> {
  const text = memory.remembered('migrating')
  if (text === undefined || text === '') return
  const f = new Fields(parseJson(text, 'migrating'), 'migrating')
  if (f.integer('to') === app.manifest.dataVersion && f.string('app') === app.running.digest) return
  await restore({ data: paths.data, backups: paths.backups }, f.string('id'))
  memory.remember('migrating', '')
}

async function migrateData({ app, memory, paths, log }: StartOptions): Promise<void> {
  const { name, dataVersion } = app.manifest
  const held = dataRecord(memory)
  const from = held?.name === name ? held.dataVersion : null
  if (from !== null && from > dataVersion) throw new ShoalError('DATA_NEWER', `the data has version ${from}, ${name} knows ${dataVersion}`)
  if (from === dataVersion || app.module.migrate === null) return
  if (from !== null) {
    const id = `before-${name.replaceAll('/', '_')}-${dataVersion}-${app.running.digest.slice(0, 8)}`
    memory.remember('migrating', JSON.stringify({ id, to: dataVersion, app: app.running.digest }))
    await snapshot({ data: paths.data, backups: paths.backups }, id)
  }
  await migrateApp(app.module, { dataDir: paths.data, from, to: dataVersion, log }, AbortSignal.timeout(migrateMs))
}

/** The release is proven: from now on data/ is of its version. */
export function confirmData(memory: Memory, app: LoadedApp | null): void {
  if (app === null) return
  const record = JSON.stringify({ name: app.manifest.name, dataVersion: app.manifest.dataVersion })
  if (memory.remembered('data') !== record) memory.remember('data', record)
  if ((memory.remembered('migrating') ?? '') !== '') memory.remember('migrating', '')
}
