/**
 * node.db as a worker may read it that is not the node: another one may be writing. It changes nothing; SQLite may make the
 * two files beside it that it works with, which the next writer clears away.
 */
import Database from 'better-sqlite3'
import { type Digest, type Fact, ShoalError } from '../model/index.ts'
import { translated } from './errors.ts'

/** Names a fact, and by its signature what it says. */
export type SignedKey = readonly [kind: string, owner: string, name: string, sig: string]

const columns = 'kind, owner, name, epoch, version, body, sig'

export class FactReader {
  readonly #db: Database.Database

  constructor(db: Database.Database) {
    this.#db = db
  }

  /** @throws ShoalError DISK_FULL, DB_LOCKED, DB_DAMAGED; INTERNAL if there is none */
  static open(file: string, patienceMs: number): FactReader {
    try {
      return new FactReader(new Database(file, { readonly: true, fileMustExist: true, timeout: patienceMs }))
    } catch (error) {
      throw translated(error)
    }
  }

  /** Looks at the structure of every page. @throws ShoalError DB_DAMAGED */
  check(): void {
    try {
      const found = this.#db.pragma('quick_check(1)', { simple: true })
      if (found !== 'ok') throw new ShoalError('DB_DAMAGED', `node.db: ${String(found)}`)
    } catch (error) {
      throw translated(error)
    }
  }

  facts(): readonly Fact[] {
    return this.#db.prepare<[], Fact>(`select ${columns} from fact`).all()
  }

  factsOf(kind: string): readonly Fact[] {
    return this.#db.prepare<[string], Fact>(`select ${columns} from fact where kind = ? order by version`).all(kind)
  }

  fact({ kind, owner, name }: Pick<Fact, 'kind' | 'owner' | 'name'>): Fact | undefined {
    return this.#db
      .prepare<[string, string, string], Fact>(`select ${columns} from fact where kind = ? and owner = ? and name = ?`)
      .get(kind, owner, name)
  }

  /** Of all facts, without what they say: to see in a moment which are other ones than a replica holds. */
  signatures(): Iterable<SignedKey> {
    return this.#db.prepare<[], SignedKey>('select kind, owner, name, sig from fact').raw().iterate()
  }

  document(digest: Digest): string | undefined {
    return this.#db.prepare<[string], { text: string }>('select text from document where digest = ?').get(digest)?.text
  }

  remembered(key: string): string | undefined {
    return this.#db.prepare<[string], { value: string }>('select value from memory where key = ?').get(key)?.value
  }

  close(): void {
    this.#db.close()
  }
}
