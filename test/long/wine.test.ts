/**
 * Loader, supervisor and worker as Windows programs, with a real node.exe under wine: found, serve, deploy, switch, go back, restart, be killed,
 * stop. `npm run test:wine`; `-- --short` leaves out going back and the kill. Skipped with a line where there is no wine.
 * What wine cannot show: folders renamed while a file in them is open, junctions, access lists, virus scanners.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { boot, driveC, installProgram, noWine, shutDown, WineRun } from './wine.ts'

const isShort = process.argv.includes('--short') || process.env['SHOAL_WINE_SHORT'] !== undefined
const top = join(driveC, 'shoal-test')
const program = 'C:\\shoal-test\\program'
const home = 'C:\\shoal-test\\home'
let runs = 0

const run = (argv: readonly string[]): WineRun => new WineRun(program, argv, join(top, `run-${++runs}`))

async function shoal(argv: readonly string[], want = 0): Promise<WineRun> {
  const done = run([...argv, '--home', home])
  const code = await done.exit
  if (code !== want) throw new Error(`${argv.join(' ')}: exit ${code}, expected ${want}\n${done.err}\n${done.out}`)
  return done
}

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false }, res => {
      let body = ''
      res.on('data', (chunk: Buffer) => (body += chunk.toString()))
      res.on('end', () => resolve(body))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end()
  })
}

async function start(): Promise<WineRun> {
  const node = run(['start', '--home', home])
  for (let tries = 0; !/^ready https:/m.test(node.out); tries++) {
    if (node.child.exitCode !== null || tries > 1200) throw new Error(`it did not start\n${node.err}`)
    await sleep(100)
  }
  return node
}

function writeApp(version: string, onStart = ''): void {
  mkdirSync(join(top, 'app'), { recursive: true })
  const pkg = { name: 'till', version, type: 'module', shoal: { app: 'index.js', probation: { seconds: 1 } } }
  writeFileSync(join(top, 'app/package.json'), JSON.stringify(pkg))
  writeFileSync(
    join(top, 'app/index.js'),
    `export default host => { ${onStart}; return { handler: (req, res) => res.end(host.version) } }\n`,
  )
}

const deploy = (want = 0): Promise<WineRun> =>
  shoal(['deploy', 'C:\\shoal-test\\app', '--soak', '300ms', '--operator', 'anna', '--json'], want)

void t.test('a node as Windows programs', { skip: noWine ?? false, timeout: 600_000 }, async t => {
  boot()
  shutDown()
  rmSync(top, { recursive: true, force: true })
  mkdirSync(top)
  installProgram(join(top, 'program'))
  t.teardown(shutDown)
  await shoal(['init', '--name', 'box', '--listen', '127.0.0.1:0', '--operator', 'anna', '--json'])
  let node = await start()
  const config = readFileSync(join(top, 'home/instance/config.json'), 'utf8')
  const port = Number(/"listen": "127\.0\.0\.1:(\d+)"/.exec(config)?.[1])
  t.match(await get(port, '/_shoal/readyz'), '"status":"ok"')

  writeApp('1.0.0')
  await deploy()
  t.equal(await get(port, '/'), '1.0.0', 'the app answers over TLS')
  const load = { isOn: true, answered: 0, failed: 0 }
  const client = (async () => {
    while (load.isOn) {
      await get(port, '/').then(
        () => load.answered++,
        () => load.failed++,
      )
      await sleep(20)
    }
  })()
  writeApp('2.0.0')
  await deploy()
  load.isOn = false
  await client
  t.equal(await get(port, '/'), '2.0.0', 'the next version')
  t.ok(load.answered > 0)
  t.equal(load.failed, 0, `of ${load.answered + load.failed} requests during the switch`)

  if (!isShort) {
    writeApp('3.0.0', "throw new Error('not today')")
    const failed = await deploy(5)
    t.match(failed.out, 'not today')
    t.equal(await get(port, '/'), '2.0.0', 'it has gone back')
  }
  await shoal(['restart'])
  t.equal(await get(port, '/'), '2.0.0')
  t.match((await shoal(['doctor', '--json'])).out, '"ok": true')
  t.match((await shoal(['service', 'print', '--kind', 'winsw'])).out, `<workingdirectory>${home}</workingdirectory>`)

  if (!isShort) {
    node.child.kill('SIGKILL')
    await node.exit
    await t.rejects(untilGone(port), 'with the loader ends all that it started')
    node = await start()
    t.equal(await get(port, '/'), '2.0.0')
  }
  await shoal(['stop'])
  t.equal(await node.exit, 0)
  t.equal(readFileSync(join(top, 'home/instance/config.json'), 'utf8'), config)
})

/** Rejects as soon as nobody answers. */
async function untilGone(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    await get(port, '/')
    await sleep(100)
  }
}
