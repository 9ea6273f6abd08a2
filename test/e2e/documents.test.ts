import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import type { Code } from '../../src/model/index.ts'
import { pack } from '../../src/packages/index.ts'
import { fleetIdOf, makeRoot, newOperatorKey, sha256, spareAdminsOf, trustFirstRoot } from '../../src/trust/index.ts'
import { ask, type Caller, changesNothing, hex, id52, nobody, Pen, picture, refused, type Reply, tokenOf } from './ask.ts'
import { makeApp, operator, type TestNode, TestFleet, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

/** `packages` of a release that names these bytes, whatever they are. */
const refsOf = (bytes: Buffer): Json => ({ any: { digest: sha256(bytes), size: bytes.length, blockmap: hex } })

const uploadHead = (digest: string, length: number): string =>
  [
    'POST /_shoal/api/v1/packages HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/zip',
    `X-Shoal-Digest: ${digest}`,
    `Content-Length: ${length}`,
    '',
    '',
  ].join('\r\n')

/** Sends so much and no more; the answer comes all the same. */
async function say(node: TestNode, text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: node.port, rejectUnauthorized: false })
  socket.on('error', () => undefined)
  socket.write(text)
  const [chunk] = await once(socket, 'data')
  socket.destroy()
  return String(chunk)
}

