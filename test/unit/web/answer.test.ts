/** What the first answer of a worker costs: it comes just after a switch, when everybody waits. */
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import t from 'tap'

const answer = resolve('src/web/answer.ts')
/** One request of each kind through Koa; prints the bodies, and whether the fetch client was loaded. */
const script = `
import { createRequire } from 'node:module'
import Koa from 'koa'
import { setAnswer } from ${JSON.stringify(answer)}
const { createServer, get } = createRequire(import.meta.url)('node:http')
const answers = { object: { a: 1 }, list: [1], text: 'plain', bytes: Buffer.from('raw'), nothing: null }
const koa = new Koa()
koa.use(ctx => setAnswer(ctx, answers[ctx.path.slice(1)]))
const server = createServer(koa.callback()).listen(0, '127.0.0.1', async () => {
  const said = {}
  for (const name of Object.keys(answers)) {
    const res = await new Promise(done => get({ port: server.address().port, path: '/' + name, agent: false }, done))
    let body = ''
    for await (const chunk of res) body += chunk
    said[name] = [res.statusCode, res.headers['content-type'] ?? null, body]
  }
  server.close()
  console.log(JSON.stringify({ said, isFetchLoaded: process.moduleLoadList.some(name => name.includes('deps/undici/undici')) }))
})
`

void t.test('objects, lists, text, bytes and nothing are answered, and none of them loads the fetch client', t => {
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  t.same(JSON.parse(out), {
    said: {
      object: [200, 'application/json; charset=utf-8', '{"a":1}'],
      list: [200, 'application/json; charset=utf-8', '[1]'],
      text: [200, 'text/plain; charset=utf-8', 'plain'],
      bytes: [200, 'application/octet-stream', 'raw'],
      nothing: [204, null, ''],
    },
    isFetchLoaded: false,
  })
  t.end()
})
