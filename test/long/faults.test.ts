/** The rest of the fault matrix (docs/reliability.md): what takes long, or cannot run everywhere. */
import { chmodSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  currentOf,
  flipByte,
  keepSomething,
  loaderOf,
  logged,
  makeFaultApp,
  meet,
  suffer,
  supervisorOf,
  treasures,
  workerOf,
} from '../e2e/faults.ts'
import { must, TestFleet, type TestNode, until } from '../e2e/fleet.ts'
import { clockAt, onSmallDisk } from '../e2e/surroundings.ts'
import { WriteFaults } from '../e2e/writes.ts'

const version = '1.0.1'
const steady = { state: 'steady', version, withinMs: 60_000 }

async function fleetOf(t: Parameters<typeof suffer>[0], count: number): Promise<TestFleet> {
  const fleet = await new TestFleet(t).found(count)
  await must(fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), version)))
  for (const node of fleet.nodes) keepSomething(node)
  return fleet
}

/** A deployment commits some 26 times to node.db, once or twice more or less: a few of them. */
function isChosen(point: string): boolean {
  const [, , name, count] = point.split(' ')
  return name !== 'node.db' || (Number(count) % 5 === 1 && Number(count) < 25)
}

for (const isAlone of [false, true]) {
  void t.test(
    `${isAlone ? 'alone' : 'with all processes'} killed at every durable write of a deployment`,
    { timeout: 800_000 },
    async t => {
      const fleet = await fleetOf(t, 1)
      const faults = new WriteFaults(fleet, fleet.first)
      const points = await faults.record()
      t.ok(points.length >= 12, points.join(', '))
      for (const point of points.filter(isChosen)) await faults.killAt(t, point, isAlone)
      const next = makeFaultApp(join(fleet.dir, 'apps'), '2.0.0', { dataVersion: 100 })
      t.equal((await fleet.deploy(fleet.first, next)).code, 0, 'the next release works')
    },
  )
}

void t.test('killed at the durable writes of a start', { timeout: 280_000 }, async t => {
  const fleet = await fleetOf(t, 1)
  const faults = new WriteFaults(fleet, fleet.first)
  for (const name of ['loader before attempts 1', 'loader after attempts 1', 'worker before local.token 1', 'loader before attempts 2'])
    await faults.killAtStart(t, name)
  t.equal((await fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '2.0.0'))).code, 0, 'the next release works')
})

/** Numerical Recipes' generator: the seed is said, so that a failure can be had again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

void t.test('killed at random moments of rollouts', { timeout: 800_000 }, async t => {
  const seed = Number(process.env['SHOAL_SEED'] ?? Date.now() % 100_000)
  t.comment(`SHOAL_SEED=${seed}`)
  const random = randomFrom(seed)
  const fleet = await fleetOf(t, 2)
  const before = fleet.nodes.map(treasures)
  for (let round = 2; round <= 13; round++) {
    const node = fleet.node(random(2))
    const [name, pidOf] =
      (
        [
          ['loader', loaderOf],
          ['supervisor', supervisorOf],
          ['worker', workerOf],
          ['all', null],
        ] as const
      )[random(4)] ?? []
    const afterMs = random(6000)
    const deployed = fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), `1.0.${round}`))
    await sleep(afterMs)
    if (pidOf === null || pidOf === undefined) await node.kill()
    else process.kill(await pidOf(node), 'SIGKILL')
    if (name === 'all' || name === 'loader') {
      await until('it has ended', async () => node.child === null || node.child.exitCode !== null || node.child.signalCode !== null)
      await node.start()
    }
    const done = await deployed
    t.comment(
      `${node.name}: ${name ?? ''} after ${afterMs} ms of 1.0.${round}: exit ${done.code} ${done.code === 0 ? '' : done.json().state}`,
    )
    await until('both answer', async () => (await Promise.all(fleet.nodes.map(each => meet(each)))).every(m => m.startsWith('app ')))
    await until('nothing is half done', async () => fleet.nodes.every(each => currentOf(each).state === 'good'))
    await fleet.linked()
    t.same(fleet.nodes.map(treasures), before, 'identity, config.json and data as they were')
  }
  const last = await fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '2.0.0'))
  t.equal(last.code, 0, last.stderr)
  t.same(await fleet.versions(), ['2.0.0', '2.0.0'])
})

/** Stops processes for 30 s, as a debugger, a hypervisor or a laptop's lid does. */
const standStill = (pids: readonly number[]) => async (): Promise<void> => {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  await sleep(30_000)
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGCONT')
    } catch {
      // Ended meanwhile by its supervisor.
    }
  }
}

