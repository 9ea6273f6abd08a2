/**
 * The part of node.db that is about people at this node: sessions. Secrets are never in it: a session is found by the hash of its cookie, and
 * the operator's key in it is wrapped under the cookie itself. Nothing of it is told to other nodes.
 */
import type Database from 'better-sqlite3'
import { type KeyId, parseKeyId } from '../model/index.ts'

export const peopleSchema = `
  create table if not exists session (
    hash text primary key, name text not null, keyid text not null, wrapped text,
    made_at integer not null, used_at integer not null
  ) without rowid;
  create index if not exists session_keyid on session (keyid);
`

export interface StoredSession {
  /** SHA-256 of the cookie's value. */
  readonly hash: string
  readonly name: string
  readonly keyid: KeyId
  /** The operator's key, wrapped under the cookie; null: it was proven elsewhere and is not here. */
  readonly wrapped: string | null
  /** ms since 1970. */
  readonly madeAt: number
  readonly usedAt: number
}

interface SessionRow {
  readonly hash: string
  readonly name: string
  readonly keyid: string
  readonly wrapped: string | null
  readonly made_at: number
  readonly used_at: number
}

type Write = <T>(durable: boolean, work: () => T) => T

export class PeopleStore {
  readonly #db: Database.Database
  readonly #write: Write

  constructor(db: Database.Database, write: Write) {
    this.#db = db
    this.#write = write
  }

  /** @param keep the newest sessions that one person may have; older ones end */
  addSession(session: StoredSession, keep: number): void {
    this.#write(true, () => {
      this.#db
        .prepare(
          'insert into session (hash, name, keyid, wrapped, made_at, used_at) values (@hash, @name, @keyid, @wrapped, @madeAt, @usedAt)',
        )
        .run(session)
      this.#db
        .prepare(
          `delete from session where keyid = @keyid and hash not in
            (select hash from session where keyid = @keyid order by used_at desc, made_at desc limit @keep)`,
        )
        .run({ keyid: session.keyid, keep })
    })
  }

  session(hash: string): StoredSession | undefined {
    const row = this.#db.prepare<[string], SessionRow>('select * from session where hash = ?').get(hash)
    if (row === undefined) return undefined
    const { name, wrapped, made_at, used_at } = row
    return { hash, name, keyid: parseKeyId(row.keyid), wrapped, madeAt: made_at, usedAt: used_at }
  }

  countSessions(): number {
    return this.#db.prepare<[], { n: number }>('select count(*) as n from session').get()?.n ?? 0
  }

  touchSession(hash: string, usedAt: number): void {
    this.#write(false, () => this.#db.prepare('update session set used_at = ? where hash = ?').run(usedAt, hash))
  }

  endSession(hash: string): void {
    this.#write(true, () => this.#db.prepare('delete from session where hash = ?').run(hash))
  }

  /** @param usedBefore ms since 1970 */
  forgetSessions(usedBefore: number): void {
    this.#write(false, () => this.#db.prepare('delete from session where used_at < ?').run(usedBefore))
  }
}
