import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { must, shoal, TestFleet, TestNode } from './fleet.ts'

/** `start --json` of a home: its one document, and how to end it. */
function startJson(
  args: readonly string[],
  env: Record<string, string> = {},
): { document: Promise<string>; end: () => Promise<number | null> } {
  const child = spawn(process.execPath, [resolve('src/boot.js'), 'start', '--json', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>(done => child.once('exit', done))
  let text = ''
  const document = new Promise<string>(done => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (/^\}$/m.test(text)) done(text)
    })
    child.once('exit', () => done(text))
  })
  return {
    document,
    end: async () => {
      child.kill('SIGTERM')
      return ended
    },
  }
}

void t.test('a disk image joins at its first start, by file, environment or certs/join-token', { timeout: 200_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const { token } = (await must(fleet.first.cli(['invite', '--uses', '5', '--json']))).json()
  const box = (name: string): TestNode => {
    const node = new TestNode(join(fleet.dir, name), name)
    mkdirSync(join(node.home, 'certs'), { recursive: true })
    fleet.nodes.push(node)
    return node
  }
  const options = (node: TestNode): string[] => ['--home', node.home, '--name', node.name, '--listen', '127.0.0.1:0']

  await t.test('certs/join-token: 0600, and gone once it is used', async t => {
    const node = box('image-1')
    const file = join(node.home, 'certs/join-token')
    writeFileSync(file, token, { mode: 0o644 })
    const refused = await shoal(['start', '--json', ...options(node)])
    t.match(refused, { code: 1 })
    t.equal(refused.json().error.code, 'KEY_FILE_MODE')
    t.ok(existsSync(file))
    writeFileSync(file, token, { mode: 0o600 })
    const { chmodSync } = await import('node:fs')
    chmodSync(file, 0o600)
    const started = startJson(options(node))
    t.match(JSON.parse(await started.document), { state: 'ready', url: /^https:\/\/127\.0\.0\.1:\d+$/, node: /^[a-z2-7]{8}$/, app: 'none' })
    t.notOk(existsSync(file))
    t.equal(await started.end(), 0)
    await node.start()
    t.equal((await fleet.first.api('nodes')).nodes.length, 2)
    await node.stop()
  })

  await t.test('SHOAL_TOKEN, and later starts ignore it', async t => {
    const node = box('image-2')
    const first = startJson(options(node), { SHOAL_TOKEN: token })
    t.match(JSON.parse(await first.document).state, 'ready')
    t.equal(await first.end(), 0)
    const again = startJson(options(node), { SHOAL_TOKEN: 'shoal1.nonsense' })
    t.match(JSON.parse(await again.document).state, 'ready')
    t.equal(await again.end(), 0)
  })

  await t.test('--join FILE; a bad token ends it with its code and changes nothing', async t => {
    const node = box('image-3')
    const file = join(fleet.dir, 'token')
    writeFileSync(file, `${token.slice(0, 60)}\n`)
    const refused = await shoal(['start', '--json', '--join', file, ...options(node)])
    t.equal(refused.code, 1)
    t.equal(refused.json().error.code, 'TOKEN_MALFORMED')
    t.equal((await shoal(['start', '--json', '--join', file, '--init', ...options(node)])).json().error.code, 'USAGE')
    writeFileSync(file, `${token}\n`)
    await fleet.first.stop()
    const started = startJson(['--join', file, ...options(node)])
    await fleet.first.start()
    t.match(JSON.parse(await started.document).state, 'ready', 'it waits for the node that lets it in')
    t.equal(await started.end(), 0)
    t.ok(existsSync(file), 'a file of the user’s own stays')
  })

  await t.test('start --json of a node that cannot start: the reason is the one document', async t => {
    const second = await shoal(['start', '--json', '--home', fleet.first.home])
    t.equal(second.code, 1)
    t.equal(second.json().error.code, 'ALREADY_RUNNING')
  })
})
