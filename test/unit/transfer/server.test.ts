// The routes that serve bytes, over real HTTP: ranges, tags, limits, and what of an unfinished package is served.
import { once } from 'node:events'
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseBlockmap } from '../../../src/model/index.ts'
import { app, buildZip, manifest } from '../packages/index.ts'
import { openStore, type Peer, put, samplePackage, sha256Hex, startPeer } from './rig.ts'

const bytes = samplePackage(30)

async function ask(
  peer: Peer,
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  const req = request({ host: '127.0.0.1', port: peer.port, path: `/${path}`, headers, method, agent: false }).end()
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const chunk of res) parts.push(chunk as Buffer)
  return { status: res.statusCode!, headers: res.headers, body: Buffer.concat(parts) }
}

async function served(t: Test, maxUploads?: number, content = bytes): Promise<{ peer: Peer; path: string; digest: string }> {
  const store = await openStore(t.testdir())
  const { digest } = await put(store, content)
  return { peer: await startPeer(t, 1, store, maxUploads === undefined ? {} : { maxUploads }), path: `packages/${digest}`, digest }
}

const codeIn = (body: Buffer): string => (JSON.parse(body.toString()) as { error: { code: string; requestId: string } }).error.code

void t.test('serves a package whole, in ranges, and by its tag', async t => {
  const { peer, path, digest } = await served(t)
  const whole = await ask(peer, path)
  t.equal(whole.status, 200)
  t.ok(whole.body.equals(bytes))
  t.match(whole.headers, {
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
    'content-type': 'application/zip',
    'content-length': String(bytes.length),
  })
  const part = await ask(peer, path, { range: 'bytes=100-199' })
  t.equal(part.status, 206)
  t.equal(part.headers['content-range'], `bytes 100-199/${bytes.length}`)
  t.ok(part.body.equals(bytes.subarray(100, 200)))
  t.ok((await ask(peer, path, { range: 'bytes=-10' })).body.equals(bytes.subarray(-10)))
  t.equal((await ask(peer, path, { range: 'bytes=1-2', 'if-range': '"other"' })).status, 200)
  t.equal((await ask(peer, path, { range: 'bytes=1-2', 'if-range': `"${digest}"` })).status, 206)
  const beyond = await ask(peer, path, { range: `bytes=${bytes.length}-` })
  t.equal(beyond.status, 416)
  t.equal(beyond.headers['content-range'], `bytes */${bytes.length}`)
  t.equal(codeIn(beyond.body), 'RANGE_NOT_SATISFIABLE')
  for (const tag of [`"${digest}"`, '*', `"x", W/"${digest}"`]) t.equal((await ask(peer, path, { 'if-none-match': tag })).status, 304, tag)
  t.equal((await ask(peer, path, { 'if-none-match': '"x"' })).status, 200)
  const head = await ask(peer, path, {}, 'HEAD')
  t.equal(head.status, 200)
  t.equal(head.headers['content-length'], String(bytes.length))
  t.equal(head.body.length, 0)
  t.equal(peer.server.servedBytes(), bytes.length * 3 + 100 + 10 + 2)
})

void t.test('serves the blockmap, its groups, what it has, and runs of segments', async t => {
  const { peer, path } = await served(t)
  const text = (await ask(peer, `${path}/blockmap`)).body.toString()
  const { segments, size } = parseBlockmap(text)
  t.equal(size, bytes.length)
  t.equal(segments.at(-1)![2], sha256Hex(bytes.subarray(-22)))
  t.equal((await ask(peer, `${path}/blockmap?groups=index`)).body.length % 32, 0)
  t.ok((await ask(peer, `${path}/blockmap?groups=0`)).body.length > 36)
  t.strictSame(JSON.parse((await ask(peer, `${path}/have`)).body.toString()), {
    segments: segments.length,
    have: [[0, segments.length - 1]],
  })
  const some = await ask(peer, `${path}/segments?list=1,3-4`)
  t.equal(some.status, 200)
  const of = (n: number): Buffer => bytes.subarray(segments[n]![0], segments[n]![0] + segments[n]![1])
  t.ok(some.body.equals(Buffer.concat([of(1), of(3), of(4)])))
  for (const list of ['', 'x', '4-3', '1,1', '9999', Array(200).fill('1').join(',')])
    t.equal((await ask(peer, `${path}/segments?list=${list}`)).status, 400, list.slice(0, 9))
  t.equal((await ask(peer, `${path}/blockmap?groups=99999`)).status, 400)
})

