// A whole Shoal app. Copy this folder, change it, raise the version in package.json, and `shoal deploy` it.
//
// Shoal imports this module once, in each node's own process, and calls its default export. Importing must have no effects: no open
// files, no ports, no timers. A new release is imported while the old one still serves.
import { DatabaseSync } from 'node:sqlite' // part of Node.js 24: this app needs no dependency
import { join } from 'node:path'

// The host is what the node gives to its app: { dataDir, version, node: { id, name, tags }, config, log, hold(ms, reason) }.
// config is the key `app` of the node's config.json; secrets from instance/app.env are in config.env.
export default function hello(host) {
  // Write in host.dataDir and nowhere else. An update replaces the program's folder; this one it never touches.
  const database = new DatabaseSync(join(host.dataDir, 'hello.db'))

  // The old and the new release never have the data open at once (unless package.json says "handover": "overlap"). But going back
  // to the old release must work, so only add to the schema. For more, raise "dataVersion" and export a function `migrate`.
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, at TEXT NOT NULL)')
  const insert = database.prepare('INSERT INTO visits (at) VALUES (?)')
  const count = database.prepare('SELECT count(*) AS visits FROM visits')

  host.log.info({ version: host.version }, 'hello is ready')

  return {
    // Koa middleware for every path outside /_shoal/. (Or give `handler(req, res)`, the plain Node.js way.)
    middleware(ctx) {
      if (ctx.path !== '/') return // Koa answers 404
      insert.run(new Date().toISOString())
      ctx.body = { app: 'hello', version: host.version, node: host.node.name, ...count.get() }
    },

    // Asked again and again. Throw when the app cannot do its work: during an update the node then goes back by itself,
    // and the message is what people read as the reason.
    health() {
      count.get()
    },

    // Let go of everything: the next release opens the same data a few milliseconds later.
    close() {
      database.close()
    },
  }
}