void t.test('what is signed, and what only seems so', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  const token = tokenOf(node)
  const pen = await Pen.of(node)
  const post = (path: string, body: unknown, as: Caller = token): Promise<Reply> => ask(node, as, path, { body })
  const member = await pen.ghost('ghost')
  const apps = join(fleet.dir, 'apps')
  const zipOf = async (version: string, traits: object = {}): Promise<Buffer> => {
    const out = join(fleet.dir, `${version}.zip`)
    await pack(makeApp(apps, { version, ...traits }), { out })
    return readFileSync(out)
  }
  const zip = await zipOf('1.0.0')
  const release = pen.release('1.0.0', zip)
  const signedRelease = pen.sign('release', release)
  const upload = (bytes: Buffer, digest: string, headers: Record<string, string> = {}): Promise<Reply> =>
    ask(node, nobody, 'packages', {
      method: 'POST',
      body: bytes,
      headers: { 'content-type': 'application/zip', 'x-shoal-digest': digest, ...headers },
    })

  await t.test('packages: what nobody signed for does not get in', async t => {
    const { digest } = release.packages.any
    await changesNothing(t, node, async () => {
      refused(t, await upload(zip, digest), 'UNKNOWN_DIGEST', 'bytes before their release')
      refused(t, await upload(zip, 'nonsense'), 'BAD_REQUEST', 'no digest')
      refused(t, await ask(node, nobody, 'packages', { body: zip }), 'UNAUTHENTICATED', 'no digest named')
    })
    const told = await post('releases', { envelope: signedRelease }, nobody)
    t.same([told.status, told.json.name], [201, 'till'])
    t.equal((await post('releases', { envelope: signedRelease }, nobody)).status, 200, 'the same again has no effect')
    // Signed, but no package: an operator’s mistake, or an operator who is not one.
    const junk = Buffer.from('this is no zip at all')
    const flawed = Buffer.from(zip)
    flawed.writeUInt16LE(0x1234, 10) // the time of the first entry
    for (const [version, bytes] of Object.entries({ '7.0.0': junk, '7.0.1': flawed }))
      t.equal((await post('releases', { envelope: pen.sign('release', { ...release, version, packages: refsOf(bytes) }) })).status, 201)
    await changesNothing(t, node, async () => {
      refused(
        t,
        await post('releases', { envelope: pen.sign('release', { ...release, notes: 'x' }) }),
        'RELEASE_EXISTS',
        'another of that name',
      )
      refused(t, await upload(zip, digest, { 'content-type': 'text/plain' }), 'UNSUPPORTED_TYPE', 'another type')
      const unmeasured = uploadHead(digest, 0).replace('Content-Length: 0', 'Transfer-Encoding: chunked')
      t.match(await say(node, unmeasured), /^HTTP\/1.1 411 [^]*LENGTH_REQUIRED/, 'no length')
      t.match(await say(node, uploadHead(digest, (256 << 20) + 1)), /^HTTP\/1.1 413 /, 'announced too large')
      refused(t, await upload(zip.subarray(1), digest), 'DIGEST_MISMATCH', 'cut: the length tells')
      const other = Buffer.from(zip)
      other.writeUInt8(other.readUInt8(other.length >> 1) ^ 1, other.length >> 1)
      refused(t, await upload(other, digest), 'DIGEST_MISMATCH', 'one bit')
      refused(t, await upload(junk, refsOf(junk).any.digest), 'NOT_A_ZIP', 'junk')
      const rejected = await upload(flawed, refsOf(flawed).any.digest)
      refused(t, rejected, 'PACKAGE_REJECTED', 'a rule')
      t.match(rejected.json.error.message, /^(time|local-differs):/, 'that is named')
    })
    const taken = await upload(zip, digest)
    t.match([taken.status, taken.json], [201, { digest, name: 'till', version: '1.0.0' }])
    t.equal((await upload(zip, digest)).status, 200, 'it is here already')
    const get = (range: string, method = 'GET'): Promise<Reply> =>
      ask(node, token, `packages/${digest}`, { method, headers: range === '' ? {} : { range } })
    t.same((await get('')).bytes, zip)
    const head = await get('', 'HEAD')
    t.same([head.status, head.headers['content-length'], head.bytes.length], [200, String(zip.length), 0])
    const part = await get('bytes=10-19')
    t.same([part.status, part.headers['content-range'], part.bytes], [206, `bytes 10-19/${zip.length}`, zip.subarray(10, 20)])
    t.same((await get('bytes=-5')).bytes, zip.subarray(-5))
    t.same((await get(`bytes=${zip.length - 1}-`)).bytes, zip.subarray(-1))
    for (const range of [`bytes=${zip.length}-`, 'bytes=9-3', 'bytes=99999999999999-']) {
      const beyond = await get(range)
      refused(t, beyond, 'RANGE_NOT_SATISFIABLE', range)
      t.equal(beyond.headers['content-range'], `bytes */${zip.length}`)
    }
    t.equal((await get('lines=1-2')).status, 200, 'other units are answered whole')
    const peers = (path: string, headers = {}): Promise<Reply> => ask(node, member.caller, `/_shoal/peer/v1/packages/${path}`, { headers })
    t.same((await peers(digest, { range: 'bytes=0-1' })).bytes.toString(), 'PK')
    t.equal((await peers(digest, { range: `bytes=${zip.length}-` })).status, 416)
    refused(t, await peers(hex), 'NOT_FOUND', 'a package that is not here')
    refused(t, await peers(`${digest}/nonsense`), 'NOT_FOUND', 'a part that there is not')
    t.equal((await peers(`${digest}/have`)).status, 200)
  })

  await t.test('envelopes: only what the root’s people signed, for this fleet, of this kind, once', async t => {
    const ben = newOperatorKey('ben', 'x').key
    const mallory = newOperatorKey(operator, 'x').key
    const root = trustFirstRoot((await ask(node, token, 'fleet')).json.root, pen.fleet)
    const people = [...root.people, { name: 'ben', role: 'operator' as const, keyid: ben.keyid, publicHex: ben.publicHex }]
    const next = (signer = pen.key, version = 2): string =>
      makeRoot({ ...root, version, people, spareAdmins: spareAdminsOf(root) }, [signer])
    await changesNothing(t, node, async () => {
      refused(t, await post('root', { root: next(ben) }), 'BAD_ROOT', 'a root that a stranger signed')
      refused(t, await post('root', { root: next(pen.key, 3) }), 'BAD_ROOT', 'a root that leaves one out')
      refused(t, await post('root', { root: '{"signed":{"_type":"root","__proto__":{}},"signatures":[]}' }), 'BAD_ROOT', 'no root')
      refused(t, await post('root', { root: 'x'.repeat(20_000) }), 'BAD_REQUEST', 'a long one')
    })
    t.equal((await post('root', { root: next() })).status, 201)
    t.same((await post('root', { root: next() })).json, { version: 2 }, 'the same again has no effect')

    const generation = (await pen.generation()) + 1
    const order = await pen.order('till@1.0.0')
    const payload = JSON.parse(Buffer.from(order.envelope.payload, 'base64').toString())
    const orderWith = (edit: object, key = pen.key): Json => ({
      envelope: pen.sign('order', { ...payload, ...edit }, key),
      planText: order.planText,
    })
    const changed = { ...order.envelope, payload: Buffer.from(JSON.stringify({ ...payload, force: true })).toString('base64') }
    const stolen = { ...order.envelope, signatures: order.envelope.signatures.map(s => ({ ...s, keyid: ben.keyid })) }
    const removal = await pen.removal(member.id)
    const remove = (edit: object = {}, key = pen.key): Json => ({
      envelope: pen.sign('removal', { ...removal, ...edit }, key),
    })
    const refusals: [string, string, unknown, Code][] = [
      ['no envelope', 'rollouts', {}, 'UNAUTHENTICATED'],
      ['an envelope of nothing', 'rollouts', { ...order, envelope: { payloadType: '', payload: '', signatures: [] } }, 'BAD_SIGNATURE'],
      ['a stranger’s key under the operator’s name', 'rollouts', orderWith({}, mallory), 'BAD_SIGNATURE'],
      ['another fleet', 'rollouts', orderWith({ fleet: id52 }), 'OTHER_FLEET'],
      ['another kind', 'rollouts', { ...order, envelope: pen.sign('control', payload) }, 'BAD_SIGNATURE'],
      ['a release for an order', 'rollouts', { ...order, envelope: signedRelease }, 'BAD_SIGNATURE'],
      ['an order for a release', 'releases', { envelope: order.envelope }, 'BAD_SIGNATURE'],
      ['a changed payload', 'rollouts', { ...order, envelope: changed }, 'BAD_SIGNATURE'],
      ['another’s key id', 'rollouts', { ...order, envelope: stolen }, 'BAD_SIGNATURE'],
      ['another plan', 'rollouts', { ...order, planText: `${order.planText} ` }, 'DIGEST_MISMATCH'],
      ['an unknown release', 'rollouts', orderWith({ release: hex }), 'UNKNOWN_RELEASE'],
      ['a name that is not the release’s', 'rollouts', orderWith({ version: '9.9.9' }), 'BAD_REQUEST'],
      ['a generation far ahead', 'rollouts', orderWith({ generation: generation + 1001 }), 'BAD_SIGNATURE'],
      ['a generation beyond numbers', 'rollouts', orderWith({ generation: 2 ** 60 }), 'BAD_REQUEST'],
      ['more than a link carries', 'rollouts', orderWith({ selector: { only: Array(400).fill(member.id), tags: [] } }), 'TOO_LARGE'],
      [
        'a control of an unknown order',
        `rollouts/${id52}/pause`,
        { envelope: pen.sign('control', control(id52, generation)) },
        'NOT_FOUND',
      ],
      [
        'a control that nobody signed',
        `rollouts/${id52}/pause`,
        { envelope: pen.sign('control', control(id52, 1), mallory) },
        'BAD_SIGNATURE',
      ],
      ['a removal that an operator signed', `nodes/${member.id}/remove`, remove({}, ben), 'NOT_ALLOWED'],
      ['a removal of another than the route says', `nodes/${node.id}/remove`, remove(), 'BAD_REQUEST'],
      ['a removal of nobody', `nodes/${id52}/remove`, remove({ node: id52 }), 'NOT_FOUND'],
      ['a removal from before its admission', `nodes/${member.id}/remove`, remove({ generation: 1 }), 'CONFLICT'],
      ['an invite for another to redeem', 'invites', { envelope: (await pen.invite({ redeemer: member.id })).envelope }, 'NOT_ALLOWED'],
      ['an invite without an end', 'invites', { envelope: (await pen.invite({ expiresAt: 'never' })).envelope }, 'BAD_REQUEST'],
      ['an invite with no key', 'invites', { envelope: (await pen.invite({ key: 'AAAA' })).envelope }, 'BAD_REQUEST'],
      ['an invite far ahead', 'invites', { envelope: (await pen.invite({ generation: generation + 1001 })).envelope }, 'BAD_SIGNATURE'],
    ]
    function control(of: string, at: number): Json {
      return { fleet: pen.fleet, order: of, generation: at, action: 'pause', nodes: [], by: operator, at: '' }
    }
    await changesNothing(t, node, async () => {
      for (const [what, path, body, code] of refusals) refused(t, await post(path, body, nobody), code, what)
    })
    const made = await post('rollouts', order, nobody)
    t.same([made.status, made.json.release], [201, 'till@1.0.0'])
    await until('it runs', async () => (await node.version()) === '1.0.0')
    await until('it is confirmed', async () => (await node.api('rollouts/latest')).state === 'completed')
    const again = await changesNothing(t, node, () => post('rollouts', order, nobody))
    t.same([again.status, again.json], [200, made.json], 'the same again: no effect, the same answer')
    const { id } = made.json
    const pause = {
      envelope: pen.sign('control', {
        fleet: pen.fleet,
        order: id,
        generation: generation + 5,
        action: 'pause',
        nodes: [],
        by: operator,
        at: '',
      }),
    }
    refused(t, await post(`rollouts/${id}/abort`, pause, nobody), 'BAD_REQUEST', 'pause for abort')
    const { invite, envelope } = await pen.invite()
    t.same([(await post('invites', { envelope })).status, (await post('invites', { envelope })).status], [201, 200])
    refused(
      t,
      await post('invites', { envelope: pen.sign('invite', { ...invite, uses: 1000 }) }),
      'CONFLICT',
      'more uses for the same invite',
    )
  })

  await t.test('join: a proof that was heard gives nothing away', async t => {
    const removed = await pen.ghost('outcast')
    const removal = pen.sign('removal', await pen.removal(removed.id))
    t.equal((await post(`nodes/${removed.id}/remove`, { envelope: removal }, nobody)).status, 200)
    t.equal((await post(`nodes/${removed.id}/remove`, { envelope: removal }, nobody)).status, 200, 'twice is once')
    const heir = await pen.ghost('heir', { canInvite: true })
    t.match(heir.joined.json.caKey, 'PRIVATE KEY', 'the token’s holder gets the CA’s key')
    await changesNothing(t, node, async () => {
      const replay = await post('/_shoal/join', { ...heir.body, addresses: ['6.6.6.6:666'] }, nobody)
      t.same([replay.status, replay.json.caKey], [201, null], 'whoever repeats its proof does not, nor changes where it is')
      refused(t, await post('/_shoal/join', { ...heir.body, proof: member.body.proof }, nobody), 'BAD_SIGNATURE', 'another’s proof')
      refused(t, await post('/_shoal/join', { ...heir.body, node: member.id }, nobody), 'BAD_SIGNATURE', 'another’s id')
      refused(t, await post('/_shoal/join', { ...heir.body, spki: 'AAAA' }, nobody), 'BAD_REQUEST', 'no key')
      refused(t, await post('/_shoal/join', { ...heir.body, invite: 'nonsense' }, nobody), 'TOKEN_USED', 'no invite')
      refused(t, await post('/_shoal/join', removed.body, nobody), 'NOT_MEMBER', 'a removed node with its old token')
      t.equal((await pen.ghost('late', { expiresAt: '2020-01-01T00:00:00Z' })).joined.code, 'TOKEN_EXPIRED')
    })
  })

  await t.test('kill -9 in the middle of an upload and of a deploy', async t => {
    const next = await zipOf('1.1.0', { onStart: `/* ${'x'.repeat(20_000)} */` })
    const payload = pen.release('1.1.0', next)
    const { digest } = payload.packages.any
    t.equal((await post('releases', { envelope: pen.sign('release', payload) })).status, 201)
    const before = await picture(node)
    const identity = node.identity()
    const half = connect({ host: '127.0.0.1', port: node.port, rejectUnauthorized: false })
    half.on('error', () => undefined)
    half.write(uploadHead(digest, next.length))
    half.write(next.subarray(0, next.length >> 1))
    const inbox = join(node.home, 'instance/inbox')
    await until('half of it is there', async () => readdirSync(inbox).length === 1)
    await node.kill()
    await node.start()
    t.same(readdirSync(inbox), [], 'no litter')
    const asKnown = (p: Json): Json => JSON.parse(JSON.stringify(p).replaceAll(/"since":"[^"]*"/g, '"since":""'))
    t.same(asKnown(await picture(node)), asKnown(before), 'nothing is lost')
    t.equal(await node.version(), '1.0.0')
    t.equal((await upload(next, digest)).status, 201, 'it can be sent again')

    const { joined } = await pen.ghost('newcomer')
    t.equal(fleetIdOf(joined.json.roots[0]), pen.fleet, 'who joins gets the chain of roots from the first one on')

    const made = await post('rollouts', await pen.order('till@1.1.0'))
    t.equal(made.status, 201)
    await node.kill()
    await node.start()
    await until('the order is carried out all the same', async () => (await node.version()) === '1.1.0')
    await until('and confirmed', async () => (await node.api('rollouts/latest')).state === 'completed')
    t.same(readdirSync(inbox), [])
    t.notOk(readdirSync(join(node.home, 'instance/packages')).some(f => /\.(part|tmp)$/.test(f)))
    t.same(node.identity(), identity)
    t.match(node.file('instance/data/starts.txt'), /^1\.0\.0\n/, 'the data is there')
  })
})