void t.test('SIGSTOP for 30 s', { timeout: 280_000 }, async t => {
  const fleet = await fleetOf(t, 2)
  const node = fleet.first
  const [loader, supervisor, worker] = [loaderOf(node), supervisorOf(node), await workerOf(node)]
  await suffer(t, { ...steady, node, fault: 'SIGSTOP of loader and supervisor', strike: standStill([loader, supervisor]) })
  t.equal(await workerOf(node), worker)
  await suffer(t, { ...steady, node, fault: 'SIGSTOP of all', strike: standStill([loader, supervisor, worker]) })
  t.equal(await workerOf(node), worker, 'who slept is not ended for it')
  await fleet.linked()
  await suffer(t, { ...steady, node, fault: 'SIGSTOP of the worker', strike: standStill([worker]) })
  t.not(await workerOf(node), worker)
  await fleet.linked()
})

void t.test(
  'an app that is ill long after its probation: safe mode; still ill after a release: missing, not failed',
  { timeout: 280_000 },
  async t => {
    const fleet = await fleetOf(t, 2)
    const node = fleet.node(1)
    const ill = join(node.home, 'instance/data/ill')
    const from = performance.now()
    writeFileSync(ill, '')
    await until('degraded', async () => (await fleet.first.api(`nodes/${node.id}`)).health === 'degraded')
    t.equal(await meet(node), `app ${version}`, 'ill, it still answers')
    await until('safe mode', async () => (await meet(node)) === '503', 200_000)
    t.comment(`| steady | ill health | app, 503 | ${Math.round((performance.now() - from) / 1000)} until safe mode |`)
    const still = await fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '1.1.0'), ['--canary', node.id])
    t.equal(still.code, 5)
    t.equal(still.json().state, 'stalled')
    t.equal(still.json().nodes.find(n => n.id === node.id)?.reason?.code, 'UNHEALTHY_BEFORE')
    t.equal(await meet(node), '503')
    rmSync(ill)
    const done = await fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '1.2.0'), ['--canary', node.id])
    t.equal(done.code, 0, done.stderr)
    t.same(await fleet.versions(), ['1.2.0', '1.2.0'])
  },
)

void t.test('a disk that lies: package, slots, config.json', { timeout: 280_000 }, async t => {
  const fleet = await fleetOf(t, 2)
  const node = fleet.first
  const whileDown = async (work: () => void): Promise<void> => {
    await node.kill()
    work()
    await node.start()
  }
  const slots = join(node.home, 'instance/slots')
  const spoil = (path: string, how: (path: string) => void): void => {
    chmodSync(path, 0o644)
    how(path)
  }
  const inApp = (name: string): string => join(slots, currentOf(node).app, name)
  const zip = join(node.home, 'instance/packages', `${currentOf(node).app}.zip`)
  const whole = node.file('instance/config.json')
  await suffer(t, {
    ...steady,
    node,
    fault: 'the app’s slot and its package cut',
    strike: () =>
      whileDown(() => {
        spoil(inApp('index.js'), path => truncateSync(path, 10))
        truncateSync(zip, 200)
      }),
  })
  await suffer(t, {
    ...steady,
    node,
    fault: 'the app’s slot gone',
    strike: () => whileDown(() => rmSync(join(slots, currentOf(node).app), { recursive: true })),
  })
  const cut = whileDown(() => truncateSync(join(node.home, 'instance/config.json'), 30))
  await cut
  t.equal(node.file('instance/config.json'), whole, 'config.json is put back')
  t.equal(await meet(node), `app ${version}`)
  await suffer(t, {
    ...steady,
    node,
    fault: 'current.json empty',
    strike: () => whileDown(() => truncateSync(join(slots, 'current.json'), 0)),
  })
  await whileDown(() => spoil(join(slots, currentOf(node).shoal, 'README.md'), path => flipByte(path, 3)))
  await until(
    'the built-in slot’s damage is told',
    async () => logged(node, 'slot damaged').some(line => line.includes('README.md')),
    60_000,
  )
  await until('and shown', async () => (await node.api('nodes/self')).health === 'degraded')
  await fleet.linked()
})

