/** Two roots of one version: one of them counts everywhere, whatever came first, and who was removed does not come back by the other. */
import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { controlName, envelopeFact, orderIdOfDigest, rootFact } from '../../../src/facts/index.ts'
import { type Fact, factKey, parseNodeId } from '../../../src/model/index.ts'
import { Replica, standingDocuments } from '../../../src/rollout/index.ts'
import {
  fleetIdOf,
  makeCa,
  makeRoot,
  nextRootText,
  operatorKey,
  type OperatorKey,
  type Person,
  pinOf,
  type Role,
  type RootChange,
  sha256,
  signDocument,
  trustFirstRoot,
  trustNextRoot,
  type TrustedRoot,
} from '../../../src/trust/index.ts'

const keys = new Map<string, OperatorKey>()
const newKey = (name: string): OperatorKey => {
  const key = operatorKey(name, generateKeyPairSync('ed25519').privateKey)
  keys.set(key.keyid, key)
  return key
}
const person = (key: OperatorKey, role: Role): Person => ({ name: key.name, role, keyid: key.keyid, publicHex: key.publicHex })
const [anna, ben, mallory, bob, kit] = ['anna', 'ben', 'mallory', 'bob', 'kit'].map(newKey) as [
  OperatorKey,
  OperatorKey,
  OperatorKey,
  OperatorKey,
  OperatorKey,
]
const rootOne = makeRoot(
  {
    version: 1,
    fleetName: 'shops',
    people: [person(anna, 'admin'), person(ben, 'admin'), person(mallory, 'operator')],
    caPin: pinOf(makeCa().cert),
    thresholds: { release: 1, order: 1 },
    spareAdmins: [{ keyid: kit.keyid, publicHex: kit.publicHex }],
  },
  [anna],
)
const fleet = fleetIdOf(rootOne)
const one = trustFirstRoot(rootOne, fleet)
const day = 86_400_000

/** Signed by `signer`, and by an admin of its own if that is another. */
function next(before: TrustedRoot, signer: OperatorKey, change: RootChange): TrustedRoot {
  const admins = (change.people ?? before.people).filter(p => p.role === 'admin').map(p => p.keyid)
  const own = admins.includes(signer.keyid) ? undefined : keys.get(admins[0] ?? '')
  return trustNextRoot(nextRootText(before, change, own === undefined ? [signer] : [signer, own]), before)
}
const without = (before: TrustedRoot, ...names: string[]): Person[] => before.people.filter(p => !names.includes(p.name))
const adding = (before: TrustedRoot, key: OperatorKey, role: Role = 'operator'): TrustedRoot['people'] => [
  ...before.people,
  person(key, role),
]

const release = (by: OperatorKey, version: string): Fact => {
  const packages = { any: { digest: '1'.repeat(64), size: 1, blockmap: '2'.repeat(64) } }
  const payload = { fleet, kind: 'app', name: 'till', version, dataVersion: 1, handover: 'exclusive', packages }
  const envelope = signDocument('release', payload, [by])
  return envelopeFact('release', envelope, sha256(Buffer.from(envelope.payload, 'base64')), 1)
}

/** A replica with its disk, which takes facts in as the mesh does. */
class Node {
  readonly disk = new Map<string, Fact>()
  readonly memory = new Map<string, string>()
  now = 0
  replica: Replica
  readonly heard: string[] = []

  constructor() {
    this.disk.set(factKey(rootFact(one)), rootFact(one))
    this.replica = this.read()
  }

  read(): Replica {
    return new Replica(
      {
        self: parseNodeId('a'.repeat(52)),
        epoch: 1,
        sign: fact => ({ ...fact, sig: '' }),
        now: () => this.now,
        store: {
          facts: () => [...this.disk.values()],
          saveFacts: facts => facts.forEach(f => this.disk.set(factKey(f), f)),
          forgetFacts: facts => facts.forEach(f => this.disk.delete(factKey(f))),
          document: () => undefined,
          saveDocument: () => undefined,
          remembered: key => this.memory.get(key),
          remember: (key, value) => void this.memory.set(key, value),
        },
      },
      fleet,
    )
  }

  /** @returns true: the replica changed */
  take(fact: Fact): boolean {
    const { registers, judge } = this.replica
    const standing = registers.compare(fact)
    if (standing !== 'new' && standing !== 'conflict') return false
    const verdict = judge(fact, registers)
    if (verdict.v === 'reject') this.heard.push(`${verdict.code} ${verdict.message}`)
    if (verdict.v !== 'accept') return false
    const before = registers.get(factKey(fact))
    registers.merge(fact, verdict.replaces)
    if (registers.get(factKey(fact)) === before) return false
    this.disk.set(factKey(fact), fact)
    this.replica.take([fact])
    return true
  }

  /** What the comparison of two replicas would bring here. */
  pull(other: Node): boolean {
    const { registers } = other.replica
    const facts = registers.all().filter(f => this.replica.registers.lacks(registers.entryFor(f)))
    return facts.map(f => this.take(f)).includes(true)
  }

