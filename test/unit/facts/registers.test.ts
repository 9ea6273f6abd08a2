import t from 'tap'
import { bucketCount, type FactHash, hashFact, isNewerEntry, Registers } from '../../../src/facts/index.ts'
import { type Fact, factKey } from '../../../src/model/index.ts'

const fact = (over: Partial<Fact> = {}): Fact => ({
  kind: 'status',
  owner: 'a'.repeat(52),
  name: '',
  epoch: 1,
  version: 1,
  body: '{"n":1}',
  sig: 's',
  ...over,
})

const many = (count: number): Fact[] =>
  Array.from({ length: count }, (_, n) => fact({ owner: `owner${n % 7}`, name: `n${n}`, version: 1 + (n % 3), body: `{"n":${n}}` }))

const shuffled = <T>(items: readonly T[], seed: number): T[] => {
  const copy = [...items]
  let state = seed
  for (let at = copy.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    const other = state % (at + 1)
    ;[copy[at], copy[other]] = [copy[other] as T, copy[at] as T]
  }
  return copy
}

void t.test('the higher (epoch, version) wins, whatever the order of arrival', async t => {
  const registers = new Registers()
  t.equal(registers.merge(fact({ epoch: 1, version: 5 })), 'new')
  t.equal(registers.merge(fact({ epoch: 1, version: 4 })), 'older')
  t.equal(registers.merge(fact({ epoch: 2, version: 1, body: 'later' })), 'new')
  t.equal(registers.merge(fact({ epoch: 1, version: 9 })), 'older')
  t.equal(registers.get(factKey(fact()))?.body, 'later')
  t.equal(registers.merge(fact({ epoch: 2, version: 1, body: 'later', sig: 'another valid signature' })), 'known')
  t.equal(registers.size, 1)
})

void t.test('same version, other body: every replica keeps the same one and says conflict', async t => {
  const [left, right] = [fact({ body: 'left' }), fact({ body: 'right' })]
  const [one, two] = [new Registers(), new Registers()]
  one.merge(left)
  two.merge(right)
  t.equal(one.compare(right), 'conflict')
  t.equal(one.merge(right), 'conflict')
  t.equal(two.merge(left), 'conflict')
  t.equal(one.get(factKey(left))?.body, two.get(factKey(left))?.body)
  t.equal(one.root(), two.root())
  t.equal(one.merge(fact({ version: 2, body: 'cured' })), 'new', 'a higher version ends the conflict')
})

void t.test('a conflict whose hashes are equal is decided by the bodies', async t => {
  const same = (f: Fact): FactHash => ({ ...hashFact(f), high: 1, low: 1 })
  const [one, two] = [new Registers({ hash: same }), new Registers({ hash: same })]
  for (const body of ['b', 'a', 'c']) one.merge(fact({ body }))
  for (const body of ['c', 'b', 'a']) two.merge(fact({ body }))
  t.equal(one.get(factKey(fact()))?.body, 'a')
  t.equal(two.get(factKey(fact()))?.body, 'a')
})

void t.test('replicas that saw the same facts in any order are equal', async t => {
  const facts = [
    ...many(400),
    ...many(400).map(f => ({ ...f, version: f.version + 1, body: 'newer' })),
    ...many(50).map(f => ({ ...f, body: 'liar' })),
  ]
  const reference = new Registers()
  for (const f of facts) reference.merge(f)
  for (const seed of [1, 2, 3]) {
    const other = new Registers()
    for (const f of shuffled([...facts, ...facts], seed)) other.merge(f)
    t.equal(other.root(), reference.root())
    t.same(other.bucketSums(), reference.bucketSums())
    t.equal(other.size, reference.size)
  }
  t.match(reference.root(), /^[0-9a-f]{16}$/)
})

void t.test('the root is the sum of all buckets, and forgetting is exact', async t => {
  const registers = new Registers()
  t.equal(registers.root(), '0'.repeat(16))
  const facts = many(300)
  for (const f of facts) registers.merge(f)
  const before = registers.root()
  const sums = registers.bucketSums()
  t.equal(sums.length, bucketCount * 2)
  let high = 0
  for (let b = 0; b < bucketCount; b++) high = (high + (sums[b * 2] ?? 0)) % 2 ** 32
  t.equal(high.toString(16).padStart(8, '0'), before.slice(0, 8))
  t.equal(registers.forget(f => f.owner === 'owner3').length, facts.filter(f => f.owner === 'owner3').length)
  t.equal(registers.ofOwner('owner3').length, 0)
  t.not(registers.root(), before)
  for (const f of facts) registers.merge(f)
  t.equal(registers.root(), before)
  registers.forget(() => true)
  t.equal(registers.root(), '0'.repeat(16))
  t.equal(registers.all().length + registers.ofKind('status').length, 0)
  t.notOk(registers.bucketSums().some(n => n !== 0))
})

