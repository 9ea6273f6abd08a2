import t from 'tap'
import { admissionFact, envelopeFact, FleetView, fleetJudge, Registers, rootFact } from '../../../src/facts/index.ts'
import type { Fact } from '../../../src/model/index.ts'
import {
  factSigner,
  fleetIdOf,
  makeCa,
  makeRoot,
  newNodeKey,
  newOneTimeKey,
  newOperatorKey,
  type OperatorKey,
  type Person,
  pinOf,
  proveToken,
  type Role,
  signDocument,
  trustFirstRoot,
  trustNextRoot,
} from '../../../src/trust/index.ts'

const anna = newOperatorKey('anna', 'p').key
const ben = newOperatorKey('ben', 'p').key
const person = (key: OperatorKey, role: Role): Person => ({ name: key.name, role, keyid: key.keyid, publicHex: key.publicHex })
const caPin = pinOf(makeCa().cert)
const content = {
  version: 1,
  fleetName: 'shops',
  people: [person(anna, 'admin')],
  caPin,
  thresholds: { release: 1, order: 1 },
  spareAdmins: [],
}
const rootText = makeRoot(content, [anna])
const fleet = fleetIdOf(rootText)
const firstRoot = trustFirstRoot(rootText, fleet)
const nextRoot = trustNextRoot(
  makeRoot({ ...content, version: 2, people: [...content.people, person(ben, 'operator')] }, [anna]),
  firstRoot,
)

interface Party {
  readonly id: string
  readonly key: ReturnType<typeof newNodeKey>
  readonly sign: ReturnType<typeof factSigner>
}
const party = (): Party => {
  const key = newNodeKey()
  return { id: key.id, key, sign: factSigner(key.key) }
}

/** The fact by which `redeemer` lets `who` in. */
const admit = (who: Party, redeemer: Party, generation: number, signer = anna): Fact => {
  const one = newOneTimeKey()
  const invite = {
    fleet,
    id: `i${generation}`,
    key: one.publicKey,
    redeemer: redeemer.key.id,
    uses: 9,
    expiresAt: '2030-01-01T00:00:00Z',
    generation,
    by: 'anna',
  }
  const token = { fleet, ca: caPin, redeemer: redeemer.key.id, addresses: [], invite: invite.id, key: one.privateKey }
  const admission = {
    node: who.key.id,
    spki: who.key.spki,
    invite: signDocument('invite', invite, [signer]),
    proof: proveToken(token, who.key.id),
  }
  return admissionFact(redeemer.sign, redeemer.id, admission, generation)
}

const remove = (who: Party, generation: number, signer = anna): Fact =>
  envelopeFact(
    'removal',
    signDocument('removal', { fleet, node: who.id, generation, reason: 'stolen', by: signer.name, at: '' }, [signer]),
    who.id,
    generation,
  )

const about = (who: Party, over: Partial<Fact> = {}): Fact => {
  const body = JSON.stringify({
    name: 'box',
    addresses: ['127.0.0.1:1'],
    tags: [],
    platform: 'linux-x64',
    nodejs: '24.1.0',
    console: false,
    left: false,
  })
  return who.sign({ kind: 'node', owner: who.id, name: '', epoch: 1, version: 1, body, ...over })
}

class Replica {
  readonly view = new FleetView(firstRoot)
  readonly #judge = fleetJudge(this.view)
  /** `accept`, `wait`, or the code of the refusal; what is accepted counts from then on. */
  offer(fact: Fact): string {
    const verdict = this.#judge(fact, new Registers())
    if (verdict.v === 'accept') this.view.apply(fact)
    return verdict.v === 'reject' ? verdict.code : verdict.v
  }
}

const founder = party()
const founded = (): Replica => {
  const replica = new Replica()
  replica.offer(admit(founder, founder, 1))
  return replica
}

void t.test('who is let in by a member whose invite an operator signed is a member', async t => {
  const replica = new Replica()
  const box = party()
  t.equal(replica.offer(admit(box, founder, 2)), 'wait', 'the redeemer is not known yet')
  t.equal(replica.offer(admit(founder, founder, 1)), 'accept')
  t.equal(replica.offer(admit(box, founder, 2)), 'accept')
  t.ok(replica.view.isMember(box.id))
  t.equal(replica.view.generation, 2)
  const forged = admit(party(), founder, 3)
  t.equal(replica.offer({ ...forged, owner: box.id }), 'BAD_SIGNATURE')
  t.equal(replica.offer(admit(party(), founder, 3, ben)), 'wait', 'a key that the next root may name')
})

void t.test('a removed node is out until a newer invite', async t => {
  const replica = founded()
  const box = party()
  replica.offer(admit(box, founder, 2))
  t.equal(replica.offer(about(box)), 'accept')
  t.equal(replica.offer(remove(box, 3)), 'accept')
  t.notOk(replica.view.isMember(box.id))
  t.equal(replica.offer(about(box, { version: 2 })), 'NOT_MEMBER')
  t.equal(replica.offer(admit(box, founder, 2)), 'accept', 'its old admission comes again')
  t.notOk(replica.view.isMember(box.id), 'and changes nothing')
  t.equal(replica.offer(admit(box, founder, 4)), 'accept')
  t.ok(replica.view.isMember(box.id))
})

void t.test('a removed redeemer lets nobody in any more', async t => {
  const replica = founded()
  const gate = party()
  replica.offer(admit(gate, founder, 2))
  replica.offer(remove(gate, 5))
  t.equal(replica.offer(admit(party(), gate, 6)), 'NOT_MEMBER')
})