  names(): string[] {
    return this.replica.fleet.root.people.map(p => p.name)
  }
}

function settle(nodes: readonly Node[]): void {
  for (let round = 0, changed = true; changed; round++) {
    if (round > 100) throw new Error('they never agree')
    changed = false
    for (const a of nodes) for (const b of nodes) if (a !== b && a.pull(b)) changed = true
  }
}

void t.test('an addition here, a removal there: the removal counts on both, and the next root does not bring anybody back', async t => {
  const [a, b] = [new Node(), new Node()]
  const added = next(one, anna, { people: adding(one, bob) })
  a.take(rootFact(added))
  t.ok(a.take(release(bob, '1.0.0')))
  a.take(rootFact(next(added, anna, { people: adding(added, newKey('dora')) })))
  b.take(rootFact(next(one, anna, { people: without(one, 'mallory') })))
  t.ok(b.take(release(anna, '2.0.0')))
  settle([a, b])
  for (const node of [a, b]) {
    t.same(node.names(), ['anna', 'ben'])
    t.same(
      node.replica.book.releases().map(r => r.release.version),
      ['2.0.0'],
      'what stood upon the loser is judged again',
    )
    t.notOk(node.take(release(mallory, '6.6.6')))
  }
  t.equal(a.replica.registers.root(), b.replica.registers.root())
  t.notOk(b.take(rootFact(added)))
  t.match(b.heard.at(-1), /^CONFLICT root 2: two were signed; .* \(anna, ben, mallory, bob\) does not count/)
  const again = a.read()
  t.equal(again.registers.root(), a.replica.registers.root(), 'the same after a restart')
  t.equal(again.fleet.root.id, a.replica.fleet.root.id)
  const repeated = next(a.replica.fleet.root, anna, { people: adding(a.replica.fleet.root, bob) })
  t.ok(a.take(rootFact(repeated)), 'and can be repeated')
  settle([a, b])
  t.same(b.names(), ['anna', 'ben', 'bob'])
})

void t.test('a disk that was cut in the middle of it holds a chain', async t => {
  const node = new Node()
  const added = next(one, anna, { people: adding(one, bob) })
  const removed = next(one, anna, { people: without(one, 'mallory') })
  for (const root of [removed, next(added, anna, { people: adding(added, newKey('dora')) })]) node.disk.set(root.text, rootFact(root))
  t.same(node.read().fleet.root.id, removed.id)
})

void t.test('roots of before, which name no other, stay good', async t => {
  const plain = makeRoot({ ...one, version: 2, people: without(one, 'mallory'), spareAdmins: [kit], previous: null }, [anna])
  const node = new Node()
  t.ok(node.take(rootFact(trustNextRoot(plain, one))))
  t.same(node.names(), ['anna', 'ben'])
  t.equal(trustNextRoot(plain, one).previous, null)
})

void t.test('who was removed signs nothing of the past anew', async t => {
  const removed = next(one, anna, { people: without(one, 'ben') })
  const coup = next(one, ben, { people: without(one, 'anna', 'mallory') })
  const rotated = next(one, anna, { people: one.people.map(p => (p.name === 'anna' ? person(newKey('anna'), 'admin') : p)) })
  const stolen = next(one, anna, { people: [person(mallory, 'admin')] })
  const node = new Node()
  node.take(rootFact(removed))
  t.notOk(node.take(rootFact(coup)), 'the one who is there for longer')
  const late = new Node()
  late.take(rootFact(coup))
  t.ok(late.take(rootFact(removed)), 'in either sequence')
  t.same(late.names(), node.names())
  const settled = new Node()
  settled.take(rootFact(rotated))
  settled.replica.keepAges()
  settled.now = day
  settled.replica.keepAges()
  t.notOk(settled.take(rootFact(stolen)), 'an old key, a day later')
  t.match(settled.heard, [/^CONFLICT root 2: .*nobody who is an admin now/])
  settled.replica = settled.read()
  t.notOk(settled.take(rootFact(stolen)), 'after a restart too')
  t.ok(settled.take(rootFact(next(one, kit, { people: without(one, 'ben') }))), 'the recovery kit may')
})

