/**
 * Who did what at this node, and what this node learned that operators signed: append-only. The database itself refuses to change a row, and to
 * delete one that is not among the oldest beyond what is kept; each row carries the hash of the one before, so that an edit of the file shows.
 */
import { createHash } from 'node:crypto'
import type Database from 'better-sqlite3'

/** Rows that are kept; a busy fleet writes some hundred a day. */
const maxRows = 100_000

export const auditSchema = `
  create table if not exists audit (
    seq integer primary key autoincrement, at text not null, who text not null, via text not null, address text not null,
    action text not null, object text not null, detail text not null, result text not null, request text not null,
    fact text unique, prev text not null, hash text not null
  );
  create trigger if not exists audit_is_not_changed before update on audit begin select raise(abort, 'audit is append-only'); end;
  create trigger if not exists audit_is_not_cut before delete on audit
    when old.seq > (select max(seq) from audit) - ${maxRows} begin select raise(abort, 'audit is append-only'); end;
`

export interface AuditEntry {
  /** UTC, as this node's clock says. */
  readonly at: string
  /** An operator's name, `home`, a token's name, or '' for nobody. */
  readonly who: string
  readonly via: 'session' | 'home' | 'token' | 'nobody' | 'fact'
  /** Whence: an address; for a fact the node at which it was made. */
  readonly address: string
  readonly action: string
  /** What it was done to. */
  readonly object: string
  readonly detail: string
  /** `ok`, or the code of the refusal. */
  readonly result: string
  readonly request: string
  /** The signed act that it is; each is written once. */
  readonly fact: string | null
}

export interface AuditRow extends AuditEntry {
  readonly seq: number
  readonly prev: string
  readonly hash: string
}

export interface AuditQuery {
  /** Only rows older than this. */
  readonly before: number
  readonly limit: number
  readonly who: string | null
  /** Part of action, object, detail or result. */
  readonly q: string | null
}

type Write = <T>(durable: boolean, work: () => T) => T

const hashOf = (prev: string, e: AuditEntry): string =>
  createHash('sha256')
    .update(JSON.stringify([prev, e.at, e.who, e.via, e.address, e.action, e.object, e.detail, e.result, e.request, e.fact]))
    .digest('hex')

const where = `(@who is null or who = @who) and
  (@q is null or instr(lower(action || ' ' || object || ' ' || detail || ' ' || result || ' ' || address), @q) > 0)`

export class AuditStore {
  readonly #db: Database.Database
  readonly #write: Write

  constructor(db: Database.Database, write: Write) {
    this.#db = db
    this.#write = write
  }

  /** Appends what is not there yet, in order. */
  append(entries: readonly AuditEntry[]): void {
    if (entries.length === 0) return
    this.#write(false, () => {
      const isThere = this.#db.prepare<[string]>('select 1 from audit where fact = ?')
      const put = this.#db.prepare(
        `insert into audit (at, who, via, address, action, object, detail, result, request, fact, prev, hash)
          values (@at, @who, @via, @address, @action, @object, @detail, @result, @request, @fact, @prev, @hash)`,
      )
      let prev = this.#db.prepare<[], { hash: string }>('select hash from audit order by seq desc limit 1').get()?.hash ?? ''
      for (const entry of entries) {
        if (entry.fact !== null && isThere.get(entry.fact) !== undefined) continue
        const hash = hashOf(prev, entry)
        put.run({ ...entry, prev, hash })
        prev = hash
      }
      this.#db.prepare(`delete from audit where seq <= (select max(seq) from audit) - ${maxRows}`).run()
    })
  }

  /** Newest first. */
  list(query: AuditQuery): readonly AuditRow[] {
    const rows = this.#db.prepare<[AuditQuery], AuditRow>(
      `select * from audit where seq < @before and ${where} order by seq desc limit @limit`,
    )
    return rows.all(query)
  }

  count(query: Pick<AuditQuery, 'who' | 'q'>): number {
    return this.#db.prepare<[typeof query], { n: number }>(`select count(*) as n from audit where ${where}`).get(query)?.n ?? 0
  }

  /** Goes along the chain. `brokenAt`: the first row that is not what was written, or whose forerunner is gone. */
  verify(): { readonly rows: number; readonly brokenAt: number | null } {
    let rows = 0
    let prev: string | null = null
    for (const row of this.#db.prepare<[], AuditRow>('select * from audit order by seq').iterate()) {
      rows += 1
      if ((prev !== null && row.prev !== prev) || row.hash !== hashOf(row.prev, row)) return { rows, brokenAt: row.seq }
      prev = row.hash
    }
    return { rows, brokenAt: null }
  }
}
