/** Looks through node.db without changing it. */
import Database from 'better-sqlite3'
import { messageOf } from '../model/index.ts'

/** Findings that are told; one is enough to know. */
const maxFindings = 5

/** What SQLite finds wrong with a database, a line each; none: it is whole. */
export function integrityProblems(file: string): readonly string[] {
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 })
    try {
      const rows = db.pragma(`integrity_check(${maxFindings})`) as readonly { readonly integrity_check: string }[]
      return rows.map(row => row.integrity_check).filter(text => text !== 'ok')
    } finally {
      db.close()
    }
  } catch (error) {
    return [messageOf(error)]
  }
}
