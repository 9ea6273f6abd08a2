import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { codes } from '../../../src/model/index.ts'
import { openApiOf, routeAbouts } from '../../../src/web/openapi.ts'
import { routesOf } from '../../../src/web/routes.ts'
import { placeOf, Throttle } from '../../../src/web/sessions/throttle.ts'
import { expose } from '../../../src/web/exposition.ts'

const routes = routesOf({} as never, {} as never)

void t.test('every route is described, and nothing else', async t => {
  t.same(routes.map(r => `${r.method} ${r.path}`).toSorted(), Object.keys(routeAbouts).toSorted())
})

void t.test('the document is whole: what it refers to is there, every schema compiles', async t => {
  const document = openApiOf(routes, '1.2.3') as { openapi: string; paths: object; components: { schemas: Record<string, object> } }
  t.equal(document.openapi, '3.1.0')
  const text = JSON.stringify(document)
  for (const [, name = ''] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) t.ok(name in document.components.schemas, name)
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema({ $id: 'shoal', ...document })
  for (const name of Object.keys(document.components.schemas)) t.ok(ajv.compile({ $ref: `shoal#/components/schemas/${name}` }), name)
  t.same(document.components.schemas['Code'], { enum: Object.keys(codes) }, 'the closed list of codes')
  t.notMatch(text, /\/\{?:/, 'paths in OpenAPI’s form')
})

void t.test('guessing is slowed down by name and address, by address, and in all', async t => {
  const throttle = new Throttle()
  const tries = (name: string, address: string, now: number, n: number): number[] =>
    Array.from({ length: n }, () => throttle.take(name, address, now))
  t.same(tries('anna', '10.0.0.1', 0, 6), [0, 0, 0, 0, 0, 1000], 'five are free, then one second')
  t.equal(throttle.take('anna', '10.0.0.1', 999), 1)
  t.equal(throttle.take('anna', '10.0.0.1', 1000), 0)
  t.equal(throttle.take('anna', '10.0.0.1', 1000), 2000, 'then two')
  t.equal(throttle.take('anna', '10.0.0.2', 1000), 0, 'from elsewhere she is let in')
  throttle.succeeded('anna', '10.0.0.1')
  t.equal(throttle.take('anna', '10.0.0.1', 1001), 0, 'a good one begins anew')
  const waits = Array.from({ length: 40 }, (_, i) => throttle.take(`name-${i}`, '10.0.0.3', 2000))
  t.equal(waits.filter(w => w === 0).length, 30, 'an address has 30 a minute, whatever the names')
  t.equal(throttle.take('x', '10.0.0.3', 60_000), 0, 'until the minute is over')
  const all = Array.from({ length: 150 }, (_, i) => throttle.take('y', `10.1.${i}.1`, 60_001))
  t.equal(all.filter(w => w === 0).length, 99, 'all together have 100')
  let now = 1e9
  for (let i = 0; i < 30; i++) now += Math.max(60_000, throttle.take('slow', '10.0.0.9', now))
  throttle.take('slow', '10.0.0.9', now)
  t.ok(throttle.take('slow', '10.0.0.9', now) <= 900_000, 'never for longer than 15 minutes')
  t.equal(placeOf('::ffff:10.0.0.1'), '10.0.0.1')
  t.equal(placeOf('2001:db8:1:2:3:4:5:6'), placeOf('2001:db8:1:2::9'), 'a host of IPv6 has a whole /64')
  t.not(placeOf('2001:db8:1:2::1'), placeOf('2001:db8:1:3::1'))
})

void t.test('metrics: what others write cannot break a line', async t => {
  const text = expose([{ name: 'a', type: 'gauge', help: 'H.', samples: [{ labels: { x: 'q"\\\n# TYPE b' }, value: 1 }] }])
  t.equal(text, '# HELP a H.\n# TYPE a gauge\na{x="q\\"\\\\\\n# TYPE b"} 1\n')
})

void t.test('docs/api.md names every code that logging in gives', async t => {
  const text = readFileSync('docs/api.md', 'utf8')
  for (const code of ['LOGIN_FAILED', 'TOO_MANY_TRIES', 'CSRF', 'NO_OPERATOR_KEY', 'BUSY', 'IDEMPOTENCY_MISMATCH', 'IDEMPOTENCY_UNKNOWN'])
    t.ok(code in codes && text.includes(code), code)
})
