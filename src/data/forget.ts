/** A backup, snapshot or kept folder goes: first by its name, so that no half of one is ever taken for a whole. */
import { join } from 'node:path'
import { type HomePaths, removeTree, renameDurable } from '../slots/index.ts'
import { backupDir } from './backup.ts'
import { parseId } from './journal.ts'
import { ShoalError } from '../model/index.ts'
import { unfinishedPrefix } from './snapshot.ts'
import { neededFolders } from './way-back.ts'

/** @throws ShoalError CONFLICT while a switch or the way back needs it. What a cut leaves goes at the next start of the app */
export async function forgetKept(paths: HomePaths, text: string): Promise<void> {
  const id = parseId(text, 'backup')
  if (neededFolders(paths).has(id))
    throw new ShoalError('CONFLICT', `${id} belongs to a switch that is not over, or is the way back over one`)
  const leaving = join(paths.backups, `${unfinishedPrefix}${id}`)
  await removeTree(leaving)
  await renameDurable(backupDir(paths, id), leaving)
  await removeTree(leaving)
}
