/**
 * node.db between releases. Every schema that was ever landed is in node-db/: N-schema.sql, and N-uses.sql with what the code of that time does to it.
 * A release opens all older ones, and older code goes on with a newer one's file: that is what a rollback of Shoal meets.
 */
import Database from 'better-sqlite3'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseDigest } from '../../src/model/index.ts'
import { NodeStore } from '../../src/store/index.ts'

const dir = join(import.meta.dirname, 'node-db')
const text = (name: string): string => readFileSync(join(dir, name), 'utf8')
const last = readdirSync(dir).filter(name => name.endsWith('-schema.sql')).length
const each = Array.from({ length: last }, (_, at) => at + 1)
const usesUpTo = (n: number): string =>
  each
    .slice(0, n)
    .map(at => text(`${at}-uses.sql`))
    .join('\n')

function withDatabase<T>(file: string, use: (db: Database.Database) => T): T {
  const db = new Database(file)
  try {
    return use(db)
  } finally {
    db.close()
  }
}

interface Column {
  readonly table: string
  readonly name: string
  readonly type: string
  readonly notnull: number
  readonly pk: number
  readonly dflt_value: string | null
}

const columnsOf = (db: Database.Database): readonly Column[] =>
  db
    .prepare<[], Column>(
      `select m.name as "table", c.name, c.type, c."notnull", c.pk, c.dflt_value from sqlite_schema m, pragma_table_info(m.name) c
        where m.type = 'table' and m.name not like 'sqlite_%' order by 1, c.cid`,
    )
    .all()

/** What stands in it, without spaces. */
const wordsOf = (db: Database.Database): readonly string[] =>
  db
    .prepare<[], { sql: string }>('select sql from sqlite_schema where sql is not null order by name')
    .all()
    .map(({ sql }) => sql.replaceAll(/\s+/g, ''))

/** All that the code of schema `n` wrote is there, and goes on. */
function readable(t: Test, file: string, n: number): void {
  const store = new NodeStore(file)
  store.check()
  const status = { kind: 'status', owner: 'n1', name: '', epoch: 1, version: 2, body: 'second', sig: 's2' }
  t.same(store.factsOf('status'), [status])
  t.equal(store.factsOf('outcome').length, 0)
  t.equal(store.document(parseDigest('d'.repeat(64))), 'a plan')
  t.match(store.invite('i1'), { envelope: 'signed', uses: 2, used: 1, expiresAt: '2030-01-01T00:00:00.000Z' })
  t.ok(store.redeem('i1', 'n2', { ...status, kind: 'member' }), 'who asks again takes no second use')
  t.equal(store.invite('i1')?.used, 1)
  t.ok(store.redeem('i1', 'n3', { ...status, kind: 'member', name: 'n3' }))
  t.notOk(store.redeem('i1', 'n4', { ...status, kind: 'member', name: 'n4' }), 'none is left')
  t.equal(store.raiseEpoch(), 8, 'never lower than it was')
  t.match(store.people.session('c'.repeat(64)), n < 2 ? undefined : { name: 'anna', wrapped: 'wrapped', usedAt: 2000 })
  t.match(store.people.tokens(), n < 3 ? [] : [{ id: 't1', name: 'monitor', usedAt: 2000, expiresAt: 9000 }])
  t.match(store.people.answered('anna', 'k1'), n < 3 ? undefined : { body: 'asked', answer: 'told' })
  t.same(store.audit.verify(), { rows: n < 3 ? 0 : 2, brokenAt: null })
  store.close()
}

void t.test('each past schema runs on the newest', t => {
  for (const n of each) {
    const file = join(t.testdir(), `of-${n}.db`)
    withDatabase(file, db => db.exec(text(`${n}-schema.sql`) + usesUpTo(n)))
    readable(t, file, n)
  }
  t.end()
})

void t.test('code of each past schema runs on a file of the newest', t => {
  for (const n of each) {
    const file = join(t.testdir(), `for-${n}.db`)
    new NodeStore(file).close()
    withDatabase(file, db => {
      db.pragma('journal_mode = WAL')
      db.exec(text(`${n}-schema.sql`))
      db.exec(usesUpTo(n))
    })
    readable(t, file, n)
  }
  t.end()
})

void t.test('the schema only grows', t => {
  const file = join(t.testdir(), 'newest.db')
  new NodeStore(file).close()
  const [newest, words] = withDatabase(file, db => [columnsOf(db), wordsOf(db)] as const)
  for (const n of each) {
    const past = withDatabase(':memory:', db => {
      db.exec(text(`${n}-schema.sql`))
      return columnsOf(db)
    })
    t.ok(past.length > 0)
    for (const column of past)
      t.same(
        newest.find(c => c.table === column.table && c.name === column.name),
        column,
      )
    // Old code writes rows without what was added since.
    const tables = new Set(past.map(c => c.table))
    const added = newest.filter(c => tables.has(c.table) && !past.some(p => p.table === c.table && p.name === c.name))
    t.same(
      added.filter(c => c.notnull === 1 && c.dflt_value === null),
      [],
    )
  }
  const known = withDatabase(':memory:', db => {
    db.exec(text(`${last}-schema.sql`))
    return wordsOf(db)
  })
  t.same(words, known, `a schema that has grown is kept as node-db/${last + 1}-schema.sql, with its uses`)
  t.end()
})
