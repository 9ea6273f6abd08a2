/** docs/recovery.md, row by row: passphrases, the founder, the kit, a box, the addresses of a venue. */
import { copyFileSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type CliResult, makeApp, must, operator, passphrase, TestFleet, type TestNode, until } from './fleet.ts'
import { freePort } from '../helpers/free-port.ts'

/** A copy of the recovery kit, and how one signs with it. */
function kitOf(fleet: TestFleet): { readonly file: string; readonly signing: readonly string[] } {
  const [file, note] = [join(fleet.dir, 'kit.json'), join(fleet.dir, 'kit.txt')]
  copyFileSync(join(fleet.first.home, 'certs/recovery-kit.json'), file)
  writeFileSync(note, /^recovery passphrase: (.*)$/m.exec(fleet.first.file('certs/first-operator.txt'))?.[1] ?? '')
  return { file, signing: ['--key', file, '--passphrase-file', note, '--json'] }
}

void t.test('the founder is lost: with the kit another node names an admin and lets others in', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const [founder, left] = [fleet.first, fleet.node(1)]
  const { file: kit, signing: withKit } = kitOf(fleet)
  const someKey = join(founder.home, 'certs/operators/anna.json')
  await founder.kill()

  const refused = await left.cli(['invite', ...withKit])
  t.equal(refused.code, 4)
  const wrong = await left.cli(['keys', 'restore', '--key', kit, '--json'], { env: { SHOAL_PASSPHRASE: 'not this' } })
  t.equal(wrong.json().error.code, 'BAD_PASSPHRASE')
  t.equal((await left.cli(['keys', 'restore', '--key', someKey, '--json'])).json().error.code, 'BAD_REQUEST')
  t.equal((await left.cli(['keys', 'restore', '--json'])).code, 2)
  t.throws(() => left.file('certs/ca.key'), 'nothing was written')

  await must(left.cli(['keys', 'restore', ...withKit]))
  t.equal(statSync(join(left.home, 'certs/ca.key')).mode & 0o777, 0o600)
  t.equal((await left.cli(['keys', 'restore', ...withKit])).json().error.code, 'CONFLICT')
  await must(left.cli(['restart']))

  const bea = ['--key', join(fleet.dir, 'bea.json')]
  const kept = await left.cli(['operators', 'add', 'bea', '--role', 'admin', ...withKit])
  t.equal(kept.code, 2, 'no console node: an operator’s key does not stay here')
  const added = (
    await must(left.cli(['operators', 'add', 'bea', '--role', 'admin', '--out', join(fleet.dir, 'bea.json'), ...withKit]))
  ).json()
  t.throws(() => left.file('certs/operators/bea.json'))
  const asBea = { env: { SHOAL_PASSPHRASE: added.passphrase } }
  const { token } = (await must(left.cli(['invite', ...bea, '--json'], asBea))).json()
  const third = await fleet.join(token)
  await fleet.linked()
  await until('the third knows who lets others in', async () => {
    const { redeemers } = (await third.api('fleet')) as unknown as { readonly redeemers: readonly string[] }
    return redeemers.includes(left.id)
  })
  await must(left.cli(['nodes', 'remove', founder.id, '--reason', 'burnt', ...bea, '--json'], asBea))
  const { nodes } = await third.api('nodes')
  t.same(new Set(nodes.map(n => n.id)), new Set([left.id, third.id]))
})

