import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createServer as createTls } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { Client } from '../../../src/cli/client.ts'
import { exchange } from '../../../src/cli/exchange.ts'
import { found, nodeAtHome } from '../../../src/cli/home/index.ts'
import type { Io } from '../../../src/cli/io.ts'
import { answerDeadlineMs } from '../../../src/cli/limits.ts'
import { rememberServer } from '../../../src/cli/remembered.ts'
import { formatAddress } from '../../../src/model/index.ts'
import { homePaths, identityOf, registryOf, writeRegistry } from '../../../src/slots/index.ts'
import { aboutTimeoutMs } from '../../../src/web/about-routes.ts'
import { makeWebCertificate } from '../../../src/trust/index.ts'
import { fakeNode, refusal, shoal } from './helpers.ts'
import type { Json } from '../../helpers/json.ts'

const home = join(t.testdir(), 'home')
const paths = homePaths(home)
await found(paths, { passphrase: 'words', writesSecrets: false, listen: { host: '127.0.0.1', port: 0 }, operator: 'ann' })
const never = new AbortController().signal

const node = {
  id: 'a'.repeat(52),
  name: 'till\u001b[31m',
  address: '10.0.0.7:8443',
  reach: 'direct',
  ageMs: 0,
  app: { name: 'demo', version: '1.0.0', digest: '' },
  step: 'idle',
  outcome: null,
}

void t.test('a node that is not there is exit 3, in every way of not being there', async t => {
  t.match((await shoal(['status', '--home', home, '--json'])).json.error, { code: 'NO_NODE', message: /has not been started yet/ })
  writeFileSync(paths.localToken, 'token')
  const refused = await shoal(['status', '--home', home])
  t.equal(refused.code, 3)
  t.match(
    refused.err,
    /^error: 127\.0\.0\.1:\d+ does not answer: ECONNREFUSED \(NO_NODE\)\n {2}home \/.*, node 127\.0\.0\.1:\d+\n {2}Start the node/,
  )

  const { port } = nodeAtHome(paths).address
  const web = createTls(makeWebCertificate(['localhost']), (_req, res) => res.end('hello'))
  web.listen(port, '127.0.0.1')
  await once(web, 'listening')
  t.match((await shoal(['status', '--home', home, '--json'])).json.error, { code: 'NO_NODE', message: /something else listens there/ })
  web.closeAllConnections()
  web.close()
  await once(web, 'close')

  const plain = createServer(socket => socket.end('HTTP/1.1 200 OK\r\n\r\n').on('error', () => undefined))
  plain.listen(port, '127.0.0.1')
  await once(plain, 'listening')
  t.match((await shoal(['status', '--home', home, '--json'])).json.error, { code: 'NO_NODE', message: /does not speak TLS/ })
  plain.close()
  rmSync(paths.localToken)
})

void t.test('a server that nobody is logged in to: first whether anybody is there, then who may', async t => {
  const { port } = nodeAtHome(paths).address
  const url = `https://127.0.0.1:${port}`
  const there = (...command: string[]): ReturnType<typeof shoal> => shoal([...command, '--server', url, '--home', home, '--json'])
  for (const command of [['nodes'], ['status'], ['logout']])
    t.match(await there(...command), { code: 3, json: { error: { code: 'NO_NODE', message: /ECONNREFUSED/ } } }, command.join(' '))
  await fakeNode(
    w => t.teardown(w),
    home,
    () => ({ body: {} }),
  )
  t.match(await there('nodes'), { code: 4, json: { error: { code: 'UNAUTHENTICATED', message: /shoal login/ } } })
})

void t.test('silence has a deadline, and Ctrl-C needs none', async t => {
  await fakeNode(
    w => t.teardown(w),
    home,
    () => undefined,
  )
  const q = { method: 'GET', path: '/', headers: {} } as const
  await t.rejects(exchange(nodeAtHome(paths), undefined, { ...q, signal: never, deadlineMs: 150 }), {
    code: 'NO_NODE',
    message: /no answer within 0.15 s/,
  })
  const stop = new AbortController()
  const ran = shoal(['status', '--home', home, '--json'], { signal: stop.signal })
  setImmediate(() => stop.abort())
  t.match((await ran).json.error.code, 'CANCELLED')
  t.equal((await ran).code, 1)
})

