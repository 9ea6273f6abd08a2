/** A replica that was read while another worker was the node, and catches up when this one is: as if it had been read then. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Fact, NodeId } from '../../../src/model/index.ts'
import { type FactStore, keptOrders, Replica } from '../../../src/rollout/index.ts'
import { FactReader, NodeStore } from '../../../src/store/index.ts'
import { sha256 } from '../../../src/trust/index.ts'
import { WrittenFleet, type WrittenNode } from '../../helpers/written-fleet.ts'

const fleet = WrittenFleet.found()
const members = fleet.admit(6, n => `box-${n}`)
const [self, till, bar, gate] = fleet.nodes as [WrittenNode, WrittenNode, WrittenNode, WrittenNode]

/** node.db with a fleet that has told everything about itself, and a release. */
function written(t: Test): { readonly disk: NodeStore; readonly reader: FactReader } {
  const file = join(t.testdir({}), 'node.db')
  const disk = new NodeStore(file)
  disk.saveFacts([fleet.rootFact, ...members, ...fleet.nodes.flatMap(n => [n.about(), n.status()]), fleet.release('till', '1.0.0').fact])
  const reader = FactReader.open(file, 0)
  t.teardown(() => {
    reader.close()
    disk.close()
  })
  return { disk, reader }
}

const replicaOf = (store: FactStore, epoch: number): Replica =>
  new Replica({ self: self.id, epoch, sign: self.sign, store, now: () => 0 }, fleet.root.fleet)

const readOnly = (reader: FactReader): FactStore => ({
  facts: () => reader.facts(),
  document: digest => reader.document(digest),
  remembered: key => reader.remembered(key),
  saveFacts: () => t.fail('it writes'),
  saveDocument: () => t.fail('it writes'),
  forgetFacts: () => t.fail('it writes'),
  remember: () => t.fail('it writes'),
})

const known = (replica: Replica): unknown => ({
  root: replica.registers.root(),
  epoch: replica.epoch,
  orders: replica.orders(),
  members: fleet.nodes.map(n => [replica.fleet.isMember(n.id), replica.fleet.node(n.id)?.name]),
  holds: fleet.nodes.map(n => replica.holds.of(n.id)),
  own: { ...replica.own('status', '', { health: 'ok' }), sig: '' },
})

void t.test('what was written meanwhile is taken in, and nothing else is read', t => {
  const { disk, reader } = written(t)
  const early = replicaOf(readOnly(reader), 0)
  let told = 0
  early.registers.watch(() => told++)

  const made = fleet.release('till', '2.0.0')
  const plan = { waves: [{ nodes: [till.id, bar.id] as readonly NodeId[], maxFailed: 0, maxMissing: 0 }], lost: [] }
  const order = fleet.order('till', '2.0.0', plan, { release: made.document })
  const news: readonly Fact[] = [
    till.about({ name: 'the till', tags: ['shop=1'] }),
    till.status({ health: 'degraded' }),
    order.fact,
    made.fact,
    bar.preflight(order.id),
    till.outcome(order.id),
    fleet.control(order.id, 'pause'),
    fleet.hold(bar.id, true),
    fleet.removal(gate.id),
  ]
  disk.saveFacts(news)
  disk.saveDocument(sha256(order.planText), order.planText)
  disk.remember(`age ${order.id}`, '77')

  const asked: string[] = []
  const counting = {
    signatures: () => reader.signatures(),
    fact: (key: Pick<Fact, 'kind' | 'owner' | 'name'>) => {
      asked.push(key.kind)
      return reader.fact(key)
    },
  }
  t.equal(early.catchUp(counting, disk, 7), true)
  t.equal(asked.length, news.length)
  t.same(known(early), known(replicaOf(disk, 7)))
  t.equal(early.ageOf(order.id), 77)
  t.equal(told, 0, 'who watched while it was nobody’s is gone')
  t.equal(early.catchUp(reader, disk, 8), true, 'and again, when this worker has parked')
  t.end()
})

void t.test('what all replicas have forgotten does not come back', t => {
  const { disk, reader } = written(t)
  const orders = Array.from({ length: keptOrders + 2 }, (_, n) => {
    const made = fleet.release('till', `3.0.${n}`)
    const plan = { waves: [{ nodes: [till.id] as readonly NodeId[], maxFailed: 0, maxMissing: 0 }], lost: [] }
    const order = fleet.order('till', `3.0.${n}`, plan, { release: made.document })
    disk.saveDocument(sha256(order.planText), order.planText)
    disk.saveFacts([made.fact, order.fact, till.preflight(order.id), till.outcome(order.id, { digest: made.digest })])
    return order
  })
  const writes = { ...readOnly(reader), forgetFacts: () => undefined }
  const early = replicaOf(writes, 0)
  t.ok(early.registers.size < reader.facts().length, `of ${orders.length} orders some are past`)
  t.equal(early.catchUp(reader, disk, 7), true)
  t.same(known(early), known(replicaOf(disk, 7)))
  t.equal(early.registers.size, reader.facts().length, 'nor does it stay on the disk')
  t.end()
})

void t.test('facts that have gone, or another root: it has to be read anew', t => {
  const causes: Readonly<Record<string, (disk: NodeStore) => void>> = {
    'a fact has gone': disk => disk.forgetFacts([bar.status()]),
    'one has gone and another came': disk => {
      disk.forgetFacts([{ kind: 'status', owner: bar.id, name: '' }])
      disk.saveFacts([till.links([])])
    },
    'another root': disk => disk.saveFacts([{ ...fleet.rootFact, name: '2', version: 2 }]),
  }
  for (const [what, happens] of Object.entries(causes)) {
    const { disk, reader } = written(t)
    const early = replicaOf(readOnly(reader), 0)
    happens(disk)
    t.equal(early.catchUp(reader, disk, 7), false, what)
  }
  t.end()
})

void t.test('a reader creates nothing and takes no damage for knowledge', t => {
  const dir = t.testdir({
    'no.db': 'this is no database, though it is long enough to be taken for the head of one, or so one might think it to be',
  })
  t.throws(() => FactReader.open(join(dir, 'gone.db'), 0), { name: 'ShoalError' })
  t.throws(() => FactReader.open(join(dir, 'no.db'), 0).check(), { code: 'DB_DAMAGED' })
  t.end()
})
