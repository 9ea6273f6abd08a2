/** The app under load, for Shoal and for the others: the same module, with a database and WebSockets; and the server that the others run it by. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { slowMs } from './protocol.ts'

export interface AppTraits {
  readonly version: string
  readonly handover: 'exclusive' | 'overlap'
  /** After so many ms as the node it does this in a trial. */
  readonly flaw?: { readonly kind: 'ill' | 'dies'; readonly afterMs: number }
  readonly probationSeconds: number
}

const source = ({ flaw }: Pick<AppTraits, 'flaw'>): string => `import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'

export default host => {
  const db = new DatabaseSync(join(host.dataDir, 'bench.db'))
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 2000; create table if not exists visit (at integer)')
  const put = db.prepare('insert into visit values (?)')
  const count = db.prepare('select count(*) as n from (select 1 from visit limit 10)')
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const begun = Date.now()
  ${flaw?.kind === 'dies' ? `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${flaw.afterMs})` : ''}
  return {
    handler: (req, res) => {
      if (req.url === '/slow') return void setTimeout(() => res.end(host.version), ${slowMs})
      if (req.method === 'POST') put.run(Date.now())
      res.end(JSON.stringify({ version: host.version, ...count.get() }))
    },
    upgrade: (req, socket, head) => sockets.handleUpgrade(req, socket, head, ws => ws.send(host.version)),
    health: () => { ${flaw?.kind === 'ill' ? `if (Date.now() - begun > ${flaw.afterMs}) throw new Error('ill on purpose')` : ''} },
    drain: () => { for (const ws of sockets.clients) ws.close(1012) },
    close: () => db.close(),
  }
}
`

/** Writes the app's folder, its one dependency included. */
export function writeApp(dir: string, traits: AppTraits): string {
  const folder = join(dir, `app-${traits.handover}-${traits.version}`)
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  cpSync(resolve('node_modules/ws'), join(folder, 'node_modules/ws'), { recursive: true })
  const pkg = {
    name: 'bench',
    version: traits.version,
    type: 'module',
    dependencies: { ws: '*' },
    shoal: { app: 'index.js', handover: traits.handover, probation: { seconds: traits.probationSeconds } },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(pkg))
  writeFileSync(join(folder, 'index.js'), source(traits))
  return folder
}

/**
 * The server of those who use no Shoal, as well as one writes it: it says when it is ready, ends its WebSockets with 1012, answers what is in
 * flight with `Connection: close`, keeps idle connections until their time is over, and ends.
 */
const serverSource = `import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import make from './index.js'

const here = name => new URL(name, import.meta.url)
const app = make({ dataDir: process.env.DATA_DIR, version: process.env.VERSION ?? '1.0.0' })
const server = createServer({ key: readFileSync(here('web.key')), cert: readFileSync(here('web.pem')), requestCert: true, rejectUnauthorized: false, noDelay: true })
let isDraining = false
server.on('request', (req, res) => {
  if (isDraining) res.shouldKeepAlive = false
  app.handler(req, res)
})
server.on('upgrade', app.upgrade)
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send?.('ready'))
const leave = () => {
  if (isDraining) return
  isDraining = true
  app.drain()
  server.closeIdleConnections = () => undefined
  server.close(() => process.exit(0))
  setTimeout(() => process.exit(0), Number(process.env.DRAIN_MS)).unref()
}
process.on('SIGINT', leave)
process.on('SIGTERM', leave)
`

export function writeServer(folder: string, web: { readonly key: string; readonly cert: string }): string {
  writeFileSync(join(folder, 'web.key'), web.key, { mode: 0o600 })
  writeFileSync(join(folder, 'web.pem'), web.cert)
  writeFileSync(join(folder, 'server.mjs'), serverSource)
  return join(folder, 'server.mjs')
}
