// What a session signs for many nodes at once fits into facts, and means those of one cause and no others.
import t from 'tap'
import { Fields, maxFactBody, type NodeId, parseControl, parseJson } from '../../../src/model/index.ts'
import { newOperatorKey } from '../../../src/trust/index.ts'
import { Acts } from '../../../src/web/acts.ts'

const { key } = newOperatorKey('anna', 'p')
const idOf = (n: number): NodeId =>
  String(n)
    .replaceAll(/\d/g, digit => 'abcdefghij'[Number(digit)] ?? '')
    .padStart(52, 'z') as NodeId
const order = 'o'.repeat(52)
const other = { outcome: 'failed', platform: 'linux-x64', reason: { code: 'DISK_FULL', message: '' } }
const ill = { ...other, reason: { code: 'APP_UNHEALTHY', message: '' } }
const nodes = [
  ...Array.from({ length: 400 }, (_, n) => ({ id: idOf(n + 1), ...ill })),
  { id: idOf(9001), ...other },
  { id: idOf(9002), ...ill, platform: 'win32-x64' },
  { id: idOf(9003), ...ill, outcome: 'confirmed' },
  { id: idOf(9004), ...ill, outcome: 'missing', reason: null },
]

function rig() {
  const fleet = { root: { fleet: 'f'.repeat(52), people: [] }, generation: 7, isMember: () => true }
  const services = { replica: { fleet }, wallNow: () => new Date(0) }
  const views = { rollouts: () => [{ id: order }], nodesIn: () => nodes }
  const acts = new Acts(services as never, views as never, {} as never, { signer: () => key } as never)
  const caller = { kind: 'session', session: {}, secret: '' } as never
  const ask = (body: object, action: 'skip' | 'retry' = 'skip') => [
    ...acts.controls(new Fields(body, 'body'), caller, action, order).map(signed => {
      // As when it counts: the next one ranks above it.
      fleet.generation += 1
      const envelope = new Fields(signed.raw('envelope'), 'envelope')
      t.ok(JSON.stringify(signed.raw('envelope')).length <= maxFactBody, 'fits into a fact')
      return parseControl(parseJson(Buffer.from(envelope.string('payload', 1 << 20), 'base64').toString(), 'control'))
    }),
  ]
  return { ask }
}

await t.test('a cause means all of its nodes, in as many controls as it takes', t => {
  const made = rig().ask({ cause: { code: 'APP_UNHEALTHY', platform: 'linux-x64', outcome: 'failed' } }, 'retry')
  t.same(
    made.map(c => [c.action, c.nodes.length, c.generation]),
    [
      ['retry', 180, 8],
      ['retry', 180, 9],
      ['retry', 40, 10],
    ],
  )
  t.equal(new Set(made.flatMap(c => c.nodes)).size, 400)
  t.same(
    rig()
      .ask({ cause: { code: 'NOT_SEEN', platform: 'linux-x64', outcome: 'missing' } })
      .flatMap(c => c.nodes),
    [idOf(9004)],
  )
  t.throws(() => rig().ask({ cause: { code: 'DISK_FULL', platform: 'win32-x64', outcome: 'failed' } }), { code: 'NOTHING_TO_DO' })
  t.throws(() => rig().ask({ cause: { code: 'DISK_FULL' } }), { code: 'BAD_REQUEST' })
  t.end()
})

await t.test('skip without nodes means all that ended badly; retry and pause name nobody', t => {
  t.equal(
    new Set(
      rig()
        .ask({})
        .flatMap(c => c.nodes),
    ).size,
    403,
  )
  t.same(
    rig()
      .ask({}, 'retry')
      .map(c => c.nodes),
    [[]],
  )
  t.same(
    rig()
      .ask({ nodes: [idOf(1)] })
      .map(c => c.nodes),
    [[idOf(1)]],
  )
  t.end()
})
