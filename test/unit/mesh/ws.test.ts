import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { parseAddress } from '../../../src/model/index.ts'
import { makeCa, makeNodeCertificate, newNodeKey, serverNameOf } from '../../../src/trust/index.ts'
import { TokenBucket } from '../../../src/mesh/bucket.ts'
import { fact, fleet } from './bench.ts'
import { Relay, TestFleet, type TestPeer } from './peers.ts'

const start = (...peers: TestPeer[]): void => peers.forEach(peer => peer.mesh.start())
const order = (name = '', body = '{}') => fact({ kind: 'order', owner: 'k'.repeat(64), epoch: 0, name, body })

const pair = async (t: Test): Promise<[TestPeer, TestPeer]> => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const [one, two] = [await f.peer(), await f.peer()]
  one.pin(two)
  start(one, two)
  await Promise.all([one.when(() => one.linkedTo(two)), two.when(() => two.linkedTo(one))])
  return [one, two]
}

void t.test('two peers link through TLS 1.3, tell each other what they hold, and what comes new', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const [one, two] = [await f.peer(), await f.peer()]
  one.mesh.publish([fact({ owner: one.id, name: 'before' })], true)
  two.mesh.publish(
    Array.from({ length: 3_000 }, (_, n) => fact({ owner: two.id, name: `n${n}`, body: 'x'.repeat(300) })),
    false,
  )
  one.pin(two)
  start(one, two)
  await one.when(() => one.registers.size === 3_001)
  await two.when(() => two.registers.size === 3_001)
  t.equal(one.registers.root(), two.registers.root())
  t.match(one.mesh.links(), [{ peer: two.id, dialled: true, hello: { node: two.id, fleet } }])
  t.match(two.mesh.links(), [{ peer: one.id, dialled: false }])
  const told = two.when(() => two.registers.ofKind('order').length === 1)
  one.mesh.publish([order()], true)
  await told
  t.match(two.stored.at(-1), { durable: true, facts: [{ kind: 'order' }] })
})

void t.test('a broken connection comes back by itself, and what was missed with it', async t => {
  const [one, two] = await pair(t)
  const downs = Promise.all([one.when(() => !one.linkedTo(two)), two.when(() => !two.linkedTo(one))])
  two.cut()
  await downs
  one.mesh.publish([order('missed')], true)
  await two.when(() => two.registers.size === 1 && two.linkedTo(one))
  t.equal(one.registers.root(), two.registers.root())
})

void t.test('parking closes with 1012 and answers 503 until it starts again; stopping twice leaves nothing behind', async t => {
  const [one, two] = await pair(t)
  const down = one.when(() => one.news.some(n => n.t === 'linkDown' && n.code === 1012))
  two.mesh.park()
  await down
  t.same(two.mesh.links(), [])
  const report = await one.mesh.probe(parseAddress(two.address), two.id)
  t.match(report.steps.at(-1), { step: 'protocol', ok: false, message: /changing over/ })
  two.mesh.start()
  await one.when(() => one.linkedTo(two))
  t.equal(one.news.filter(n => n.t === 'linkUp').length, 2, 'the new nonce is a new life')
  await two.mesh.stop()
  await two.mesh.stop()
  t.same(two.mesh.links(), [])
})

void t.test('who is no member gets no link, and who is removed loses it', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const [one, stranger, two] = [await f.peer(), await f.peer({ isMember: false }), await f.peer()]
  stranger.pin(one)
  one.pin(two)
  start(one, stranger, two)
  await one.when(() => one.linkedTo(two))
  const refused = await stranger.mesh.probe(parseAddress(one.address), one.id)
  t.match(refused.steps.at(-1), { step: 'membership', ok: false })
  t.same(
    one.mesh.links().map(l => l.peer),
    [two.id],
  )
  f.members.delete(two.id)
  one.mesh.publish([fact({ kind: 'removal', owner: 'k'.repeat(64), name: two.id })], true)
  await one.when(() => !one.linkedTo(two))
  await two.when(() => two.news.some(n => n.t === 'linkDown' && n.code === 4003))
})

