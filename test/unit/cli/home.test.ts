import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { checkHome, found, makeKit, retire } from '../../../src/cli/home/index.ts'
import { admissionFact, FleetView, fleetJudge, Registers } from '../../../src/facts/index.ts'
import { defaultConfig, type Envelope, type Fact, parseConfig } from '../../../src/model/index.ts'
import { advertised, homePaths, readCurrent } from '../../../src/slots/index.ts'
import { NodeStore } from '../../../src/store/index.ts'
import {
  factSigner,
  formatToken,
  makeCa,
  makeNodeCertificate,
  newOneTimeKey,
  openOperatorKey,
  parseToken,
  pinOf,
  readNodeKey,
  signDocument,
  spareAdminsOf,
  type Token,
  trustFirstRoot,
} from '../../../src/trust/index.ts'
import { type Answerer, fakeNode, refusal, shoal } from './helpers.ts'
import type { Json } from '../../helpers/json.ts'

/** Every file of a home but the slots' own, with contents and modes. */
function snapshot(home: string): Map<string, string> {
  if (!existsSync(home)) return new Map()
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter(e => !e.parentPath.includes('/instance/slots/'))
  return new Map(
    files.map(e => {
      const path = join(e.parentPath, e.name)
      const { mode } = statSync(path)
      return [path, `${mode.toString(8)} ${e.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''}`]
    }),
  )
}
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

const folder = t.testdir()
const home = join(folder, 'deep', 'founder')
const paths = homePaths(home)
let founded: Json

function factsOf(of: string): readonly Fact[] {
  const store = new NodeStore(homePaths(of).db)
  try {
    return store.facts()
  } finally {
    store.close()
  }
}

void t.test('init founds a fleet: every file, its mode, and what --json prints', async t => {
  const { code, json, err } = await shoal([
    'init',
    '--home',
    home,
    '--name',
    'till',
    '--listen',
    '127.0.0.1:0',
    '--operator',
    'ann',
    '--fleet',
    'shops',
    '--json',
  ])
  founded = json
  t.equal(code, 0)
  t.strictSame(Object.keys(json), ['id', 'name', 'fleet', 'address', 'operator'])
  t.match(json, { name: 'till', operator: 'ann', address: /^127\.0\.0\.1:\d+$/ })
  const config = parseConfig(JSON.parse(readFileSync(paths.config, 'utf8')))
  t.match(config, { name: 'till', listen: json.address, peers: [] })
  t.not(config.listen.split(':')[1], '0', 'port 0 became a free one')
  for (const path of [paths.nodeKey, paths.caKey, join(paths.operators, 'ann.json'), paths.recoveryKit, paths.firstOperator])
    t.equal(modeOf(path), '600', path)
  for (const path of [paths.caPem, paths.nodePem, paths.data, paths.packages, paths.inbox, paths.logs]) t.ok(existsSync(path), path)
  t.equal(modeOf(paths.run), '700')
  t.notOk(existsSync(join(paths.instance, '.unfinished')))
  t.match(readCurrent(home), { app: null, state: 'good' })
  t.notMatch(err, readFileSync(paths.firstOperator, 'utf8').split('\n')[1] ?? '', 'no terminal: the passphrase is in the file alone')
  t.doesNotThrow(() => checkHome(home))
})

void t.test('the founder is a member like all others, by an invite that its operator signed', async t => {
  const facts = factsOf(home)
  const root = trustFirstRoot(facts.find(f => f.kind === 'root')?.body ?? '', founded.fleet)
  t.match(root, { fleetName: 'shops', people: [{ name: 'ann', role: 'admin' }], caPin: pinOf(readFileSync(paths.caPem)) })
  const fleet = new FleetView(root)
  const registers = new Registers()
  for (const fact of facts) {
    t.equal(fleetJudge(fleet)(fact, registers).v, 'accept', fact.kind)
    registers.merge(fact)
    fleet.apply(fact)
  }
  t.ok(fleet.isMember(founded.id))
  t.equal(fleet.generation, 1)
  const note = readFileSync(paths.firstOperator, 'utf8')
  const [, operator, passphrase, recovery] = /^operator: (\S+)\npassphrase: (\S+)\nrecovery passphrase: (\S+)\n$/.exec(note) ?? []
  t.equal(operator, 'ann')
  const key = openOperatorKey(readFileSync(join(paths.operators, 'ann.json'), 'utf8'), passphrase ?? '')
  t.equal(key.keyid, root.people[0]?.keyid)
  const kit = openOperatorKey(readFileSync(paths.recoveryKit, 'utf8'), recovery ?? '')
  t.equal(kit.keyid, spareAdminsOf(root)[0]?.keyid, 'the kit is a second admin')
  t.throws(
    () => openOperatorKey(readFileSync(paths.recoveryKit, 'utf8'), passphrase ?? ''),
    { code: 'BAD_PASSPHRASE' },
    'under a passphrase of its own',
  )
})

