/**
 * What is done to data/ beside the running app, in a process of its own: it has no lock on the app's databases to lose, no event loop to stop but
 * its own, and can be ended whole. Both ends are of the same release.
 */
import { writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { importApp, migrateApp } from '../app/index.ts'
import {
  createBackup,
  listKept,
  type Origin,
  readBackup,
  realTreeDisk,
  type Rehearsed,
  rehearseMigration,
  stageRestore,
  verifyBackup,
} from '../data/index.ts'
import { type Code, codeOf, type Digest, messageOf, type NodeId, ShoalError } from '../model/index.ts'
import { homePaths, readSlotManifest, slotDir } from '../slots/index.ts'
import { copyDatabase } from '../store/index.ts'
import { appLogger, jsonLog } from './log.ts'

export type AsideJob =
  /** Makes a backup. `isLive`: the app is running. */
  | {
      readonly t: 'backup'
      readonly home: string
      readonly id: string
      readonly origin: Origin
      readonly at: string
      readonly reserveBytes: number
      readonly isLive: boolean
    }
  /** Reads a backup again: problems, none if it is whole. */
  | { readonly t: 'verify'; readonly home: string; readonly id: string }
  /** Prepares what is to be restored in a folder of its own. */
  | {
      readonly t: 'stage'
      readonly home: string
      readonly id: string
      readonly into: string
      readonly self: NodeId
      readonly reserveBytes: number
    }
  /** Has a staged release migrate a copy of data/, in the folder given. */
  | {
      readonly t: 'rehearse'
      readonly home: string
      readonly digest: Digest
      readonly folder: string
      readonly from: number | null
      readonly reserveBytes: number
      readonly isLive: boolean
    }

export interface AsideResults {
  readonly backup: { readonly id: string }
  readonly verify: readonly string[]
  readonly stage: null
  readonly rehearse: Rehearsed
}

export type AsideAnswer =
  | { readonly t: 'done'; readonly value: unknown }
  | { readonly t: 'failed'; readonly code: Code; readonly message: string }

export async function answerOf(job: AsideJob): Promise<AsideAnswer> {
  try {
    return { t: 'done', value: await run(job) }
  } catch (error) {
    return { t: 'failed', code: codeOf(error), message: messageOf(error) }
  }
}

async function run(job: AsideJob): Promise<AsideResults[keyof AsideResults]> {
  switch (job.t) {
    case 'backup': {
      const { home, isLive, ...rest } = job
      const copy = isLive ? copyDatabase : null
      return { id: (await createBackup({ ...rest, paths: homePaths(home), copyDatabase: copy, disk: realTreeDisk })).id }
    }
    case 'verify': {
      const paths = homePaths(job.home)
      const backup = await readBackup(paths, job.id)
      if (backup === null) throw new ShoalError('NOT_FOUND', `there is no backup ${job.id}`)
      return verifyBackup(paths, backup)
    }
    case 'stage': {
      const paths = homePaths(job.home)
      const source = (await listKept(paths)).find(k => k.id === job.id)
      if (source === undefined) throw new ShoalError('NOT_FOUND', `there is no backup ${job.id}`)
      await stageRestore({ ...job, paths, source, identity: false, disk: realTreeDisk })
      return null
    }
    case 'rehearse':
      return rehearse(job)
  }
}

/** @throws ShoalError APP_IMPORT_FAILED, MIGRATE_FAILED, DISK_FULL, DB_LOCKED */
async function rehearse({ home, digest, isLive, ...rest }: Extract<AsideJob, { t: 'rehearse' }>): Promise<Rehearsed> {
  yieldToTheNode()
  const dir = slotDir(home, digest)
  const manifest = readSlotManifest(dir)
  const module = await importApp(dir, manifest)
  const log = appLogger(
    jsonLog(
      line => process.stderr.write(line),
      () => new Date(),
    ),
  )
  return rehearseMigration({
    ...rest,
    paths: homePaths(home),
    copyDatabase: isLive ? copyDatabase : null,
    disk: realTreeDisk,
    // Whoever started this process ends it when its time is over.
    migrate: (dataDir, from) => migrateApp(module, { dataDir, from, to: manifest.dataVersion, log }, new AbortController().signal),
  })
}

/** Where processor or memory are short, the node has them; where the system knows no such order, the process has no less than the node. */
function yieldToTheNode(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
    if (process.platform === 'linux') writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // A container may forbid it.
  }
}
