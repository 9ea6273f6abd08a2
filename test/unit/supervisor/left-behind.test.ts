/** What a killed worker had started is ended before anything opens data/, as far as it is provably its. Real processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { endAtOnce, homePaths, identityOf, isAlive, markedFor, registryOf, withGroup, writeRegistry } from '../../../src/slots/index.ts'
import { becomeOnlyOne } from '../../../src/supervisor/only-one.ts'

const keeper = { service: '', restart: '' } as const
const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })`

/** A worker, as far as processes go, and the program that it started. */
async function workerOf(t: Test, env: NodeJS.ProcessEnv) {
  const program = `process.stdout.write(String(${child}.pid) + '\\n'); setInterval(() => {}, 1000)`
  const leader = spawn(process.execPath, ['-e', program], { ...withGroup, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(leader.stdout, 'data')) as [Buffer]
  const started = Number(String(said))
  t.teardown(() => {
    endAtOnce(started)
    leader.kill('SIGKILL')
  })
  return { leader, started, identity: identityOf(leader.pid ?? 0) }
}

const options = { skip: process.platform === 'linux' ? false : 'told by /proc' }

void t.test('what a killed worker had started ends; what is not provably its lives', options, async t => {
  const paths = homePaths(t.testdir({ instance: {} }))
  mkdirSync(paths.run, { recursive: true })
  process.chdir(paths.home)
  const ours = await workerOf(t, markedFor(paths.home))
  const others = await workerOf(t, markedFor('/another/home'))
  const unmarked = await workerOf(t, { ...process.env })
  const notNoted = await workerOf(t, markedFor(paths.home))
  const all = [ours, others, unmarked]
  writeRegistry(registryOf(paths), keeper, [{ pid: 0, began: '' }, ...all.map(({ identity }) => identity)])
  for (const { leader } of all) {
    leader.kill('SIGKILL')
    await once(leader, 'exit')
  }
  t.ok(isAlive(ours.started), 'it outlives its worker')
  const registry = await becomeOnlyOne(paths, keeper)
  t.teardown(registry.release)
  t.same(
    [ours, others, unmarked, notNoted].map(({ started }) => isRunning(started)),
    [false, true, true, true],
  )
})

/** A zombie that init has not yet seen has ended too. */
const isRunning = (pid: number): boolean => identityOf(pid).began !== ''
