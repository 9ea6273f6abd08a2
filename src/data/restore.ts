/**
 * Prepares what is to be restored, while the app runs: a copy of a backup or a snapshot, verified, in the folder of a swap. Restoring is renames
 * then. The backup itself stays.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FleetId, formatConfig, type NodeId, parseConfig, parseJson, ShoalError } from '../model/index.ts'
import type { HomePaths } from '../slots/index.ts'
import { backupDir, requireSpace, verifyCopy } from './backup.ts'
import { explained, realTreeDisk, type TreeDisk } from './disk.ts'
import { type Held, readJournal } from './journal.ts'
import { isOf, type Kept } from './keeping.ts'
import { safeNameOf, unfinishedPrefix } from './snapshot.ts'
import { isStaged, makeSwapFolder } from './swap-folder.ts'
import { copyTree, exists, requireMovable, treeBytes } from './tree.ts'

export interface StageOptions {
  readonly paths: HomePaths
  readonly source: Kept
  /** Name of the swap's folder. */
  readonly into: string
  readonly self: NodeId
  /** The identity in the backup is to count. */
  readonly identity: boolean
  readonly reserveBytes: number
  readonly disk: TreeDisk
}

/** @throws ShoalError NOT_WRITABLE or DISK_FULL before anything is written, BACKUP_DAMAGED */
export function stageRestore(o: StageOptions): Promise<void> {
  const { paths, source, disk } = o
  if (source.damage !== null) throw new ShoalError('BACKUP_DAMAGED', source.damage)
  return explained(`copy of ${source.id}`, async () => {
    await requireMovable(paths.data)
    await requireSpace(paths, await treeBytes(source.dir), o.reserveBytes)
    await makeSwapFolder(paths, o.into, disk, async dir => {
      await copyTree(source.dir, join(dir, 'before'), disk)
      if (source.backup === null) return
      const problems = await verifyCopy(paths, source.backup, join(dir, 'before'))
      if (problems.length > 0) throw new ShoalError('BACKUP_DAMAGED', `${source.id}: ${problems.join('; ').slice(0, 900)}`)
      await stageFiles(dir, o)
    })
  })
}

/** Removes what was staged, whole or in part, for a switch that is not asked for any more; what a switch has touched stays. */
export async function dropStaged(paths: HomePaths, id: string, disk: TreeDisk = realTreeDisk): Promise<void> {
  await disk.removeTree(backupDir(paths, unfinishedPrefix + id))
  if (readJournal(paths).swap?.id === id || !(await isStaged(paths, id))) return
  await disk.removeTree(backupDir(paths, id))
}

async function stageFiles(dir: string, o: StageOptions): Promise<void> {
  const { paths, source, disk } = o
  const from = backupDir(paths, source.id)
  await disk.write(join(dir, 'config.json'), await configOf(join(from, 'config.json'), o))
  const others = [['app.env', 'app.env'], ...(o.identity ? identityFiles : [])] as const
  for (const [name, as] of others) if (await exists(join(from, name))) await copyTree(join(from, name), join(dir, as), disk)
}

const identityFiles = ['node.key', 'node.pem', 'ca.pem'].map(name => [`identity/${name}`, name] as const)

/**
 * What data/ would be after it was restored.
 * @throws ShoalError OTHER_FLEET, OTHER_APP or DATA_NEWER if the release that runs could not open it; CONFLICT while a switch needs it
 */
export function restorable(source: Kept, fleet: FleetId, app: Held | null): Held | null {
  const { id, backup } = source
  if (source.isOpen) throw new ShoalError('CONFLICT', `${id} belongs to a switch that is not over`)
  if (source.damage !== null) throw new ShoalError('BACKUP_DAMAGED', source.damage)
  if (backup !== null && backup.fleet !== fleet)
    throw new ShoalError('OTHER_FLEET', `${id} is of fleet ${backup.fleet.slice(0, 8)}, this node is of ${fleet.slice(0, 8)}`)
  const to = backup === null ? heldOf(source, app) : backup.held
  if (app === null || to === null) return to
  if (to.name !== app.name) throw new ShoalError('OTHER_APP', `${id} is data of ${to.name}, ${app.name} runs here`)
  const reads = Math.min(to.dataVersion, to.readBy ?? to.dataVersion)
  if (reads > app.dataVersion) {
    throw new ShoalError('DATA_NEWER', `${id} has data version ${to.dataVersion}, ${app.name} knows ${app.dataVersion}: update it first`)
  }
  return { name: to.name, dataVersion: to.dataVersion, ...(to.readBy === undefined ? {} : { readBy: to.readBy }) }
}

/** A folder knows the app only by the name of a folder. */
function heldOf({ app: safeName, dataVersion }: Kept, app: Held | null): Held | null {
  if (dataVersion === null || safeName === null) return null
  return { name: app !== null && safeNameOf(app.name) === safeName ? app.name : safeName, dataVersion }
}

/** Another node's settings come without what makes them that node's: its name, its addresses, its sync peers. */
async function configOf(path: string, { paths, source, self, identity }: StageOptions): Promise<string> {
  const text = await readFile(path, 'utf8')
  const config = parseConfig(parseJson(text, `${source.id}/config.json`))
  if (identity || isOf(self, source)) return text
  const { name, listen, advertise, peers, hosts } = parseConfig(parseJson(await readFile(paths.config, 'utf8'), paths.config))
  return formatConfig({ ...config, name, listen, advertise, peers, hosts })
}
