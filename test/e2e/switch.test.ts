/** What clients see of real switches at a real node: both ways of handing over, and both ways of going back. */
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type Answer, dial, gate, type RawClient } from '../helpers/raw-http.ts'
import { must, TestFleet, type TestNode, until } from './fleet.ts'

interface Traits {
  readonly version: string
  readonly handover: 'exclusive' | 'overlap'
  readonly dataVersion?: number
  readonly probationSeconds?: number
  /** A file without which the worker does not get to its end of loading; beside it another one says that it has come so far. */
  readonly loadsWith?: string
  /** Statements before the app is there; `life.log` in data/ says when each app was opened and closed. */
  readonly onStart?: string
  readonly health?: string
}

/** Statements that wait for a file, and say by another that they do. */
const waitsFor = (path: string, condition = 'true'): string =>
  `if (${condition}) { writeFileSync(${path} + '.waits', ''); while (!existsSync(${path})) await sleep(20) }`

/** An app with streams and WebSockets of its own; it writes down when it has its data open. */
function makeApp(dir: string, traits: Traits): string {
  const folder = join(dir, `app-${traits.version}`)
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  cpSync(resolve('node_modules/ws'), join(folder, 'node_modules/ws'), { recursive: true })
  const { version, handover, dataVersion = 1, probationSeconds = 1 } = traits
  const shoal = { app: 'index.js', handover, dataVersion, probation: { seconds: probationSeconds } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'till', version, type: 'module', dependencies: { ws: '*' }, shoal }))
  writeFileSync(
    join(folder, 'index.js'),
    `import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
${traits.loadsWith === undefined ? '' : waitsFor(JSON.stringify(traits.loadsWith), `process.argv.includes('work')`)}
import { WebSocketServer } from 'ws'
export default async host => {
  const say = what => appendFileSync(join(host.dataDir, 'life.log'), what + ' ' + host.version + '\\n')
  say('opens')
  ${traits.onStart ?? ''}
  const sockets = new WebSocketServer({ noServer: true })
  const streams = new Set()
  say('open')
  return {
    handler: (req, res) => {
      const answer = () => res.end(JSON.stringify({ version: host.version }))
      if (req.url === '/slow') return void setTimeout(answer, 500)
      if (req.url === '/upload') { say('uploading'); return void req.on('data', () => 0).on('end', answer) }
      if (req.url !== '/events') return void answer()
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: ' + host.version + '\\n\\n')
      streams.add(res)
    },
    upgrade: (req, socket, head) => sockets.handleUpgrade(req, socket, head, ws => ws.send(host.version)),
    health: () => { ${traits.health ?? ''} },
    drain: () => {
      for (const ws of sockets.clients) ws.close(1012)
      for (const res of streams) res.end('retry: 250\\n\\n')
    },
    close: () => say('closed'),
  }
}
`,
  )
  return folder
}

const lifeOf = (node: TestNode): string[] => node.file('instance/data/life.log').trim().split('\n')
const versionOf = (a: Answer): string => (JSON.parse(a.body) as { version: string }).version

/** Asks without a pause, each time by a new connection, until it is ended: which versions answered, and what failed. */
function asking(node: TestNode): () => Promise<{ versions: string[]; failures: string[] }> {
  let isOver = false
  const [versions, failures] = [[], []] as [string[], string[]]
  const client = async (): Promise<void> => {
    while (!isOver) {
      const answer = await node.get().catch((error: unknown) => String(error))
      if (typeof answer === 'string') failures.push(answer)
      else if (answer.status === 200) versions.push((JSON.parse(answer.body) as { version: string }).version)
      else failures.push(String(answer.status))
      await sleep(10)
    }
  }
  const clients = Promise.all([client(), client()])
  return async () => {
    isOver = true
    await clients
    return { versions, failures }
  }
}

const socketTo = (node: TestNode): WebSocket => new WebSocket(`wss://127.0.0.1:${node.port}/`, { rejectUnauthorized: false })

const everyState = 'exclusive: every state of a connection, streams, WebSockets, tickets'
void t.test(everyState, { timeout: 280_000 }, async t => exclusive(t, await new TestFleet(t).found(1)))