void t.test('what it does not have or does not do', async t => {
  const { peer, path } = await served(t)
  const none = `packages/${'0'.repeat(64)}`
  for (const unknown of [
    none,
    `${none}/blockmap`,
    `${none}/have`,
    `${none}/segments?list=0`,
    'packages/../../node.db',
    'packages/%2e%2e',
    `${path}/x`,
    'packages/',
    '',
    path.toUpperCase(),
    `${path}/blockmap/..`,
    '//x',
  ]) {
    const { status, body } = await ask(peer, unknown)
    t.equal(status, 404, unknown)
    t.equal(codeIn(body), 'NOT_FOUND', unknown)
  }
  t.equal((await ask(peer, path, {}, 'POST')).status, 405)
  t.equal((await ask(peer, path, {}, 'DELETE')).status, 405)
})

void t.test('at most so many bodies at once; the next is told when to come again', async t => {
  // More than the buffers of a socket hold: it stays under way while nobody reads.
  const large = buildZip([manifest(), app, { path: 'b', data: Buffer.alloc(15 << 20) }])
  const { peer, path } = await served(t, 1, large)
  const slow = connect(peer.port, '127.0.0.1')
  t.teardown(() => slow.destroy())
  slow.write(`GET /${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await once(slow, 'readable') // the answer has begun, and is not read
  const refused = await ask(peer, path)
  t.equal(refused.status, 503)
  t.equal(refused.headers['retry-after'], '1')
  t.equal(codeIn(refused.body), 'BUSY')
  t.equal((await ask(peer, `${path}/blockmap`)).status, 200, 'small answers are not counted')
  t.equal((await ask(peer, path, {}, 'HEAD')).status, 200)
  slow.destroy()
  let status = 503
  while (status === 503) status = (await ask(peer, path, { range: 'bytes=0-0' })).status
  t.equal(status, 206, 'a receiver that went away gives its place back')
})

void t.test('of an unfinished package what was verified is served, nothing else', async t => {
  const whole = await served(t)
  const text = (await ask(whole.peer, `${whole.path}/blockmap`)).body.toString()
  const blockmap = parseBlockmap(text)
  const store = await openStore(join(t.testdirName, 'part'))
  const digest = whole.peer.store.list()[0]!
  const peer = await startPeer(t, 2, store)
  await store.putBlockmap(digest, text)
  t.equal((await ask(peer, `${whole.path}/blockmap`)).status, 404, 'a blockmap alone is no package')
  const part = await store.openPart(digest, blockmap)
  t.teardown(() => store.closePart(digest))
  const [offset, length] = blockmap.segments[3]!
  await part.write(3, bytes.subarray(offset, offset + length))
  t.strictSame(JSON.parse((await ask(peer, `${whole.path}/have`)).body.toString()), { segments: blockmap.segments.length, have: [[3, 3]] })
  const inside = await ask(peer, whole.path, { range: `bytes=${offset}-${offset + length - 1}` })
  t.equal(inside.status, 206)
  t.ok(inside.body.equals(bytes.subarray(offset, offset + length)))
  t.ok((await ask(peer, `${whole.path}/segments?list=3`)).body.equals(inside.body))
  for (const [range, what] of [
    [`bytes=${offset - 1}-${offset + 5}`, 'one byte before'],
    [`bytes=${offset}-${offset + length}`, 'one byte after'],
    [undefined, 'all'],
  ] as const) {
    t.equal((await ask(peer, whole.path, range === undefined ? {} : { range })).status, 404, what)
  }
  t.equal((await ask(peer, `${whole.path}/segments?list=2-3`)).status, 404)
})
