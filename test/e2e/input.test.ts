import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Code, codes } from '../../src/model/index.ts'
import { pack } from '../../src/packages/index.ts'
import { formatToken, newPassphrase, parseToken } from '../../src/trust/index.ts'
import { ask, changesNothing, fingerprint, id52, nobody, Pen, picture, refused, tokenOf } from './ask.ts'
import { type CliResult, contents, makeApp, must, operator, shoal, TestFleet, type TestNode, until } from './fleet.ts'
import { fill, smallDisk } from './small-disk.ts'

/** A command that must fail: exit code, words on standard error and --json all say the same code. */
function fails(t: Test, what: string, done: CliResult, code: Code): void {
  t.equal(done.code, codes[code].exit, `${what}: exit code\n${done.stderr}`)
  t.match(done.stderr, `(${code})`, `${what}: on standard error`)
  t.equal(done.json().error.code, code, `${what}: in --json`)
}

/** Packs an app and publishes it by the API, without the cost of processes. */
async function publish(pen: Pen, dir: string, version: string): Promise<void> {
  const out = join(dir, `${version}.zip`)
  await pack(makeApp(join(dir, 'apps'), { version }), { out })
  const zip = readFileSync(out)
  const release = pen.release(version, zip)
  await ask(pen.node, nobody, 'releases', { body: { envelope: pen.sign('release', release) } })
  const headers = { 'content-type': 'application/zip', 'x-shoal-digest': release.packages.any.digest }
  const { status, bytes } = await ask(pen.node, nobody, 'packages', { body: zip, headers })
  if (status >= 300) throw new Error(`${version}: ${bytes.toString()}`)
}

async function deploy(pen: Pen, version: string): Promise<void> {
  await ask(pen.node, nobody, 'rollouts', { body: await pen.order(`till@${version}`) })
  await until(`${version} is confirmed`, async () => (await pen.node.api('rollouts/latest')).state === 'completed')
}