void t.test(`${everyState}, by a Node.js without the private call for sockets`, { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  await fleet.first.stop()
  const without = "data:text/javascript,import%20net%20from'node:net';delete%20net._createServerHandle"
  await fleet.first.start({ NODE_OPTIONS: `--import="${without}"` })
  t.match(fleet.first.file('instance/logs/node.log'), 'has no _createServerHandle')
  await exclusive(t, fleet)
})

async function exclusive(t: Test, fleet: TestFleet): Promise<void> {
  const node = fleet.first
  const apps = join(fleet.dir, 'apps')
  await must(fleet.deploy(node, makeApp(apps, { version: '1.0.0', handover: 'exclusive' })))
  const later = (run: () => unknown): void => t.teardown(run)

  const loadsWith = join(fleet.dir, 'load-2')
  const deploying = fleet.deploy(node, makeApp(apps, { version: '2.0.0', handover: 'exclusive', loadsWith }))
  await until('the new one loads', async () => existsSync(`${loadsWith}.waits`))
  const ws = socketTo(node)
  t.equal(String((await once(ws, 'message'))[0]), '1.0.0')
  const wsClosed = once(ws, 'close')
  const [stream, idle, head, silent, pipelined, own] = (await Promise.all(Array.from({ length: 6 }, () => dial(later, node.port)))) as [
    RawClient,
    RawClient,
    RawClient,
    RawClient,
    RawClient,
    RawClient,
  ] // prettier-ignore
  stream.get('/events')
  await stream.seen('data: 1.0.0')
  own.get('/_shoal/api/v1/events', `Authorization: Bearer ${node.file('instance/local.token').trim()}\r\n`)
  await own.seen('retry: ')
  t.equal(versionOf(await idle.get('/').answer()), '1.0.0')
  head.write('GET / HTTP/1.1\r\nHo')
  const wires = await Promise.all([gate(later, node.port, 0), gate(later, node.port, 80), gate(later, node.port, 'first flight')])
  const dialling = wires.map(wire => dial(later, wire.port))
  await Promise.all(wires.map(wire => wire.held))
  const ticket = await ticketOf(t, node)

  const dripping = inFlight(later, node)
  writeFileSync(loadsWith, '')
  await until('the new one serves', async () => (await node.version()) === '2.0.0')
  t.ok((await dripping()) > 0, 'requests were in flight all the time, none failed')
  t.same(
    lifeOf(node).filter(line => !line.startsWith('uploading')),
    ['opens 1.0.0', 'open 1.0.0', 'closed 1.0.0', 'opens 2.0.0', 'open 2.0.0'],
  )
  t.equal((await wsClosed)[0], 1012)
  t.match((await stream.answer()).body, 'retry: 250', 'the stream has ended with a hint')
  t.equal((await own.answer()).status, 200, 'so has the node’s own')

  for (const wire of wires) wire.open()
  const five = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5)
  const rest = [idle.get('/'), head.write('st: localhost\r\n\r\n'), silent.get('/')]
  for (const c of dialling) rest.push((await c).get('/'))
  for (const client of rest) {
    const answer = await client.answer()
    t.equal(versionOf(answer), '2.0.0')
    t.equal(answer.headers.get('connection'), 'close', 'and asks for a new connection')
  }
  pipelined.write(five)
  for (let n = 0; n < 5; n++) t.equal(versionOf(await pipelined.answer()), '2.0.0')
  const again = await dial(later, node.port, { session: ticket })
  t.ok(again.socket.isSessionReused(), 'a TLS session of before is resumed')
  const wsAgain = socketTo(node)
  t.equal(String((await once(wsAgain, 'message'))[0]), '2.0.0')
  wsAgain.terminate()
  await must(deploying)
}

