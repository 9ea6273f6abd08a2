import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, type Json, refused, tokenOf } from './ask.ts'
import { type CliResult, makeApp, must, TestFleet, until } from './fleet.ts'

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