void t.test('passphrases, a key file in wrong hands, and the kit', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const [node, plain] = [fleet.first, fleet.node(1)]
  const kit = kitOf(fleet)
  const as = (words: string): { env: Record<string, string> } => ({ env: { SHOAL_PASSPHRASE: words } })
  const invite = (name: string, words: string, at = node, more: readonly string[] = []): Promise<CliResult> =>
    at.cli(['invite', '--json', ...(more.length === 0 ? ['--operator', name] : more)], as(words))
  const code = async (asked: Promise<CliResult>): Promise<string> => {
    const done = await asked
    return done.code === 0 ? '' : done.json().error.code
  }
  const rotate = async (at: TestNode, argv: readonly string[], words = passphrase): Promise<string> =>
    (await must(at.cli(['keys', 'rotate', ...argv, '--json'], as(words)))).json().passphrase

  const otto = (await must(node.cli(['operators', 'add', 'otto', '--role', 'operator', '--operator', operator, '--json']))).json()
    .passphrase
  const app = makeApp(fleet.dir, { version: '1.0.0' })
  await must(node.cli(['deploy', app, '--operator', 'otto', '--soak', '300ms', '--json'], as(otto)))
  const [stolen, stolenOfAnna] = ['otto', operator].map(name => join(fleet.dir, `${name}-old.json`))
  copyFileSync(join(node.home, 'certs/operators/otto.json'), stolen ?? '')
  copyFileSync(join(node.home, `certs/operators/${operator}.json`), stolenOfAnna ?? '')

  const renewed = await rotate(node, ['otto', '--operator', operator])
  t.equal(await code(invite('otto', renewed)), '', 'an operator’s passphrase: an admin makes a new key')
  t.equal(await code(invite('otto', otto)), 'BAD_PASSPHRASE')
  t.equal(await code(invite('otto', otto, node, ['--key', stolen ?? ''])), 'NOT_ALLOWED', 'a copy of the old file signs nothing more')
  const [first] = (await node.api('rollouts')).rollouts
  t.match(first, { release: 'till@1.0.0', state: 'completed', initiatedBy: 'otto' }, 'what it signed stands')
  t.equal(await code(node.cli(['keys', 'rotate', operator, '--operator', 'otto', '--json'], as(renewed))), 'NOT_ALLOWED', 'takes an admin')

  const kept = await plain.cli(['keys', 'rotate', operator, ...kit.signing])
  t.equal(kept.code, 2, 'no console node: an operator’s key does not stay here')
  t.notOk(existsSync(join(plain.home, `certs/operators/${operator}.json`)))
  const out = join(fleet.dir, 'anna-new.json')
  const ofAnna = (await must(plain.cli(['keys', 'rotate', operator, '--out', out, ...kit.signing]))).json().passphrase
  await until(
    'the founder knows it',
    async () => (await code(invite(operator, passphrase, node, ['--key', stolenOfAnna ?? '']))) === 'NOT_ALLOWED',
  )
  t.equal(await code(invite(operator, ofAnna, node, ['--key', out])), '', 'the only admin’s passphrase: with the kit, at any node')

  const second = join(fleet.dir, 'kit-2.json')
  const fresh = (await must(node.cli(['keys', 'kit', '--out', second, '--key', out, '--json'], as(ofAnna)))).json().passphrase
  t.equal(await code(node.cli(['keys', 'rotate', 'otto', ...kit.signing])), 'NOT_ALLOWED', 'the old kit has no force')
  t.match(await rotate(node, ['otto', '--key', second], fresh), /^\w+-/, 'the new one has')
})

void t.test('a box is stolen; the venue moves', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(3)
  const [first, second, stolen] = [fleet.first, fleet.node(1), fleet.node(2)]
  await must(first.cli(['nodes', 'remove', stolen.id, '--reason', 'stolen', '--json', ...fleet.signing(first)]))
  await until('its links are closed, at both', async () => {
    const views = await Promise.all([first, second].map(n => n.api('nodes?all=1')))
    return views.every(v => v.nodes.find(n => n.id === stolen.id)?.reach === 'lost')
  })
  await stolen.kill()

  const move = async (node: TestNode): Promise<string> => {
    await node.stop()
    const address = `127.0.0.1:${await freePort()}`
    await must(node.cli(['config', 'set', 'listen', address, '--json']))
    await must(node.cli(['config', 'set', 'advertise', JSON.stringify([address]), '--json']))
    return address
  }
  await move(second)
  await second.start()
  await fleet.linked()
  t.pass('one has moved: it finds the other at its old address')

  const addresses = [await move(first), await move(second)]
  await Promise.all([first.start(), second.start()])
  t.equal((await first.api(`nodes/${second.id}`)).reach, 'lost', 'all have moved: nobody finds anybody')
  await must(first.cli(['peers', 'add', addresses[1] ?? '', '--json']))
  await fleet.linked()
  t.pass('until one is told where another is')
})
