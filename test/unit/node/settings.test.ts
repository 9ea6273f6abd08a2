// config.json while the node runs: what is meant for now, what is meant for the next start, and what no session may write.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Config, defaultConfig, formatConfig } from '../../../src/model/index.ts'
import { Settings } from '../../../src/node/home.ts'
import { homePaths } from '../../../src/slots/index.ts'
import { refuseNewCommands } from '../../../src/web/config-routes.ts'

const read = (path: string): Config => JSON.parse(readFileSync(path, 'utf8')) as Config

void t.test('a change counts at once, what is written counts at the next start', async t => {
  const home = t.testdir({ instance: { 'config.json': formatConfig(defaultConfig('box')) } })
  const paths = homePaths(home)
  const settings = new Settings(paths, read(paths.config))
  await settings.write(config => ({ ...config, listen: '127.0.0.1:9000' }))
  t.equal(settings.config.listen, defaultConfig('box').listen, 'the node goes on as it is')
  t.equal(settings.file().listen, '127.0.0.1:9000')
  await settings.change(config => ({ ...config, name: 'shop' }))
  t.equal(settings.config.name, 'shop')
  t.equal(settings.config.listen, defaultConfig('box').listen, 'a change brings nothing else of the file along')
  t.match(settings.file(), { name: 'shop', listen: '127.0.0.1:9000' }, 'and takes nothing back')
  const error = new Error('no')
  const refused = settings.write(() => {
    throw error
  })
  await t.rejects(refused, error)
  await settings.change(config => ({ ...config, tags: ['a=b'] }))
  t.strictSame(read(paths.config).tags, ['a=b'], 'one that was refused stops no other')
  writeFileSync(join(home, 'instance/config.json'), '{ "name": 7 }')
  t.throws(() => settings.file(), { code: 'BAD_REQUEST' })
})

void t.test('a command of an alert is kept or dropped over the API, never named or changed', t => {
  const config = (...alerts: Config['alerts']): Config => ({ ...defaultConfig('box'), alerts })
  const [hook, mail] = [{ webhook: 'https://example.org/a' }, { command: ['/bin/mail', 'ops'] }]
  const rows: [Config, Config, boolean][] = [
    [config(), config(hook), true],
    [config(mail), config(mail, hook), true],
    [config(mail, hook), config(), true],
    [config(), config(mail), false],
    [config(mail), config({ command: ['/bin/mail', 'me'] }), false],
    [config(mail), config(mail, { command: ['/bin/sh', '-c', 'id'] }), false],
  ]
  for (const [before, after, isFine] of rows) {
    const act = (): void => refuseNewCommands(before, after)
    if (isFine) t.doesNotThrow(act)
    else t.throws(act, { code: 'NOT_ALLOWED' }, JSON.stringify(after.alerts))
  }
  t.end()
})
