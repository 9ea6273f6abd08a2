// What Prometheus' own checker says of a real node's metrics.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { makeApp, must, TestFleet } from './fleet.ts'

const isHere = spawnSync('promtool', ['--version']).status === 0

await t.test('promtool accepts what a node serves', { skip: isHere ? false : 'no promtool here (Debian: package prometheus)' }, async t => {
  const fleet = await new TestFleet(t).found(1)
  await must(fleet.deploy(fleet.first, makeApp(fleet.dir, { version: '1.0.0' })))
  const scrape = async (): Promise<string> => {
    const { status, body } = await fleet.first.get('/_shoal/metrics', {
      authorization: `Bearer ${fleet.first.file('instance/local.token').trim()}`,
    })
    t.equal(status, 200)
    return body
  }
  // The second one counts the first.
  const [, text] = [await scrape(), await scrape()]
  t.match(text, /^shoal_nodes_app\{app="till@1\.0\.0"\} 1$/m)
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  t.strictSame({ status: checked.status, says: `${checked.stdout}${checked.stderr}` }, { status: 0, says: '' })
  const broken = spawnSync('promtool', ['check', 'metrics'], {
    input: text.replace('# TYPE shoal_facts gauge', '# TYPE shoal_facts gouge'),
  })
  t.not(broken.status, 0, 'it does look')
})
