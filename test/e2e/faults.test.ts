import { chmodSync, existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { currentOf, flipByte, keepSomething, loaderOf, logged, makeFaultApp, meet, suffer, supervisorOf, workerOf } from './faults.ts'
import { must, TestFleet, type TestNode, until } from './fleet.ts'

const nothing = (): void => undefined
const kill = (pid: number): void => void process.kill(pid, 'SIGKILL')
const inSlot = (node: TestNode, path: string): string => join(node.home, 'instance/slots', currentOf(node).app, path)

/** Ends the node as the power does, does something to its disk, and starts it. */
async function whileDown(node: TestNode, work: () => void, env: Record<string, string> = {}): Promise<void> {
  await node.kill()
  work()
  await node.start(env)
}

function damage(path: string, how: (path: string) => void): void {
  chmodSync(path, 0o644)
  how(path)
}

void t.test('two nodes: faults of a steady node', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const apps = join(fleet.dir, 'apps')
  const [first, second] = [fleet.first, fleet.node(1)]
  const version = '1.0.0'
  await must(fleet.deploy(first, makeFaultApp(apps, version)))
  for (const node of fleet.nodes) keepSomething(node)
  const steady = { state: 'steady', version, withinMs: 40_000 }

  const quick = async (): Promise<void> => {
    const node = first
    await suffer(t, { ...steady, node, fault: 'kill -9 of the worker', strike: async () => kill(await workerOf(node)) })
    await suffer(t, { ...steady, node, fault: 'kill -9 of the supervisor', strike: () => kill(supervisorOf(node)) })
    await suffer(t, {
      ...steady,
      node,
      fault: 'kill -9 of the loader, started again at once',
      strike: async () => {
        const ended = new Promise(done => node.child?.once('exit', done))
        kill(loaderOf(node))
        await ended
        await node.start()
      },
    })
    await suffer(t, { ...steady, node, fault: 'kill -9 of all', strike: () => whileDown(node, nothing) })
    await suffer(t, {
      ...steady,
      node,
      fault: 'a file of the app’s slot cut',
      strike: () => whileDown(node, () => damage(inSlot(node, 'index.js'), path => truncateSync(path, 100))),
    })
    await suffer(t, {
      ...steady,
      node,
      fault: 'a byte of the app’s slot changed',
      strike: () => whileDown(node, () => damage(inSlot(node, 'title.js'), path => flipByte(path, 23))),
    })
    t.equal(logged(node, 'slot mended').length, 2)
  }
  const slow = (): Promise<unknown> =>
    suffer(t, { ...steady, node: second, fault: 'event loop that stands still', strike: () => void meet(second, '/spin') })
  await Promise.all([quick(), slow()])
  await fleet.linked()

  await t.test('current.json and its copy are lost: the node goes back to what it confirmed last', async t => {
    const node = first
    await suffer(t, {
      ...steady,
      node,
      fault: 'current.json cut, and its copy',
      strike: () =>
        whileDown(node, () => {
          for (const name of ['current.json', 'current.json.bak']) truncateSync(join(node.home, 'instance/slots', name), 50)
        }),
    })
    await until('its probation is over', async () => currentOf(node).state === 'good')
    t.equal((await node.api('nodes/self')).health, 'ok')
  })

  await t.test('memory that runs out ends the worker, and nothing else', async t => {
    await whileDown(second, nothing, { NODE_OPTIONS: '--max-old-space-size=96' })
    const supervisor = supervisorOf(second)
    await suffer(t, { ...steady, node: second, fault: 'out of memory', strike: () => void meet(second, '/leak') })
    t.equal(supervisorOf(second), supervisor)
  })

  await t.test('node.db locked by another program: the app is served, the node is silent until the lock is gone', async t => {
    const lock = (node: TestNode): Database.Database => {
      const db = new Database(join(node.home, 'instance/node.db'))
      db.exec('begin exclusive')
      return db
    }
    let db = lock(first)
    const row = { ...steady, node: first }
    await suffer(t, { ...row, fault: 'node.db locked while it runs', strike: nothing })
    const refused = await first.cli(['invite', '--json', ...fleet.signing(first)])
    t.same([refused.code, refused.json().error.code], [1, 'DB_LOCKED'])
    await first.kill()
    db.close()
    db = lock(first)
    await suffer(t, { ...row, fault: 'node.db locked when it starts', strike: () => first.start() })
    t.equal((await first.api('nodes/self')).health, 'degraded')
    db.close()
    await fleet.linked()
    t.equal((await first.api('nodes/self')).health, 'ok')
  })

  await t.test('a crashing app: safe mode, out of which it is tried again: what it lacked is there', async t => {
    const crash = join(first.home, 'instance/data/crash')
    writeFileSync(crash, version)
    kill(await workerOf(first))
    await until('safe mode', async () => (await first.get('/_shoal/readyz')).body.includes('safe-mode'))
    rmSync(crash)
    const from = performance.now()
    await until('the app serves', async () => (await meet(first)) === `app ${version}`, 100_000)
    t.comment(`| steady | an app that lacks something | 503 | ${Math.round((performance.now() - from) / 1000)} |`)
    t.equal((await first.api('nodes/self')).health, 'ok')
    t.equal(currentOf(first).state, 'good')
    await fleet.linked()
  })

  await t.test('a crashing app: safe mode, which a new release ends', async t => {
    const crash = join(first.home, 'instance/data/crash')
    writeFileSync(crash, version)
    kill(await workerOf(first))
    await until('safe mode', async () => (await first.get('/_shoal/readyz')).body.includes('safe-mode'))
    t.equal(await meet(first), '503')
    t.same([(await first.get('/_shoal/livez')).status, (await first.get('/_shoal/readyz')).status], [200, 503])
    t.ok(logged(first, 'ALARM safe mode').length > 0)
    await fleet.linked()
    await until('the other sees it', async () => (await second.api(`nodes/${first.id}`)).health === 'safe-mode')
    const before = first.pids()
    await whileDown(first, nothing)
    t.equal(await meet(first), '503', 'it stays in safe mode')
    t.not(first.pids()[2], before[2])
    const done = await fleet.deploy(second, makeFaultApp(apps, '1.1.0'))
    t.equal(done.code, 0, done.stderr)
    t.same([await meet(first), await meet(second)], ['app 1.1.0', 'app 1.1.0'])
    t.equal((await first.api('nodes/self')).health, 'ok')
    rmSync(crash)
    t.notOk(existsSync(crash))
  })
  await fleet.linked()
})