void t.test('entries tell replicas what they lack', async t => {
  const registers = new Registers()
  const first = fact({ version: 2 })
  registers.merge(first)
  const id = registers.idOf(first)
  t.equal(id, hashFact(first).id)
  t.equal(registers.byId(id), first)
  const entry = registers.entryOf(factKey(first))
  t.ok(entry && !registers.lacks(entry))
  t.ok(registers.lacks({ id, e: 1, v: 3, h: 0 }))
  t.notOk(registers.lacks({ id, e: 1, v: 1, h: 0 }))
  t.ok(registers.lacks({ id, e: 1, v: 2, h: (entry?.h ?? 0) - 1 }), 'the lower hash of a conflict is wanted')
  t.notOk(registers.lacks({ id, e: 1, v: 2, h: (entry?.h ?? 0) + 1 }))
  t.ok(registers.lacks({ id: 'f'.repeat(16), e: 0, v: 0, h: 0 }))
  t.same(registers.entriesOf(hashFact(first).bucket), [entry])
  t.notOk(isNewerEntry({ id, e: 1, v: 1, h: 1 }, { id, e: 1, v: 1, h: 1 }))
  t.equal(registers.byId('none'), undefined)
})

void t.test('indexes by kind and owner, and the highest version of an owner', async t => {
  const registers = new Registers()
  registers.merge(fact({ owner: 'x', kind: 'node', epoch: 1, version: 900 }))
  registers.merge(fact({ owner: 'x', kind: 'status', epoch: 2, version: 3 }))
  registers.merge(fact({ owner: 'x', kind: 'status', name: 'b', epoch: 2, version: 4 }))
  registers.merge(fact({ owner: 'y', kind: 'node' }))
  t.same(registers.highestOf('x'), { epoch: 2, version: 4 })
  t.equal(registers.highestOf('z'), null)
  t.equal(registers.ofKind('node').length, 2)
  t.equal(registers.ofKind('none').length, 0)
  t.same(
    registers
      .ofOwner('x')
      .map(f => f.kind)
      .sort(),
    ['node', 'status', 'status'],
  )
})

void t.test('one writer cannot fill the replica', async t => {
  const registers = new Registers({ maxPerOwner: 3 })
  for (let n = 0; n < 3; n++) t.equal(registers.merge(fact({ name: `n${n}` })), 'new')
  t.equal(registers.merge(fact({ name: 'n3' })), 'full')
  t.equal(registers.merge(fact({ name: 'n2', version: 2 })), 'new', 'what it has it may change')
  t.equal(registers.merge(fact({ name: 'n3', owner: 'another' })), 'new')
  registers.forget(f => f.name === 'n0')
  t.equal(registers.merge(fact({ name: 'n3' })), 'new')
})

void t.test('hashes differ in every field, and spread over the buckets', async t => {
  const base = hashFact(fact())
  for (const over of [{ kind: 'node' }, { owner: 'b' }, { name: 'x' }]) t.not(hashFact(fact(over)).id, base.id)
  for (const over of [{ epoch: 2 }, { version: 2 }, { body: '{"n":2}' }]) {
    const other = hashFact(fact(over))
    t.equal(other.id, base.id)
    t.not(`${other.high} ${other.low}`, `${base.high} ${base.low}`)
  }
  t.same(hashFact(fact({ sig: 'other' })), base, 'another signature over the same is the same fact')
  const facts = many(20_000)
  t.equal(new Set(facts.map(f => hashFact(f).id)).size, facts.length)
  const counts = new Map<number, number>()
  for (const f of facts) counts.set(hashFact(f).bucket, (counts.get(hashFact(f).bucket) ?? 0) + 1)
  t.equal(counts.size, bucketCount)
  t.ok(Math.max(...counts.values()) < 130, `fullest bucket has ${Math.max(...counts.values())} of 78 expected`)
})
