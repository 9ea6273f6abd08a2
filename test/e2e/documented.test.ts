import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { ask, hex, id52, type Json, logIn, nobody, refused } from './ask.ts'
import { makeApp, must, operator, passphrase, TestFleet } from './fleet.ts'

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

  await t.test('every documented route answers as documented', async t => {
    let seen = 0
    for (const [path, operations] of Object.entries<Json>(document.paths)) {
      for (const [method, operation] of Object.entries<Json>(operations)) {
        const url = path
          .replace('{digest}', hex)
          .replace('{id}', path.includes('rollouts') ? 'latest' : 'self')
          .replace('{file}', 'none')
          .replace('{name}', 'eve')
        const isRead = method === 'get' && !path.endsWith('/events') && operation['x-access'] !== 'peer'
        if (!isRead) {
          // Whoever may not is told so in the documented form; what this changes is tested elsewhere.
          const reply = await ask(
            node,
            nobody,
            url.replace('{part}', 'x'),
            method === 'get' ? {} : { method: method.toUpperCase(), body: {} },
          )
          if (reply.status >= 400) t.equal(isAs('#/components/schemas/Error', reply.json), '', `${method} ${path}`)
          continue
        }
        const reply = await ask(node, admin, url)
        const schema = operation.responses['200']?.content?.['application/json']?.schema.$ref
        if (reply.status >= 400) t.equal(isAs('#/components/schemas/Error', reply.json), '', `${method} ${path}`)
        else if (schema !== undefined) t.equal(isAs(schema, reply.json), '', `${method} ${path} is ${schema}`)
        seen += 1
      }
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
    const promtool = ['/usr/bin/promtool', '/usr/local/bin/promtool'].find(path => existsSync(path))
    if (promtool === undefined) t.comment('promtool is not on this machine (package prometheus): its check was left out')
    else t.equal(execFileSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' }).trim(), '', 'promtool has nothing to say')
  })
})
