/**
 * The data of the running node as its operators handle it: backups made, listed, verified and restored, one thing at a time. Whatever reads data/
 * does so in a process of its own; restoring goes through a switch to the release that runs already, so that a bad backup goes back like a bad release.
 */
import { randomBytes } from 'node:crypto'
import {
  backupId,
  isOf,
  type Kept,
  listKept,
  noteSwap,
  parseId,
  readJournal,
  realTreeDisk,
  restorable,
  snapshotId,
  type Swap,
  undoSwap,
} from '../data/index.ts'
import {
  codeFrom,
  codeOf,
  defaultProbationMs,
  type LastSwitch,
  messageOf,
  parseOrderId,
  reserveBytesOf,
  type Reason,
  ShoalError,
  type SwitchTarget,
  toBase32,
} from '../model/index.ts'
import { readCurrent } from '../slots/index.ts'
import type { LoadedApp } from './app-runner.ts'
import { runAside } from './aside.ts'
import type { Home, Settings } from './home.ts'
import type { Log } from './log.ts'

/** ms in which a backup must be made, verified or copied: for disks that are slow and full. */
const careMs = 6 * 3_600_000

/** Asks for a switch that tries other data. */
export type SwapAsker = (target: SwitchTarget, swap: Swap) => void

export interface DataCareOptions {
  readonly home: Home
  readonly settings: Settings
  /** The release of this worker; null: none. */
  readonly app: LoadedApp | null
  /** It runs, and may be writing. */
  readonly isAppRunning: () => boolean
  readonly requestSwap: SwapAsker
  /** What the node must not forget. */
  readonly memory: { remembered(key: string): string | undefined; remember(key: string, value: string): void }
  readonly log: Log
  readonly wallNow: () => Date
}

/** As the contract's lists show it. */
export interface BackupView {
  readonly id: string
  readonly kind: Kept['kind']
  readonly at: string
  /** Id of the node whose data it is, and whether that is this one. */
  readonly node: string
  readonly own: boolean
  readonly app: string | null
  readonly dataVersion: number | null
  readonly files: number | null
  readonly bytes: number
  readonly state: 'ready' | 'making' | 'verifying' | 'restoring' | 'failed' | 'damaged'
  /** Why it failed, or what the last verification found. */
  readonly reason: Reason | null
}

interface Job {
  readonly what: 'making' | 'verifying' | 'restoring'
  readonly id: string
  readonly at: string
  reason: Reason | null
  isOver: boolean
}

const restoreKey = 'restore'

export class DataCare {
  readonly #o: DataCareOptions
  readonly #stop = new AbortController()
  #job: Job | null = null

  constructor(options: DataCareOptions) {
    this.#o = options
  }

  /** Ends what is under way: a switch begins, or the node parks. What is half made is removed at the next start. */
  stop(): void {
    this.#stop.abort(new ShoalError('BUSY', 'the node changes over; try again in a moment'))
  }