void t.test('who left is no member', async t => {
  const replica = founded()
  const box = party()
  replica.offer(admit(box, founder, 2))
  const left = JSON.stringify({ name: 'box', addresses: [], tags: [], platform: 'linux-x64', nodejs: '24.1.0', console: false, left: true })
  t.equal(replica.offer(about(box, { version: 2, body: left })), 'accept')
  t.notOk(replica.view.isMember(box.id))
})

void t.test('the next root brings its people, and only the next', async t => {
  const replica = founded()
  const byBen = (): Fact => {
    const payload = { fleet, kind: 'app', name: 'till', version: '1.0.0', dataVersion: 1, handover: 'exclusive', packages: {} }
    const envelope = signDocument('release', payload, [ben])
    return envelopeFact('release', envelope, 'x', 1)
  }
  t.equal(replica.offer(byBen()), 'wait')
  t.equal(replica.offer(rootFact({ ...nextRoot, version: 3 })), 'wait')
  t.equal(replica.offer(rootFact(nextRoot)), 'accept')
  t.equal(replica.view.root.version, 2)
  t.equal(replica.offer(byBen()), 'BAD_SIGNATURE', 'a release is named by its digest')
  t.equal(replica.offer(remove(founder, 9, ben)), 'BAD_SIGNATURE', 'removals are an admin’s')
  t.equal(replica.offer(rootFact(nextRoot)), 'accept', 'the same again')
})

void t.test('refusals', async t => {
  const replica = founded()
  const box = party()
  replica.offer(admit(box, founder, 2))
  const stranger = party()
  const cases: [string, string, Fact][] = [
    ['a stranger’s fact', 'wait', about(stranger)],
    ['signed by another', 'BAD_SIGNATURE', { ...about(box), sig: about(founder).sig }],
    ['changed after signing', 'BAD_SIGNATURE', { ...about(box), version: 9 }],
    ['a body that is none', 'BAD_REQUEST', box.sign({ kind: 'status', owner: box.id, name: '', epoch: 1, version: 1, body: '{"x":1}' })],
    ['no JSON', 'BAD_REQUEST', box.sign({ kind: 'holdings', owner: box.id, name: '', epoch: 1, version: 1, body: '{' })],
    ['under another name', 'BAD_SIGNATURE', about(box, { name: 'other' })],
    [
      'an outcome under another order',
      'BAD_REQUEST',
      box.sign({ kind: 'outcome', owner: box.id, name: 'x', epoch: 1, version: 1, body: '{}' }),
    ],
    [
      'another fleet’s removal',
      'OTHER_FLEET',
      envelopeFact(
        'removal',
        signDocument('removal', { fleet: 'z'.repeat(52), node: box.id, generation: 3, reason: '', by: 'anna', at: '' }, [anna]),
        box.id,
        3,
      ),
    ],
    ['a generation that jumps', 'BAD_SIGNATURE', remove(box, 5000)],
    ['a version that is not the generation', 'BAD_SIGNATURE', { ...remove(box, 3), version: 4 }],
    ['another kind’s envelope', 'BAD_SIGNATURE', { ...remove(box, 3), kind: 'order' }],
  ]
  for (const [what, code, fact] of cases) t.equal(replica.offer(fact), code, what)
  t.ok(replica.view.isMember(box.id))
  const unknown = box.sign({ kind: 'weather', owner: box.id, name: 'x', epoch: 1, version: 1, body: 'opaque' })
  t.equal(replica.offer(unknown), 'accept', 'kinds of later versions are carried')
})

void t.test('a kind is its writer’s text: what every object answers to is judged like any unknown kind', async t => {
  const [founder, stranger] = [party(), party()]
  const view = new FleetView(firstRoot)
  view.apply(admit(founder, founder, 1))
  const judge = fleetJudge(view)
  for (const kind of ['constructor', 'toString', 'valueOf', 'hasOwnProperty', '__proto__']) {
    const fact = { kind, owner: founder.id, name: '', epoch: 1, version: 1, body: '{}' }
    t.equal(judge(founder.sign(fact), new Registers()).v, 'accept', `${kind} of a member is relayed`)
    t.equal(judge({ ...fact, sig: '' }, new Registers()).v, 'reject', `${kind} that nobody signed`)
    t.equal(judge(stranger.sign({ ...fact, owner: stranger.id }), new Registers()).v, 'wait', `${kind} of a stranger`)
  }
})

void t.test('an admission stands at the generation of its invite, and nowhere else', async t => {
  const [founder, guest] = [party(), party()]
  const view = new FleetView(firstRoot)
  view.apply(admit(founder, founder, 1))
  const good = admit(guest, founder, 2)
  t.equal(fleetJudge(view)(good, new Registers()).v, 'accept')
  for (const edit of [{ version: 3 }, { version: 1 }, { epoch: 1 }]) {
    t.match(fleetJudge(view)(founder.sign({ ...good, ...edit }), new Registers()), { v: 'reject', code: 'BAD_SIGNATURE' })
  }
})

void t.test('a replica that is read again has its whole chain of roots, and the members that a former operator let in', async t => {
  const [founder, guest] = [party(), party()]
  const lastRoot = trustNextRoot(makeRoot({ ...content, version: 3 }, [anna]), nextRoot)
  const view = new FleetView(lastRoot)
  for (const root of [firstRoot, nextRoot, lastRoot]) view.apply(rootFact(root))
  t.same(
    [1, 2, 3].map(version => view.rootText(version)),
    [firstRoot.text, nextRoot.text, lastRoot.text],
  )
  view.apply(admit(founder, founder, 1))
  view.apply(admit(guest, founder, 2, ben))
  t.ok(view.isMember(guest.id))
})
