import { X509Certificate } from 'node:crypto'
import { connect, createServer, type TLSSocket } from 'node:tls'
import t from 'tap'
import { type Envelope, Fields, type FleetId, parseDigest, parseFleetId, parseKeyId } from '../../../src/model/index.ts'
import {
  factSigner,
  fleetIdOf,
  formatToken,
  makeCa,
  makeNodeCertificate,
  makeRoot,
  makeWebCertificate,
  newNodeKey,
  newOneTimeKey,
  newOperatorKey,
  newPassphrase,
  nodeIdOf,
  nodeOfCertificate,
  openOperatorKey,
  parseToken,
  type Person,
  pinOf,
  proveToken,
  type RootContent,
  seal,
  serverNameOf,
  sha256,
  signDocument,
  signingKeys,
  trustChain,
  trustFirstRoot,
  trustNextRoot,
  unseal,
  verifyAdmission,
  verifyDocument,
  verifyFact,
} from '../../../src/trust/index.ts'

const ca = makeCa()
const anna = newOperatorKey('anna', 'right').key
const ben = newOperatorKey('ben', 'right').key
const person = (key: typeof anna, role: Person['role']): Person => ({ name: key.name, role, keyid: key.keyid, publicHex: key.publicHex })
const content = (over: Partial<RootContent> = {}): RootContent => ({
  version: 1,
  fleetName: 'shops',
  people: [person(anna, 'admin')],
  caPin: pinOf(ca.cert),
  thresholds: { release: 1, order: 1 },
  spareAdmins: [],
  ...over,
})
const rootOne = makeRoot(content(), [anna])
const fleet = fleetIdOf(rootOne)
const root = trustFirstRoot(rootOne, fleet)
const code = (code: string) => ({ code })

void t.test('a passphrase opens a key file and another does not', async t => {
  const { file, key } = newOperatorKey('eve', 'six words')
  t.equal(openOperatorKey(file, 'six words').keyid, key.keyid)
  t.throws(() => openOperatorKey(file, 'other words'), code('BAD_PASSPHRASE'))
  t.throws(() => openOperatorKey('{', 'six words'), code('BAD_REQUEST'))
  t.match(newPassphrase(), /^(?:[a-z]{5}-){5}[a-z]{5}$/)
  const sealed = { ...seal(Buffer.from('secret'), 'p') }
  t.equal(unseal(new Fields(sealed, 'kit'), 'p').toString(), 'secret')
})

void t.test('a document is good only for its kind, its keys and its threshold', async t => {
  const allowed = signingKeys(root, 'order')
  const envelope = signDocument('order', { a: 1 }, [anna])
  t.same(verifyDocument(envelope, 'order', allowed).payload, { a: 1 })
  t.throws(() => verifyDocument(envelope, 'release', allowed), code('BAD_SIGNATURE'))
  t.throws(() => verifyDocument(signDocument('order', { a: 1 }, [ben]), 'order', allowed), code('BAD_SIGNATURE'))
  const changed: Envelope = { ...envelope, payload: Buffer.from('{"a":2}').toString('base64') }
  t.throws(() => verifyDocument(changed, 'order', allowed), code('BAD_SIGNATURE'))
  const twice: Envelope = { ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] }
  t.throws(() => verifyDocument(twice, 'order', { ...allowed, threshold: 2 }), code('BAD_SIGNATURE'))
})

void t.test('the root chain grows only by the hands that the version before names', async t => {
  const two = makeRoot(content({ version: 2, people: [person(anna, 'admin'), person(ben, 'operator')] }), [anna])
  const next = trustNextRoot(two, root)
  t.equal(next.version, 2)
  t.equal(next.fleet, fleet)
  t.same(
    trustChain([rootOne, two], fleet).people.map(p => p.name),
    ['anna', 'ben'],
  )
  t.ok(signingKeys(next, 'order').keys.has(ben.keyid))
  t.notOk(signingKeys(next, 'removal').keys.has(ben.keyid))
  const stolen = makeRoot(content({ version: 2, people: [person(ben, 'admin')] }), [ben])
  t.throws(() => trustNextRoot(stolen, root), code('BAD_ROOT'))
  t.throws(() => trustNextRoot(makeRoot(content({ version: 3 }), [anna]), root), code('BAD_ROOT'))
  t.throws(() => trustFirstRoot(rootOne, parseFleetId('a'.repeat(52))), code('OTHER_FLEET'))
  t.throws(() => trustChain([], fleet), code('BAD_ROOT'))
})

void t.test('one key under two ids is refused', async t => {
  const json = JSON.parse(rootOne) as {
    signed: { keys: Record<string, unknown>; roles: { root: { keyids: string[]; threshold: number } } }
  }
  const [id] = Object.keys(json.signed.keys)
  const other = parseKeyId('b'.repeat(64))
  json.signed.keys[other] = json.signed.keys[id ?? '']
  json.signed.roles.root.keyids.push(other)
  const text = JSON.stringify(json)
  t.throws(() => trustFirstRoot(text, fleetIdOf(text)), code('BAD_ROOT'))
})

