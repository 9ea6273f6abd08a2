/** One listener in this process: who comes in by which door, what is refused, and the limits of each stage. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { type ConnectionOptions, connect, type DetailedPeerCertificate } from 'node:tls'
import Koa from 'koa'
import t, { type Test } from 'tap'
import { codeOf } from '../../../src/model/index.ts'
import { nodeOfCertificate } from '../../../src/trust/index.ts'
import { HelloReader } from '../../../src/web/listener/client-hello.ts'
import { type Certificates, Listener, type ListenerOptions, peerProtocol, privatePath, type Who } from '../../../src/web/listener/index.ts'
import { testFleet, testWeb } from '../../helpers/certs.ts'
import { dial, type RawClient } from '../../helpers/raw-http.ts'

const fleet = testFleet()
const self = fleet.node()
const other = fleet.node()
const web = testWeb()
const certificates: Certificates = { node: self, ca: [fleet.ca.cert], web }
const asBarePeer: ConnectionOptions = {
  ca: fleet.ca.cert,
  servername: self.serverName,
  rejectUnauthorized: true,
  ALPNProtocols: [peerProtocol],
}
const asPeer: ConnectionOptions = { ...asBarePeer, key: other.key, cert: other.cert }
const later =
  (t: Test) =>
  (run: () => unknown): void =>
    t.teardown(run)

interface Open {
  readonly listener: Listener
  readonly port: number
  readonly path: string
  readonly asked: { req: IncomingMessage; who: Who }[]
  readonly dial: (options?: ConnectionOptions) => Promise<RawClient>
}

const echo: ListenerOptions['onRequest'] = (req, res) => {
  req.resume()
  if (req.url === '/hang') return
  if (req.url === '/throw') throw new Error('thrown by the handler')
  res.end('hello')
}

async function open(t: Test, more: Partial<ListenerOptions> = {}): Promise<Open> {
  const asked: Open['asked'] = []
  const handler = more.onRequest ?? echo
  const listener = new Listener({
    fleetDomain: fleet.domain,
    certificates,
    ticketKeys: randomBytes(48),
    onUpgrade: (_req, socket) => socket.destroy(),
    ...more,
    onRequest: (req, res, who) => {
      asked.push({ req, who })
      handler(req, res, who)
    },
  })
  const folder = await mkdtemp(join(tmpdir(), 'shoal-test-'))
  const { path } = await privatePath(folder)
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 }, path)
  t.teardown(async () => {
    await listener.close(0)
    await rm(folder, { recursive: true })
  })
  return { listener, port, path, asked, dial: options => dial(later(t), port, options) }
}

void t.test('a ClientHello is read in whatever pieces it comes', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = connect({
    port: (server.address() as { port: number }).port,
    host: '127.0.0.1',
    servername: 'Some.Name',
    ALPNProtocols: ['x', peerProtocol],
  })
  client.on('error', () => undefined)
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [record] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  client.destroy()
  const message = record.subarray(5)
  const split = (size: number): Buffer => {
    const parts: Buffer[] = []
    for (let at = 0; at < message.length; at += size) {
      const piece = message.subarray(at, at + size)
      parts.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece)
    }
    return Buffer.concat(parts)
  }
  const want = { kind: 'hello', alpn: ['x', peerProtocol], serverName: 'some.name' }
  for (const bytes of [record, split(1), split(100), split(16_384)]) {
    t.strictSame(new HelloReader().push(bytes), want)
    const slow = new HelloReader()
    const verdicts = [...bytes].map(byte => slow.push(Buffer.from([byte])))
    t.strictSame(verdicts.pop(), want)
    t.ok(verdicts.every(v => v.kind === 'more'))
  }
  t.strictSame(new HelloReader().push(Buffer.concat([record, Buffer.from('early')])), want, 'what follows is not looked at')

  const kindOf = (bytes: Uint8Array): string => new HelloReader().push(bytes).kind
  for (const text of ['GET / HTTP/1.1\r\n', 'SSH-2.0', '\0', '\x80\x2e\x01\x03\x01', '\x16\x02'])
    t.equal(kindOf(Buffer.from(text, 'latin1')), 'not-tls', text)
  t.equal(kindOf(Buffer.from([22, 3, 1, 0, 0])), 'unknown', 'an empty record')
  t.equal(kindOf(Buffer.from([22, 3, 1, 0x40, 1])), 'unknown', 'a record above the limit')
  t.equal(kindOf(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])), 'unknown', 'another handshake message')
  t.equal(kindOf(Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff])), 'unknown', 'a hello of 16 MB')
  t.equal(kindOf(Buffer.from([22, 3, 1, 0, 4, 1, 0, 9, 9, 23])), 'unknown', 'another record in the middle')
  const kinds = new Set<string>()
  for (let at = 0; at < message.length; at++) {
    const hostile = Buffer.from(record)
    hostile[5 + at] = 0xff
    kinds.add(kindOf(hostile))
    const cut = Buffer.from(record.subarray(0, 9 + at))
    cut.writeUInt16BE(4 + at, 3)
    cut.writeUIntBE(at, 6, 3)
    kinds.add(kindOf(cut))
  }
  t.strictSame([...kinds].sort(), ['hello', 'more', 'unknown'], 'any byte changed, any length cut: a verdict, never an exception')
})

void t.test('two doors: peers prove themselves, people are not asked', async t => {
  const o = await open(t)
  const peer = await o.dial(asPeer)
  t.equal((await peer.get('/').answer()).body, 'hello')
  const seen = o.asked[0]?.who
  t.ok(seen?.kind === 'peer' && nodeOfCertificate(seen.cert, fleet.id) === other.id, 'the certificate is the peer’s')
  t.equal(seen?.remote, '127.0.0.1')
  const person = await o.dial({ key: other.key, cert: other.cert })
  await person.get('/').answer()
  t.strictSame(o.asked[1]?.who, { kind: 'people', remote: '127.0.0.1' }, 'a certificate makes nobody a peer without the protocol')
  t.strictSame((await person.get('/').answer()).headers.get('keep-alive'), 'timeout=5')
  const old = await o.dial({ maxVersion: 'TLSv1.2' })
  t.equal((await old.get('/').answer()).status, 200, 'TLS 1.2 is good enough for people')

  const stranger = testFleet()
  const strange = stranger.node()
  const refused: Record<string, ConnectionOptions> = {
    'no certificate': asBarePeer,
    'TLS 1.2': { ...asPeer, maxVersion: 'TLSv1.2' },
    'another CA': { ...asPeer, key: strange.key, cert: strange.cert },
    'self-signed': { ...asPeer, key: web.key, cert: web.cert },
  }
  const before = o.asked.length
  for (const [name, options] of Object.entries(refused)) {
    // In TLS 1.3 the client learns of the refusal only after its own handshake.
    await t.rejects(
      o.dial(options).then(client => client.get('/').answer()),
      name,
    )
  }
  t.equal(o.asked.length, before, 'none of them reached a handler')
})

void t.test('the fleet’s name gets the node’s certificate with the CA behind it, at both doors', async t => {
  const o = await open(t)
  const issuerOf = (client: RawClient): DetailedPeerCertificate => client.socket.getPeerCertificate(true)
  for (const options of [asPeer, { servername: self.serverName, ca: fleet.ca.cert, rejectUnauthorized: true }]) {
    const client = await o.dial(options)
    t.ok(client.socket.authorized)
    t.equal(issuerOf(client).subjectaltname, `DNS:${self.serverName}`)
    t.equal(issuerOf(client).issuerCertificate.subject.CN, 'Shoal fleet CA')
  }
  const unpinned = await o.dial({ servername: self.serverName.toUpperCase() })
  t.equal(issuerOf(unpinned).issuerCertificate.subject.CN, 'Shoal fleet CA', 'a joiner sees the CA to compare with its pin')
  for (const options of [{}, { servername: 'localhost' }, { servername: `x.${testFleet().domain}` }]) {
    t.equal(issuerOf(await o.dial(options)).subject.CN, 'localhost')
  }
  const next = testFleet()
  const renewed = { ...self, ...next.node() }
  o.listener.setCertificates({ node: renewed, ca: [next.ca.cert, fleet.ca.cert], web: next.node() })
  t.ok(
    (await o
      .dial(asPeer)
      .then(c => c.get('/').answer())
      .catch(() => null)) === null,
    'the old name is not this node’s any more',
  )
  const through = await o.dial({ ...asPeer, ca: next.ca.cert, servername: self.serverName, checkServerIdentity: () => undefined })
  t.equal((await through.get('/').answer()).status, 200, 'both CAs are accepted while one replaces the other')
  t.not(issuerOf(await o.dial()).subject.CN, 'localhost')
})

void t.test('no stage lasts for ever', async t => {
  const limits = { handshakeMs: 150, headersMs: 150, checkMs: 50, maxHeaderBytes: 2048, lingerMs: 100 }
  const { promise: reported, resolve: report } = Promise.withResolvers<unknown>()
  const o = await open(t, { limits, requestMs: req => (req.url === '/upload' ? 60_000 : 150), report })
  const tcp = async (first?: string | Buffer): Promise<string> => {
    const socket = connectTcp(o.port, '127.0.0.1').on('error', () => undefined)
    if (first !== undefined) socket.write(first)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    await once(socket, 'close')
    return text
  }
  t.equal(await tcp(), '', 'silent')
  t.equal(await tcp(Buffer.from([22, 3, 1, 2, 0, 1])), '', 'a hello that never ends')
  t.equal(await tcp('GET / HTTP/1.1\r\n\r\n'), '', 'plain HTTP gets no answer')
  t.match(await tcp(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])), /^\x15\x03/, 'the TLS server says itself what it does not like')
  t.equal((await (await o.dial()).write('GET / HTTP/1.1\r\nHost: a').answer()).status, 408, 'a head that never ends')
  const silent = await o.dial()
  t.equal((await silent.answer()).status, 408, 'a handshake and then nothing')
  const large = await o.dial()
  t.equal((await large.get('/', `X-Large: ${'x'.repeat(3000)}\r\n`).answer()).status, 431)
  const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf`
  const upload = (await o.dial()).write(post('/upload'))
  t.equal((await upload.answer()).status, 200, 'an upload may take its time')
  const slow = (await o.dial()).write(post('/hang'))
  const answer = await slow.answer()
  t.equal(answer.status, 408)
  t.match(JSON.parse(answer.body), { error: { code: 'BAD_REQUEST' } })
  await slow.closed()
  t.equal((await (await o.dial()).get('/throw').answer()).status, 500, 'a handler that throws')
  t.match(await reported, { message: 'thrown by the handler' })
})

void t.test('requests that wait are bounded in number and time', async t => {
  const o = await open(t, { limits: { maxHeld: 2, holdMs: 200, lingerMs: 100 } })
  const clients = await Promise.all([o.dial(), o.dial(), o.dial()])
  await o.listener.park(1000)
  const [one, two, three] = clients.map(c => c.get('/')) as [RawClient, RawClient, RawClient]
  const answers = [one, two, three].map(c => c.answer())
  const busy = await Promise.race(answers)
  t.equal(busy.status, 503)
  t.match(JSON.parse(busy.body), { error: { code: 'BUSY' } })
  t.equal(o.listener.counts.held, 2)
  const waited = (await Promise.all(answers)).filter(a => a !== busy)
  t.equal(waited.length, 2)
  for (const answer of waited)
    t.match([answer.status, answer.headers.get('retry-after'), answer.headers.get('connection')], [503, '1', 'close'])
  t.equal(o.asked.length, 0)

  const gone = await o.dial().catch(() => null)
  t.equal(gone, null, 'a parked listener accepts nothing')
  t.equal(o.listener.counts.held, 0)
})

void t.test('going on after a park: what waits is served here, a client that went is forgotten', async t => {
  const o = await open(t)
  const [one, two, three] = await Promise.all([o.dial(), o.dial(), o.dial()])
  await o.listener.park(1000)
  await o.listener.park(1000) // twice is once
  one.get('/')
  two.get('/')
  three.write('GET / HTTP/1.1\r\nHo')
  o.listener.forward(join(o.path, '..', 'nobody.sock'))
  two.socket.destroy()
  await o.listener.listen({ host: '127.0.0.1', port: o.port }, o.path)
  await t.rejects(o.listener.listen({ host: '127.0.0.1', port: 0 }, o.path), { code: 'INTERNAL' })
  t.equal((await one.answer()).status, 200)
  t.equal((await three.write('st: localhost\r\n\r\n').answer()).status, 200)
  t.strictSame(new Set(o.asked.map(a => a.who.kind)), new Set(['people']))
  t.equal(statSync(o.path).mode & 0o777, 0o600)

  const second = new Listener({
    fleetDomain: fleet.domain,
    certificates,
    ticketKeys: randomBytes(48),
    onRequest: echo,
    onUpgrade: () => undefined,
  })
  await t.rejects(second.listen({ host: '127.0.0.1', port: o.port }, `${o.path}2`), { code: 'PORT_IN_USE' })
  await second.close(0)
  t.strictSame(await readdir(dirname(o.path)), [basename(o.path)], 'and leaves no socket')
})

void t.test('close answers what is in flight, ends all else, and can be called twice', async t => {
  const pending: ServerResponse[] = []
  const { promise: begun, resolve } = Promise.withResolvers<undefined>()
  const o = await open(t, {
    limits: { lingerMs: 200 },
    onRequest: (_req, res) => {
      pending.push(res)
      if (pending.length === 2) resolve(undefined)
    },
  })
  const [busy, hanging, idle] = await Promise.all([o.dial(), o.dial(), o.dial()])
  const half = connectTcp(o.port, '127.0.0.1').on('error', () => undefined)
  await once(half, 'connect')
  half.write(Buffer.from([22, 3]))
  busy.get('/')
  hanging.get('/')
  await begun
  const closing = o.listener.close(300)
  t.equal(o.listener.close(99_999), closing)
  await Promise.all([idle.closed(), new Promise(done => half.once('close', done))])
  pending[0]?.end('done')
  const answer = await Promise.any([busy.answer(), hanging.answer()])
  t.equal(answer.body, 'done')
  await closing
  t.equal(o.listener.state, 'closed')
  t.strictSame(o.listener.counts, { connections: 0, serving: 0, held: 0, upgraded: 0 })
  await Promise.all([busy.closed(), hanging.closed()])
  await t.rejects(o.listener.listen({ host: '127.0.0.1', port: 0 }, o.path), { code: 'INTERNAL' })
})

void t.test('a file by koa leaves room for listeners: no visit writes Node’s warning of a leak', async t => {
  const warnings: string[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning.name)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const koa = new Koa()
  koa.use(ctx => {
    ctx.body = Readable.from([Buffer.from('a file')])
  })
  const handle = koa.callback()
  const o = await open(t, {
    onRequest: (req, res) => {
      // As a body that is still to come, and one more that the room itself adds to streams.
      res.once('close', () => undefined)
      void handle(req, res)
    },
  })
  const visitor = await o.dial()
  t.match(await visitor.get('/').answer(), { status: 200, body: 'a file' })
  await new Promise(done => setImmediate(done))
  t.strictSame(warnings, [])
})

void t.test('the self-test passes on this Node.js, is quick, and fails with a foreign CA', async t => {
  const make = (ca: string): Listener =>
    new Listener({
      fleetDomain: fleet.domain,
      certificates: { ...certificates, ca: [ca] },
      ticketKeys: randomBytes(48),
      onRequest: echo,
      onUpgrade: () => undefined,
    })
  const good = make(fleet.ca.cert)
  const started = performance.now()
  await good.selfTest()
  t.ok(performance.now() - started < 3000)
  await good.close(0)
  const bad = make(testFleet().ca.cert)
  t.equal(codeOf(await bad.selfTest().catch((error: unknown) => error)), 'INTERNAL')
  await bad.close(0)
})

void t.test('the private path is short enough, and sockets of dead workers go', async t => {
  const shallow = await mkdtemp(join(tmpdir(), 'shoal-test-'))
  t.teardown(() => rm(shallow, { recursive: true }))
  await writeFile(join(shallow, 'worker-4194303.sock'), '')
  await writeFile(join(shallow, `worker-${process.pid}.sock`), '')
  const near = await privatePath(shallow, 1)
  t.equal(near.path, join(shallow, 'worker-1.sock'))
  t.strictSame(await readdir(shallow), [`worker-${process.pid}.sock`])
  await near.remove()
  const deep = t.testdir({ ['d'.repeat(100)]: {} })
  const far = await privatePath(join(deep, 'd'.repeat(100)))
  t.ok(far.path.length < 104)
  t.equal(statSync(join(far.path, '..')).mode & 0o777, 0o700)
  await far.remove()
  t.throws(() => statSync(join(far.path, '..')))
})
