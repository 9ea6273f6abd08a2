/**
 * Migrations rehearsed before the switch that needs them: on a copy of data/, in a process of its own that has less right to processor and memory
 * than the node, and that ends with the node. What went well is remembered for this release and this data as long as the worker lives; what failed
 * is not: who orders it again wants it tried again.
 */
import { stat } from 'node:fs/promises'
import { getHeapStatistics } from 'node:v8'
import {
  type DueMigration,
  dueMigration,
  makeRehearsalFolder,
  readJournal,
  realTreeDisk,
  type Rehearsed,
  treeBytes,
} from '../data/index.ts'
import { type Digest, maxHoldMs, messageOf, ShoalError } from '../model/index.ts'
import { freeBytes, type HomePaths, readSlotManifest, removeTree, slotDir } from '../slots/index.ts'
import type { LoadedApp } from './app-runner.ts'
import { runAside } from './aside.ts'
import type { Memory } from './before.ts'
import type { Log } from './log.ts'
import type { RuntimeOptions } from './runtime-options.ts'

/** ms that a rehearsal may take, its copy included: half of the longest that a switch waits, since in earnest it may take twice as long. */
const rehearsalMs = maxHoldMs / 2
/** ms between two looks at the free space while it runs. */
const spaceLookMs = 500
/** Bytes per ms that every disk copies at least. */
const slowestCopy = 4096

const memoryKey = 'preparing'

export interface RehearsalsOptions {
  readonly paths: HomePaths
  readonly memory: Memory
  readonly isAppRunning: () => boolean
  readonly reserveBytes: () => number
  readonly rehearsed: (ms: number) => void
  readonly log: Log
  readonly limitMs?: number
}

export class Rehearsals {
  readonly #o: RehearsalsOptions
  readonly #passed = new Map<string, number>()
  /** One at a time: each takes as much space as data/. */
  #last: Promise<unknown> = Promise.resolve()
  #interrupt = new AbortController()

  constructor(options: RehearsalsOptions) {
    this.#o = options
  }

  /** The staged release would migrate, and that was not rehearsed yet. */
  needs(digest: Digest): boolean {
    const due = this.#due(digest)
    return due !== null && !this.#passed.has(keyOf(digest, due))
  }

  /**
   * @throws ShoalError MIGRATE_FAILED with the app's own message, APP_IMPORT_FAILED, DISK_FULL, DB_LOCKED: data/ is as it was. BUSY: a switch
   * came in between; the signal's reason
   */
  rehearse(digest: Digest, signal: AbortSignal): Promise<void> {
    const done = this.#last.then(() => this.#rehearse(digest, signal))
    this.#last = done.catch(() => undefined)
    return done
  }

  /** A switch is asked for: the next worker clears away what this one has half done. */
  interrupt(): void {
    this.#interrupt.abort(new ShoalError('BUSY', 'another switch begins: the rehearsal is repeated after it'))
    this.#interrupt = new AbortController()
  }