const handshake = async (key: ReturnType<typeof newNodeKey>, servername: string, trusted: string): Promise<string> => {
  const cert = makeNodeCertificate(key.spki, fleet, ca)
  const server = createServer({ key: key.key, cert, ca: ca.cert, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' }, s =>
    s.on('error', () => s.destroy()),
  )
  server.on('tlsClientError', () => undefined)
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    return await new Promise((done, fail) => {
      const socket: TLSSocket = connect(
        { port, host: '127.0.0.1', servername, ca: trusted, cert, key: key.key, minVersion: 'TLSv1.3' },
        () => {
          done(nodeOfCertificate(socket.getPeerX509Certificate()?.raw ?? new Uint8Array(), fleet))
          socket.destroy()
        },
      )
      socket.on('error', fail)
    })
  } finally {
    server.close()
  }
}

void t.test('Node accepts the certificates and pins the peer by its name', async t => {
  const a = newNodeKey()
  t.equal(await handshake(a, serverNameOf(a.id, fleet), ca.cert), a.id)
  await t.rejects(handshake(a, serverNameOf(newNodeKey().id, fleet), ca.cert), code('ERR_TLS_CERT_ALTNAME_INVALID'))
  await t.rejects(handshake(a, serverNameOf(a.id, fleet), makeCa().cert))
  const x = new X509Certificate(makeNodeCertificate(a.spki, fleet, ca))
  t.ok(x.validToDate.getUTCFullYear() === 9999)
  t.equal(nodeIdOf(Buffer.from(a.spki, 'base64')), a.id)
  const other = 'c'.repeat(52) as FleetId
  t.throws(() => nodeOfCertificate(x.raw, other), code('BAD_SIGNATURE'))
  t.throws(() => makeNodeCertificate(Buffer.from('nonsense').toString('base64'), fleet, ca), code('BAD_REQUEST'))
})

void t.test('a web certificate names hosts and addresses', async t => {
  const x = new X509Certificate(makeWebCertificate(['shop-1', '192.168.1.5', 'fe80::1']).cert)
  t.ok(x.checkHost('shop-1'))
  t.ok(x.checkIP('192.168.1.5'))
  t.ok(x.checkIP('fe80::1'))
})

void t.test('a token admits one node and says when it was damaged', async t => {
  const redeemer = newNodeKey().id
  const one = newOneTimeKey()
  const invite = {
    fleet,
    id: 'i1',
    key: one.publicKey,
    redeemer,
    uses: 1,
    expiresAt: '2030-01-01T00:00:00Z',
    generation: 1,
    canInvite: false,
    console: false,
    by: 'anna',
  }
  const token = { fleet, ca: pinOf(ca.cert), redeemer, addresses: ['127.0.0.1:8443'], invite: 'i1', key: one.privateKey }
  const text = formatToken(token)
  t.same(parseToken(` ${text}\n`), token)
  for (const bad of ['', 'shoal1.', text.slice(0, -1), text.slice(0, 60), text.replace('shoal1', 'shoal2'), `${text}x`]) {
    t.throws(() => parseToken(bad), code('TOKEN_MALFORMED'))
  }
  const node = newNodeKey()
  const admission = { node: node.id, spki: node.spki, invite: signDocument('invite', invite, [anna]), proof: proveToken(token, node.id) }
  t.equal(verifyAdmission(admission, root).id, 'i1')
  const thief = newNodeKey()
  t.throws(() => verifyAdmission({ ...admission, node: thief.id, spki: thief.spki }, root), code('BAD_SIGNATURE'))
  t.throws(() => verifyAdmission({ ...admission, spki: thief.spki }, root), code('BAD_SIGNATURE'))
  t.throws(() => verifyAdmission({ ...admission, invite: signDocument('invite', invite, [ben]) }, root), code('BAD_SIGNATURE'))
  const foreign = signDocument('invite', { ...invite, fleet: 'd'.repeat(52) }, [anna])
  t.throws(() => verifyAdmission({ ...admission, invite: foreign }, root), code('OTHER_FLEET'))
})

void t.test('a fact is good only as its owner signed it', async t => {
  const node = newNodeKey()
  const fact = factSigner(node.key)({ kind: 'status', owner: node.id, name: '', epoch: 1, version: 2, body: '{}' })
  t.ok(verifyFact(fact, node.spki))
  t.notOk(verifyFact({ ...fact, version: 3 }, node.spki))
  t.notOk(verifyFact(fact, newNodeKey().spki))
  t.equal(parseDigest(sha256('x')), sha256(Buffer.from('x')))
})