void t.test('a peer with another identity than the pinned one is not linked', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const [one, two, three] = [await f.peer(), await f.peer(), await f.peer()]
  one.pin({ id: three.id, address: two.address })
  start(one, two)
  while (!one.logs.some(l => l.includes('dial failed'))) await new Promise(resolve => setImmediate(resolve))
  t.same(one.mesh.links(), [])
  t.match(one.logs[0], /altnames|does not match/)
})

void t.test('what is no frame ends the link with 4000; a wrong subprotocol is told which one is right', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const one = await f.peer()
  one.mesh.start()
  const key = newNodeKey()
  f.members.add(key.id)
  const tls = {
    key: key.key,
    cert: makeNodeCertificate(key.spki, fleet, f.ca),
    ca: f.ca.cert,
    servername: serverNameOf(one.id, fleet),
    ALPNProtocols: ['shoal/1'],
  }
  for (const message of ['no json', '{"t":"facts","facts":[{}],"bulk":false}', Buffer.from([1, 2, 3])]) {
    const ws = new WebSocket(`wss://${one.address}/_shoal/mesh`, ['shoal.mesh.v1'], tls)
    await once(ws, 'open')
    ws.send(message)
    const [code] = await once(ws, 'close')
    t.equal(code, 4000)
  }
  const old = new WebSocket(`wss://${one.address}/_shoal/mesh`, ['shoal.mesh.v0'], tls)
  old.on('error', () => undefined)
  const [, response] = await once(old, 'unexpected-response')
  t.equal(response.statusCode, 426)
  t.equal(response.headers['sec-websocket-protocol'], 'shoal.mesh.v1')
  old.terminate()
  const big = new WebSocket(`wss://${one.address}/_shoal/mesh`, ['shoal.mesh.v1'], tls)
  await once(big, 'open')
  big.on('error', () => undefined)
  big.send('x'.repeat((1 << 20) + 1))
  const [code] = await once(big, 'close')
  t.not(code, 1000)
  await one.when(() => one.mesh.links().length === 0)
})

void t.test('a peer that stops reading does not stop orders to others, and is given up', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const [one, two, three] = [await f.peer(), await f.peer(), await f.peer()]
  const relay = new Relay(two.port)
  t.teardown(() => relay.close())
  one.pin({ id: two.id, address: await relay.listen() }, three)
  start(one, two, three)
  await one.when(() => one.linkedTo(two) && one.linkedTo(three))
  relay.standStill()
  for (let n = 0; n < 1_000 && one.linkedTo(two); n += 20) {
    const orders = Array.from({ length: 20 }, (_, m) => order(`n${n + m}`, 'x'.repeat(16_000)))
    one.mesh.publish(orders, false)
    await three.when(() => three.registers.size === n + 20)
  }
  await one.when(() => !one.linkedTo(two))
  t.match(
    one.news.find(n => n.t === 'linkDown'),
    { peer: two.id, code: 1006 },
  )
  t.ok(one.linkedTo(three))
})

void t.test('what a listener chokes on is logged and stops nothing', async t => {
  const [one, two] = await pair(t)
  two.onNews = news => {
    if (news.t === 'changed') throw new Error('choked')
  }
  one.mesh.publish([order('a')], true)
  await two.when(() => two.registers.size === 1)
  two.onNews = news => {
    if (news.t === 'changed' && news.facts[0]?.kind === 'order') two.mesh.publish([fact({ owner: two.id, name: 'answer' })], false)
  }
  one.mesh.publish([order('b')], true)
  await one.when(() => one.registers.size === 3)
  t.ok(two.logs.some(l => l.includes('choked')))
})

