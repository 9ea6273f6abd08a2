import { cpSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { contents, makeApp, must, shoal, TestFleet, type TestNode, until } from '../e2e/fleet.ts'
import { type Edits, repack, withoutNode } from '../e2e/repack.ts'

/** A copy of this checkout with a short probation; dependencies are shared. */
function copyOfCheckout(dir: string, version: string): string {
  mkdirSync(dir)
  for (const name of ['src', 'README.md', 'LICENSE', 'docs']) cpSync(name, join(dir, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(dir, 'node_modules'))
  const pkg = { ...JSON.parse(readFileSync('package.json', 'utf8')), version, shoal: { probation: { seconds: 1 } } }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(pkg, null, 2))
  return dir
}

/** Asks every node for the app all the time; what went wrong is counted. */
function underLoad(nodes: readonly TestNode[]): () => Promise<readonly string[]> {
  const wrong: string[] = []
  let isOver = false
  const ask = async (node: TestNode): Promise<void> => {
    while (!isOver) {
      const answer = await node.get().catch((error: unknown) => ({ status: 0, body: String(error) }))
      if (answer.status !== 200) wrong.push(`${node.name}: ${answer.status} ${answer.body}`)
      await sleep(20)
    }
  }
  const asking = nodes.map(ask)
  return async () => {
    isOver = true
    await Promise.all(asking)
    return wrong
  }
}

void t.test('two nodes: Shoal updates itself, worker now, supervisor at its next start', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const nodes = [fleet.first, fleet.node(1)]
  await must(fleet.deploy(fleet.first, makeApp(join(fleet.dir, 'apps'), { version: '1.0.0' })))
  const identities = nodes.map(n => n.identity())
  const appStarts = (): string[] => nodes.map(n => n.file('instance/data/starts.txt').replaceAll('1.0.0\n', ''))
  const builtIn = (await fleet.first.api('nodes/self')).shoal

  const zipOf = (version: string, edits?: Edits): string => repack(packed, join(fleet.dir, `${version}.zip`), version, edits)
  const packed = join(fleet.dir, 'packed.zip')
  const versions = async (): Promise<string[]> => Promise.all(nodes.map(async n => (await n.api('nodes/self')).shoal.version))
  /** The slot whose Node.js a process of the node runs on: 0 is the supervisor, the rest are workers. */
  const slotsOf = (node: TestNode): (string | undefined)[] =>
    node
      .pids()
      .slice(1)
      .map(pid => /slots\/([0-9a-f]{64})\//.exec(readlinkSync(`/proc/${pid}/exe`))?.[1])
  const restart = async (node: TestNode): Promise<void> => {
    const before = node.pids()[1]
    await must(node.cli(['restart', '--json']))
    await until(`${node.name} has another supervisor and serves`, async () => {
      const after = node.pids()[1]
      return after !== undefined && after !== before && (await node.get()).status === 200
    })
  }
  const stays = async (version: string): Promise<void> => {
    await fleet.linked()
    t.same(await versions(), [version, version])
    t.same(await fleet.versions(), ['1.0.0', '1.0.0'], 'the app serves')
    t.same(
      nodes.map(n => n.identity()),
      identities,
      'identity and config.json are byte-identical',
    )
    t.same(appStarts(), ['', ''], 'data as the app left it')
  }
  const deploy = async (node: TestNode, zip: string) => {
    const endLoad = underLoad(nodes)
    const before = nodes.map(n => n.pids()[1])
    const done = await fleet.deploy(node, zip)
    t.same(await endLoad(), [], 'every request was answered by the app')
    t.same(
      nodes.map(n => n.pids()[1]),
      before,
      'the supervisors stay',
    )
    return done
  }
  const deployBad = async (zip: string, code: string, message: string): Promise<void> => {
    const done = await deploy(fleet.first, zip)
    t.equal(done.code, 5, done.stderr)
    t.equal(done.json().state, 'halted')
    const touched = done.json().nodes.filter(n => n.outcome !== null)
    t.equal(touched.length, 1, 'only the canary was touched')
    t.match(touched[0]?.reason, { code, message: new RegExp(message) })
  }

  await t.test('a checkout packs itself', async t => {
    const source = copyOfCheckout(join(fleet.dir, 'checkout'), '9.0.0')
    const made = await must(shoal(['pack', source, '--shoal', '--out', packed, '--json']))
    t.match(JSON.parse(made.stdout), { kind: 'shoal', name: 'shoal', version: '9.0.0', platform: `${process.platform}-${process.arch}` })
  })

  await t.test('N to N+1: new workers on the Node.js of the package, at once', async t => {
    const done = await deploy(fleet.first, zipOf('9.1.0'))
    t.equal(done.code, 0, done.stderr)
    t.equal(done.json().state, 'completed')
    await stays('9.1.0')
    for (const node of nodes) {
      t.match(node.output, /"event":"test package fetched","bytes":[1-9]\d*,"sources":1/, 'it came from the other node')
      t.match(node.output, '"event":"can update itself"')
      const { digest } = (await node.api('nodes/self')).shoal
      t.equal(slotsOf(node)[0], builtIn.digest, 'the supervisor is still the old one')
      t.equal(slotsOf(node).at(-1), digest)
    }
  })

  await t.test('after a restart the supervisor is the new one', async () => {
    for (const node of nodes) {
      await restart(node)
      const { digest } = (await node.api('nodes/self')).shoal
      t.same(new Set(slotsOf(node)), new Set([digest]))
      t.equal(JSON.parse(node.file('instance/slots/current.json')).supervisor, digest)
    }
    await stays('9.1.0')
  })

  await t.test('N+1 to N+2, ordered at the other node by the new command', async t => {
    const done = await deploy(fleet.node(1), zipOf('9.2.0'))
    t.equal(done.code, 0, done.stderr)
    await stays('9.2.0')
  })

  await t.test('a broken N+3 stops at the canary: its worker throws at import', async () => {
    const breaks = (text: string): string => `if (process.argv.includes('work')) throw new Error('a module is missing')\n${text}`
    await deployBad(zipOf('9.3.0', { 'src/main.js': breaks, ...withoutNode }), 'WORKER_EXITED', 'exit code 1')
    await stays('9.2.0')
  })

  await t.test('a version that could not do the next update is found out before it confirms', async () => {
    const refuses = (text: string): string =>
      text.replace(
        'async function unpackPackage(',
        "async function unpackPackage() { throw new Error('no zip is good enough') }\nasync function was(",
      )
    await deployBad(zipOf('9.3.1', { 'src/packages/unpack.js': refuses, ...withoutNode }), 'CANNOT_UPDATE', 'stage: no zip is good enough')
    const fails = (text: string): string =>
      text.replace('async function supervise(argv) {', "async function supervise(argv) {\n throw new Error('cannot supervise')\n")
    await deployBad(
      zipOf('9.3.2', { 'src/supervisor/main.js': fails, ...withoutNode }),
      'CANNOT_UPDATE',
      'supervisor: [^]*cannot supervise',
    )
    await stays('9.2.0')
  })

  await t.test('a supervisor that fails only when it starts in earnest: the loader comes back on the slot before', async () => {
    const fails = (text: string): string =>
      text.replace(
        'async function supervise(argv) {',
        "async function supervise(argv) {\n if (!argv.includes('--check')) throw new Error('cannot supervise')\n",
      )
    const done = await deploy(fleet.first, zipOf('9.3.3', { 'src/supervisor/main.js': fails, ...withoutNode }))
    t.equal(done.code, 0, done.stderr)
    await stays('9.3.3')
    for (const node of nodes) await restart(node)
    await stays('9.2.0')
    for (const [node, other] of [nodes, nodes.toReversed()] as const)
      await until('the fleet knows that it does not run what it confirmed', async () => {
        const { health, outcome, reason } = await (other ?? fleet.first).api(`nodes/${node?.id ?? ''}`)
        return health === 'degraded' && outcome === 'rolled-back' && reason?.code === 'SUPERVISOR_FAILED'
      })
  })

  await t.test('and from there the next release is taken', async t => {
    const files = nodes.map(n => contents(join(n.home, 'certs')))
    const done = await deploy(fleet.first, zipOf('9.4.0', withoutNode))
    t.equal(done.code, 0, done.stderr)
    await stays('9.4.0')
    for (const node of nodes) t.equal((await node.api('nodes/self')).health, 'ok')
    t.same(
      nodes.map(n => contents(join(n.home, 'certs'))),
      files,
    )
  })

  const otherNode = process.env['SHOAL_TEST_OTHER_NODE']
  await t.test('another Node.js major in the package', { skip: otherNode === undefined && 'SHOAL_TEST_OTHER_NODE names none' }, async t => {
    const done = await deploy(fleet.first, zipOf('9.5.0', { 'bin/node': readFileSync(otherNode ?? '') }))
    t.equal(done.code, 0, done.stderr)
    for (const node of nodes) await restart(node)
    await stays('9.5.0')
    const { digest } = (await fleet.first.api('nodes/self')).shoal
    t.same(new Set(slotsOf(fleet.first)), new Set([digest]))
    const back = await must(
      fleet.first.cli(['rollout', 'start', 'shoal@9.2.0', '--allow-downgrade', ...fleet.signing(fleet.first), '--wait', '--json']),
    )
    t.equal(back.json().state, 'completed')
    await stays('9.2.0')
  })

  t.same(await Promise.all(nodes.map(n => n.stop())), [0, 0])
})