void t.test('what the node refuses keeps its code, its words and its request id', async t => {
  const answers: Record<string, { status: number; body: unknown }> = {
    '/_shoal/api/v1/nodes/x': { status: 404, body: refusal('NOT_FOUND', 'there is no node x') },
    '/_shoal/api/v1/nodes/y': { status: 409, body: refusal('FROM_THE_FUTURE', 'a code of a later version') },
    '/_shoal/api/v1/nodes/z': { status: 502, body: '<html>' },
    '/_shoal/api/v1/nodes/w': { status: 500, body: {} },
    '/_shoal/api/v1/nodes/v': { status: 200, body: { id: 7 } },
  }
  await fakeNode(
    w => t.teardown(w),
    home,
    ({ path }) => answers[path],
  )
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    ['x', 'NOT_FOUND', 1, /there is no node x \(NOT_FOUND\)[^]*request req-7/],
    ['y', 'INTERNAL', 1, /a code of a later version/],
    ['z', 'INTERNAL', 1, /answered 502 with something that is no JSON/],
    ['w', 'INTERNAL', 1, /answered 500 without a reason/],
    ['v', 'BAD_REQUEST', 1, /node\.id/],
  ]
  for (const [which, code, exit, words] of cases) {
    const { code: ended, json, err } = await shoal(['nodes', 'show', which, '--home', home, '--json'])
    t.equal(json.error.code, code, which)
    t.equal(ended, exit)
    t.match(err, words)
  }
})

void t.test('the token goes along, with the node’s own address as host', async t => {
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    () => ({ body: node }),
  )
  const { code, out } = await shoal(['status', '--home', home])
  t.equal(code, 0)
  t.match(out, /till \[31m {2}a{52}/, 'names from others carry no control characters')
  t.match(asked[0], {
    path: '/_shoal/api/v1/nodes/self',
    headers: { authorization: 'Bearer token-1', host: nodeAtHome(paths).address.port.toString() },
  })
})

void t.test('a node that changes over is asked once more: new token, 503, a reset connection', async t => {
  let turn = 0
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    ({ headers }, res) => {
      turn += 1
      if (turn === 1) {
        writeFileSync(paths.localToken, 'token-2')
        return { status: 401, body: refusal('UNAUTHENTICATED', 'another token') }
      }
      if (turn === 2) return { body: { by: headers.authorization } }
      if (turn === 3) return { status: 503, headers: { 'retry-after': '0' }, body: refusal('STARTING', 'in a moment') }
      if (turn === 5) return void res.destroy()
      return { body: { by: turn } }
    },
  )
  const client = new Client(nodeAtHome(paths), never)
  t.teardown(() => client.close())
  t.strictSame(await client.get('fleet'), { by: 'Bearer token-2' })
  t.strictSame(await client.post('rollouts', { a: 1 }), { by: 4 })
  t.strictSame(asked[3]?.body, { a: 1 }, 'the body is sent again')
  t.strictSame(await client.get('fleet'), { by: 6 })
})

void t.test('an order that may have been heard is not sent twice; a refusal that stays is told', async t => {
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    ({ method }, res) => {
      if (method === 'POST') return void res.destroy()
      return { status: 503, headers: { 'retry-after': '0' }, body: refusal('BUSY', 'full') }
    },
  )
  const client = new Client(nodeAtHome(paths), never)
  t.teardown(() => client.close())
  await t.rejects(client.post('rollouts', {}), { code: 'NO_NODE' })
  t.equal(asked.length, 1)
  await t.rejects(client.get('fleet'), { code: 'BUSY' })
  t.equal(asked.length, 3)
})

void t.test('uploads are streamed; one that is refused early is a refusal, no broken pipe', async t => {
  const file = join(t.testdir(), 'p.zip')
  writeFileSync(file, Buffer.alloc(3 << 20, 7))
  const { asked, server } = await fakeNode(
    w => t.teardown(w),
    home,
    ({ raw }) => ({ status: 201, body: { length: raw.length } }),
  )
  const client = new Client(nodeAtHome(paths), never)
  t.teardown(() => client.close())
  t.strictSame(await client.upload(file, 'd'.repeat(64)), { length: 3 << 20 })
  t.match(asked[0]?.headers, { 'content-type': 'application/zip', 'content-length': String(3 << 20), 'x-shoal-digest': 'd'.repeat(64) })
  server.removeAllListeners('request')
  server.on('request', (_req, res) => res.writeHead(507).end(JSON.stringify(refusal('DISK_FULL', 'no space'))))
  await t.rejects(client.upload(file, 'd'.repeat(64)), { code: 'DISK_FULL' })
})