void t.test('a probe names the first step that fails', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const [one, two, three, removed] = [await f.peer(), await f.peer(), await f.peer(), await f.peer({ isMember: false })]
  const late = await f.peer({ wallNow: () => Date.now() - 3_600_000 })
  const other = await f.peer({ ca: makeCa() })
  start(one, two, three, removed, late, other)
  const steps = async (address: string, expect: TestPeer | null = null) => {
    const report = await one.mesh.probe(parseAddress(address), expect?.id ?? null)
    return { id: report.id, ok: report.steps.filter(s => s.ok).map(s => s.step), failed: report.steps.find(s => !s.ok)?.step ?? null }
  }
  const all = ['name', 'tcp', 'tls', 'certificate', 'identity', 'membership', 'protocol', 'clock']
  t.same(await steps(two.address, two), { id: two.id, ok: all, failed: null })
  t.same(await steps(two.address), { id: two.id, ok: all, failed: null }, 'whoever is there')
  t.same(one.mesh.links(), [], 'no link comes of it')
  t.match(await steps('no-such-host.invalid:1'), { failed: 'name' })
  t.match(await steps(two.address, three), { failed: 'identity' })
  t.match(await steps(one.address), { failed: 'identity' }, 'this node itself')
  t.match(await steps(removed.address), { failed: 'membership', id: removed.id })
  t.match(await steps(late.address), { failed: 'clock' })
  t.match(await steps(other.address), { failed: 'certificate' })
  const seen = await removed.mesh.probe(parseAddress(one.address), one.id)
  t.match(seen.steps.at(-1), { step: 'membership', ok: false, message: /does not take this node/ })

  const closed = createTcpServer()
  await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise(resolve => closed.close(resolve))
  t.match(await steps(`127.0.0.1:${port}`), { failed: 'tcp', ok: ['name'] })
  t.equal(await one.mesh.sight(two.id, [`127.0.0.1:${port}`], AbortSignal.timeout(5_000)), 'unreachable')

  const noTls = createTcpServer(socket => socket.end('hello'))
  const web = createServer({ key: makeCaKey.key, cert: makeCaKey.cert })
  for (const server of [noTls, web]) {
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
  }
  t.match(await steps(`127.0.0.1:${(noTls.address() as AddressInfo).port}`), { failed: 'tls' })
  t.match(await steps(`127.0.0.1:${(web.address() as AddressInfo).port}`), { failed: 'tls' })
  const dead = `127.0.0.1:${(noTls.address() as AddressInfo).port}`
  t.equal(await one.mesh.sight(two.id, [dead], AbortSignal.timeout(5_000)), 'tcp-only')
  t.equal(await one.mesh.sight(two.id, [dead, two.address], AbortSignal.timeout(5_000)), 'linked', 'the best address counts')

  const silent = createTcpServer(() => undefined)
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => silent.close())
  const cut = await one.mesh.probe(parseAddress(`127.0.0.1:${(silent.address() as AddressInfo).port}`), null, AbortSignal.timeout(1_000))
  t.match(cut.steps.at(-1), { step: 'tls', ok: false, message: 'no answer in time' })
})
const makeCaKey = makeCa()

void t.test('a small fleet with one pinned peer each finds all of itself', async t => {
  const f = new TestFleet()
  t.teardown(() => f.close())
  const peers = await Promise.all(Array.from({ length: 6 }, () => f.peer()))
  for (const [n, peer] of peers.entries()) {
    const body = { name: `n${n}`, addresses: [peer.address], tags: [], platform: 'linux-x64', nodejs: '24.0.0' }
    if (n > 0) peer.pin(peers[n - 1]!)
    peer.mesh.start()
    peer.mesh.publish([fact({ kind: 'node', owner: peer.id, body: JSON.stringify(body) })], true)
  }
  await Promise.all(peers.map(peer => peer.when(() => peer.mesh.links().length === 5)))
  t.ok(peers.every(peer => peer.mesh.links().length === 5))
})

void t.test('the token bucket gives a burst, then its rate', async t => {
  const bucket = new TokenBucket(3, 10, 1_000)
  t.same(
    [1, 2, 3, 4].map(() => bucket.take(1_000)),
    [true, true, true, false],
  )
  t.equal(bucket.take(1_099), false)
  t.equal(bucket.take(1_101), true)
  t.same(
    [1, 2, 3, 4].map(() => bucket.take(9_000)),
    [true, true, true, false],
  )
})
