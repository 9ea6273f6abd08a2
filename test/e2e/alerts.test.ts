/** Somebody is told: a real receiver of webhooks and a real program hear of each kind of trouble, from a node that they happen to. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { makeApp, must, TestFleet, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

void t.test(
  'halted, stalled, rolled back, safe mode, node lost: each is told once, by webhook and by command',
  { timeout: 280_000 },
  async t => {
    const got: Json[] = []
    const server = createServer((req, res) => {
      let body = ''
      req.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      req.on('end', () => {
        got.push({ type: req.headers['content-type'], ...JSON.parse(body) })
        res.writeHead(204).end()
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const fleet = await new TestFleet(t).found(3)
    const [first, second, third] = [fleet.node(0), fleet.node(1), fleet.node(2)]
    const out = join(fleet.dir, 'told')
    const program = join(fleet.dir, 'tell.mjs')
    writeFileSync(
      program,
      `import { appendFileSync, readFileSync } from 'node:fs'
appendFileSync(process.argv[2], process.argv[3] + ' ' + JSON.parse(readFileSync(0, 'utf8')).id + '\\n')`,
    )
    const { port } = server.address() as { port: number }
    const alerts = JSON.stringify([{ webhook: `http://127.0.0.1:${port}/hook` }, { command: [process.execPath, program, out] }])
    await must(first.cli(['config', 'set', 'alerts', alerts, '--json']))
    await must(first.cli(['restart', '--json']))
    await fleet.linked()
    const heard = (event: string): Json => got.find(alert => alert.event === event)

    const onStart = "if (host.node.name === 'box-2') setInterval(() => existsSync(join(host.dataDir, 'crash')) && process.exit(1), 20)"
    const good = makeApp(fleet.dir, { version: '1.0.0', onImport: "import { existsSync } from 'node:fs'", onStart })
    await must(fleet.deploy(first, good))
    const bad = makeApp(fleet.dir, { version: '1.1.0', health: "throw new Error('no printer')" })
    t.equal((await fleet.deploy(first, bad, ['--canary', 'box-3'])).code, 5)
    await until('the halt is told', async () => heard('halted') !== undefined && heard('rolled-back') !== undefined)
    t.match(heard('rolled-back'), { node: { id: third.id, name: 'box-3' }, rollout: { release: 'till@1.1.0' }, message: /no printer/ })
    t.match(heard('halted'), {
      type: 'application/json',
      node: null,
      from: { id: first.id, name: 'box-1' },
      rollout: { release: 'till@1.1.0' },
    })

    await third.kill()
    const next = makeApp(fleet.dir, { version: '1.2.0' })
    const file = join(fleet.dir, '1.2.0.zip')
    await must(second.cli(['pack', next, '--out', file, '--json']))
    await must(second.cli(['publish', file, '--json', ...fleet.signing(second)]))
    const order = ['rollout', 'start', 'till@1.2.0', '--only', 'box-3', '--soak', '300ms', '--json']
    await must(second.cli([...order, ...fleet.signing(second)]))

    writeFileSync(join(second.home, 'instance/data/crash'), '')
    await until('safe mode is told', async () => heard('safe-mode') !== undefined, 120_000)
    t.match(heard('safe-mode'), { node: { id: second.id, name: 'box-2' }, rollout: null })
    await until('so is the standstill', async () => heard('stalled') !== undefined, 120_000)
    t.match(heard('stalled'), { node: null, rollout: { release: 'till@1.2.0' } })
    await until('and who is gone', async () => heard('node-lost') !== undefined, 120_000)
    t.match(heard('node-lost'), { node: { id: third.id, name: 'box-3' } })

    const ofWebhook = (): readonly string[] => got.map(alert => `${alert.event} ${alert.id}`).toSorted()
    const ofCommand = (): readonly string[] => (existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n').toSorted() : [])
    await until('the program has heard as much', async () => ofCommand().length >= got.length)
    t.strictSame(ofCommand(), ofWebhook(), 'both hear the same')
    t.equal(new Set(ofWebhook()).size, got.length, 'and each thing once')
    await first.stop()
    await first.start()
    await fleet.linked()
    await until('it has looked again', async () => (await first.api('nodes')).nodes.some(n => n.reach === 'lost'))
    t.equal(new Set(ofWebhook()).size, got.length, 'also over a restart')
  },
)
