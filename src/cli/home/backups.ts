/** Backups of a node that is stopped: nobody writes to data/, so it is copied and replaced as it lies. The documents are those of a running node. */
import {
  type Backup,
  backupId,
  createBackup,
  heldData,
  isOf,
  type Kept,
  listKept,
  noteSwap,
  readJournal,
  realTreeDisk,
  restorable,
  snapshotId,
  stageRestore,
  undoSwap,
  verifyBackup,
} from '../../data/index.ts'
import { type NodeId, parseNodeId, reserveBytesOf, ShoalError } from '../../model/index.ts'
import { type HomePaths, readCurrent, readSlotManifest, slotDir } from '../../slots/index.ts'
import { readConfig, serverNameAtHome, fleetAtHome } from './at-home.ts'

export interface StoppedBackups {
  readonly list: () => Promise<Record<string, unknown>>
  readonly create: () => Promise<Record<string, unknown>>
  readonly verify: (id: string) => Promise<Record<string, unknown>>
  readonly restore: (id: string, identity: boolean) => Promise<Record<string, unknown>>
}

const minPrefix = 6

export function stoppedBackups(paths: HomePaths): StoppedBackups {
  const self = parseNodeId(serverNameAtHome(paths).split('.')[0])
  const find = async (text: string): Promise<Kept> => {
    const found = (await listKept(paths)).filter(k => k.id === text || (text.length >= minPrefix && k.id.startsWith(text)))
    const one = found.find(k => k.id === text) ?? found[0]
    if (one === undefined) throw new ShoalError('NOT_FOUND', `there is no backup ${text}`)
    if (found.length > 1 && one.id !== text)
      throw new ShoalError('AMBIGUOUS', `backup ${text}: ${found.map(k => k.id).join(', ')} begin so`)
    return one
  }
  return {
    list: async () => {
      const backups = (await listKept(paths)).map(k => viewOf(k, self))
      return { backups, counts: { total: backups.length }, next: null }
    },
    create: async () => viewOf(await find((await create(paths, self)).id), self),
    verify: async id => {
      const kept = await find(id)
      if (kept.damage !== null) throw new ShoalError('BACKUP_DAMAGED', kept.damage)
      if (kept.backup === null) throw new ShoalError('BAD_REQUEST', `${kept.id} is a ${kept.kind} folder: only backups have hashes`)
      const problems = await verifyBackup(paths, kept.backup)
      if (problems.length > 0) throw new ShoalError('BACKUP_DAMAGED', problems.join('\n'))
      return viewOf(kept, self)
    },
    restore: async (id, identity) => {
      const source = await find(id)
      await restore(paths, source, self, identity)
      return viewOf(source, self)
    },
  }
}

function viewOf(k: Kept, self: NodeId): Record<string, unknown> {
  const { id, kind, at, backup, app, dataVersion, bytes, damage } = k
  const state = damage === null ? 'ready' : 'damaged'
  const reason = damage === null ? null : { code: 'BACKUP_DAMAGED', message: damage }
  return {
    id,
    kind,
    at,
    node: backup?.node ?? self,
    own: isOf(self, k),
    app,
    dataVersion,
    files: backup?.files ?? null,
    bytes,
    state,
    reason,
  }
}

const reserveOf = (paths: HomePaths): number => reserveBytesOf(readConfig(paths))

function appOf(paths: HomePaths): { readonly name: string; readonly version: string; readonly dataVersion: number } | null {
  const digest = readCurrent(paths.home)?.app ?? null
  return digest === null ? null : readSlotManifest(slotDir(paths.home, digest))
}

function create(paths: HomePaths, node: NodeId): Promise<Backup> {
  const app = appOf(paths)
  return createBackup({
    paths,
    id: backupId(new Date()),
    origin: {
      node,
      name: readConfig(paths).name,
      fleet: fleetAtHome(paths),
      app: app === null ? null : `${app.name}@${app.version}`,
      held: heldData(paths),
    },
    at: new Date().toISOString(),
    copyDatabase: null,
    reserveBytes: reserveOf(paths),
    disk: realTreeDisk,
  })
}

async function restore(paths: HomePaths, source: Kept, self: NodeId, identity: boolean): Promise<void> {
  const to = restorable(source, fleetAtHome(paths), appOf(paths))
  if (identity && source.backup === null) throw new ShoalError('BAD_REQUEST', `${source.id} is a ${source.kind} folder: it has no identity`)
  const { held, migration, swap } = readJournal(paths)
  if (migration !== null || swap !== null) throw new ShoalError('CONFLICT', 'a switch was cut: start the node once, so that it is ended')
  const into = snapshotId(to?.name ?? held?.name ?? 'data', held?.dataVersion ?? null, to?.dataVersion ?? null, 'swap')
  await stageRestore({ paths, source, into, self, identity, reserveBytes: reserveOf(paths), disk: realTreeDisk })
  // From here on a cut is finished by the next start.
  noteSwap(paths, { kind: 'restore', id: into, source: source.id, order: null, attempt: 0, to, identity })
  await undoSwap({ paths, log: () => undefined })
}
