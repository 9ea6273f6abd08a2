import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pack } from '../../src/packages/index.ts'
import { ask, nobody, Pen, refused, tokenOf } from './ask.ts'
import { makeApp, must, TestFleet, type TestNode, until } from './fleet.ts'
import { fill, smallDisk } from './small-disk.ts'
import type { Json } from '../helpers/json.ts'

const below = (node: TestNode, folder: string, ending: RegExp): string[] =>
  readdirSync(join(node.home, 'instance', folder)).filter(name => ending.test(name))
const zips = (node: TestNode): string[] => below(node, 'packages', /\.zip$/)
const slots = (node: TestNode): string[] => below(node, 'slots', /^[0-9a-f]{64}$/)
const disk = async (node: TestNode): Promise<Json> => (await ask(node, tokenOf(node), 'disk')).json

void t.test('the disk of a running node: what nothing needs goes, what somebody may need stays', { timeout: 280_000 }, async t => {
  const fleet = new TestFleet(t)
  const home = join(fleet.dir, 'box-1')
  mkdirSync(home)
  const small = smallDisk(t, home)
  if (small === null) t.comment('without a small disk: refusals for want of space are not tried')
  await fleet.found(1)
  const node = fleet.first
  const pen = await Pen.of(node)
  const app = (version: string): string => {
    const folder = makeApp(join(fleet.dir, 'apps'), { version })
    writeFileSync(join(folder, 'noise.bin'), randomBytes(2 << 20))
    return folder
  }
  await node.cli(['config', 'set', 'limits.releases', '1'])
  await node.stop()
  await node.start()

  await t.test('after a confirmed update the releases before the last one go by themselves', async t => {
    for (const version of ['1.0.0', '2.0.0', '3.0.0']) t.equal((await fleet.deploy(node, app(version))).code, 0, version)
    await until('the oldest is gone', async () => zips(node).length === 3 && slots(node).length === 3)
    const { items, totals, freeBytes } = await disk(node)
    const named = Object.fromEntries(items.filter((i: Json) => i.kind === 'slot').map((i: Json) => [i.name, i.needs]))
    t.match(named, { 'till@3.0.0': ['current', 'confirmed'], 'till@2.0.0': ['previous'] })
    t.notOk(
      items.some((i: Json) => i.needs.length === 0 && i.bytes > 0),
      'nothing else could go',
    )
    t.ok(totals.find((each: Json) => each.kind === 'slot').bytes > 1e6 && freeBytes > 0)
  })

  await t.test('what was published and nobody ordered stays, though its version is older', async t => {
    for (const version of ['0.8.0', '0.9.0', '0.9.1']) {
      const out = join(fleet.dir, `${version}.zip`)
      await pack(app(version), { out })
      await must(node.cli(['publish', out, '--json', ...fleet.signing(node)]))
    }
    const removed = await must(node.cli(['prune', '--json']))
    t.same((removed.json() as Json).removed, [])
    t.equal(zips(node).length, 6)
    const needs = (await disk(node)).items.filter((i: Json) => /^till@0/.test(i.name)).map((i: Json) => i.needs)
    t.same(needs.flat().filter((need: string) => need === 'only-copy').length, 3)
  })

  await t.test('prune removes litter of all sorts, and says what', async t => {
    const stray = 'ab'.repeat(32)
    mkdirSync(join(node.home, 'instance/slots', stray))
    writeFileSync(join(node.home, 'instance/slots', stray, 'index.js'), 'x'.repeat(9000))
    const dry = (await must(node.cli(['prune', '--dry-run', '--json']))).json() as Json
    t.match(
      dry.items.filter((i: Json) => i.needs.length === 0 && i.bytes > 0),
      [{ kind: 'slot', id: stray }],
    )
    t.ok(existsSync(join(node.home, 'instance/slots', stray)))
    const done = (await must(node.cli(['prune', '--json']))).json() as Json
    t.match(done.removed, [{ kind: 'slot', id: stray }])
    t.notOk(existsSync(join(node.home, 'instance/slots', stray)))
    t.equal(await node.version(), '3.0.0')
    t.match((await ask(node, tokenOf(node), 'audit')).json.audit[0], { action: 'POST api/v1/disk/prune', via: 'home', result: 'ok' })
    refused(t, await ask(node, tokenOf(node), 'disk/prune', { body: { backupsOlderMs: 'old' } }), 'BAD_REQUEST', 'no time')
  })

  await t.test('with --all also what nobody ordered', async t => {
    const done = (await must(node.cli(['prune', '--all', '--yes', '--json']))).json() as Json
    const gone = done.removed.filter((i: Json) => i.kind === 'package').map((i: Json) => i.name)
    t.same(gone.toSorted(), ['till@0.8.0', 'till@0.9.0', 'till@0.9.1'])
    t.equal(zips(node).length, 3)
    t.equal((await node.api('releases')).releases.find(r => r.version === '0.9.1')?.nodes, 0, 'the fleet knows that nobody has it')
  })

  await t.test('an upload that does not fit is refused before its body, with what is missing', async t => {
    if (small === null) return
    const big = Buffer.alloc(8, 1)
    const payload = pen.release('4.0.0', big)
    payload.packages.any.size = 200 << 20
    await ask(node, nobody, 'releases', { body: { envelope: pen.sign('release', payload) } })
    const headers = {
      'content-type': 'application/zip',
      'x-shoal-digest': payload.packages.any.digest,
      'content-length': String(200 << 20),
    }
    const reply = await ask(node, nobody, 'packages', { body: big, headers })
    refused(t, reply, 'DISK_FULL', 'too large for the disk')
    t.equal(reply.status, 507)
    t.match(reply.json.error.message, /need \d+ bytes more/)
    t.same(below(node, 'inbox', /./), [])
  })

  await t.test('what nothing needs makes way for an upload', async t => {
    if (small === null) return
    const stray = join(node.home, 'instance/slots', 'cd'.repeat(32))
    mkdirSync(stray)
    writeFileSync(join(stray, 'noise'), randomBytes(16 << 20))
    fill(small, (64 << 20) + (1 << 20))
    const out = join(fleet.dir, 'room.zip')
    await pack(app('5.0.0'), { out })
    t.equal((await node.cli(['publish', out, '--json', ...fleet.signing(node)])).code, 0)
    t.notOk(existsSync(stray))
  })
})
