/**
 * The part of node.db that is about people at this node: sessions, tokens of scripts, answers that were given to a key. Secrets are never in it:
 * a session or a token is found by its hash, and what belongs to a session is wrapped under its cookie. Nothing of it is told to other nodes.
 */
import type Database from 'better-sqlite3'
import { type KeyId, parseKeyId } from '../model/index.ts'

export const peopleSchema = `
  create table if not exists session (
    hash text primary key, name text not null, keyid text not null, wrapped text,
    made_at integer not null, used_at integer not null
  ) without rowid;
  create index if not exists session_keyid on session (keyid);
  create table if not exists token (
    id text primary key, hash text not null unique, name text not null, made_by text not null, keyid text, made_at integer not null,
    expires_at integer, used_at integer
  ) without rowid;
  create table if not exists answered (
    scope text not null, key text not null, body text not null, answer text, at integer not null, primary key (scope, key)
  ) without rowid;
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

export interface StoredToken {
  readonly id: string
  /** SHA-256 of the whole token. */
  readonly hash: string
  readonly name: string
  readonly madeBy: string
  /** The key of its maker: with that person goes the token. null: made by the owner of the home. */
  readonly keyid: KeyId | null
  readonly madeAt: number
  /** null: never. */
  readonly expiresAt: number | null
  readonly usedAt: number | null
}

interface TokenRow {
  readonly id: string
  readonly hash: string
  readonly name: string
  readonly made_by: string
  readonly keyid: string | null
  readonly made_at: number
  readonly expires_at: number | null
  readonly used_at: number | null
}

const tokenOf = (row: TokenRow): StoredToken => ({
  id: row.id,
  hash: row.hash,
  name: row.name,
  madeBy: row.made_by,
  keyid: row.keyid === null ? null : parseKeyId(row.keyid),
  madeAt: row.made_at,
  expiresAt: row.expires_at,
  usedAt: row.used_at,
})

/** What a caller was answered for an `Idempotency-Key`. */
export interface Answered {
  /** SHA-256 of the request's body. */
  readonly body: string
  /** Sealed; null: the first try has not ended, or its node has. */
  readonly answer: string | null
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

  addToken(token: StoredToken): void {
    this.#write(true, () =>
      this.#db
        .prepare(
          `insert into token (id, hash, name, made_by, keyid, made_at, expires_at)
            values (@id, @hash, @name, @madeBy, @keyid, @madeAt, @expiresAt)`,
        )
        .run(token),
    )
  }

  tokens(): readonly StoredToken[] {
    return this.#db.prepare<[], TokenRow>('select * from token order by made_at, id').all().map(tokenOf)
  }

  tokenByHash(hash: string): StoredToken | undefined {
    const row = this.#db.prepare<[string], TokenRow>('select * from token where hash = ?').get(hash)
    return row === undefined ? undefined : tokenOf(row)
  }

  touchToken(id: string, usedAt: number): void {
    this.#write(false, () => this.#db.prepare('update token set used_at = ? where id = ?').run(usedAt, id))
  }

  dropToken(id: string): void {
    this.#write(true, () => this.#db.prepare('delete from token where id = ?').run(id))
  }

  answered(scope: string, key: string): Answered | undefined {
    return this.#db.prepare<[string, string], Answered>('select body, answer from answered where scope = ? and key = ?').get(scope, key)
  }

  /** Notes that a request has begun. @param keep ms since 1970: what is older is forgotten */
  beginAnswer(scope: string, key: string, body: string, at: number, keep: number): void {
    this.#write(true, () => {
      this.#db.prepare('delete from answered where at < ?').run(keep)
      this.#db.prepare('insert into answered (scope, key, body, at) values (?, ?, ?, ?)').run(scope, key, body, at)
    })
  }

  /** @param answer null: nothing was done; the key is free again */
  endAnswer(scope: string, key: string, answer: string | null): void {
    this.#write(true, () => {
      if (answer === null) this.#db.prepare('delete from answered where scope = ? and key = ?').run(scope, key)
      else this.#db.prepare('update answered set answer = ? where scope = ? and key = ?').run(answer, scope, key)
    })
  }
}