void t.test('bad input gets an error with a code and changes nothing', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  const pen = await Pen.of(node)
  await publish(pen, fleet.dir, '1.0.0')
  await publish(pen, fleet.dir, '2.0.0')
  await deploy(pen, '2.0.0')
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(fleet.dir, name), content)
    return join(fleet.dir, name)
  }
  const app = (name: string, pkg: object | null): string => {
    const dir = join(fleet.dir, name)
    mkdirSync(dir)
    writeFileSync(join(dir, 'index.js'), 'export default () => ({ handler: (req, res) => res.end() })\n')
    if (pkg !== null) writeFileSync(join(dir, 'package.json'), JSON.stringify(pkg))
    return dir
  }
  const good = readFileSync(join(fleet.dir, '2.0.0.zip'))
  const other = makeApp(join(fleet.dir, 'other'), { version: '2.0.0', onImport: 'export const other = true' })
  const next = makeApp(join(fleet.dir, 'next'), { version: '3.0.0' })
  const { token } = (await must(node.cli(['invite', '--json', ...fleet.signing(node)]))).json()
  const wrong = { env: { SHOAL_PASSPHRASE: newPassphrase() } }

  /** `start` fails before there is a node: it says why in words. */
  const refusedStart = async (t: Test, what: string, code: Code, words: RegExp): Promise<void> => {
    const done = await node.cli(['start'], { timeoutMs: 30_000 })
    t.equal(done.code, codes[code].exit, `${what}: exit code`)
    t.match(done.stderr, code, `${what}: the code`)
    t.match(done.stderr, words, `${what}: and what it is about`)
    t.equal(done.stdout, '', `${what}: never ready`)
  }

  const table: [what: string, args: string[], code: Code, options?: Parameters<typeof shoal>[1]][] = [
    ['an unknown command', ['frobnicate'], 'USAGE'],
    ['an unknown option', ['nodes', '--frobnicate'], 'USAGE'],
    ['an argument that is missing', ['deploy'], 'USAGE'],
    ['an argument too many', ['rename', 'a', 'b'], 'USAGE'],
    ['a name that is none', ['rename', 'a\u202eb'], 'USAGE'],
    ['a duration that is none', ['rollout', 'start', 'till@1.0.0', '--soak', 'soon'], 'USAGE'],
    ['init in a home that has a fleet', ['init'], 'HOME_HAS_FLEET'],
    ['join in a home that has a fleet', ['join', token], 'HOME_HAS_FLEET'],
    ['a package that is no zip', ['publish', file('no.zip', 'this is no zip')], 'NOT_A_ZIP'],
    ['a package that is cut', ['publish', file('cut.zip', good.subarray(0, -100))], 'NOT_A_ZIP'],
    ['a package with something behind it', ['publish', file('more.zip', Buffer.concat([good, good]))], 'PACKAGE_REJECTED'],
    ['a package that is a folder', ['publish', next], 'NOT_A_ZIP'],
    ['a package that is not there', ['publish', join(fleet.dir, 'none.zip')], 'NOT_FOUND'],
    ['a version that is not semver', ['deploy', app('v', { name: 'till', version: '1.0', shoal: { app: 'index.js' } })], 'BAD_VERSION'],
    ['a folder that is no app', ['deploy', app('n', { name: 'till', version: '1.0.0' })], 'NOT_AN_APP'],
    ['a folder without package.json', ['deploy', app('p', null)], 'NOT_AN_APP'],
    ['other contents under a signed version', ['deploy', other], 'RELEASE_EXISTS'],
    ['an order for an unknown release', ['rollout', 'start', 'till@9.9.9'], 'UNKNOWN_RELEASE'],
    ['a downgrade without the flag', ['rollout', 'start', 'till@1.0.0'], 'DOWNGRADE'],
    ['a rollback to what never was', ['rollback', '--to', '0.0.1'], 'UNKNOWN_RELEASE'],
    ['waves that are none', ['rollout', 'start', 'till@2.0.0', '--waves', 'all'], 'USAGE'],
    ['a deployment with waves that are none', ['deploy', next, '--waves', '0'], 'USAGE'],
    ['a deployment to a node that there is not', ['deploy', next, '--only', 'nobody'], 'NOT_FOUND'],
    ['a window that is none', ['rollout', 'start', 'till@2.0.0', '--window', 'tonight'], 'USAGE'],
    ['a node that there is not', ['rollout', 'start', 'till@2.0.0', '--only', id52], 'NOT_FOUND'],
    ['a rollout that there is not', ['rollout', 'pause', id52], 'NOT_FOUND'],
    ['a wrong passphrase', ['rollout', 'start', 'till@2.0.0'], 'BAD_PASSPHRASE', wrong],
    ['a key file that is none', ['invite', '--key', file('key.json', '{}')], 'BAD_REQUEST'],
    ['a removal of nobody', ['nodes', 'remove', id52, '--reason', 'x', '--yes'], 'NOT_FOUND'],
    ['a peer that does not answer', ['peers', 'add', '127.0.0.1:1'], 'NO_NODE'],
    ['a peer that there is not', ['peers', 'remove', id52], 'NOT_FOUND'],
  ]
  await t.test('at a node that runs', async t => {
    await changesNothing(t, node, async () => {
      // Two at a time: each is a process that starts.
      const rest = [...table]
      const work = async (): Promise<void> => {
        for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
          const [what, args, code, options] = next
          fails(t, what, await node.cli([...args, '--json'], options), code)
        }
      }
      await Promise.all([work(), work()])
    })
    t.notOk(JSON.stringify(await node.api('releases')).includes('3.0.0'), 'nothing was signed on the way to a refusal')
    await refusedStart(t, 'a node that runs', 'ALREADY_RUNNING', /already/)
    t.equal(await node.version(), '2.0.0')
  })

  await t.test('tokens that are cut, wrong, or of another fleet', async t => {
    const home = join(fleet.dir, 'new')
    const true_ = parseToken(token)
    const forged: [string, string, Code][] = [
      ['cut', token.slice(0, -9), 'TOKEN_MALFORMED'],
      ['a letter mistyped', token.replace(/.$/, c => (c === 'A' ? 'B' : 'A')), 'TOKEN_MALFORMED'],
      ['of another fleet', formatToken({ ...true_, fleet: id52 as typeof true_.fleet }), 'TOKEN_PIN_MISMATCH'],
      ['with another pin', formatToken({ ...true_, ca: 'b'.repeat(64) as typeof true_.ca }), 'TOKEN_PIN_MISMATCH'],
      ['of an invite that there is not', formatToken({ ...true_, invite: 'b'.repeat(32) }), 'TOKEN_USED'],
      ['where nobody answers', formatToken({ ...true_, addresses: ['127.0.0.1:1'] }), 'JOIN_UNREACHABLE'],
    ]
    const before = fingerprint(node)
    for (const [what, text, code] of forged) {
      const done = await shoal(['join', '-', '--home', home, '--listen', '127.0.0.1:0', '--json'], { stdin: text })
      fails(t, what, done, code)
      t.same(contents(home), {}, `${what}: the new home is as it was`)
    }
    t.same(fingerprint(node), before)
  })

  await t.test('at a node that does not run', async t => {
    await node.stop()
    const before = fingerprint(node)
    fails(t, 'no node', await node.cli(['nodes', '--json']), 'NO_NODE')
    const holder = createServer(socket => socket.destroy()).listen(node.port, '127.0.0.1')
    await once(holder, 'listening')
    await refusedStart(t, 'a port in use', 'PORT_IN_USE', new RegExp(`127\\.0\\.0\\.1:${node.port}`))
    holder.close()
    await once(holder, 'close')
    for (const key of ['certs/node.key', `certs/operators/${operator}.json`]) {
      chmodSync(join(node.home, key), 0o644)
      await refusedStart(t, `${key} for all to read`, 'KEY_FILE_MODE', new RegExp(`${key.replaceAll('.', '\\.')}: .*0644`))
      chmodSync(join(node.home, key), 0o600)
    }
    t.same(fingerprint(node), before, 'nothing has changed')
    const config = node.file('instance/config.json')
    for (const text of [config.replace('127.0.0.1', '127.0.0.1:x'), config.replace('127.0.0.1', '203.0.113.1')]) {
      writeFileSync(join(node.home, 'instance/config.json'), text)
      await refusedStart(t, 'config.json', 'BAD_REQUEST', /config\.json|203\.0\.113\.1/)
      t.equal(node.file('instance/config.json'), text, 'what a person wrote stays')
    }
    writeFileSync(join(node.home, 'instance/config.json'), config)
    await node.start()
    t.equal(await node.version(), '2.0.0', 'and it starts again')
  })

  await t.test('in an empty home', async t => {
    const home = join(fleet.dir, 'empty')
    mkdirSync(home)
    const started = await shoal(['start', '--home', home])
    t.equal(started.code, 2)
    t.match(started.stderr, 'HOME_EMPTY')
    t.match(started.stderr, /shoal init[^]*shoal join TOKEN/, 'with the two commands to choose from')
    fails(t, 'nodes', await shoal(['nodes', '--home', home, '--json']), 'HOME_EMPTY')
    t.same(contents(home), {}, 'nothing was made')
  })
})

