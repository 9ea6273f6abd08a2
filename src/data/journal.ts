/**
 * instance/data.json: what lies in data/, and the migration that is not over. A file of its own beside data/, since node.db may be
 * an older one, or a copy in memory. It is written whole and durably; what cannot be read is inferred from the app that runs for good.
 */
import { readFileSync } from 'node:fs'
import {
  asInteger,
  asOneOf,
  asString,
  type Current,
  type Digest,
  Fields,
  messageOf,
  type OrderId,
  parseDigest,
  parseJson,
  parseOrderId,
  systemCodeOf,
} from '../model/index.ts'
import { type HomePaths, readCurrent, readSlotManifest, slotDir } from '../slots/index.ts'
import { maxJournalLength, maxSnapshots } from './limits.ts'

/** Whose data it is, and of which version. */
export interface Held {
  readonly name: string
  readonly dataVersion: number
  /** An older version whose releases may open it too: an operator said `--data keep`. */
  readonly readBy?: number
}

/**
 * snapshotted: the snapshot is durable and nobody knows how far migrate() came. migrated: it came to its end and that is durable.
 * Then it is confirmed, or the snapshot goes back; either way the journal is closed.
 */
export interface Migration {
  readonly id: string
  readonly phase: 'snapshotted' | 'migrated'
  /** The release whose migration it is, and the try. */
  readonly app: Digest
  readonly order: OrderId | null
  readonly attempt: number
  readonly to: Held
}

/**
 * Other data, tried by a switch: a backup or a snapshot that comes back (`restore`), or data that an older release opens as it is (`keep`).
 * It lasts as long as that switch: proven, it is closed; else the data comes back that was there before.
 */
export interface Swap {
  readonly kind: 'restore' | 'keep'
  /** Its folder in backups/. */
  readonly id: string
  /** The backup or snapshot of which it is a copy. */
  readonly source: string | null
  /** The switch; null: it was done while the node was stopped, and counts. */
  readonly order: OrderId | null
  readonly attempt: number
  /** What the data is then. */
  readonly to: Held | null
  /** The folder has an identity that counts: only while the node is stopped. */
  readonly identity: boolean
}

export interface DataJournal {
  /** null: nothing that a release was proven on. */
  readonly held: Held | null
  /** On top of the swap, if both are there. */
  readonly migration: Migration | null
  readonly swap: Swap | null
  /** Folders of the snapshots that confirmed migrations left, in their sequence: times of files would follow a wrong clock. Some may be gone. */
  readonly snapshots: readonly string[]
}

export interface ReadJournal extends DataJournal {
  /** null: read as written. Else why it was inferred. */
  readonly inferred: string | null
}

/** A release reads the data as it is. */
export const isSame = (a: Held | null, b: Held): boolean =>
  a?.name === b.name && (a.dataVersion === b.dataVersion || a.readBy === b.dataVersion)

export function parseHeld(value: unknown, where: string): Held {
  const f = new Fields(value, where)
  const readBy = f.maybe('readBy', (v, w) => asInteger(v, w, 1), null)
  const held = { name: f.string('name', 300), dataVersion: f.get('dataVersion', (v, w) => asInteger(v, w, 1)) }
  return readBy === null ? held : { ...held, readBy }
}

function parseMigration(value: unknown, where: string): Migration {
  const f = new Fields(value, where)
  return {
    id: f.get('id', parseId),
    phase: f.get('phase', (v, w) => asOneOf(v, w, ['snapshotted', 'migrated'])),
    app: f.get('app', parseDigest),
    order: f.maybe('order', parseOrderId, null),
    attempt: f.integer('attempt', 0),
    to: f.get('to', parseHeld),
  }
}

function parseSwap(value: unknown, where: string): Swap {
  const f = new Fields(value, where)
  return {
    kind: f.get('kind', (v, w) => asOneOf(v, w, ['restore', 'keep'])),
    id: f.get('id', parseId),
    source: f.maybe('source', parseId, null),
    order: f.maybe('order', parseOrderId, null),
    attempt: f.integer('attempt', 0),
    to: f.maybe('to', parseHeld, null),
    identity: f.boolean('identity'),
  }
}

/** It becomes a path. @throws ShoalError BAD_REQUEST */
export function parseId(value: unknown, where: string): string {
  const id = asString(value, where, 255)
  return asOneOf(id, where, /^[\w@][\w.@-]*$/.test(id) ? [id] : ['the name of a folder'])
}

/** What there is none of is left out: so a release that knows nothing of it reads and writes the same. */
export function formatJournal({ held, migration, swap, snapshots }: DataJournal): string {
  const more = { ...(swap === null ? {} : { swap }), ...(snapshots.length === 0 ? {} : { snapshots }) }
  return `${JSON.stringify({ schema: 1, held, migration, ...more }, null, 2)}\n`
}

/** The journal of a migration that counts. */
export function confirmedMigration(journal: DataJournal, { id, to }: Migration): DataJournal {
  const { swap, snapshots } = journal
  // What it migrated was brought by the same switch, which is proven.
  return { held: to, migration: null, swap: swap === null ? null : { ...swap, to }, snapshots: [...snapshots, id].slice(-maxSnapshots) }
}

/** @throws ShoalError BAD_REQUEST */
export function parseJournal(text: string): DataJournal {
  const f = new Fields(parseJson(text, 'data.json', maxJournalLength), 'data.json')
  return {
    held: f.maybe('held', parseHeld, null),
    migration: f.maybe('migration', parseMigration, null),
    swap: f.maybe('swap', parseSwap, null),
    snapshots: f.has('snapshots') ? f.list('snapshots', parseId, maxSnapshots) : [],
  }
}

/** The app that was proven, or runs unproven for want of another: the one before, as long as a switch is being tried. */
export const goodApp = (current: Current | null): Digest | null =>
  (current?.state === 'trial' ? current.previous?.app : current?.app) ?? null

export function readJournal(paths: HomePaths): ReadJournal {
  try {
    return { ...parseJournal(readFileSync(paths.dataJournal, 'utf8')), inferred: null }
  } catch (error) {
    const inferred = systemCodeOf(error) === 'ENOENT' ? 'there was none' : messageOf(error)
    return { held: heldByApp(paths.home, goodApp(readCurrent(paths.home))), migration: null, swap: null, snapshots: [], inferred }
  }
}

export function heldByApp(home: string, app: Digest | null): Held | null {
  if (app === null) return null
  try {
    const { name, dataVersion } = readSlotManifest(slotDir(home, app))
    return { name, dataVersion }
  } catch {
    return null // Nothing is known then; a snapshot comes before whatever is done.
  }
}
