/** Apps as files on disk, loaded and run for real: what a good one does, and every way in which a bad one fails. */
import { chmodSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { type AppHost, createHost, importApp, type Logger, migrateApp, type RunningApp, startApp } from '../../../src/app/index.ts'
import { type Manifest, parseManifest } from '../../../src/model/index.ts'

const manifest = (entry = 'index.js'): Manifest =>
  parseManifest({ schema: 1, kind: 'app', name: 'thing', version: '1.2.3', platform: 'any', entry, engines: {} })

interface Line {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

function logInto(lines: Line[]): Logger {
  const at =
    (level: string): Logger['info'] =>
    (fields, event) =>
      void lines.push({ ...fields, level, event })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

const hostFor = (dataDir: string, lines: Line[] = [], more: Partial<Parameters<typeof createHost>[0]> = {}): Promise<AppHost> =>
  createHost({
    dataDir,
    version: '1.2.3',
    node: { id: 'n'.repeat(52), name: 'till-1', tags: ['shop'] },
    config: {},
    log: logInto(lines),
    envFile: join(dataDir, '..', 'app.env'),
    ...more,
  })

/** Writes an entry and starts it. */
async function run(t: Test, source: string, lines: Line[] = []): Promise<{ app: RunningApp; dir: string; host: AppHost }> {
  const dir = t.testdir({ slot: { 'package.json': '{"type":"module"}', 'index.js': source } })
  const host = await hostFor(join(dir, 'data'), lines)
  const app = await startApp(await importApp(join(dir, 'slot'), manifest()), host)
  t.teardown(() => app.close().catch(() => undefined))
  return { app, dir, host }
}

async function serve(t: Test, app: RunningApp): Promise<string> {
  const server = createServer((req, res) => app.handle(req, res))
  server.on('upgrade', (req, socket, head) => {
    if (!app.upgrade(req, socket, head)) socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Aborts when what is at hand has been done. */
function soon(): AbortSignal {
  const controller = new AbortController()
  setImmediate(() => controller.abort(new Error('time is over')))
  return controller.signal
}

void t.test('the example: counts in its data folder, through restarts', async t => {
  const lines: Line[] = []
  const data = join(t.testdir(), 'data')
  const example = join(import.meta.dirname, '../../../examples/hello')
  const module = await importApp(example, { ...manifest(), name: 'hello', version: '1.0.0' })
  for (const visits of [1, 2]) {
    const app = await startApp(module, await hostFor(data, lines, { version: '1.0.0' }))
    const url = await serve(t, app)
    await app.health()
    const answer = await fetch(url)
    t.match(answer.headers.get('content-type'), 'application/json')
    t.strictSame(await answer.json(), { app: 'hello', version: '1.0.0', node: 'till-1', visits })
    t.equal((await fetch(`${url}/other`)).status, 404)
    await app.drain(soon())
    await app.close()
    t.equal((await fetch(url)).status, 503)
    await t.rejects(app.health(), { code: 'APP_UNHEALTHY' })
  }
  t.match(lines, [{ level: 'info', event: 'hello is ready' }])
})

void t.test('an entry that cannot be imported says so with its own words', async t => {
  const dir = t.testdir({
    'package.json': '{"type":"module"}',
    'throws.js': 'throw new Error("no such printer")',
    'syntax.js': 'export default function (',
    'missing.js': 'import "not-there"; export default () => ({})',
    'nothing.js': 'export const x = 1',
    'object.js': 'export default {}',
    'migrate.js': 'export default () => ({}); export const migrate = 3',
  })
  const failures: Record<string, RegExp> = {
    'throws.js': /thing@1\.2\.3: throws\.js: no such printer/,
    'syntax.js': /syntax\.js/,
    'missing.js': /not-there/,
    'nothing.js': /default export is missing, must be a function/,
    'object.js': /default export is object, must be a function/,
    'migrate.js': /migrate is number/,
    'absent.js': /absent\.js/,
    '../outside.js': /outside the package/,
  }
  for (const [entry, message] of Object.entries(failures)) {
    await t.rejects(importApp(dir, manifest(entry)), { code: 'APP_IMPORT_FAILED', message }, entry)
  }
  await t.rejects(importApp(dir, manifest('never.js'), AbortSignal.abort(new Error('enough'))), {
    code: 'APP_IMPORT_FAILED',
    message: /enough/,
  })
})

void t.test('an app that does not start', async t => {
  const starting = (source: string): Promise<unknown> => t.test(source, async t => t.rejects(run(t, source), { code: 'APP_START_FAILED' }))
  await starting('export default () => { throw new Error("port 80 is taken") }')
  await starting('export default async () => { throw new Error("port 80 is taken") }')
  await starting('export default () => undefined')
  await starting('export default () => null')
  await starting('export default () => ({ health: 7 })')
  await starting('export default () => ({ middleware() {}, handler() {} })')
  await starting('export default host => host.hold("long", "because")')
  await starting('export default host => host.hold(1e12, "because")')
})

void t.test('the time to start is bounded, and an app may ask for more', async t => {
  const clock = mock.timers
  const dir = t.testdir({
    'package.json': '{"type":"module"}',
    'index.js': 'export default host => { host.hold(host.config.ms, "rebuild the index"); return new Promise(() => {}) }',
  })
  const module = await importApp(dir, manifest())
  const asked: unknown[] = []
  for (const [ms, enough] of [
    [0, 30_000],
    [60_000, 60_000],
  ] as const) {
    const host = await hostFor(join(dir, 'data'), [], { config: { ms }, onHold: (...args) => asked.push(args) })
    clock.enable({ apis: ['setTimeout'] })
    t.teardown(() => clock.reset())
    let isOver = false
    const started = startApp(module, host).finally(() => (isOver = true))
    started.catch(() => undefined)
    clock.tick(enough - 50)
    await new Promise(setImmediate)
    t.notOk(isOver, `${enough - 50} ms`)
    clock.tick(100)
    await t.rejects(started, { code: 'APP_START_FAILED', message: /no answer in \d+ ms/ })
    clock.reset()
  }
  t.strictSame(asked, [
    [0, 'rebuild the index'],
    [60_000, 'rebuild the index'],
  ])
  const stop = new AbortController()
  const stopped = startApp(module, await hostFor(join(dir, 'data'), [], { config: { ms: 5 } }), stop.signal)
  stop.abort(new Error('the node stops'))
  await t.rejects(stopped, { code: 'APP_START_FAILED', message: /the node stops/ })
})

void t.test('requests: what an app throws is an answer and a log line', async t => {
  const lines: Line[] = []
  const { app } = await run(
    t,
    `export default () => ({ async middleware(ctx) { if (ctx.path === '/bad') throw new Error('koa broke'); ctx.body = this.word }, word: 'bound',
       upgrade(req, socket) { if (req.url === '/bad') throw new Error('no socket for you'); socket.end('HTTP/1.1 418 Teapot\\r\\n\\r\\n') } })`,
    lines,
  )
  const url = await serve(t, app)
  t.equal(await (await fetch(url)).text(), 'bound', 'this is the instance')
  t.equal((await fetch(`${url}/bad`)).status, 500)
  t.match(lines, [{ level: 'error', url: '/bad', error: 'koa broke' }])
  const upgrade = async (path: string): Promise<number | undefined> => {
    const asking = request(`${url}${path}`, { headers: { connection: 'upgrade', upgrade: 'websocket' } }).end()
    try {
      return ((await once(asking, 'response')) as [{ statusCode: number }])[0].statusCode
    } catch {
      return undefined
    }
  }
  t.equal(await upgrade('/'), 418)
  t.equal(await upgrade('/bad'), undefined)
  t.match(lines.at(-1), { error: 'no socket for you', event: 'app upgrade failed' })
  await app.close()
  t.equal(await upgrade('/'), 404, 'a closed app takes no sockets')

  await t.test('as a plain handler', async t => {
    const { app } = await run(
      t,
      `export default () => ({ handler(req, res) {
         if (req.url === '/sync') throw new Error('at once')
         if (req.url === '/async') return Promise.reject(new Error('later'))
         if (req.url === '/half') { res.write('x'); throw new Error('half') }
         res.end('plain') } })`,
      lines,
    )
    const url = await serve(t, app)
    t.equal(await (await fetch(url)).text(), 'plain')
    t.equal((await fetch(`${url}/sync`)).status, 500)
    t.equal((await fetch(`${url}/async`)).status, 500)
    await t.rejects(fetch(`${url}/half`).then(r => r.text()))
    t.equal(await upgrade('/'), 404)
  })
  await t.test('as a function with methods of its own, as an Express app is', async t => {
    const { app } = await run(
      t,
      `const app = (req, res) => res.end(typeof app.bind() + req.url)
       Object.assign(app, { bind: () => 'a route for BIND', call: null, apply: null })
       export default () => ({ handler: app })`,
    )
    t.equal(await (await fetch(`${await serve(t, app)}/x`)).text(), 'string/x')
  })
  await t.test('with neither', async t => {
    const { app } = await run(t, 'export default () => ({})')
    t.equal((await fetch(await serve(t, app))).status, 404)
    await app.health() // no health is good health
    await app.drain(AbortSignal.abort())
  })
})

void t.test('health, drain and close have an end', async t => {
  const lines: Line[] = []
  const source = `export default () => { let closes = 0; return {
    health: async () => { throw new Error('disk ' + closes) }, drain: () => new Promise(() => {}), close: () => { closes++ } } }`
  const { app } = await run(t, source, lines)
  await t.rejects(app.health(), { code: 'APP_UNHEALTHY', message: 'app thing@1.2.3: disk 0' })
  await app.drain(soon())
  t.equal(app.close(), app.close())
  await app.close()
  await t.rejects(app.health(), { message: /disk 1/ }, 'closed once')

  await t.test('when it never answers', async t => {
    const never = 'new Promise(() => {})'
    const { app } = await run(
      t,
      `export default () => ({ health: () => ${never}, drain: () => { throw new Error('drain broke') }, close: () => ${never} })`,
      lines,
    )
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => mock.timers.reset())
    const [health, close] = [app.health(), app.close()]
    for (const waiting of [health, close]) waiting.catch(() => undefined)
    mock.timers.tick(5_100)
    await t.rejects(health, { code: 'APP_UNHEALTHY', message: /no answer in 5000 ms/ })
    await t.rejects(close, { code: 'APP_CLOSE_FAILED' })
    await t.rejects(app.health(AbortSignal.abort(new Error('stop'))), { code: 'APP_UNHEALTHY', message: /stop/ })
    await app.drain(new AbortController().signal)
    t.match(lines.at(-1), { event: 'app drain failed', error: 'drain broke' })
  })
})

void t.test('migrate is told from where to where, and may fail', async t => {
  const dir = t.testdir({
    'package.json': '{"type":"module"}',
    'index.js': `import { writeFileSync } from 'node:fs'
      export default () => ({})
      export async function migrate({ dataDir, from, to, log }) {
        if (to === 3) throw new Error('column exists')
        if (to === 4) await new Promise(() => {})
        writeFileSync(dataDir + '/v', from + '>' + to); log.info({ to }, 'migrated') }`,
    'plain.js': 'export default () => ({})',
    data: {},
  })
  const lines: Line[] = []
  const context = { dataDir: join(dir, 'data'), log: logInto(lines) }
  const { signal } = new AbortController()
  const module = await importApp(dir, manifest())
  await migrateApp(module, { ...context, from: null, to: 2 }, signal)
  t.match(lines, [{ event: 'migrated', to: 2 }])
  await t.rejects(migrateApp(module, { ...context, from: 2, to: 3 }, signal), {
    code: 'MIGRATE_FAILED',
    message: /data version 2 to 3: column exists/,
  })
  await t.rejects(migrateApp(module, { ...context, from: 2, to: 4 }, soon()), { code: 'MIGRATE_FAILED' })
  await migrateApp(await importApp(dir, manifest('plain.js')), { ...context, from: 1, to: 2 }, signal)
})

void t.test('the host: folder, settings and secrets', async t => {
  const dir = t.testdir({
    'app.env': '# the till\nTOKEN=a=b c \n\nexport_path="/x y"\r\nEMPTY=\nQUOTE="\n__proto__=polluted\n',
    'bad.env': 'FINE=1\nnot a line',
    'open.env': 'A=1',
    'huge.env': `A=${'x'.repeat(70_000)}`,
  })
  for (const name of ['app.env', 'bad.env', 'huge.env']) chmodSync(join(dir, name), 0o600)
  chmodSync(join(dir, 'open.env'), 0o640)
  const host = await hostFor(join(dir, 'data'), [], { config: { title: 'Till', env: { TOKEN: 'default', EXTRA: '1' } } })
  const env = (host.config as { env: Record<string, string> }).env
  t.match(host, { version: '1.2.3', node: { name: 'till-1', tags: ['shop'] }, config: { title: 'Till' } })
  t.match(env, { TOKEN: 'a=b c', export_path: '/x y', EMPTY: '', QUOTE: '"', EXTRA: '1' })
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
  t.ok(Object.hasOwn(env, '__proto__'))
  t.equal(process.env['TOKEN'], undefined, 'secrets are not in the process’s environment')
  t.equal(statSync(host.dataDir).mode & 0o777, 0o700)
  const withEnv = (name: string): Promise<AppHost> => hostFor(join(dir, 'data'), [], { envFile: join(dir, name) })
  await t.rejects(withEnv('open.env'), { code: 'KEY_FILE_MODE', message: /640/ })
  await t.rejects(withEnv('bad.env'), { code: 'BAD_REQUEST', message: /line 2/ })
  await t.rejects(withEnv('huge.env'), { code: 'TOO_LARGE' })
  await t.rejects(hostFor(join(dir, 'data'), [], { config: 'text' }), { code: 'BAD_REQUEST' })
  t.strictSame((await withEnv('none.env')).config, { env: {} })
})
