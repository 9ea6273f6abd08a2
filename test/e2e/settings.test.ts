import { X509Certificate } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { makeWebCertificate } from '../../src/trust/index.ts'
import { ask, refused, tokenOf } from './ask.ts'
import { type CliResult, makeApp, must, TestFleet, type TestNode, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

void t.test('settings and secrets while a release is on trial', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  const app = (version: string, probationSeconds = 1): string => makeApp(join(fleet.dir, 'apps'), { version, probationSeconds })
  const inProbation = async (version: string): Promise<{ readonly result: Promise<CliResult> }> => {
    const result = fleet.deploy(node, app(version, 6))
    await until('the probation has begun', async () => (await node.api('nodes/self')).step === 'probation')
    return { result }
  }
  const config = (): Json => JSON.parse(node.file('instance/config.json'))
  t.equal((await fleet.deploy(node, app('1.0.0'))).code, 0)

  await t.test('what the node’s operator sets is no damage', async t => {
    const done = await inProbation('2.0.0')
    const set = (await must(node.cli(['config', 'set', 'tags', 'till', '--json']))).json() as Json
    t.match(set, { key: 'tags', value: ['till'], restart: true })
    t.equal((await done.result).code, 0)
    t.equal(await node.version(), '2.0.0')
    t.same(config().tags, ['till'])
    t.match((await ask(node, tokenOf(node), 'audit?q=/config')).json.audit[0], { action: 'POST api/v1/config', result: 'ok' })
  })

  await t.test('what anything else writes is', async t => {
    const before = node.file('instance/config.json')
    const done = await inProbation('3.0.0')
    writeFileSync(join(node.home, 'instance/config.json'), before.replace('"till"', '"kiosk"'))
    t.equal((await done.result).code, 5)
    t.match((await node.api('nodes/self')).reason, { code: 'DATA_CHANGED' })
    writeFileSync(join(node.home, 'instance/config.json'), before)
  })

  await t.test('settings that no app could start with are not taken', async t => {
    const before = node.file('instance/config.json')
    t.match((await node.cli(['config', 'set', 'app', '42', '--json'])).json().error, { code: 'USAGE', message: /config\.json\.app/ })
    const body = { before: config(), config: { ...config(), app: 42 } }
    refused(t, await ask(node, tokenOf(node), 'config', { body }), 'BAD_REQUEST', 'by the API')
    const stale = { before: { ...config(), name: 'seen' }, config: { ...config(), name: 'other' } }
    refused(t, await ask(node, tokenOf(node), 'config', { body: stale }), 'CONFLICT', 'somebody changed it meanwhile')
    t.equal(node.file('instance/config.json'), before)
  })

  await t.test('secrets that others may read are found before the switch', async t => {
    const secrets = join(node.home, 'instance/app.env')
    writeFileSync(secrets, 'KEY=1\n', { mode: 0o644 })
    const starts = readFileSync(join(node.home, 'instance/data/starts.txt'), 'utf8')
    const done = await fleet.deploy(node, app('4.0.0'))
    t.equal(done.code, 5, done.stderr)
    const { outcome, reason } = await node.api('nodes/self')
    t.match([outcome, reason], ['refused', { code: 'KEY_FILE_MODE', message: /app\.env.*644/ }])
    t.equal(readFileSync(join(node.home, 'instance/data/starts.txt'), 'utf8'), starts, 'nothing was started')
    const sick = await node.cli(['doctor', '--json'])
    t.ok((sick.json() as Json).checks.some((each: Json) => each.code === 'KEY_FILE_MODE' && /app\.env/.test(each.message)))
    await node.stop()
    await node.start().catch(() => undefined)
    t.match(node.output, /app\.env.*644/, 'start says it too')
    chmodSync(secrets, 0o600)
    await node.stop()
    await node.start()
    await must(node.cli(['rollout', 'retry', 'latest', '--json', ...fleet.signing(node)]))
    await until('4.0.0 runs', async () => (await node.version()) === '4.0.0')
  })
})

/** The certificate that the node shows to who asks for this name. */
const shownTo = (node: TestNode, servername: string): Promise<X509Certificate> =>
  new Promise((done, fail) => {
    const socket = connect({ host: '127.0.0.1', port: node.port, servername, rejectUnauthorized: false }, () => {
      done(new X509Certificate(socket.getPeerCertificate().raw))
      socket.destroy()
    })
    socket.on('error', fail)
  })

void t.test(
  'people see the certificate that lies in certs/, peers never do; without one it has the node’s names',
  { timeout: 200_000 },
  async t => {
    const fleet = await new TestFleet(t).found(2)
    const node = fleet.first
    const certs = (name: string): string => join(node.home, 'certs', name)
    const made = await shownTo(node, 'box-1')
    for (const name of ['box-1', 'localhost']) t.equal(made.checkHost(name), name)
    t.equal(made.checkIP('127.0.0.1'), '127.0.0.1')

    const own = makeWebCertificate(['shop.example'])
    writeFileSync(certs('web.pem'), own.cert)
    writeFileSync(certs('web.key'), own.key, { mode: 0o600 })
    await must(node.cli(['restart', '--json']))
    t.equal((await shownTo(node, 'shop.example')).fingerprint256, new X509Certificate(own.cert).fingerprint256)
    const { fleet: id } = (await node.api('fleet')) as unknown as { readonly fleet: string }
    const pinned = await shownTo(node, `${node.id}.${id}.shoal`)
    t.equal(
      pinned.fingerprint256,
      new X509Certificate(node.file('certs/node.pem')).fingerprint256,
      'who asks by the pinned name gets the node’s',
    )
    await fleet.linked()

    writeFileSync(certs('web.key'), makeWebCertificate(['other.example']).key, { mode: 0o600 })
    const doctor = await node.cli(['doctor', '--json'])
    t.equal(doctor.code, 1)
    t.match(
      doctor.stdout,
      /HOME_DAMAGED[^}]*web\.key: is not the key|web\.key: is not the key[^}]*HOME_DAMAGED/,
      'the doctor sees a key of another',
    )
    await must(node.cli(['restart', '--json']))
    t.equal(
      (await shownTo(node, 'box-1')).fingerprint256,
      made.fingerprint256,
      'it keeps no node from its work: people see the first one again',
    )
    await fleet.linked()
  },
)
