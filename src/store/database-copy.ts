/**
 * A copy of a SQLite database as it is at one moment, while another process writes to it (SQLite's online backup). Only for a process
 * that has nothing else of that file open: closing any descriptor of it would drop the process's own locks.
 */
import Database from 'better-sqlite3'
import { ShoalError, systemCodeOf } from '../model/index.ts'

/** Pages in one step; between steps the writer has its turn. */
const pagesPerStep = 1000
/** A write in between starts the copy anew; after so many steps that brought nothing all goes in one step. */
const maxVain = 3
/** Pages that may be added before that step begins. */
const sparePages = 1_000_000
/** ms that a copy waits for a lock that nobody gives up. */
const lockedMs = 30_000

/** What has the first bytes of a database and is none that SQLite reads. */
const noDatabase = ['SQLITE_NOTADB', 'SQLITE_CORRUPT', 'SQLITE_CANTOPEN', 'SQLITE_READONLY_ROLLBACK', 'SQLITE_READONLY_RECOVERY']

/**
 * Copies a database to a file that is not there yet.
 * @returns false: SQLite cannot read it, and nothing was copied
 * @throws ShoalError DB_LOCKED; the system's error
 */
export async function copyDatabase(from: string, to: string): Promise<boolean> {
  try {
    await copy(from, to)
    return true
  } catch (error) {
    if (noDatabase.includes(systemCodeOf(error) ?? '')) return false
    throw error
  }
}

async function copy(from: string, to: string): Promise<void> {
  const db = new Database(from, { readonly: true, fileMustExist: true })
  try {
    let [left, vain, movedAt] = [Infinity, 0, performance.now()]
    await db.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        if (remainingPages < left) {
          left = remainingPages
          movedAt = performance.now()
        } else vain++
        if (performance.now() - movedAt > lockedMs) throw new ShoalError('DB_LOCKED', `${from}: no copy in ${lockedMs / 1000} s`)
        // Readers of a WAL hold up nobody; with a rollback journal writers wait for that one step.
        return vain < maxVain ? pagesPerStep : totalPages + sparePages
      },
    })
  } finally {
    db.close()
  }
}
