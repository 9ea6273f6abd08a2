import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { ask, type Caller, id52, logIn, nobody, Pen, refused, sessionOf } from './ask.ts'
import { makeApp, must, operator, passphrase, TestFleet } from './fleet.ts'
import { callerFor, type Cast, filled, goodRequests, type Operation, operationsOf, provoke } from './requests.ts'
import type { Json } from '../helpers/json.ts'

void t.test('what the node says of itself is so', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  const admin = await logIn(node, operator, passphrase)
  await must(fleet.deploy(node, makeApp(fleet.dir, { version: '1.0.0' })))
  const document: Json = (await ask(node, nobody, 'openapi.json')).json
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema({ $id: 'shoal', ...document })
  const isAs = (name: string, value: unknown): string => {
    const check = ajv.compile({ $ref: `shoal${name}` })
    return check(value) ? '' : ajv.errorsText(check.errors)
  }

  await t.test('every documented reading answers as documented', async t => {
    let seen = 0
    for (const { method, path, access, told } of operationsOf(document)) {
      if (method !== 'GET' || path.endsWith('/events') || access === 'peer') continue
      const url = filled(path, { id: path.includes('rollouts') ? 'latest' : 'self' })
      const reply = await ask(node, admin, url)
      const schema = told.responses['200']?.content?.['application/json']?.schema.$ref
      if (reply.status >= 400) t.equal(isAs('#/components/schemas/Error', reply.json), '', `${method} ${path}`)
      else if (schema !== undefined) t.equal(isAs(schema, reply.json), '', `${method} ${path} is ${schema}`)
      seen += 1
    }
    t.ok(seen > 20, `${seen} routes read`)
    t.equal(isAs('#/components/schemas/Nodes', { nodes: [{}] }) === '', false, 'the schemas refuse what is not so')
    refused(t, await ask(node, admin, `nodes/${id52}`), 'NOT_FOUND', 'and errors have their codes')
  })

  await t.test('every answer of ours is safe and has its id', async t => {
    for (const [who, path] of [
      [nobody, '/_shoal/livez'],
      [nobody, 'nodes'],
      [admin, 'nodes'],
      [nobody, 'nowhere'],
    ] as const) {
      const { headers, json } = await ask(node, who, path)
      t.match(headers, {
        'x-content-type-options': 'nosniff',
        'content-security-policy': /default-src 'none'/,
        'referrer-policy': 'no-referrer',
        'x-request-id': /^[0-9a-f-]{36}$/,
      })
      t.equal(headers['strict-transport-security'], undefined, 'no HSTS')
      if (json.error !== undefined) t.equal(json.error.requestId, headers['x-request-id'])
    }
    const stranger = (await ask(node, nobody, 'nodes')).bytes.toString()
    for (const word of [node.home, node.id, 'node.js', 'at ', '1.0.0']) t.notOk(stranger.includes(word), `strangers are not told "${word}"`)
  })

  await t.test('metrics: Prometheus takes them, and the dashboard for Grafana asks for no other', async t => {
    refused(t, await ask(node, nobody, '/_shoal/metrics'), 'UNAUTHENTICATED', 'strangers read none')
    const { token } = (await ask(node, admin, 'tokens', { body: { name: 'prometheus' } })).json
    const reply = await ask(node, { name: 'prometheus', token }, '/_shoal/metrics')
    t.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/)
    const text = reply.bytes.toString()
    t.match(text, /^shoal_nodes\{reach="self"\} 1$/m)
    t.match(text, /^shoal_rollout_nodes\{result="confirmed"\} 1$/m)
    t.match(text, /^shoal_app_info\{app="till",version="1\.0\.0",digest="[0-9a-f]{64}"\} 1$/m)
    const families = new Set([...text.matchAll(/^# TYPE (\w+) /gm)].map(m => m[1] ?? ''))
    const asked = readFileSync('docs/grafana.json', 'utf8').matchAll(
      /\b((?:shoal|process|nodejs)_\w+?)(?:_bucket|_sum|_count)?(?=[{\\"\s)[,])/g,
    )
    const names = new Set([...asked].map(m => m[1] ?? ''))
    t.ok(names.size >= 15, [...names].join(' '))
    for (const name of names) t.ok(families.has(name), name)
    for (const name of families) t.ok(names.has(name), `${name} is shown`)
    const checked = (input: string): string => {
      const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
      return error === undefined ? `${status} ${stdout}${stderr}` : ''
    }
    if (checked(text) === '') t.comment('promtool is not on this machine (package prometheus): its check was left out')
    else {
      t.equal(checked(text), '0 ', 'promtool has nothing to say')
      t.not(checked(text.replace('# TYPE shoal_facts gauge', '# TYPE shoal_facts gouge')), '0 ', 'and it does look')
    }
  })

  await t.test('every documented change and refusal is answered as documented', async t => {
    const cast = await castOf(fleet, admin)
    const operations = operationsOf(document)
    const find = (route: string): Operation => {
      const found = operations.find(op => `${op.method} ${op.path}` === route)
      if (found === undefined) throw new Error(`${route} is not documented`)
      return found
    }
    let refusals = 0
    for (const op of operations) {
      for (const status of op.refusals) {
        if (status === 422 && op.access !== 'bytes') continue // Idempotency-Key: below, since it takes a request that was taken before.
        if (status === 503 && op.access === 'bytes') continue // As many uploads as there is room for: test/e2e/api.test.ts.
        if (status === 429) continue // Five wrong passphrases: test/e2e/sessions.test.ts.
        const what = `${status} ${op.method} ${op.path}`
        const reply = await provoke(cast, op, status)
        t.equal(reply?.status, status, `${what}: ${reply?.bytes.toString().slice(0, 200)}`)
        t.equal(isAs('#/components/schemas/Error', reply?.json), '', what)
        refusals += 1
      }
    }
    t.ok(refusals > 200, `${refusals} refusals provoked`)

    const done = new Set<string>()
    const requests = goodRequests(cast)
    for (let next = await requests.next(); next.done !== true; ) {
      const { route, known, body, headers, as, at = node } = next.value
      const op = find(route)
      const caller = as ?? callerFor(op.access, cast)
      const ownKey: Record<string, string> = op.method === 'POST' && op.access !== 'bytes' ? { 'idempotency-key': `once-${done.size}` } : {}
      if (op.hasBody) t.equal(isAs(op.told.requestBody.content['application/json'].schema.$ref, body), '', `${route}: what is sent`)
      const question = { method: op.method, headers: { ...ownKey, ...headers }, ...(body === undefined ? {} : { body }) }
      const reply = await ask(at, caller, filled(op.path, known), question)
      t.ok(
        reply.status < 300 && String(reply.status) in op.told.responses,
        `${route}: ${reply.status} ${reply.bytes.toString().slice(0, 200)}`,
      )
      const { $ref } = op.told.responses[reply.status].content['application/json'].schema
      t.equal(isAs($ref, reply.json), '', `${route} is ${$ref}`)
      if (op.refusals.includes(422) && !/self.(?:stop|restart|leave)$/.test(route)) {
        const other = await ask(at, caller, filled(op.path, known), { ...question, body: { other: done.size } })
        if (op.access !== 'bytes') refused(t, other, 'IDEMPOTENCY_MISMATCH', `${route}: the key with another body`)
      }
      done.add(route)
      next = await requests.next(route === 'POST api/v1/session' ? sessionOf(operator, reply) : reply.json)
    }
    const changes = operations.filter(op => op.method !== 'GET').map(op => `${op.method} ${op.path}`)
    t.same([...done].toSorted(), changes.toSorted(), 'no documented change is left out')
  })
})

async function castOf(fleet: TestFleet, admin: Caller): Promise<Cast> {
  const node = fleet.first
  const { token } = (await must(node.cli(['invite', '--json', ...fleet.signing(node)]))).json()
  const second = await fleet.join(token)
  await fleet.linked()
  const pen = await Pen.of(node)
  const file = join(fleet.dir, '2.0.0.zip')
  await must(node.cli(['pack', makeApp(fleet.dir, { version: '2.0.0' }), '--out', file, '--json']))
  const oldRoot = (await ask(node, admin, 'fleet')).json.root
  await ask(node, admin, 'operators', { body: { name: 'vera', role: 'viewer' } })
  const { config } = (await ask(node, admin, 'config')).json
  const digest = (await ask(node, admin, 'releases')).json.releases[0].packages.any
  const ghost = await pen.ghost('ghost')
  return { node, second, admin, pen, ghost, zip: readFileSync(file), release: 'till@2.0.0', oldRoot, config, digest }
}