void t.test('a long list is fetched page by page, and is one document', async t => {
  const id = (n: number): string => `${n}`.padEnd(52, 'b').replaceAll(/[0189]/g, 'c')
  await fakeNode(
    w => t.teardown(w),
    home,
    ({ path }) => {
      const after = new URL(path, 'https://x').searchParams.get('after')
      const nodes = [2, 3].map(n => ({
        ...node,
        id: id(n + (after === null ? 0 : 2)),
        name: `n${n + (after === null ? 0 : 2)}`,
        reach: after === null ? 'direct' : 'lost',
        ageMs: 5000,
      }))
      return { body: { fleet: 'f', nodes, counts: { total: 4 }, next: after === null ? 'more' : null } }
    },
  )
  const { json } = await shoal(['nodes', '--json', '--home', home])
  t.strictSame(
    json.nodes.map((n: Json) => n.name),
    ['n2', 'n3', 'n4', 'n5'],
  )
  t.match(json, { fleet: 'f', counts: { total: 4 }, next: null })
  t.match(
    (await shoal(['fleet', 'list', '--all', '--home', home])).out,
    /^NAME {2}ID {8}REACH {5}APP[^]*n4 .*lost 5 s[^]*\n4 nodes, 2 lost\n$/,
  )
})

void t.test('what a node alone knows: its lines; a note where it cannot be asked, or the asked node is too old', async t => {
  const peers = [
    { ...node, id: 'b'.repeat(52), name: 'lost', reach: 'lost', linkedMs: null },
    { ...node, name: 'near', pinned: true, linkedMs: 4000 },
  ]
  const backups = [{ id: 'b1', kind: 'backup', state: 'ready', bytes: 7 }]
  const slots = [{ digest: 'd'.repeat(64), name: 'demo@1.0.0', bytes: 5, needs: ['current'] }]
  const about = { slots, peers, backups, disk: { freeBytes: 9, totals: [{ reclaimable: 3 }] } }
  let answer: { status?: number; headers?: Record<string, string>; body: unknown } = { body: about }
  const { asked } = await fakeNode(
    w => t.teardown(w),
    home,
    ({ path }) => (path.endsWith('/about') ? answer : { body: node }),
  )
  const show = (): ReturnType<typeof shoal> => shoal(['nodes', 'show', 'self', '--home', home])
  const lines = (await show()).out.split('\n').slice(-6, -1)
  t.strictSame(lines, [
    '  slot     demo@1.0.0  5 B  current',
    '  peer     lost  lost  10.0.0.7:8443',
    '  peer     near  linked for 4 s  pinned  10.0.0.7:8443',
    '  kept     b1  7 B  backup, ready',
    '  disk     9 B free, 3 B may go',
  ])
  for (const code of ['NO_NODE', 'NOT_FOUND']) {
    answer = { status: code === 'NO_NODE' ? 503 : 404, headers: { 'retry-after': '1' }, body: refusal(code, 'no') }
    asked.length = 0
    const { code: exit, json, err } = await shoal(['nodes', 'show', 'self', '--home', home, '--json'])
    t.match({ exit, json }, { exit: 0, json: { id: node.id, about: null } }, code)
    t.not(err, '', 'and says why')
    t.equal(asked.filter(a => a.path.endsWith('/about')).length, 1, 'that another node cannot be asked is an answer')
  }
  answer = { status: 403, body: refusal('NOT_ALLOWED', 'no') }
  t.equal((await show()).code, 4)
  t.ok(answerDeadlineMs >= aboutTimeoutMs + 5000, 'who asks for it outwaits the node that asks the other')
})

void t.test('stop and restart of another node: the one at home is neither touched nor looked at', async t => {
  mkdirSync(paths.run, { recursive: true })
  const registry = registryOf(paths)
  t.teardown(() => rmSync(registry))
  // The node at home runs as a service: its manager would be the one to ask.
  writeRegistry(registry, { service: 'systemd:shoal-of-no-machine', restart: 'service' }, [identityOf(process.pid)])
  const folder = t.testdir()
  const env = { HOME: folder, APPDATA: folder }
  const url = `https://${formatAddress(nodeAtHome(paths).address)}`
  const cert = readFileSync(paths.nodePem, 'utf8')
  await rememberServer({ env } as unknown as Io, { url, cert, cookie: 'c', csrf: 'x', name: 'ann', key: null })
  const { asked, server } = await fakeNode(
    w => t.teardown(w),
    home,
    ({ path }, res) => {
      // It is there for one look more, and then gone.
      if (path.endsWith('/livez')) {
        res.once('close', () => server.closeAllConnections())
        server.close()
      }
      return { status: 202, body: {} }
    },
  )
  const there = (...verb: string[]): ReturnType<typeof shoal> => shoal([...verb, '--server', url, '--home', home, '--json'], { env })
  for (const verb of ['leave', 'reset-identity', 'keys restore'])
    t.match(
      await there(...verb.split(' ')),
      { code: 2, json: { error: { code: 'USAGE' } } },
      `${verb} takes keys, and is done at the machine`,
    )
  t.match(await there('restart'), { code: 0, json: { state: 'restarting' } })
  t.match(await there('stop'), { code: 0, json: { state: 'stopped' } })
  t.strictSame(
    asked.map(a => a.path),
    ['/_shoal/api/v1/self/restart', '/_shoal/api/v1/self/stop', '/_shoal/livez'],
  )
})

