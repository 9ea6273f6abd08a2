/**
 * What lies in backups/: backups that somebody made, snapshots from before a migration, and what was kept aside when data/ went back or was
 * replaced. Folders of migrations and swaps say in their names what they are.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type NodeId } from '../model/index.ts'
import type { HomePaths } from '../slots/index.ts'
import { type Backup, backupDir, readBackup } from './backup.ts'
import { readJournal } from './journal.ts'
import { exists, namesIn, treeBytes } from './tree.ts'

/** backup: whole, with hashes. snapshot: data/ before a migration. kept: data/ that something else took the place of. */
export type KeptKind = 'backup' | 'snapshot' | 'kept'

export interface Kept {
  readonly id: string
  readonly kind: KeptKind
  readonly at: string
  /** null: this node's. */
  readonly backup: Backup | null
  /** Name of the app as it stands in a folder's name, or of a backup whole. */
  readonly app: string | null
  readonly dataVersion: number | null
  /** On the disk. */
  readonly bytes: number
  /** Its data/. */
  readonly dir: string
  /** Why it cannot be read; null: it can. */
  readonly damage: string | null
  /** The journal needs it: a migration or a swap that is not over. */
  readonly isOpen: boolean
}

/** `<app>-<version before>-to-<version>-<random>`, or `-swap-`. */
const folderName = /^(.*)-(\d+|none)-(?:to|swap)-(\d+|none)-[0-9a-f]{12}$/

/** What the name of a migration's folder says of the snapshot in it; null: it is no such name. */
export function snapshotNamed(id: string): { readonly app: string; readonly dataVersion: number } | null {
  const [, app, before] = /^(.*)-(\d+)-to-(?:\d+|none)-[0-9a-f]{12}$/.exec(id) ?? []
  return app === undefined ? null : { app, dataVersion: Number(before) }
}

/** Newest first. */
export async function listKept(paths: HomePaths): Promise<readonly Kept[]> {
  const { migration, swap } = readJournal(paths)
  const open = new Set([migration?.id, swap?.id])
  const found: Kept[] = []
  for (const name of await namesIn(paths.backups)) {
    if (name.startsWith('.')) continue
    const kept = (await asBackup(paths, name)) ?? (await asFolder(paths, name))
    if (kept !== null) found.push({ ...kept, isOpen: open.has(name) })
  }
  return found.toSorted((a, b) => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1))
}

async function asBackup(paths: HomePaths, id: string): Promise<Kept | null> {
  const root = backupDir(paths, id)
  const base = { id, kind: 'backup', bytes: await treeBytes(root), dir: join(root, 'data'), isOpen: false } as const
  try {
    const backup = await readBackup(paths, id)
    if (backup === null) return null
    return { ...base, at: backup.at, backup, app: backup.app, dataVersion: backup.held?.dataVersion ?? null, damage: null }
  } catch (error) {
    const at = (await stat(root)).mtime.toISOString()
    return { ...base, at, backup: null, app: null, dataVersion: null, damage: messageOf(error) }
  }
}

async function asFolder(paths: HomePaths, id: string): Promise<Kept | null> {
  const root = backupDir(paths, id)
  const [, app, before, after] = folderName.exec(id) ?? []
  if (app === undefined) return null
  const versionOf = (text: string | undefined): number | null => (text === undefined || text === 'none' ? null : Number(text))
  const isSwap = id.includes('-swap-')
  // A swap keeps aside what was there before it; a migration what it made.
  const versions: readonly (readonly [part: string, kind: KeptKind, version: string | undefined])[] = [
    ['before', isSwap ? 'kept' : 'snapshot', isSwap ? after : before],
    ['after', 'kept', isSwap ? before : after],
    ['tried', 'kept', after],
  ]
  for (const [part, kind, version] of versions) {
    const dir = join(root, part)
    if (!(await exists(dir))) continue
    const at = (await stat(root)).mtime.toISOString()
    return {
      id,
      kind,
      at,
      backup: null,
      app,
      dataVersion: versionOf(version),
      bytes: await treeBytes(root),
      dir,
      damage: null,
      isOpen: false,
    }
  }
  return null
}

/** Whether a backup may be restored with its settings as they are: it is of this node. */
export const isOf = (node: NodeId, { backup }: Kept): boolean => backup === null || backup.node === node
