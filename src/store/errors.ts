/** What SQLite says of a disk that takes nothing, in the words of the house. */
import { ShoalError, systemCodeOf } from '../model/index.ts'

/** IOERR and CANTOPEN among them: that is how a file system without a free block answers when SQLite makes or grows a file. */
const full = /^SQLITE_(?:FULL|IOERR_WRITE|IOERR_FSYNC|IOERR_SHMSIZE|IOERR_SHMOPEN|IOERR_TRUNCATE|CANTOPEN|READONLY.*)$/
const locked = /^SQLITE_(?:BUSY|LOCKED)/

/** DISK_FULL, DB_LOCKED, or what was given. */
export function translated(error: unknown): unknown {
  const code = systemCodeOf(error) ?? ''
  if (full.test(code)) return new ShoalError('DISK_FULL', `node.db: the disk does not take it (${code})`, { cause: error })
  if (locked.test(code)) return new ShoalError('DB_LOCKED', `node.db: another program holds it (${code})`, { cause: error })
  return error
}
