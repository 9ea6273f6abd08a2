/** The switch between real worker processes that share one bound, never listening handle, as the supervisor owns it. */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent, request } from 'node:https'
import type net from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { peerProtocol } from '../../../src/web/listener/index.ts'
import { testFleet, testWeb } from '../../helpers/certs.ts'
import { openPort, type Port, RelayPort } from '../../../src/supervisor/port.ts'
import type { ToTestWorker, WorkerInit } from '../../helpers/listener-worker.ts'
import { type Answer, dial, gate, type RawClient } from '../../helpers/raw-http.ts'

const fleet = testFleet()
const self = fleet.node()
const web = testWeb()
const other = fleet.node()
const asBarePeer: ConnectionOptions = {
  ca: fleet.ca.cert,
  servername: self.serverName,
  rejectUnauthorized: true,
  ALPNProtocols: [peerProtocol],
}
const asPeer: ConnectionOptions = { ...asBarePeer, key: other.key, cert: other.cert }
const ticketKeys = randomBytes(48).toString('base64')

class Worker {
  readonly child: ChildProcess
  readonly path: string
  readonly #port: Port
  constructor(name: string, folder: string, port: Port, more: Partial<WorkerInit>) {
    const init: WorkerInit = {
      name,
      fleetDomain: fleet.domain,
      certificates: { node: self, ca: [fleet.ca.cert], web },
      ticketKeys,
      limits: { lingerMs: 300, comeAnewMs: 0 },
      leaveWebSockets: false,
      ...more,
    }
    this.path = join(folder, name)
    this.#port = port
    const script = join(import.meta.dirname, '../../helpers/listener-worker.ts')
    // A path of its own for each: the default session context is made from argv, and must not matter.
    this.child = fork(script, [name, folder], { env: { ...process.env, WORKER_INIT: JSON.stringify(init) } })
  }
  async heard(word: string): Promise<Record<string, unknown>> {
    for (;;) {
      const [m] = (await once(this.child, 'message')) as [Record<string, unknown>]
      if (m['t'] === 'error') throw new Error(String(m['message']))
      if (m['t'] === word) return m
    }
  }
  /** As the supervisor's child. */
  send = (m: object, handle?: object): boolean => {
    if (this.child.connected) this.child.send({ ...m, path: this.path }, handle as net.Server | undefined)
    return this.child.connected
  }
  async #ask(m: ToTestWorker, reply: string): Promise<Record<string, unknown>> {
    const heard = this.heard(reply)
    this.child.send(m)
    return heard
  }
  go(): Promise<Record<string, unknown>> {
    const heard = this.heard('listening')
    this.#port.open(this, { t: 'go', last: null })
    return heard
  }
  /** @param to it is the node already */
  park(limitMs = 2000, to: Worker | null = null): Promise<Record<string, unknown>> {
    this.#port.shut(this)
    return this.#ask({ t: 'park', limitMs, ...(to !== null && { forward: to.path }) }, 'parked')
  }
  forward = (to: Pick<Worker, 'path'>) => this.#ask({ t: 'forward', path: to.path }, 'forwarding')
  close = (graceMs: number) => this.#ask({ t: 'close', graceMs }, 'closed')
  async kill(): Promise<void> {
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
    this.#port.shut(this)
  }
}

type Pair = (t: Test, more?: Partial<WorkerInit>) => Promise<{ a: Worker; b: Worker; port: number }>

/** Two workers, the first of them open, and the port. */
const pairOn =
  (openPort: () => Promise<Port>): Pair =>
  async (t, more = {}) => {
    const port = await openPort()
    const folder = mkdtempSync(join(tmpdir(), 'shoal-test-')) // a test's own folder is too deep for a socket's path
    t.teardown(() => rmSync(folder, { recursive: true }))
    const [a, b] = [new Worker('a', folder, port, more), new Worker('b', folder, port, more)]
    t.teardown(async () => {
      for (const w of [a, b]) if (w.child.exitCode === null && w.child.signalCode === null) await w.kill()
      port.close()
    })
    await Promise.all([a.heard('ready'), b.heard('ready')])
    await a.go()
    return { a, b, port: port.port }
  }