  async list(): Promise<readonly BackupView[]> {
    const kept = await listKept(this.#o.home.paths)
    const views = kept.map(k => this.#view(k))
    const job = this.#job
    if (job?.what !== 'making' || kept.some(k => k.id === job.id)) return views
    return [this.#unmade(job), ...views]
  }

  /** @returns its id; whether it is whole, its view tells. @throws ShoalError BUSY */
  create(): string {
    const id = backupId(this.#o.wallNow())
    const { home, settings, app } = this.#o
    const { name, version } = app?.running ?? { name: '', version: '' }
    const origin = {
      node: home.key.id,
      name: settings.config.name,
      fleet: home.fleet,
      app: app === null ? null : `${name}@${version}`,
      held: readJournal(home.paths).held,
    }
    const at = this.#o.wallNow().toISOString()
    const job = {
      t: 'backup',
      home: home.paths.home,
      id,
      origin,
      at,
      reserveBytes: this.#reserve(),
      isLive: this.#o.isAppRunning(),
    } as const
    this.#begin('making', id, async signal => {
      await runAside<'backup'>(job, signal)
    })
    return id
  }

  /** @throws ShoalError BUSY, NOT_FOUND, BAD_REQUEST if it has no hashes */
  async verify(id: string): Promise<void> {
    const { kind } = await this.#find(id)
    if (kind !== 'backup') throw new ShoalError('BAD_REQUEST', `${id} is a ${kind} folder: only backups have hashes`)
    this.#begin('verifying', id, async signal => {
      const problems = await runAside<'verify'>({ t: 'verify', home: this.#o.home.paths.home, id }, signal)
      if (problems.length > 0) throw new ShoalError('BACKUP_DAMAGED', problems.join('\n').slice(0, 1000))
    })
  }

  /** @throws ShoalError BUSY, NOT_FOUND, DATA_NEWER, OTHER_APP, CONFLICT, BACKUP_DAMAGED; ALREADY_RUNNING if it is to bring an identity */
  async restore(id: string, identity: boolean): Promise<void> {
    if (identity) throw new ShoalError('ALREADY_RUNNING', 'an identity is restored while the node is stopped (`shoal stop`)')
    const { home, app } = this.#o
    const source = await this.#find(id)
    const to = restorable(source, home.fleet, app?.manifest ?? null)
    const { held, migration, swap } = readJournal(home.paths)
    if (migration !== null || swap !== null) throw new ShoalError('CONFLICT', 'data/ is in the probation of a switch')
    const into = snapshotId(to?.name ?? held?.name ?? 'data', held?.dataVersion ?? null, to?.dataVersion ?? null, 'swap')
    this.#begin('restoring', id, async signal => {
      await runAside<'stage'>({ t: 'stage', home: home.paths.home, id, into, self: home.key.id, reserveBytes: this.#reserve() }, signal)
      const order = parseOrderId(toBase32(randomBytes(32)))
      await this.#apply({ kind: 'restore', id: into, source: id, order, attempt: 1, to, identity: false })
    })
  }

  /** With an app by a switch; without one nobody has data/ open. */
  async #apply(swap: Swap): Promise<void> {
    const { home, app, memory, requestSwap, log } = this.#o
    const { order } = swap
    if (app !== null && order !== null) {
      memory.remember(restoreKey, JSON.stringify({ source: swap.source, order }))
      const probationMs = app.manifest.probationMs ?? defaultProbationMs
      const target = { order, attempt: 1, kind: 'app', digest: app.running.digest, handover: 'exclusive', probationMs, linked: 0 } as const
      requestSwap(target, swap)
      return
    }
    memory.remember(restoreKey, '{}')
    noteSwap(home.paths, { ...swap, order: null })
    await undoSwap({ paths: home.paths, log: (fields, event) => log(event, fields), disk: realTreeDisk })
  }

  /** The supervisor did not begin the switch. */
  refused(code: string, message: string): void {
    const job = this.#job
    if (job?.what === 'restoring' && job.reason === null) job.reason = { code: codeFrom(code), message }
  }

  #begin(what: Job['what'], id: string, work: (signal: AbortSignal) => Promise<void>): void {
    if (this.#job?.isOver === false) throw new ShoalError('BUSY', `${this.#job.what} ${this.#job.id}: one at a time`)
    const job: Job = { what, id, at: this.#o.wallNow().toISOString(), reason: null, isOver: false }
    this.#job = job
    work(AbortSignal.any([this.#stop.signal, AbortSignal.timeout(careMs)]))
      .catch((error: unknown) => {
        job.reason = { code: codeOf(error), message: messageOf(error).slice(0, 1000) }
        this.#o.log('backup', { what, id, ...job.reason })
      })
      .finally(() => {
        job.isOver = true
        this.#o.log('backup', { what, id, done: job.reason === null })
      })
  }

  async #find(text: string): Promise<Kept> {
    const id = parseId(text, 'backup')
    const found = (await listKept(this.#o.home.paths)).find(k => k.id === id)
    if (found === undefined) throw new ShoalError('NOT_FOUND', `there is no backup ${id}`)
    return found
  }

  #reserve(): number {
    return reserveBytesOf(this.#o.settings.config)
  }

  #view(k: Kept): BackupView {
    const { id, kind, at, backup, app, dataVersion, bytes, damage } = k
    const self = this.#o.home.key.id
    const own = isOf(self, k)
    return {
      id,
      kind,
      at,
      node: backup?.node ?? self,
      own,
      app,
      dataVersion,
      files: backup?.files ?? null,
      bytes,
      ...this.#stateOf(k, damage),
    }
  }

  #stateOf({ id }: Kept, damage: string | null): Pick<BackupView, 'state' | 'reason'> {
    const job = this.#job
    const restore = this.#restoreOf(id)
    if (damage !== null) return { state: 'damaged', reason: { code: 'BACKUP_DAMAGED', message: damage } }
    if (restore !== null) return restore
    if (job?.id !== id) return { state: 'ready', reason: null }
    if (!job.isOver) return { state: job.what, reason: null }
    if (job.reason === null) return { state: 'ready', reason: null }
    return { state: job.what === 'verifying' && job.reason.code === 'BACKUP_DAMAGED' ? 'damaged' : 'failed', reason: job.reason }
  }

  /** The restore that is being tried, or how the last one ended: it outlives the worker that began it. */
  #restoreOf(id: string): Pick<BackupView, 'state' | 'reason'> | null {
    const { paths } = this.#o.home
    const asked = this.#o.memory.remembered(restoreKey)
    const { source, order } = asked === undefined ? {} : (JSON.parse(asked) as { source?: string; order?: string })
    if (source !== id || (this.#job?.id === id && !this.#job.isOver)) return null
    if (this.#job?.id === id && this.#job.reason !== null) return null
    if (readJournal(paths).swap?.source === id) return { state: 'restoring', reason: null }
    const current = readCurrent(paths.home)
    return current?.last?.order === order ? endOf(current?.last ?? null) : null
  }

  #unmade(job: Job): BackupView {
    const { id, at, reason, isOver } = job
    const node = this.#o.home.key.id
    const state = isOver ? 'failed' : 'making'
    return { id, kind: 'backup', at, node, own: true, app: null, dataVersion: null, files: null, bytes: 0, state, reason }
  }
}

function endOf(last: LastSwitch | null): Pick<BackupView, 'state' | 'reason'> | null {
  if (last === null) return null
  if (last.result === 'confirmed') return { state: 'ready', reason: null }
  return { state: 'failed', reason: { code: codeFrom(last.code), message: last.message } }
}