void t.test('whatever is signed where, and in whatever sequence it comes, all replicas end equal', async t => {
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  const everybody = [anna, ben, mallory, bob, ...Array.from({ length: 12 }, (_, n) => newKey(`p${n}`))]
  const change = (before: TrustedRoot): RootChange => {
    const newcomers = everybody.filter(k => !before.people.some(p => p.name === k.name))
    const newcomer = newcomers[random(newcomers.length)]
    // What somebody signed before they went stays where it was taken in; so who signs here does not go.
    const leaving = before.people.filter(p => !p.name.startsWith('signer'))
    const goes = leaving[random(leaving.length)]
    const people = before.people.filter(p => p !== goes)
    if (random(2) === 0 && people.some(p => p.role === 'admin')) return { people }
    return { people: newcomer === undefined ? before.people : adding(before, newcomer, random(2) === 0 ? 'admin' : 'operator') }
  }
  for (let round = 0; round < 8; round++) {
    const roots = [one]
    const facts: Fact[] = []
    while (roots.length < 12) {
      const before = roots[random(roots.length)] ?? one
      const signer = keys.get(before.admins[random(before.admins.length)] ?? '')
      if (signer === undefined) continue
      const someone = newKey(`signer-${roots.length}`)
      const { people = [] } = change(before)
      const root = next(before, signer, { people: random(3) === 0 ? adding(before, someone) : people })
      roots.push(root)
      facts.push(rootFact(root))
      if (root.people.some(p => p.keyid === someone.keyid)) facts.push(release(someone, `${round}.${roots.length}.0`))
    }
    const nodes = [new Node(), new Node(), new Node(), new Node()]
    for (let n = 0; n < 80; n++) nodes[random(nodes.length)]?.take(facts[random(facts.length)] ?? rootFact(one))
    for (const [at, fact] of facts.entries()) nodes[at % nodes.length]?.take(fact)
    settle(nodes)
    for (const fact of facts) nodes[random(nodes.length)]?.take(fact)
    settle(nodes)
    const ends = nodes.map(node => [node.replica.fleet.root.id, node.replica.registers.root()])
    t.same(new Set(ends.map(String)).size, 1, `round ${round}`)
    for (const node of nodes) t.equal(node.read().registers.root(), node.replica.registers.root())
  }
})

void t.test('a root has room for 200 people and many who went, and names as much as fits', async t => {
  const hundred = Array.from({ length: 200 }, (_, n) => person(newKey(`person-${n}`), n < 60 ? 'admin' : 'operator'))
  let root = next(one, anna, { people: [...one.people, ...hundred] })
  const keeps = Array.from({ length: 200 }, (_, n) => sha256(String(n)))
  for (let n = 100; n < 125; n++) {
    const gone = root.people.find(p => p.name === `person-${n}`)
    if (gone === undefined) throw new Error('nobody')
    root = next(root, anna, {
      people: root.people.filter(p => p !== gone),
      retired: [...root.retired, { name: gone.name, keyid: gone.keyid, publicHex: gone.publicHex, until: 9, keeps }],
    })
  }
  t.equal(root.retired.length, 25)
  t.ok(
    root.retired.every(p => p.keeps.length > 5 && p.keeps[0] === keeps[0]),
    'what matters most is named of everybody',
  )
  const node = new Node()
  t.ok(new Set(root.retired.map(p => p.keeps.length)).size <= 2, 'and of all alike')
  t.ok(node.take({ ...rootFact(next(one, anna, { people: [...one.people, ...hundred] })) }))
})

void t.test('of a busy operator what decides stands first: removals, aborts, the newest orders with their releases', async t => {
  const document = (kind: 'order' | 'control' | 'removal', payload: object, generation: number, by = bob): Fact => {
    const envelope = signDocument(kind, { fleet, generation, by: by.name, at: '', ...payload }, [by])
    const digest = sha256(Buffer.from(envelope.payload, 'base64'))
    const name = kind === 'order' ? orderIdOfDigest(digest) : kind === 'removal' ? 'c'.repeat(52) : controlName('a'.repeat(52), digest)
    return envelopeFact(kind, envelope, name, generation)
  }
  const orderOf = (n: number, by = bob): { readonly release: Fact; readonly order: Fact } => {
    const published = release(by, `${n}.0.0`)
    const order = document(
      'order',
      {
        kind: 'app',
        name: 'till',
        version: `${n}.0.0`,
        release: published.name,
        plan: '3'.repeat(64),
        selector: { only: [], tags: [] },
        soakMs: 0,
        witnesses: 1,
        deadlineMs: 1000,
        window: null,
        allowDowngrade: false,
        data: null,
        replaceApp: false,
        force: false,
        dryRun: false,
        node: 'a'.repeat(52),
      },
      n,
      by,
    )
    return { release: published, order }
  }
  const orders = Array.from({ length: 300 }, (_, n) => orderOf(n + 1))
  const annas = orderOf(301, anna)
  const abort = document('control', { order: annas.order.name, action: 'abort', nodes: [] }, 302)
  const removal = document('removal', { node: 'c'.repeat(52), reason: 'stolen' }, 303)
  const facts = [...orders.flatMap(o => [o.release, o.order]), annas.release, annas.order, abort, removal]
  const digests = standingDocuments(facts, bob.keyid)
  const of = (fact: Fact | undefined): string => sha256(Buffer.from(JSON.parse(fact?.body ?? '{}').payload, 'base64'))
  t.same(digests.slice(0, 6), [
    of(removal),
    of(abort),
    of(orders[299]?.release),
    of(orders[299]?.order),
    of(orders[298]?.release),
    of(orders[298]?.order),
  ])
  t.equal(digests.length, 200)
})
