/** People added by an admin's session: a key that was made is not lost, and none is made where it cannot be kept. */
import t from 'tap'
import { ShoalError, Fields } from '../../../src/model/index.ts'
import { fleetIdOf, makeCa, makeRoot, newOperatorKey, pinOf, trustFirstRoot } from '../../../src/trust/index.ts'
import { Operators } from '../../../src/web/operators.ts'

const anna = newOperatorKey('anna', 'p').key
const text = makeRoot(
  {
    version: 1,
    fleetName: 'shops',
    people: [{ name: 'anna', role: 'admin', keyid: anna.keyid, publicHex: anna.publicHex }],
    caPin: pinOf(makeCa().cert),
    thresholds: { release: 1, order: 1 },
    spareAdmins: [],
  },
  [anna],
)
const root = trustFirstRoot(text, fleetIdOf(text))
const wish = new Fields({ name: 'ben', role: 'operator' }, 'body')

function rig(isConsole: boolean, takeRoot: () => void) {
  const kept = new Map<string, string>()
  const services = {
    replica: { fleet: { root } },
    isConsole: () => isConsole,
    operatorKeys: {
      read: async (name: string) => kept.get(name) ?? null,
      save: async (name: string, file: string) => void kept.set(name, file),
      drop: async (name: string) => void kept.delete(name),
    },
  }
  return { kept, operators: new Operators(services as never, takeRoot) }
}

void t.test('a key that may count is kept, whatever becomes of the answer', async t => {
  const failing = (error: Error) =>
    rig(true, () => {
      throw error
    })
  for (const error of [new ShoalError('DISK_FULL', 'full'), new ShoalError('DB_LOCKED', 'locked'), new Error('who knows')]) {
    const { operators, kept } = failing(error)
    await t.rejects(operators.add(wish, anna), { message: error.message })
    t.same([...kept.keys()], ['ben'], error.message)
  }
  const refused = failing(new ShoalError('CONFLICT', 'another root came first'))
  await t.rejects(refused.operators.add(wish, anna), { code: 'CONFLICT' })
  t.same([...refused.kept.keys()], [], 'that one counts nowhere')
})

void t.test('a node that is no console makes none', async t => {
  let asked = 0
  const { operators, kept } = rig(false, () => (asked += 1))
  await t.rejects(operators.add(wish, anna), { code: 'NO_OPERATOR_KEY' })
  t.same([kept.size, asked], [0, 0])
  const there = rig(true, () => (asked += 1))
  t.match(await there.operators.add(wish, anna), { name: 'ben', role: 'operator', passphrase: /-/ })
  t.same([there.kept.size, asked], [1, 1])
})
