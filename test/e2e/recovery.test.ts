/** docs/recovery.md: the first node and its operator's passphrase are lost; what is left is another node and a copy of the recovery kit. */
import { copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { must, TestFleet, until } from './fleet.ts'

void t.test('the founder is lost: with the kit another node names an admin and lets others in', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const [founder, left] = [fleet.first, fleet.node(1)]
  const kit = join(fleet.dir, 'kit.json')
  const note = join(fleet.dir, 'kit.txt')
  copyFileSync(join(founder.home, 'certs/recovery-kit.json'), kit)
  const words = /^recovery passphrase: (.*)$/m.exec(founder.file('certs/first-operator.txt'))?.[1] ?? ''
  writeFileSync(note, words)
  const someKey = join(founder.home, 'certs/operators/anna.json')
  const withKit = ['--key', kit, '--passphrase-file', note, '--json']
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
