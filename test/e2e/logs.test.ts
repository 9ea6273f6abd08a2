import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import t from 'tap'
import { ask, changesNothing, nobody, Pen, refused, type Reply, tokenOf } from './ask.ts'
import { makeApp, must, TestFleet, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

void t.test('logs of any node through any node', { timeout: 200_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const [first, second] = [fleet.first, fleet.node(1)]
  const onStart = `console.log('till opens \\u001b[2J'); host.log.info({ drawer: 3 }, 'drawer counted')`
  t.equal((await fleet.deploy(first, makeApp(join(fleet.dir, 'apps'), { version: '1.0.0', onStart }))).code, 0)

  await t.test('as text: escaped, one line each', async t => {
    const { stdout } = await must(first.cli(['logs', second.name, '--lines', '500']))
    t.match(stdout, /^\d\d:\d\d:\d\d\.\d{3} {2}till opens {2}\[2J$/m)
    t.match(stdout, /app: drawer counted {2}level=info drawer=3/)
    t.notMatch(stdout, '\u001b')
  })

  await t.test('as one document, and as the lines of the file', async t => {
    const doc = (await must(first.cli(['logs', second.id.slice(0, 8), '--json']))).json()
    t.match(doc, { id: second.id, name: second.name, gap: false, cursor: /^\d+-\d+$/ })
    const { stdout } = await must(second.cli(['logs', '--ndjson', '-n', '3']))
    const lines = stdout.trim().split('\n')
    t.equal(lines.length, 3)
    for (const line of lines) t.type(JSON.parse(line).event, 'string')
    t.equal((await first.cli(['logs', '-f', '--json'])).code, 2)
    t.equal((await first.cli(['logs', 'nobody', '--json'])).json().error.code, 'NOT_FOUND')
  })

  await t.test('-f goes on through the restart of the node that is asked, and ends well with Ctrl-C', async t => {
    const child = spawn(process.execPath, [resolve('src/boot.js'), 'logs', '-f', second.name, '--ndjson', '--home', first.home], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    const ended = new Promise(done => child.once('exit', done))
    await until('it shows something', async () => out.includes('drawer counted'))
    await first.stop()
    await first.start()
    await fleet.linked()
    await second.cli(['restart'])
    await until('it goes on', async () => out.split('till opens').length >= 3)
    child.kill('SIGINT')
    t.equal(await ended, 0)
  })

  await t.test('slots, links, backups and disk of any node, and its way to a third', async t => {
    const { id } = (await must(second.cli(['backup', 'create', '--json']))).json()
    const about = (await ask(first, tokenOf(first), `nodes/${second.name}/about`)).json
    const own = (await ask(second, tokenOf(second), 'nodes/self/about')).json
    t.equal(about.id, second.id)
    t.equal(about.fingerprint, own.fingerprint)
    t.match(about.fingerprint, /^[0-9a-f]{64}$/)
    t.same(
      about.slots.map((s: Json) => [s.kind, s.name, s.needs.includes('current')]),
      [
        ['app', 'till@1.0.0', true],
        ['shoal', `shoal@${(await second.api('nodes/self')).shoal.version}`, true],
      ],
    )
    t.ok(about.backups.some((b: Json) => b.id === id))
    t.match(about.peers, [{ id: first.id, name: first.name, reach: 'direct', linkedMs: Number, dialled: Boolean }])
    t.ok(about.disk.freeBytes > 0 && about.disk.items.some((item: Json) => item.kind === 'database'))
    const test = async (target: string): Promise<Reply> => ask(first, tokenOf(first), 'peers/test', { body: { at: second.id, target } })
    t.match((await test(first.id)).json.tests, [{ id: first.id, ok: true, step: null }])
    refused(t, await test(`127.0.0.1:${first.port}`), 'NOT_FOUND', 'no address is walked to from elsewhere')
    const document = (await must(first.cli(['nodes', 'show', second.name, '--json']))).json() as unknown as Json
    t.equal(document.about.id, second.id)
    t.match((await must(first.cli(['nodes', 'show', second.name]))).stdout, /^ {2}slot {5}till@1\.0\.0 .*current/m)
  })

  await t.test('members only; bounded; nothing secret', async t => {
    const pen = await Pen.of(first)
    const ghost = await pen.ghost('ghost')
    await changesNothing(t, first, async () => {
      refused(t, await ask(first, nobody, 'nodes/self/logs'), 'UNAUTHENTICATED', 'a stranger')
      refused(t, await ask(first, tokenOf(first), '/_shoal/peer/v1/logs'), 'NOT_ALLOWED', 'a user is no peer')
      refused(t, await ask(first, tokenOf(first), 'nodes/self/logs?lines=0'), 'BAD_REQUEST', 'no line')
      refused(t, await ask(first, tokenOf(first), 'nodes/self/logs?lines=2001'), 'BAD_REQUEST', 'too many')
      refused(t, await ask(first, tokenOf(first), `nodes/${ghost.id}/logs`), 'NO_NODE', 'a node that does not answer')
      refused(t, await ask(first, nobody, 'nodes/self/about'), 'UNAUTHENTICATED', 'a stranger')
      refused(t, await ask(first, tokenOf(first), '/_shoal/peer/v1/about'), 'NOT_ALLOWED', 'a user is no peer')
      refused(t, await ask(first, tokenOf(first), `nodes/${ghost.id}/about`), 'NO_NODE', 'a node that does not answer')
    })
    t.equal((await ask(first, ghost.caller, '/_shoal/peer/v1/logs?lines=5')).json.lines.length, 5)
    const removal = pen.sign('removal', await pen.removal(ghost.id))
    await ask(first, nobody, `nodes/${ghost.id}/remove`, { body: { envelope: removal } })
    refused(t, await ask(first, ghost.caller, '/_shoal/peer/v1/logs'), 'NOT_MEMBER', 'a removed node')
    refused(t, await ask(first, ghost.caller, '/_shoal/peer/v1/about'), 'NOT_MEMBER', 'a removed node')
    for (const node of fleet.nodes) t.notMatch(node.file('instance/logs/node.log'), /PRIVATE KEY|shoal-local-|shoal1\.|correct horse/)
  })
})
