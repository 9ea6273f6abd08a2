/**
 * node.db: facts, documents, invites and what the node must not forget. SQLite in WAL; one transaction per decision. The schema only
 * grows: an older release runs on a newer one's file. It is never part of a snapshot and never restored.
 */
import Database from 'better-sqlite3'
import { type Digest, type Fact, parseDigest, ShoalError } from '../model/index.ts'
import { auditSchema, AuditStore } from './audit-store.ts'
import { bytesOf } from './copy.ts'
import { translated } from './errors.ts'
import { FactReader } from './fact-reader.ts'
import { peopleSchema, PeopleStore } from './people-store.ts'

const schema = `
  create table if not exists fact (
    kind text not null, owner text not null, name text not null,
    epoch integer not null, version integer not null, body text not null, sig text not null,
    primary key (kind, owner, name)
  ) without rowid;
  create table if not exists document (digest text primary key, text text not null) without rowid;
  create table if not exists memory (key text primary key, value text not null) without rowid;
  create table if not exists invite (
    id text primary key, envelope text not null, uses integer not null, used integer not null default 0, expires_at text not null
  ) without rowid;
  create table if not exists redeemed (invite text not null, node text not null, primary key (invite, node)) without rowid;
`

/** ms that a write waits for another program; the event loop waits with it. At first nobody else waits, later all clients would. */
const firstPatienceMs = 2000
const patienceMs = 250

function openDatabase(file: string | Buffer): Database.Database {
  try {
    return new Database(file, { timeout: firstPatienceMs })
  } catch (error) {
    throw translated(error)
  }
}

export interface StoredInvite {
  readonly id: string
  readonly envelope: string
  readonly uses: number
  readonly used: number
  readonly expiresAt: string
}

interface InviteRow {
  readonly id: string
  readonly envelope: string
  readonly uses: number
  readonly used: number
  readonly expires_at: string
}

/** Two workers write for a moment where instances overlap: the one that was the node before must not put back what the next has said since. */
const upsertFact = `insert into fact values (@kind, @owner, @name, @epoch, @version, @body, @sig)
  on conflict do update set epoch = excluded.epoch, version = excluded.version, body = excluded.body, sig = excluded.sig
  where (excluded.epoch, excluded.version) >= (fact.epoch, fact.version)`

export class NodeStore extends FactReader {
  /** What is written is forgotten: the disk does not take it. */
  readonly isCopy: boolean
  /** Sessions of people at this node. */
  readonly people: PeopleStore
  readonly audit: AuditStore
  readonly #db: Database.Database

  /**
   * @param file path of node.db, or `:memory:`; or the bytes of one
   * @throws ShoalError DISK_FULL, DB_LOCKED, DB_DAMAGED
   */
  constructor(file: string | Buffer) {
    const db = openDatabase(file)
    super(db)
    this.isCopy = typeof file !== 'string'
    this.#db = db
    try {
      if (!this.isCopy) this.#db.pragma('journal_mode = WAL')
      this.#db.pragma('synchronous = NORMAL')
      this.#db.exec(schema + peopleSchema + auditSchema)
    } catch (error) {
      this.#db.close()
      throw translated(error)
    }
    this.people = new PeopleStore(this.#db, (durable, work) => this.#write(durable, work))
    this.audit = new AuditStore(this.#db, (durable, work) => this.#write(durable, work))
  }

  /** What node.db holds, in memory: for a disk that is full, or a file that another program has locked. @throws as the constructor */
  static copyOf(file: string): NodeStore {
    try {
      return new NodeStore(bytesOf(file))
    } catch (error) {
      throw translated(error)
    }
  }

  /** Whether node.db takes writes now. */
  static isWritable(file: string): boolean {
    try {
      const store = new NodeStore(file)
      try {
        store.serve()
        store.raiseEpoch()
        return true
      } finally {
        store.close()
      }
    } catch {
      return false // The caller asks again.
    }
  }

  /** @param durable fsync before returning: what must not be forgotten once it was said. */
  saveFacts(facts: readonly Fact[], durable = false): void {
    const put = this.#db.prepare(upsertFact)
    this.#write(durable, () => {
      for (const fact of facts) put.run(fact)
    })
  }

  forgetFacts(facts: readonly Pick<Fact, 'kind' | 'owner' | 'name'>[]): void {
    const drop = this.#db.prepare('delete from fact where kind = @kind and owner = @owner and name = @name')
    this.#write(false, () => {
      for (const { kind, owner, name } of facts) drop.run({ kind, owner, name })
    })
  }

  documents(): readonly Digest[] {
    return this.#db
      .prepare<[], { digest: string }>('select digest from document')
      .all()
      .map(row => parseDigest(row.digest))
  }

  saveDocument(digest: Digest, text: string): void {
    this.#write(true, () => {
      this.#db.prepare('insert or ignore into document values (?, ?)').run(digest, text)
    })
  }

  remember(key: string, value: string): void {
    this.#write(true, () => {
      this.#db.prepare('insert into memory values (?, ?) on conflict do update set value = excluded.value').run(key, value)
    })
  }

  /** From now on the node serves: what another program locks is told of soon. */
  serve(): void {
    this.#db.pragma(`busy_timeout = ${patienceMs}`)
  }

  /** Raises the number of times that this node has become *the* node; on disk before it returns. */
  raiseEpoch(atLeast = 0): number {
    const epoch = Math.max(Number(this.remembered('epoch') ?? 0) + 1, atLeast)
    this.remember('epoch', String(epoch))
    return epoch
  }

  saveInvite(invite: Omit<StoredInvite, 'used'>): void {
    this.#mustLast()
    this.#write(true, () => {
      this.#db.prepare('insert into invite (id, envelope, uses, expires_at) values (@id, @envelope, @uses, @expiresAt)').run(invite)
    })
  }

  invite(id: string): StoredInvite | undefined {
    const row = this.#db.prepare<[string], InviteRow>('select * from invite where id = ?').get(id)
    return row === undefined ? undefined : { id: row.id, envelope: row.envelope, uses: row.uses, used: row.used, expiresAt: row.expires_at }
  }

  /**
   * Takes one use of an invite and stores the admission in the same transaction, so that a use is never lost nor given twice. The same
   * node asking again (its answer got lost) takes no second use.
   * @returns false if no use is left
   */
  redeem(id: string, node: string, admission: Fact): boolean {
    this.#mustLast()
    return this.#write(true, () => {
      const again = this.#db.prepare('select 1 from redeemed where invite = ? and node = ?').get(id, node) !== undefined
      if (!again && this.#db.prepare('update invite set used = used + 1 where id = ? and used < uses').run(id).changes === 0) return false
      this.#db.prepare('insert or ignore into redeemed values (?, ?)').run(id, node)
      this.#db.prepare(upsertFact).run(admission)
      return true
    })
  }

  #mustLast(): void {
    if (this.isCopy) throw new ShoalError('DISK_FULL', 'node.db cannot be written now')
  }

  #write<T>(durable: boolean, work: () => T): T {
    try {
      this.#db.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
      return this.#db.transaction(work).immediate()
    } catch (error) {
      throw translated(error)
    }
  }
}
