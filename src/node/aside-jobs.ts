/**
 * What is done to data/ beside the running app, in a process of its own: it has no lock on the app's databases to lose, no event loop to stop but
 * its own, and can be ended whole. Both ends are of the same release.
 */
import { createBackup, listKept, type Origin, readBackup, realTreeDisk, stageRestore, verifyBackup } from '../data/index.ts'
import { type Code, codeOf, messageOf, type NodeId, ShoalError } from '../model/index.ts'
import { homePaths } from '../slots/index.ts'
import { copyDatabase } from '../store/index.ts'

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

export interface AsideResults {
  readonly backup: { readonly id: string }
  readonly verify: readonly string[]
  readonly stage: null
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
  }
}