void t.test('a full disk', { timeout: 280_000 }, async t => {
  const fleet = new TestFleet(t)
  const home = join(fleet.dir, 'box-1')
  mkdirSync(home)
  const disk = smallDisk(t, home)
  if (disk === null) {
    t.comment('skipped: a full disk needs root on Linux, and the right to mount a tmpfs')
    return
  }
  await fleet.found(1)
  const node: TestNode = fleet.first
  const pen = await Pen.of(node)
  await publish(pen, fleet.dir, '1.0.0')
  await deploy(pen, '1.0.0')
  await publish(pen, fleet.dir, '1.1.0')

  await t.test('below the reserve: packages and orders are refused, the node serves on', async t => {
    fill(disk, 20 << 20)
    const next = join(fleet.dir, '1.2.0.zip')
    await pack(makeApp(join(fleet.dir, 'apps'), { version: '1.2.0' }), { out: next })
    const before = fingerprint(node)
    const done = await node.cli(['publish', next, '--json', ...fleet.signing(node)])
    fails(t, 'publish', done, 'DISK_FULL')
    t.same(fingerprint(node), before)
    const zip = readFileSync(next)
    const headers = { 'content-type': 'application/zip', 'x-shoal-digest': pen.release('1.2.0', zip).packages.any.digest }
    refused(t, await ask(node, nobody, 'packages', { body: zip, headers }), 'DISK_FULL', 'the upload: 507')
    await ask(node, nobody, 'rollouts', { body: await pen.order('till@1.1.0') })
    await until('the preflight says no', async () => (await node.api('nodes/self')).outcome === 'refused')
    t.equal((await node.api('nodes/self')).reason?.code, 'DISK_FULL')
    t.equal((await node.api('rollouts/latest')).state, 'stalled')
    t.same(fingerprint(node), before, 'nothing has changed')
    t.equal(await node.version(), '1.0.0')
  })

  await t.test('to the last byte: what cannot be kept is refused, and not half done', async t => {
    fill(disk, 0)
    await changesNothing(t, node, async () => {
      refused(t, await ask(node, tokenOf(node), 'self/rename', { body: { name: 'other' } }), 'DISK_FULL', 'rename')
      const payload = pen.release('1.3.0', readFileSync(join(fleet.dir, '1.2.0.zip')))
      refused(t, await ask(node, nobody, 'releases', { body: { envelope: pen.sign('release', payload) } }), 'DISK_FULL', 'a release')
    })
    t.equal((await ask(node, nobody, '/_shoal/readyz')).status, 200)
    t.equal(await node.version(), '1.0.0')
  })

  await t.test('with room again it goes on', async t => {
    rmSync(join(disk, 'filler'))
    const latest = (await node.api('rollouts/latest')).id
    const generation = (await pen.generation()) + 1
    const retry = { fleet: pen.fleet, order: latest, generation, action: 'retry', nodes: [], by: operator, at: '' }
    t.equal((await ask(node, nobody, `rollouts/${latest}/retry`, { body: { envelope: pen.sign('control', retry) } })).status, 200)
    await until('1.1.0 runs', async () => (await node.version()) === '1.1.0')
    t.ok(existsSync(join(home, 'instance/data/starts.txt')))
    t.match(await picture(node), [{}, { nodes: [{ name: 'box-1' }] }])
  })
})