void t.test('peers test ends with 1 and the step that fails', async t => {
  await fakeNode(
    w => t.teardown(w),
    home,
    ({ body }) => ({ body: { tests: [{ id: null, address: body.target, ok: false, step: 'tls', message: 'no TLS', steps: [] }] } }),
  )
  const { code, out, err } = await shoal(['peers', 'test', '10.0.0.9:8443', '--home', home])
  t.equal(code, 1)
  t.match(out, /10\.0\.0\.9:8443 {2}fails at tls {2}no TLS/)
  t.match(err, /^error: 10\.0\.0\.9:8443 fails at tls: no TLS \(PEER_FAILED\)\n {2}home \S+, node \S+\n {2}See /, 'code and reason')
  const asJson = await shoal(['peers', 'test', '10.0.0.9:8443', '--home', home, '--json'])
  t.match([asJson.code, asJson.json], [1, { tests: [{ ok: false, step: 'tls' }] }], 'the document stays what it is')
  t.equal(asJson.json.error, undefined)
  t.equal(asJson.err, err)
})

void t.test('config get and set: judged whole, written whole', async t => {
  t.equal((await shoal(['config', 'get', 'name', '--home', home])).code, 0)
  t.match((await shoal(['config', 'set', 'tags', 'till,site=berlin', '--home', home, '--json'])).json, {
    key: 'tags',
    value: ['till', 'site=berlin'],
    restart: true,
  })
  t.match((await shoal(['config', 'set', 'limits.uploads', '3', '--home', home, '--json'])).json, { value: 3 })
  t.match((await shoal(['config', 'set', 'app', '{"greeting":"hi"}', '--home', home])).code, 0)
  t.match((await shoal(['config', 'set', 'app.count', '5', '--home', home, '--json'])).json, { key: 'app.count', value: 5 })
  t.match((await shoal(['config', 'set', 'name', '42', '--home', home, '--json'])).json, { value: '42' })
  const all = (await shoal(['config', '--home', home, '--json'])).json
  t.match(all, { name: '42', tags: ['till', 'site=berlin'], limits: { uploads: 3, reserveMb: 64 }, app: { greeting: 'hi', count: 5 } })
  const refused: readonly (readonly [string, string, number, string])[] = [
    ['limits.uploads', '0', 2, 'USAGE'],
    ['listen', 'nowhere', 2, 'USAGE'],
    ['tags', 'UPPER', 2, 'USAGE'],
    ['app', '42', 2, 'USAGE'],
    ['app.env', '[]', 2, 'USAGE'],
    ['tag', 'x', 1, 'NOT_FOUND'],
    ['__proto__.x', '1', 1, 'NOT_FOUND'],
  ]
  for (const [key, value, exit, code] of refused) {
    const ran = await shoal(['config', 'set', key, value, '--home', home, '--json'])
    t.equal(ran.code, exit, key)
    t.equal(ran.json.error.code, code, key)
  }
  t.strictSame((await shoal(['config', '--home', home, '--json'])).json, all, 'a refusal changes nothing')
})

void t.test('config edit: the editor gets a copy, which is judged before it counts', async t => {
  const script = join(t.testdir(), 'editor.js')
  writeFileSync(
    script,
    `import { readFileSync, writeFileSync } from 'node:fs'
const file = process.argv.at(-1)
writeFileSync(file, readFileSync(file, 'utf8').replace('"name": "42"', process.argv[2] === 'well' ? '"name": "43"' : '"name": ""'))
`,
  )
  const edit = (how: string, isTTY = true): ReturnType<typeof shoal> =>
    shoal(['config', 'edit', '--json', '--home', home], { isTTY, env: { EDITOR: `${process.execPath} ${script} ${how}` } })
  t.match(await edit('well', false), { code: 2, json: { error: { code: 'USAGE' } } }, 'nobody sits there')
  t.match((await edit('badly')).json.error, { code: 'BAD_REQUEST', message: /name[^]*your text is in / })
  t.equal((await shoal(['config', 'get', 'name', '--json', '--home', home])).json.value, '42')
  t.match((await edit('well')).json, { restart: true, config: { name: '43' } })
  t.equal((await shoal(['config', 'get', 'name', '--json', '--home', home])).json.value, '43')
  t.match((await edit('well')).json, { restart: false })
  const none = await shoal(['config', 'edit', '--json', '--home', home], { isTTY: true, env: { EDITOR: '/no/such/editor' } })
  t.equal(none.json.error.code, 'NOT_FOUND')
})
