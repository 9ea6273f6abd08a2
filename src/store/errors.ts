/** What SQLite says of a disk that takes nothing, in the words of the house. */
import { ShoalError, systemCodeOf } from '../model/index.ts'

/** IOERR and CANTOPEN among them: that is how a file system without a free block answers when SQLite makes or grows a file. */
const full = /^SQLITE_(?:FULL|IOERR_WRITE|IOERR_FSYNC|IOERR_SHMSIZE|IOERR_SHMOPEN|IOERR_TRUNCATE|CANTOPEN|READONLY.*)$/
const locked = /^SQLITE_(?:BUSY|LOCKED)/
/** The bytes are no database any more, or the disk does not give them. */
const damaged = /^SQLITE_(?:CORRUPT|NOTADB|FORMAT|IOERR_READ|IOERR_SHORT_READ|IOERR_CORRUPTFS|IOERR_DATA)/

/** DISK_FULL, DB_LOCKED, DB_DAMAGED, or what was given. */
export function translated(error: unknown): unknown {
  const code = systemCodeOf(error) ?? ''
  if (full.test(code)) return new ShoalError('DISK_FULL', `node.db: the disk does not take it (${code})`, { cause: error })
  if (locked.test(code)) return new ShoalError('DB_LOCKED', `node.db: another program holds it (${code})`, { cause: error })
  if (damaged.test(code)) return new ShoalError('DB_DAMAGED', `node.db: cannot be read (${code})`, { cause: error })
  return error
}
