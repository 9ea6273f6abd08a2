/** Questions to a peer, at a real TLS server with a member's certificate: how long is waited, and whose fault it is. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { asString } from '../../../src/model/index.ts'
import { PeerHttp } from '../../../src/node/peer-http.ts'
import { testFleet } from '../../helpers/certs.ts'

const fleet = testFleet()
const [self, peer] = [fleet.node(), fleet.node()]
const connectMs = 200
const read = (answer: unknown): string => asString(answer, 'answer', 10)

/** The peer, and how this node asks it. `before`: addresses that it is said to have besides. */
async function rig(
  t: Test,
  handle: RequestListener,
  { before = [], ms = connectMs }: { readonly before?: readonly string[]; readonly ms?: number } = {},
): Promise<{ readonly http: PeerHttp; readonly server: Server }> {
  const tls = { key: peer.key, cert: peer.cert, ca: fleet.ca.cert, requestCert: true, ALPNProtocols: ['shoal/1'] }
  const server = createServer(tls, handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const home = { fleet: fleet.id, key: { id: self.id, key: self.key, spki: '' }, certPem: self.cert, caPem: fleet.ca.cert }
  const http = new PeerHttp(home, () => [...before, `127.0.0.1:${port}`], ms)
  t.teardown(() => {
    http.close()
    server.closeAllConnections()
    server.close()
  })
  return { http, server }
}

void t.test('who is connected has all the time that the question has, on a new connection and on a kept one', async t => {
  const { http } = await rig(t, (_req, res) => void wait(3 * connectMs).then(() => res.end('"slow"')))
  t.equal(await http.told(peer.id, 'about', 60_000, read), 'slow')
  t.equal(await http.told(peer.id, 'about', 60_000, read), 'slow')
})

void t.test('of many questions at once each has its time, also one that waited for a connection', async t => {
  const ms = 1000
  const { http } = await rig(t, (_req, res) => void wait(2 * ms).then(() => res.end('"slow"')), { ms })
  const answers = await Promise.all(Array.from({ length: 20 }, () => http.told(peer.id, 'about', 60_000, read)))
  t.ok(answers.every(answer => answer === 'slow'))
})

void t.test('a question of bytes is not waited for as long as it lasts', async t => {
  const { http } = await rig(t, () => undefined)
  await t.rejects(http.request(peer.id, 'packages/x', null, AbortSignal.timeout(60_000)), { code: 'NO_NODE' })
})

void t.test('past an address that swallows who calls, the next one is asked', { skip: process.platform !== 'linux' }, async t => {
  const { http } = await rig(t, (_req, res) => void res.end('"here"'), { before: [await swallowing(t)], ms: 1000 })
  t.equal(await http.told(peer.id, 'about', 60_000, read), 'here')
  const answer = await http.request(peer.id, 'packages/x', null, AbortSignal.timeout(60_000))
  t.equal(answer.status, 200)
  for await (const chunk of answer.body) t.equal(Buffer.from(chunk).toString(), '"here"')
})

/** A process that stands still, with a full line of callers: the system drops every further call without a word. */
async function swallowing(t: Test): Promise<string> {
  const program = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })`
  const still = spawn(process.execPath, ['-e', program])
  const line: Socket[] = []
  t.teardown(() => {
    still.kill('SIGKILL')
    for (const socket of line) socket.destroy()
  })
  const [port] = (await once(still.stdout, 'data')) as [Buffer]
  still.kill('SIGSTOP')
  for (;;) {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    line.push(socket)
    if (!(await Promise.race([once(socket, 'connect'), wait(300).then(() => null)]))) return `127.0.0.1:${Number(port)}`
  }
}

void t.test('whatever is wrong with the answer, it is the other node', async t => {
  const answers: Readonly<Record<string, RequestListener>> = {
    'no JSON': (_req, res) => void res.end('<html>'),
    'nested too deep': (_req, res) => void res.end('['.repeat(500) + ']'.repeat(500)),
    'without end': (_req, res) => void res.end(Buffer.alloc(20 << 20, ' ')),
    'not what is read': (_req, res) => void res.end('{}'),
    'a refusal': (_req, res) => void res.writeHead(403).end(),
    'an older version': (_req, res) => void res.writeHead(404).end(),
    'cut short': (_req, res) => void res.writeHead(200, { 'Content-Length': '10' }).end('x', () => res.destroy()),
  }
  for (const [what, handle] of Object.entries(answers)) {
    const { http } = await rig(t, handle)
    await t.rejects(http.told(peer.id, 'about', 60_000, read), { code: 'NO_NODE' }, what)
    await t.rejects(http.log(peer.id, { lines: 10, after: null }), { code: 'NO_NODE' }, `${what}, asked for its log`)
  }
  const { http } = await rig(t, () => undefined)
  await t.rejects(http.told(peer.id, 'about', connectMs, read), { code: 'NO_NODE' }, 'nothing in time')
})