/** Slow requests and slow uploads, one after the other on connections of their own, until it is ended; how many were answered. */
function inFlight(later: (run: () => unknown) => void, node: TestNode): () => Promise<number> {
  let isOver = false
  let count = 0
  const one = async (isUpload: boolean): Promise<void> => {
    const raw = await dial(later, node.port)
    if (isUpload) {
      raw.write('POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345')
      await sleep(300)
      raw.write('67890')
    } else raw.get('/slow')
    const answer = await raw.answer()
    if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${answer.body}`)
    count++
    raw.socket.destroy()
  }
  const client = async (isUpload: boolean): Promise<void> => {
    while (!isOver) await one(isUpload)
  }
  const clients = Promise.all([client(false), client(true)])
  clients.catch(() => undefined)
  return async () => {
    isOver = true
    await clients
    return count
  }
}

function ticketOf(t: Test, node: TestNode): Promise<Buffer> {
  const socket = connect({ port: node.port, host: '127.0.0.1', rejectUnauthorized: false })
  t.teardown(() => socket.destroy())
  socket.once('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).resume()
  return once(socket, 'session').then(([session]) => session as Buffer)
}

void t.test('overlap: both at once, there and back', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const [first, node] = [fleet.first, fleet.node(1)]
  const apps = join(fleet.dir, 'apps')
  const deploy = (traits: Omit<Traits, 'handover'>): ReturnType<TestFleet['deploy']> =>
    fleet.deploy(first, makeApp(apps, { ...traits, handover: 'overlap' }), ['--only', node.name])
  await must(deploy({ version: '1.0.0' }))
  const file = (name: string): string => join(node.home, 'instance/data', name)

  await t.test('the old one serves until the new one does', async t => {
    const ws = socketTo(node)
    t.equal(String((await once(ws, 'message'))[0]), '1.0.0')
    const wsClosed = once(ws, 'close')
    const end = asking(node)
    const deploying = deploy({ version: '2.0.0', onStart: waitsFor(JSON.stringify(file('go-2'))) })
    await until('the new one has begun', async () => lifeOf(node).includes('opens 2.0.0'))
    for (let n = 0; n < 5; n++) t.equal(await node.version(), '1.0.0', 'while the new one starts')
    t.equal(ws.readyState, WebSocket.OPEN)
    writeFileSync(file('go-2'), '')
    await must(deploying)
    const { versions, failures } = await end()
    t.same(failures, [])
    t.equal(versions.at(-1), '2.0.0')
    t.equal((await wsClosed)[0], 1012)
    t.same(lifeOf(node), ['opens 1.0.0', 'open 1.0.0', 'opens 2.0.0', 'open 2.0.0', 'closed 1.0.0'])
    await fleet.linked()
  })

  await t.test('going back from one that is ill', async t => {
    const end = asking(node)
    const done = await deploy({ version: '3.0.0', health: `throw new Error('printer is on fire')` })
    t.equal(done.code, 5)
    t.equal(done.json().nodes.find(n => n.id === node.id)?.reason?.code, 'APP_UNHEALTHY')
    const { versions, failures } = await end()
    t.same(failures, [])
    t.ok(versions.includes('3.0.0'))
    t.equal(versions.at(-1), '2.0.0')
    await until('it is closed', async () => lifeOf(node).includes('closed 3.0.0'))
    t.same(lifeOf(node).slice(5), ['opens 3.0.0', 'open 3.0.0', 'closed 2.0.0', 'opens 2.0.0', 'open 2.0.0', 'closed 3.0.0'])
    await fleet.linked()
  })

  await t.test('going back from one that dies: no connection is refused', async t => {
    const ended = lifeOf(node).length
    const end = asking(node)
    const done = await deploy({
      version: '4.0.0',
      probationSeconds: 5,
      onStart: `setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1500)`,
    })
    t.equal(done.code, 5)
    t.equal(done.json().nodes.find(n => n.id === node.id)?.reason?.code, 'WORKER_EXITED')
    const { versions, failures } = await end()
    t.same(
      failures.filter(f => !/ECONNRESET|socket hang up|502/.test(f)),
      [],
      'only what was inside of it is lost',
    )
    t.ok(failures.length <= 2, 'of two clients')
    t.ok(versions.includes('4.0.0'))
    t.equal(versions.at(-1), '2.0.0')
    t.same(lifeOf(node).slice(ended), ['opens 4.0.0', 'open 4.0.0', 'closed 2.0.0', 'opens 2.0.0', 'open 2.0.0'])
  })

  await t.test('with another data version one lets go before the other opens', async t => {
    const ended = lifeOf(node).length
    await must(deploy({ version: '5.0.0', dataVersion: 2 }))
    t.same(lifeOf(node).slice(ended), ['closed 2.0.0', 'opens 5.0.0', 'open 5.0.0'])
  })
})
