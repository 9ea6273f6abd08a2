import { join } from 'node:path'
import t from 'tap'
import { longestWait } from './faults.ts'
import { makeApp, TestFleet } from './fleet.ts'

/** Longer than a switch with a probation of one second lasts: 31 s. */
const slowMs = 36_000

void t.test('a migration that is longer than any switch: rehearsed, so the switch waits for it', { timeout: 290_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const { first } = fleet
  const apps = join(fleet.dir, 'apps')
  t.equal((await fleet.deploy(first, makeApp(apps, { version: '1.0.0' }))).code, 0)
  const migrate = `export async function migrate({ dataDir }) {
    await new Promise(done => setTimeout(done, ${slowMs}))
    appendFileSync(join(dataDir, 'schema.txt'), '2')
  }`
  const v2 = makeApp(apps, { version: '2.0.0', extra: { dataVersion: 2 }, extraModule: migrate })
  const asking = new AbortController()
  const longest = longestWait(first, asking.signal)
  const done = await first.cli(['deploy', v2, ...fleet.signing(first), '--json'], { timeoutMs: 280_000 })
  asking.abort()
  const { seconds, statuses } = await longest
  t.comment(`| switch | a migration of ${slowMs / 1000} s | ${statuses} | ${seconds} |`)
  t.equal(done.code, 0, done.stderr)
  t.equal(await first.version(), '2.0.0')
  t.equal(first.file('instance/data/schema.txt'), '2')
  const self = await first.api('nodes/self')
  t.equal(self.outcome, 'confirmed')
  t.ok((self.migrationMs ?? 0) >= slowMs)
  t.match((await first.cli(['nodes', 'show', 'self'])).stdout, /the migration took 3\d s on a copy/)
})