void t.test('a home that has a fleet is refused, byte for byte as before', async t => {
  const before = snapshot(home)
  for (const argv of [['init'], ['init', '--name', 'x', '--listen', '127.0.0.1:0'], ['join', formatToken(tokenOf())]]) {
    const { code, json } = await shoal([...argv, '--home', home, '--json'])
    t.equal(code, 1)
    t.equal(json.error.code, 'HOME_HAS_FLEET')
  }
  t.equal((await shoal(['start', '--init', '--home', home])).code, 0, 'start --init leaves a node as it is')
  t.strictSame(snapshot(home), before)
})

void t.test('keys without slots are a damaged node: nobody founds anything over them', async t => {
  const damaged = join(t.testdir(), 'home')
  cpSync(paths.certs, homePaths(damaged).certs, { recursive: true })
  const before = snapshot(damaged)
  t.equal((await shoal(['init', '--home', damaged, '--json'])).json.error.code, 'HOME_DAMAGED')
  t.strictSame(snapshot(damaged), before)
})

void t.test('a failure takes back what was made', async t => {
  const spoiled = join(t.testdir(), 'home')
  mkdirSync(join(spoiled, 'instance'), { recursive: true })
  writeFileSync(join(spoiled, 'instance', 'slots'), 'a file where a folder must be')
  const before = snapshot(spoiled)
  const { code } = await shoal(['init', '--home', spoiled])
  t.equal(code, 1)
  t.strictSame(snapshot(spoiled), before)
})

