import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { changesNothing } from './ask.ts'
import { makeApp, must, TestFleet, until } from './fleet.ts'

void t.test('two halves of a fleet without a network between them, carried by file', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(3)
  const here = [fleet.node(0), fleet.node(1)]
  const there = [fleet.node(2)]
  const apps = join(fleet.dir, 'apps')
  t.equal((await fleet.deploy(fleet.first, makeApp(apps, { version: '1.0.0' }))).code, 0)

  // One half at a time: what the other does not hear it does not know.
  await Promise.all(there.map(n => n.stop()))
  await until('they are missed', async () => (await fleet.first.api('nodes')).nodes.filter(n => n.reach === 'lost').length === 1)
  const done = await fleet.deploy(fleet.first, makeApp(apps, { version: '2.0.0' }))
  t.equal(done.json().state, 'stalled')
  const confirmed = async (): Promise<number> =>
    (await fleet.first.api('rollouts/latest')).waves.reduce((sum, wave) => sum + wave.confirmed, 0)
  await until('this half is done', async () => (await confirmed()) === 2) // it is stalled as soon as nobody else can finish it
  const out = join(fleet.dir, 'out.shoal')
  t.match((await must(fleet.first.cli(['export', out, '--json']))).json(), { file: out, packages: 2 })
  t.equal((await fleet.first.cli(['export', out, '--json'])).json().error.code, 'CONFLICT')
  await Promise.all(here.map(n => n.stop()))

  await Promise.all(there.map(n => n.start()))
  await fleet.linked()
  const [box] = there
  t.same(await Promise.all(there.map(n => n.version())), ['1.0.0'])

  await t.test('a cut, changed or foreign file changes nothing', async t => {
    const whole = readFileSync(out)
    const foreign = Buffer.from(whole.toString('latin1').replace(/"fleet":"[a-z2-7]{52}"/, `"fleet":"${'a'.repeat(52)}"`), 'latin1')
    const changed = Buffer.from(whole)
    changed.writeUInt8(changed.readUInt8(changed.length - 9) ^ 1, changed.length - 9)
    const forged = join(fleet.dir, 'forged.shoal')
    const cases: [string, Buffer, string][] = [
      ['cut.shoal', whole.subarray(0, whole.length - 1000), 'DIGEST_MISMATCH'],
      ['changed.shoal', changed, 'DIGEST_MISMATCH'],
      ['zip.shoal', Buffer.from('PK nonsense'), 'BAD_REQUEST'],
      ['foreign.shoal', foreign, 'OTHER_FLEET'],
    ]
    await changesNothing(t, box!, async () => {
      for (const [name, bytes, code] of cases) {
        const path = join(fleet.dir, `bad-${name}`)
        writeFileSync(path, bytes)
        const refused = await box!.cli(['import', path, '--json'])
        t.equal(refused.code, 1, name)
        t.equal(refused.json().error.code, code, name)
      }
      t.equal((await box!.cli(['import', forged, '--json'])).json().error.code, 'NOT_FOUND')
    })
  })

  await t.test('the file brings order, evidence and packages: the half goes on by itself', async t => {
    const taken = (await must(box!.cli(['import', out, '--json']))).json() as unknown as { facts: number; packages: number }
    t.ok(taken.facts > 0 && taken.packages === 2)
    await until('it serves 2.0.0', async () => (await Promise.all(there.map(n => n.version()))).every(v => v === '2.0.0'))
    const again = (await must(box!.cli(['import', out, '--json']))).json() as unknown as { facts: number }
    t.equal(again.facts, 0, 'twice is once')
  })

  await t.test('carried back, the first half sees it completed', async t => {
    const back = join(fleet.dir, 'back.shoal')
    await until('confirmed with receipts', async () => (await box!.api('rollouts/latest')).state === 'completed')
    await must(box!.cli(['export', back, '--json']))
    await Promise.all(there.map(n => n.stop()))
    await Promise.all(here.map(n => n.start()))
    await must(fleet.first.cli(['import', back, '--json']))
    t.equal((await fleet.first.api('rollouts/latest')).state, 'completed')
  })
})