  async #rehearse(digest: Digest, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const due = this.#due(digest)
    if (due === null) return
    const key = keyOf(digest, due)
    const found = this.#passed.get(key)
    const ms = found ?? preparationMs(await this.#try(digest, due, AbortSignal.any([signal, this.#interrupt.signal])))
    // Before it counts: the worker on trial asks for that time.
    rememberPreparation(this.#o.memory, digest, ms)
    this.#passed.set(key, ms)
  }

  async #try(digest: Digest, { from }: DueMigration, signal: AbortSignal): Promise<Rehearsed> {
    const { paths, isAppRunning, reserveBytes, rehearsed, log, limitMs = rehearsalMs } = this.#o
    const folder = await makeRehearsalFolder(paths, realTreeDisk)
    const limits = new AbortController()
    const tooLong = setTimeout(() => limits.abort(new ShoalError('MIGRATE_FAILED', `the rehearsal did not end in ${limitMs} ms`)), limitMs)
    const space = setInterval(() => void this.#lookAtSpace(folder, limits), spaceLookMs)
    try {
      const job = { t: 'rehearse', home: paths.home, digest, folder, from, reserveBytes: reserveBytes(), isLive: isAppRunning() } as const
      // Paths that an app writes relative to its current folder stay in the copy's too.
      const options = { cwd: folder, execArgv: [heapLimit()], endedAs: 'MIGRATE_FAILED' } as const
      const done = await runAside<'rehearse'>(job, AbortSignal.any([signal, limits.signal]), options)
      log('migration rehearsed', { digest, from, ...done })
      rehearsed(done.migrateMs)
      return done
    } finally {
      clearTimeout(tooLong)
      clearInterval(space)
      // What is left is removed by the next start of an app.
      await removeTree(folder).catch((error: unknown) => log('rehearsal not removed', { folder, error: messageOf(error) }))
    }
  }

  async #lookAtSpace(folder: string, limits: AbortController): Promise<void> {
    const [free, reserve] = [await freeBytes(folder).catch(() => Infinity), this.#o.reserveBytes()]
    if (free >= reserve) return
    limits.abort(new ShoalError('DISK_FULL', `while the migration was rehearsed: ${free} bytes are free, the reserve is ${reserve}`))
  }

  #due(digest: Digest): DueMigration | null {
    return dueMigration(this.#o.paths, readSlotManifest(slotDir(this.#o.paths.home, digest)))
  }
}

const keyOf = (digest: Digest, { key }: DueMigration): string => `${digest} ${key}`

/** As much memory for JavaScript as this worker has, and the next one will have. */
const heapLimit = (): string => `--max-old-space-size=${Math.ceil(getHeapStatistics().heap_size_limit / 2 ** 20)}`

/** What a switch may take for the same in earnest, ms. */
const preparationMs = ({ bytes, copyMs, migrateMs }: Rehearsed): number => copyTimeMs(bytes) + 2 * (copyMs + migrateMs)

/** What a copy of so many bytes may take on the slowest disk, ms. */
export const copyTimeMs = (bytes: number): number => Math.ceil(bytes / slowestCopy)

/** Written by the worker that asks for a switch; the one on trial, also after everything was killed, reads it. @throws ShoalError DISK_FULL */
export const rememberPreparation = (memory: Memory, digest: Digest, ms: number): void =>
  memory.remember(
    memoryKey,
    JSON.stringify(
      [[digest, Math.min(ms, maxHoldMs)], ...preparations(memory).filter(([each]) => each !== digest)].slice(0, maxRemembered),
    ),
  )

/** Releases whose time is remembered: the one on trial is not the last that was rehearsed. */
const maxRemembered = 8

function preparations(memory: Memory): readonly (readonly [digest: string, ms: number])[] {
  const said: unknown = JSON.parse(memory.remembered(memoryKey) ?? '[]')
  return Array.isArray(said) ? (said as [string, number][]) : []
}

/**
 * A migration that was rehearsed as a long one, or a long copy, must not fail by the switch's own deadline. Asked for only where the data is still
 * to be changed: else a release that hangs would be waited for as long.
 */
export function askForTime({ app, home, trial, needTime }: AskingWorker, memory: Memory): void {
  if (app === null || trial === null || trial.digest !== app.running.digest) return
  const { migration, swap } = readJournal(home.paths)
  if (migration === null && swap === null && dueMigration(home.paths, app.manifest) === null) return
  const ms = recallPreparation(memory, trial.digest)
  if (ms > 0) needTime(ms, 'data/ is copied and migrated')
}

/**
 * Data that lies on another disk than the node is put back by copying it, there and back, whoever starts next: with the release before, or in
 * safe mode. Elsewhere it is renamed.
 */
export async function askForWayBack({ home: { paths }, trial, needTime }: Omit<AskingWorker, 'app'>): Promise<void> {
  const { migration, swap } = readJournal(paths)
  if (trial !== null || (migration === null && swap === null)) return
  const [data, backups] = await Promise.all([paths.data, paths.backups].map(path => stat(path).catch(() => null)))
  if (!data || !backups || data.dev === backups.dev) return
  needTime(2 * copyTimeMs(await treeBytes(paths.data)), 'data/ is on another disk, and is put back')
}

interface AskingWorker extends Pick<RuntimeOptions, 'trial' | 'needTime'> {
  readonly app: Pick<LoadedApp, 'manifest' | 'running'> | null
  readonly home: { readonly paths: HomePaths }
}

/** ms that the release on trial may take before its app starts; 0: no more than any. */
export const recallPreparation = (memory: Memory, digest: Digest): number =>
  preparations(memory).find(([each]) => each === digest)?.[1] ?? 0