void t.test('kill -9 in the middle leaves a home that can be made again', async t => {
  const killed = t.testdir({ instance: {}, certs: {} })
  const child = spawn(process.execPath, ['src/boot.js', 'init', '--home', killed, '--listen', '127.0.0.1:0'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  const files = watch(join(killed, 'instance'))
  for await (const [, name] of on2(files)) if (name === 'node.db') break
  child.kill('SIGKILL')
  await once(child, 'exit')
  files.close()
  t.equal(readCurrent(killed), null, 'not yet a node')
  t.equal((await shoal(['status', '--home', killed])).code, 2)
  const { code, json } = await shoal(['init', '--home', killed, '--listen', '127.0.0.1:0', '--json'])
  t.equal(code, 0)
  t.equal(readNodeKey(readFileSync(homePaths(killed).nodeKey, 'utf8')).id, json.id)
  t.notOk(existsSync(join(killed, 'instance', '.unfinished')))
})

/** Events of a watcher as pairs. */
async function* on2(files: ReturnType<typeof watch>): AsyncGenerator<readonly [string, string | null]> {
  for (;;) yield (await once(files, 'change')) as unknown as readonly [string, string | null]
}

void t.test('a key file that others may read is named', { skip: process.platform === 'win32' }, async t => {
  for (const path of [paths.nodeKey, join(paths.operators, 'ann.json'), paths.firstOperator]) {
    chmodSync(path, 0o640)
    t.throws(() => checkHome(home), { code: 'KEY_FILE_MODE', message: `${path}: its mode is 0640, at most 0600 is allowed` })
    const { code, json } = await shoal(['start', '--home', home, '--json'])
    t.equal(code, 1)
    t.equal(json.error.code, 'KEY_FILE_MODE')
    chmodSync(path, 0o600)
  }
})

void t.test('a passphrase that was given is not written down', async t => {
  const given = join(t.testdir({ pass: 'my own words\nsecond line' }), 'home')
  const { code } = await shoal([
    'init',
    '--home',
    given,
    '--listen',
    '127.0.0.1:0',
    '--operator',
    'bob',
    '--passphrase-file',
    join(given, '..', 'pass'),
  ])
  t.equal(code, 0)
  const note = readFileSync(homePaths(given).firstOperator, 'utf8')
  t.match(note, /^operator: bob\nrecovery passphrase: \S+\n$/)
  t.equal(openOperatorKey(readFileSync(join(homePaths(given).operators, 'bob.json'), 'utf8'), 'my own words').name, 'bob')

  const away = await retire(homePaths(given), new Date('2026-01-02T03:04:05.678Z'))
  t.match(away, /left-20260102T030405Z$/)
  t.equal(readCurrent(given), null, 'no node any more')
  t.ok(existsSync(join(away, 'node.key')) && existsSync(join(away, 'operators', 'bob.json')))
  const config = parseConfig(JSON.parse(readFileSync(homePaths(given).config, 'utf8')))
  const again = await found(homePaths(given), { passphrase: 'x', writesSecrets: false })
  t.equal(again.address, config.listen, 'settings stay')
})

void t.test('advertised addresses are what is given, what is listened on, or the machine’s own', async t => {
  const config = defaultConfig('x')
  t.strictSame(advertised({ ...config, advertise: ['a:1', 'b:2'] }), ['a:1', 'b:2'])
  t.strictSame(advertised({ ...config, listen: '127.0.0.1:99' }), ['127.0.0.1:99'])
  for (const address of advertised(config)) t.match(address, /^\d+\.\d+\.\d+\.\d+:8443$/)
})

void t.test('the recovery kit holds the CA key under the same passphrase as its admin key', async t => {
  const kit = makeKit('PEM')
  t.equal(openOperatorKey(kit.file, kit.passphrase).keyid, kit.key.keyid)
  t.match(JSON.parse(kit.file), { name: 'recovery-kit', ca: { kdf: { name: 'scrypt' } } })
  t.notMatch(kit.file, 'PEM')
})

// --- join

let oneTime = newOneTimeKey()
const tokenOf = (more: Partial<Token> = {}): Token => ({
  fleet: founded.fleet,
  ca: pinOf(readFileSync(paths.caPem)),
  redeemer: founded.id,
  addresses: [founded.address],
  invite: 'i1',
  key: oneTime.privateKey,
  ...more,
})

/** Redeems as a node does, and lets a test spoil the answer. */
function redeemer(spoil: (answer: Json, ca: Json) => void = () => undefined): Answerer {
  const facts = factsOf(home)
  const root = facts.find(f => f.kind === 'root')?.body ?? ''
  const note = readFileSync(paths.firstOperator, 'utf8')
  const ann = openOperatorKey(readFileSync(join(paths.operators, 'ann.json'), 'utf8'), /^passphrase: (\S+)$/m.exec(note)?.[1] ?? '')
  const ca = { key: readFileSync(paths.caKey, 'utf8'), cert: readFileSync(paths.caPem, 'utf8') }
  oneTime = newOneTimeKey()
  const invite = {
    fleet: founded.fleet,
    id: 'i1',
    key: oneTime.publicKey,
    redeemer: founded.id,
    uses: 1,
    expiresAt: '2099-01-01T00:00:00Z',
    generation: 2,
    by: 'ann',
  }
  const envelope: Envelope = signDocument('invite', invite, [ann])
  return ({ path, body }) => {
    if (path !== '/_shoal/join') return { status: 404, body: refusal('NOT_FOUND', path) }
    const admission = { node: body.node, spki: body.spki, invite: envelope, proof: body.proof }
    const fact = admissionFact(factSigner(readFileSync(paths.nodeKey, 'utf8')), founded.id, admission, 2)
    const cert = makeNodeCertificate(body.spki, founded.fleet, ca)
    const answer = {
      roots: [root],
      ca: ca.cert,
      cert,
      caKey: null,
      facts: [fact, ...facts],
      redeemer: { id: founded.id, address: founded.address },
    }
    spoil(answer, ca)
    return { status: 201, body: answer }
  }
}

void t.test('join makes this home a node: certificate, facts, the redeemer pinned', async t => {
  const { asked } = await fakeNode(w => t.teardown(w), home, redeemer())
  const joined = join(t.testdir(), 'home')
  const { code, json } = await shoal(['join', '-', '--home', joined, '--name', 'shop-7', '--listen', '127.0.0.1:0', '--json'], {
    stdin: `${formatToken(tokenOf())}\n`,
  })
  t.equal(code, 0)
  t.strictSame(Object.keys(json), ['id', 'name', 'fleet', 'address'])
  t.match(json, { name: 'shop-7', fleet: founded.fleet })
  t.equal(asked[0]?.body.node, json.id)
  t.strictSame(asked[0]?.body.addresses, [json.address])
  const config = parseConfig(JSON.parse(readFileSync(homePaths(joined).config, 'utf8')))
  t.strictSame(config.peers, [{ id: founded.id, address: founded.address }])
  t.equal(readNodeKey(readFileSync(homePaths(joined).nodeKey, 'utf8')).id, json.id)
  t.notOk(existsSync(homePaths(joined).caKey), 'not every node lets others in')
  t.strictSame(
    factsOf(joined)
      .map(f => f.kind)
      .toSorted(),
    ['member', 'member', 'root'],
  )
  t.match(readCurrent(joined), { app: null })
})

void t.test('tokens that are refused before a word is said', async t => {
  const token = formatToken(tokenOf())
  const other = makeCa()
  const silent = createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const dead = `127.0.0.1:${(silent.address() as { port: number }).port}`
  silent.close()
  const { asked } = await fakeNode(w => t.teardown(w), home, redeemer())
  const cases: readonly (readonly [string, string, number])[] = [
    ['shoal1.', 'TOKEN_MALFORMED', 1],
    [token.slice(0, -5), 'TOKEN_MALFORMED', 1],
    [`${token.slice(0, 40)}x${token.slice(41)}`, 'TOKEN_MALFORMED', 1],
    [formatToken(tokenOf({ ca: pinOf(other.cert) })), 'TOKEN_PIN_MISMATCH', 1],
    [formatToken(tokenOf({ addresses: [dead] })), 'JOIN_UNREACHABLE', 3],
    [formatToken(tokenOf({ addresses: [] })), 'JOIN_UNREACHABLE', 3],
  ]
  for (const [text, code, exit] of cases) {
    const empty = join(t.testdir(), 'home')
    const ran = await shoal(['join', text, '--home', empty, '--json'])
    t.equal(ran.json.error.code, code)
    t.equal(ran.code, exit)
    t.notOk(existsSync(empty), 'the home is as it was')
  }
  t.strictSame(asked, [], 'nothing was told to anybody')
  t.equal(parseToken(token).redeemer, founded.id)
})

void t.test('an address that is dead does not matter while another answers', async t => {
  await fakeNode(
    w => t.teardown(w),
    home,
    () => ({ status: 403, body: refusal('TOKEN_USED', 'invite i1 has no use left') }),
  )
  const empty = join(t.testdir(), 'home')
  const { code, json, err } = await shoal([
    'join',
    formatToken(tokenOf({ addresses: ['127.0.0.1:1', founded.address] })),
    '--home',
    empty,
    '--json',
  ])
  t.equal(json.error.code, 'TOKEN_USED')
  t.equal(code, 1)
  t.match(err, /request req-7/)
  t.notOk(existsSync(empty), 'refused: the home is as it was')
})

void t.test('answers that prove nothing are refused', async t => {
  const stranger = makeCa()
  const cases: readonly (readonly [string, (answer: Json, ca: Json) => void])[] = [
    ['BAD_SIGNATURE', a => (a.cert = makeNodeCertificate(readNodeKey(readFileSync(paths.nodeKey, 'utf8')).spki, founded.fleet, stranger))],
    ['NOT_MEMBER', a => (a.facts = a.facts.slice(1))],
    ['NOT_MEMBER', a => (a.facts[0] = { ...a.facts[0], sig: a.facts[1].sig })],
    ['OTHER_FLEET', a => (a.roots = [a.roots[0].replace('shops', 'spoof')])],
    ['BAD_ROOT', a => (a.roots = [])],
    ['BAD_SIGNATURE', a => (a.caKey = stranger.key)],
    ['BAD_REQUEST', a => delete a.cert],
  ]
  for (const [code, spoil] of cases) {
    const { server } = await fakeNode(w => t.teardown(w), home, redeemer(spoil))
    const empty = join(t.testdir(), 'home')
    const ran = await shoal(['join', formatToken(tokenOf()), '--home', empty, '--json'])
    t.equal(ran.json.error.code, code, spoil.toString())
    t.equal(readCurrent(empty), null)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})

void t.test('an answer that got lost costs no use: the next try is the same node', async t => {
  const seen: string[] = []
  const { server } = await fakeNode(
    w => t.teardown(w),
    home,
    ({ body }, res) => {
      seen.push(body.node)
      res.destroy()
      return undefined
    },
  )
  const empty = join(t.testdir(), 'home')
  const token = formatToken(tokenOf())
  t.equal((await shoal(['join', token, '--home', empty])).code, 3)
  t.equal((await shoal(['join', token, '--home', empty])).code, 3)
  t.equal(seen[0], seen[1])
  t.strictSame(readdirSync(empty, { recursive: true }).toSorted(), ['certs', 'certs/node.key'], 'nothing but the key')
  server.close()
  rmSync(empty, { recursive: true })
})
