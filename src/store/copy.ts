/**
 * Reads node.db whole when it cannot be written: through SQLite if that lets us read, else from copies of its files. What comes out
 * is for a database in memory and never goes back to the disk.
 */
import Database from 'better-sqlite3'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Bytes 18 and 19 of the header say which journal: a database in memory can have no WAL (fileformat2, section 1.3). */
const rollbackJournal = 1

/** The database with its WAL folded in; an empty one if there is none. @throws SQLite's or the system's error if it cannot be read at all */
export function bytesOf(file: string): Buffer {
  const bytes = existsSync(file) ? (serialized(file) ?? copied(file)) : empty()
  bytes[18] = bytes[19] = rollbackJournal
  return bytes
}

function empty(): Buffer {
  const db = new Database(':memory:')
  db.pragma('user_version = 0')
  db.exec('create table none (nothing); drop table none')
  const bytes = db.serialize()
  db.close()
  return bytes
}

/** null: SQLite cannot even read it. */
function serialized(file: string): Buffer | null {
  try {
    const db = new Database(file, { timeout: 0, fileMustExist: true })
    try {
      return db.serialize()
    } finally {
      db.close()
    }
  } catch {
    return null // Locked against readers too, or no block is left for its shared memory.
  }
}

function copied(file: string): Buffer {
  const wal = `${file}-wal`
  if (!existsSync(wal) || statSync(wal).size === 0) return readFileSync(file)
  const folder = mkdtempSync(join(tmpdir(), 'shoal-'))
  try {
    const copy = join(folder, 'node.db')
    copyFileSync(file, copy)
    copyFileSync(wal, `${copy}-wal`)
    const db = new Database(copy)
    try {
      return db.serialize()
    } finally {
      db.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