void t.test('every other small file of a home, cut or gone', { timeout: 280_000 }, async t => {
  const fleet = await fleetOf(t, 1)
  const node = fleet.first
  const small = ['instance/local.token', 'instance/slots/builtin', 'instance/slots/current.json.bak', 'instance/config.json.bak']
  const files = [...small, 'instance/slots/attempts', 'instance/data.json', 'instance/run/supervisor.json', 'instance/logs/node.log']
  for (const how of ['cut', 'gone']) {
    await suffer(t, {
      ...steady,
      node,
      fault: `${files.join(', ')}: ${how}`,
      strike: async () => {
        await node.kill()
        for (const file of files.map(each => join(node.home, each)).filter(each => existsSync(each)))
          if (how === 'gone') rmSync(file)
          else truncateSync(file, Math.min(5, statSync(file).size))
        await node.start()
      },
    })
  }
  for (const name of ['node.key', 'node.pem', 'ca.pem']) {
    const path = join(node.home, 'certs', name)
    const whole = readFileSync(path)
    await node.kill()
    truncateSync(path, 40)
    await t.rejects(node.start(), { message: /HOME_DAMAGED/ }, `without ${name} it is nobody, and says so`)
    writeFileSync(path, whole, { mode: 0o600 })
    await node.start()
    t.equal(await meet(node), `app ${version}`)
  }
  await node.kill()
  for (const name of ['web.pem', 'web.key']) writeFileSync(join(node.home, 'certs', name), 'half wri', { mode: 0o600 })
  await node.start()
  t.equal(await meet(node), `app ${version}`, 'a web certificate that is none is left aside')
  await node.kill()
  truncateSync(join(node.home, 'certs/node.key'), 40)
  await must(node.cli(['reset-identity', '--yes', '--json']))
  const founded = await node.cli(['init', '--listen', '127.0.0.1:0', '--operator', 'anna', '--json'])
  t.equal(founded.code, 0, founded.stderr)
  await node.start()
  t.equal(node.file('instance/data/keep.txt'), `kept by ${node.name}`)
})

for (const year of [2000, 2040]) {
  void t.test(`a clock at ${year}`, { timeout: 280_000 }, async t => {
    const env = clockAt(year)
    if (env === null) {
      t.comment('skipped: libfaketime is not installed')
      return
    }
    const fleet = await fleetOf(t, 2)
    const node = fleet.node(1)
    await suffer(t, {
      ...steady,
      node,
      fault: `clock at ${year}`,
      strike: async () => {
        await node.kill()
        await node.start(env)
      },
    })
    t.equal(JSON.parse((await node.get()).body).year, year, 'it believes so')
    await fleet.linked()
    const done = await fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), '1.1.0'))
    t.equal(done.code, 0, done.stderr)
    const own = await fleet.deploy(node, makeFaultApp(join(fleet.dir, 'apps'), '1.2.0'))
    t.equal(own.code, 0, own.stderr)
    t.same(await fleet.versions(), ['1.2.0', '1.2.0'])
    await node.kill()
    await node.start()
    await fleet.linked()
  })
}

void t.test('a full disk', { timeout: 280_000 }, async t => {
  const fleet = new TestFleet(t)
  const disk = onSmallDisk(t, fleet.dir)
  if (disk === null) {
    t.comment('skipped: no right to mount a small tmpfs, so no full disk')
    return
  }
  await fleet.found(2)
  await must(fleet.deploy(fleet.first, makeFaultApp(join(fleet.dir, 'apps'), version)))
  const node: TestNode = fleet.first
  keepSomething(node)
  await suffer(t, { ...steady, node, fault: 'disk full while it runs', strike: disk.fill })
  const refused = await fleet.deploy(fleet.node(1), makeFaultApp(join(fleet.dir, 'apps'), '1.1.0'))
  t.same([refused.code, refused.json().state], [5, 'stalled'])
  t.equal(refused.json().nodes.find(n => n.id === node.id)?.reason?.code, 'DISK_FULL')
  t.equal(await meet(node), `app ${version}`)
  await suffer(t, {
    ...steady,
    node,
    fault: 'disk full when it starts',
    strike: async () => {
      await node.kill()
      disk.fill()
      await node.start()
    },
  })
  t.equal((await node.api('nodes/self')).health, 'degraded')
  disk.empty()
  await fleet.linked()
  const done = await fleet.deploy(fleet.node(1), makeFaultApp(join(fleet.dir, 'apps'), '1.2.0'))
  t.equal(done.code, 0, done.stderr)
  t.equal(await meet(node), 'app 1.2.0')
})