const anyPort = { host: '127.0.0.1', port: 0 }
const ways: Readonly<Record<string, () => Promise<Port>>> = {
  'workers accept': () => openPort(anyPort, null, () => undefined),
  'the supervisor accepts': () => RelayPort.listen(anyPort, null),
}
const by = (a: Answer): string => (JSON.parse(a.body) as { by: string }).by
const teardownOf =
  (t: Test) =>
  (run: () => unknown): void =>
    t.teardown(run)

for (const [way, open] of Object.entries(ways)) {
  const pair = pairOn(open)
  void t.test(`${way}: every state that a connection can be in at park ends in an answer`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const users = {} as ConnectionOptions
    const states: Record<
      string,
      { client: Promise<RawClient> | RawClient; finish: (c: RawClient) => void; isOld?: boolean; isPeer: boolean }
    > = {}
    const opened: (() => void)[] = []
    for (const [who, options] of [
      ['user', users],
      ['peer', asPeer],
    ] as const) {
      const isPeer = who === 'peer'
      const add = (name: string, client: Promise<RawClient> | RawClient, finish: (c: RawClient) => void, isOld = false): void =>
        void (states[`${who}: ${name}`] = { client, finish, isOld, isPeer })
      for (const [name, count] of [
        ['TCP only', 0],
        ['80 bytes of ClientHello', 80],
        ['hello without Finished', 'first flight'],
      ] as const) {
        const wire = await gate(later, port, count)
        add(name, dial(later, wire.port, options), c => c.get('/'))
        await wire.held
        opened.push(wire.open)
      }
      add('TLS done, silent', await dial(later, port, options), c => c.get('/'))
      add('half a header', (await dial(later, port, options)).write('GET / HTTP/1.1\r\nHo'), c => c.write('st: localhost\r\n\r\n'))
      const idle = (await dial(later, port, options)).get('/')
      t.equal(by(await idle.answer()), 'a')
      add('idle keep-alive', idle, c => c.get('/'))
      add('request in flight', (await dial(later, port, options)).get('/slow?ms=400'), () => undefined, true)
      const begun = a.heard('begun')
      const upload = (await dial(later, port, options)).write('POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345')
      await begun
      add('half a body, the app has begun', upload, c => c.write('67890'), true)
    }
    const parked = a.park()
    // The bodies must come before park's limit; all others while nobody serves.
    for (const s of Object.values(states)) if (s.isOld === true) s.finish(await s.client)
    await parked
    for (const open of opened) open()
    for (const s of Object.values(states)) if (s.isOld !== true) s.finish(await s.client)
    await b.go()
    await a.forward(b)
    for (const [name, s] of Object.entries(states)) {
      const answer = await (await s.client).answer()
      t.equal(answer.status, 200, name)
      const [by, who] = s.isOld === true ? ['a', s.isPeer ? 'peer' : 'people'] : ['b', s.isPeer ? 'peer' : 'forwarded']
      t.match(JSON.parse(answer.body), { by, who }, name)
      if (s.isOld !== true) t.equal(answer.headers.get('connection'), 'close', name)
    }
    const again = (await dial(later, port, asPeer)).get('/')
    t.match(JSON.parse((await again.answer()).body), { by: 'b', who: 'peer' }, 'a peer that comes again is served by the new one')
  })

  void t.test(`${way}: what is passed on arrives whole, and says where it came from`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const body = randomBytes(700_000).toString('base64')
    const sha = createHash('sha256').update(body).digest('hex')
    const forged = `X-Shoal-Remote: 9.9.9.9\r\nX-Shoal-Peer: ${Buffer.from(other.cert).toString('base64')}.AAAA\r\n`
    const head = (more: string): string => `POST / HTTP/1.1\r\nHost: localhost\r\n${forged}${more}\r\n`
    const [plain, chunked, expecting] = await Promise.all([dial(later, port), dial(later, port), dial(later, port)])
    await a.park()
    plain.write(head(`Content-Length: ${body.length}\r\n`) + body)
    chunked.write(`${head('Transfer-Encoding: chunked\r\n')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
    expecting.write(head(`Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`))
    await expecting.seen('100 Continue')
    expecting.write(body)
    await b.go()
    await a.forward(b)
    for (const client of [plain, chunked, expecting]) {
      const answer = await client.answer()
      t.match(JSON.parse(answer.body), { by: 'b', who: 'forwarded', remote: '127.0.0.1', length: body.length, sha })
      await client.closed()
    }
  })

  void t.test(`${way}: a peer stays who it is on the way, and nobody becomes one there`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const [peer, late] = await Promise.all([dial(later, port, asPeer), dial(later, port, asPeer)])
    const headers = createServer((req, res) => {
      res.end(JSON.stringify(req.headers))
    })
    const older = `${b.path}-older`
    headers.listen(older)
    later(() => headers.close())
    await once(headers, 'listening')
    await a.park()
    await a.forward({ path: older })
    const refused = await peer.get('/').answer()
    t.equal(refused.status, 503, 'an older release took it for a stranger’s: what it said is not passed on')
    t.match([refused.headers.get('retry-after'), refused.headers.get('connection')], ['0', 'close'])

    await b.go()
    await a.forward(b)
    const answer = await late.get('/').answer()
    t.match(JSON.parse(answer.body), { by: 'b', who: 'peer', remote: '127.0.0.1', cert: other.cert })
    t.notOk(answer.headers.has('x-shoal-peer'))

    const der = new X509Certificate(other.cert).raw.toString('base64')
    for (const forged of ['', '.', der, `${der}.`, `${der}.${randomBytes(32).toString('base64')}`]) {
      const asked = plainRequest({ socketPath: b.path, agent: false, headers: { 'x-shoal-peer': forged } }).end()
      const said = await once(asked, 'response').then(
        async ([res]) => (JSON.parse(Buffer.concat(await (res as IncomingMessage).toArray()).toString()) as { who: string }).who,
        () => 'nobody',
      )
      t.equal(said, forged === '' ? 'forwarded' : 'nobody', forged.slice(-50))
    }
  })

  void t.test(`${way}: pipelined requests are all answered`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const [before, after] = await Promise.all([dial(later, port), dial(later, port)])
    const five = Array.from({ length: 5 }, (_, i) => `GET /slow?ms=${50 - i * 10} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join('')
    await a.park()
    before.write(five)
    await b.go()
    await a.forward(b)
    after.write(five)
    for (const client of [before, after]) for (let i = 0; i < 5; i++) t.equal(by(await client.answer()), 'b')
  })

  void t.test(`${way}: clients under way see no failure, there and back and there`, async t => {
    const { a, b, port } = await pair(t)
    const agent = new Agent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: false })
    t.teardown(() => agent.destroy())
    const seen = new Set<string>()
    const ask = (method: string, from: Agent | false): Promise<void> =>
      new Promise((resolve, reject) => {
        const asking = request({ agent: from, port, host: '127.0.0.1', method, rejectUnauthorized: false }, res => {
          let text = ''
          res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          res.on('end', () => {
            const answer = JSON.parse(text) as { by: string; length: number }
            seen.add(answer.by)
            if (res.statusCode === 200 && answer.length === (method === 'POST' ? 5 : 0)) resolve()
            else reject(new Error(`${String(res.statusCode)}: ${text}`))
          })
        })
        asking.on('error', reject).end(method === 'POST' ? 'hello' : undefined)
      })
    let isOver = false
    const client = async (method: string, from: Agent | false): Promise<number> => {
      let count = 0
      for (; !isOver; count++) await ask(method, from)
      return count
    }
    const clients = Promise.all([
      client('GET', agent),
      client('POST', agent),
      client('GET', agent),
      client('POST', agent),
      client('GET', false),
      client('POST', false),
    ])
    for (const [from, to] of [
      [a, b],
      [b, a],
      [a, b],
    ] as const) {
      for (let i = 0; i < 10; i++) await ask('GET', agent)
      await from.park()
      await to.go()
      await from.forward(to)
      seen.clear()
      for (let i = 0; i < 10; i++) await ask('GET', false)
      t.strictSame([...seen].includes(to === a ? 'a' : 'b'), true)
    }
    isOver = true
    t.ok((await clients).every(count => count > 0))
  })

  void t.test(`${way}: a new worker that dies: the old one goes on, and nobody is refused`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const [late, inside, posted] = await Promise.all([dial(later, port), dial(later, port), dial(later, port)])
    await a.park()
    await b.go()
    await a.forward(b)
    const begun = b.heard('begun')
    inside.get('/slow?ms=300')
    posted.write('POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx')
    await begun
    await b.kill()
    late.get('/')
    const fresh = dial(later, port)
    t.equal((await posted.answer()).status, 502, 'what may have changed something is not done twice')
    await a.go()
    t.equal(by(await late.answer()), 'a')
    t.equal(by(await inside.answer()), 'a', 'what is safe to repeat is repeated')
    t.equal(by(await (await fresh).get('/').answer()), 'a', 'a connection made while nobody listened')
  })

  void t.test(`${way}: TLS sessions of people survive the switch; those of peers are worth nothing`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const kinds: Record<string, ConnectionOptions> = {
      'TLS 1.3': {},
      'TLS 1.2': { maxVersion: 'TLSv1.2' },
      'web name': { servername: 'localhost' },
      'fleet name': { servername: self.serverName },
    }
    const session = (options: ConnectionOptions): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
        later(() => socket.destroy())
        socket.once('session', resolve).once('error', reject)
        socket.once('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).resume()
      })
    const saved = new Map<string, Buffer>()
    for (const [name, options] of Object.entries(kinds)) saved.set(name, await session(options))
    const peerSession = await session(asPeer)
    await a.park()
    await b.go()
    await a.forward(b)
    for (const [name, options] of Object.entries(kinds)) {
      const client = await dial(later, port, { ...options, session: saved.get(name) })
      t.ok(client.socket.isSessionReused(), name)
      t.equal(by(await client.get('/').answer()), 'b', name)
    }
    const peer = await dial(later, port, { ...asPeer, session: peerSession })
    t.notOk(peer.socket.isSessionReused(), 'a peer proves itself anew')
    t.match(JSON.parse((await peer.get('/').answer()).body), { by: 'b', who: 'peer' })
    for (const ticket of [peerSession, saved.get('TLS 1.3')]) {
      const thief = await dial(later, port, { ...asBarePeer, session: ticket }).catch(() => null)
      if (thief !== null) await t.rejects(thief.get('/').answer(), 'a ticket without certificate and key')
    }
    const asUser = await dial(later, port, { servername: self.serverName, session: peerSession })
    t.match(JSON.parse((await asUser.get('/').answer()).body), { who: 'people' }, 'nor does it make a user anything else')
  })

  void t.test(`${way}: WebSockets are closed with 1012, also those that come late or that nobody closes`, async t => {
    for (const leaveWebSockets of [false, true]) {
      const { a, b, port } = await pair(t, { leaveWebSockets })
      const later = teardownOf(t)
      const ws = new WebSocket(`wss://127.0.0.1:${port}/`, ['x.v1'], { rejectUnauthorized: false })
      t.equal(String((await once(ws, 'message'))[0]), 'a')
      const idle = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
      later(() => idle.destroy())
      await once(idle, 'secureConnect')
      const closed = once(ws, 'close')
      await a.park()
      const late = new WebSocket(`wss://127.0.0.1:${port}/`, ['x.v1', 'y'], { createConnection: () => idle })
      t.equal((await once(late, 'close'))[0], 1012, 'a handshake that comes when the worker is parked')
      t.equal(late.protocol, 'x.v1')
      t.equal((await closed)[0], 1012)
      await b.go()
      const again = new WebSocket(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false })
      t.equal(String((await once(again, 'message'))[0]), 'b')
      again.terminate()
    }
  })

  void t.test(`${way}: event streams end with a hint, or at the limit; what is unanswered then gets 503`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const [polite, stubborn, hanging, pipelined] = await Promise.all([
      dial(later, port),
      dial(later, port),
      dial(later, port),
      dial(later, port),
    ])
    polite.get('/events')
    stubborn.get('/stubborn-events', 'Accept: text/event-stream\r\n')
    await Promise.all([polite.seen('data: a'), stubborn.seen('data: a')])
    hanging.get('/hang')
    pipelined.get('/hang').get('/')
    const parked = a.park(300)
    t.match((await polite.answer()).body, 'retry: 250')
    t.notMatch((await stubborn.answer()).body, 'retry')
    for (const client of [hanging, pipelined]) {
      const answer = await client.answer()
      t.equal(answer.status, 503)
      t.equal(answer.headers.get('connection'), 'close')
      t.match(JSON.parse(answer.body), { error: { code: 'STARTING' } })
      await client.closed()
    }
    await parked
    await b.go()
    await a.forward(b)
    t.equal(by(await polite.get('/').answer()), 'b', 'the connection of an ended stream is still good')
  })

  void t.test(`${way}: nothing waits for the slowest request in flight where the next worker serves already`, async t => {
    const { a, b, port } = await pair(t)
    const later = teardownOf(t)
    const [slow, quick] = await Promise.all([dial(later, port), dial(later, port)])
    t.equal(by(await quick.get('/').answer()), 'a')
    slow.get('/hang')
    await b.go()
    const parked = a.park(60_000, b)
    t.equal(by(await quick.get('/').answer()), 'b', 'though the old one still has a request that never ends')
    slow.socket.destroy()
    await parked
  })

  void t.test(`${way}: more requests wait than a busy worker has places for, and all are answered`, async t => {
    const { a, b, port } = await pair(t)
    const many = 700
    const client = await dial(teardownOf(t), port)
    await a.park()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(many))
    await b.go()
    b.child.kill('SIGSTOP')
    t.equal((await a.forward(b))['held'], many)
    await a.park() // It is parked, and answers when it has knocked for all.
    b.child.kill('SIGCONT')
    for (let n = 0; n < many; n++) t.equal(by(await client.answer()), 'b')
  })

  void t.test(`${way}: clients come anew one after the other, and all of them when the parked worker is told to close`, async t => {
    const { a, b, port } = await pair(t, { limits: { lingerMs: 300, comeAnewMs: 1e9 } })
    const client = await dial(teardownOf(t), port)
    await a.park()
    await b.go()
    await a.forward(b)
    for (const n of [1, 2, 3]) {
      const answer = await client.get('/').answer()
      t.equal(by(answer), 'b')
      t.not(answer.headers.get('connection'), 'close', `request ${n}`)
    }
    const closed = a.close(50_000)
    t.equal((await client.get('/').answer()).headers.get('connection'), 'close')
    await closed
  })

  void t.test(`${way}: a parked worker that is told to close goes on forwarding while connections may be idle`, async t => {
    const { a, b, port } = await pair(t, { limits: { parkedIdleMs: 60_000, lingerMs: 300, comeAnewMs: 0 } })
    const later = teardownOf(t)
    const [one, two] = await Promise.all([dial(later, port), dial(later, port)])
    await a.park()
    await b.go()
    await a.forward(b)
    const closed = a.close(50_000)
    t.equal(by(await one.get('/').answer()), 'b')
    t.equal(by(await two.get('/').answer()), 'b')
    await closed
    t.equal(by(await (await dial(later, port)).get('/').answer()), 'b')
  })
}
