/** People added by an admin's session: a key that was made is not lost, and none is made where it cannot be kept. */
import t from 'tap'
import { ShoalError, Fields } from '../../../src/model/index.ts'
import { caKeyOf } from '../../../src/cli/home/index.ts'
import {
  fleetIdOf,
  makeCa,
  makeRoot,
  newOperatorKey,
  openOperatorKey,
  pinOf,
  spareAdminsOf,
  trustFirstRoot,
  trustNextRoot,
} from '../../../src/trust/index.ts'
import { Keys } from '../../../src/web/keys.ts'
import { Operators } from '../../../src/web/operators.ts'
import { changesOfPeople } from '../../../src/web/turns.ts'

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
  return { kept, operators: new Operators(services as never, takeRoot, changesOfPeople()) }
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

void t.test('of two at once who add the same person the second finds the first one’s key, and leaves it', async t => {
  const { operators, kept } = rig(true, () => undefined)
  const [first, second] = await Promise.allSettled([operators.add(wish, anna), operators.add(wish, anna)])
  t.match(second, { status: 'rejected', reason: { code: 'CONFLICT' } })
  if (first.status === 'rejected') throw first.reason
  t.equal(openOperatorKey(kept.get('ben') ?? '', first.value.passphrase).keyid, first.value.keyid)
})

/** Keys beside their files: `staged` are not settled. */
function keyRig(takeRoot: (text: string) => void, ca: string | null = 'PEM') {
  const files = new Map([['anna', 'old']])
  const staged = new Map<string, string>()
  const at = {
    stage: async (name: string, file: string) => void staged.set(name, file),
    settle: async (name: string) => {
      files.set(name, staged.get(name) ?? '')
      staged.delete(name)
    },
    unstage: async (name: string) => void staged.delete(name),
  }
  const services = {
    replica: { fleet: { root, generation: 7 }, registers: { all: () => [] } },
    ca: ca === null ? null : { key: ca },
    operatorKeys: { ...at, read: async (name: string) => files.get(name) ?? null },
    recoveryKit: {
      stage: async (text: string) => void staged.set('kit', text),
      settle: () => at.settle('kit'),
      unstage: async () => void staged.delete('kit'),
    },
  }
  return { files, staged, keys: new Keys(services as never, takeRoot, changesOfPeople()) }
}

const own = new Fields({ passphrase: 'p' }, 'body')
const proven = async (): Promise<void> => undefined

void t.test('one’s own key is made anew under the passphrase that one has, and both keys sign for it', async t => {
  let text = ''
  const { keys, files, staged } = keyRig(next => (text = next))
  const rotated = await keys.rotate('anna', own, anna, proven)
  t.match(rotated, { name: 'anna', role: 'admin', passphrase: null })
  const next = trustNextRoot(text, root)
  t.same(
    next.people.map(p => p.keyid),
    [rotated.keyid],
  )
  t.match(next.retired, [{ name: 'anna', keyid: anna.keyid, until: 7 }])
  t.equal(openOperatorKey(files.get('anna') ?? '', 'p').keyid, rotated.keyid)
  t.equal(staged.size, 0)
})

void t.test('a new key that may count stays beside the old one, and one that was refused goes', async t => {
  const failing = (error: Error) =>
    keyRig(() => {
      throw error
    })
  const lost = failing(new ShoalError('DISK_FULL', 'full'))
  await t.rejects(lost.keys.rotate('anna', own, anna, proven), { code: 'DISK_FULL' })
  t.same([lost.files.get('anna'), lost.staged.size], ['old', 1])
  const refused = failing(new ShoalError('CONFLICT', 'another root came first'))
  await t.rejects(refused.keys.rotate('anna', own, anna, proven), { code: 'CONFLICT' })
  t.same([refused.files.get('anna'), refused.staged.size], ['old', 0])
  const wrong = failing(new Error('not asked'))
  const prove = (): Promise<void> => Promise.reject(new ShoalError('LOGIN_FAILED', 'no'))
  await t.rejects(wrong.keys.rotate('anna', own, anna, prove), { code: 'LOGIN_FAILED' })
  t.equal(wrong.staged.size, 0)
  await t.rejects(wrong.keys.rotate('eve', own, anna, proven), { code: 'NOT_FOUND' })
})

void t.test('of two rotations at once the second begins when the first has ended', async t => {
  const { keys } = keyRig(() => undefined)
  const proving = Promise.withResolvers<undefined>()
  const begun: string[] = []
  const first = keys.rotate('anna', own, anna, () => {
    begun.push('first')
    return proving.promise
  })
  const second = keys.rotate('anna', own, anna, async () => void begun.push('second'))
  const kit = keys.kit(new Fields({ fleet: 'other' }, 'body'), anna)
  let isRefused = false
  kit.catch(() => (isRefused = true))
  await new Promise(setImmediate)
  t.same([begun, isRefused], [['first'], false], 'nor does a kit, whatever becomes of it')
  proving.resolve(undefined)
  await Promise.all([first, second])
  t.same(begun, ['first', 'second'])
  await t.rejects(kit, { code: 'OTHER_FLEET' })
})

void t.test('more keys than may wait are refused', async t => {
  const { keys } = keyRig(() => undefined)
  const proving = Promise.withResolvers<undefined>()
  const all = Array.from({ length: 10 }, () => keys.rotate('anna', own, anna, () => proving.promise))
  await t.rejects(Promise.all(all.slice(9)), { code: 'BUSY' })
  proving.resolve(undefined)
  t.equal((await Promise.allSettled(all)).filter(each => each.status === 'fulfilled').length, 9)
})

void t.test('a recovery kit holds the CA’s key under the passphrase that is told once', async t => {
  let text = ''
  const { keys, files } = keyRig(next => (text = next), 'PEM of the CA')
  const meant = new Fields({ fleet: root.fleet }, 'body')
  const made = await keys.kit(meant, anna)
  t.equal(files.get('kit'), made.file)
  t.equal(caKeyOf(made.file, made.passphrase, 'kit'), 'PEM of the CA')
  t.same(
    spareAdminsOf(trustNextRoot(text, root)).map(p => p.keyid),
    [openOperatorKey(made.file, made.passphrase).keyid],
  )
  await t.rejects(keys.kit(new Fields({ fleet: 'other' }, 'body'), anna), { code: 'OTHER_FLEET' })
  await t.rejects(keyRig(() => undefined, null).keys.kit(meant, anna), { code: 'NOT_ALLOWED' })
})
