import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { ClientRequest } from 'node:http'
import { Agent, request } from 'node:https'
import { connect as connectTcp, createServer } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { WebSocket } from 'ws'
import { makeCa, makeNodeCertificate, newNodeKey } from '../../src/trust/index.ts'
import { routesOf } from '../../src/web/routes.ts'
import { ask, type Caller, changesNothing, failure, hex, id52, logIn, nobody, Pen, refused, type Reply, tokenOf } from './ask.ts'
import { must, operator, passphrase, TestFleet, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

void t.test('a node asked from outside: who may what, and in which words', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  const token = tokenOf(node)
  const pen = await Pen.of(node)
  const post = (path: string, body: unknown, as: Caller = token): Promise<Reply> => ask(node, as, path, { body })
  const member = await pen.ghost('ghost')
  const removed = await pen.ghost('outcast')

  // An open connection of the outcast, from before its removal.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const document = `/_shoal/peer/v1/documents/${hex}`
  t.equal((await ask(node, removed.caller, document, { agent })).code, 'NOT_FOUND', 'a member may ask')
  const removal = pen.sign('removal', await pen.removal(removed.id))
  t.equal((await post(`nodes/${removed.id}/remove`, { envelope: removal }, nobody)).status, 200)

  const strange = makeCa()
  const strangeKey = newNodeKey()
  const add = async (name: string, role: string): Promise<Caller> => {
    const made = await must(node.cli(['operators', 'add', name, '--role', role, '--json', '--yes', ...fleet.signing(node)]))
    return logIn(node, name, made.json().passphrase)
  }
  const callers: Record<string, Caller> = {
    nobody,
    token,
    script: { name: 'script', token: (await post('tokens', { name: 'script' })).json.token },
    viewer: await add('vera', 'viewer'),
    operator: await add('otto', 'operator'),
    admin: await logIn(node, operator, passphrase),
    member: member.caller,
    removed: removed.caller,
    'look-alike': { name: 'look-alike', cert: { cert: makeNodeCertificate(strangeKey.spki, pen.fleet, strange), key: strangeKey.key } },
    'no-alpn': { ...member.caller, alpn: false },
  }

  await t.test('who may call what: every route of the table', async t => {
    const strangers = { anyone: '', bytes: '', 'signs as operator': '', 'signs as admin': '' }
    const isNoPeer = Object.fromEntries(
      [...Object.keys(strangers), 'viewer', 'person', 'home', 'home or operator', 'home or admin', 'admin'].map(a => [a, 'NOT_ALLOWED']),
    )
    /** '' = let through to what the route does; what is not named is NOT_ALLOWED; strangers are asked to log in. */
    const allowed: Record<string, Record<string, string>> = {
      nobody: { ...Object.fromEntries(Object.keys(isNoPeer).map(a => [a, 'UNAUTHENTICATED'])), ...strangers },
      token: { ...strangers, viewer: '', home: '', 'home or operator': '', 'home or admin': '' },
      viewer: { anyone: '', viewer: '', person: '' },
      operator: { anyone: '', bytes: '', viewer: '', person: '', 'home or operator': '', 'signs as operator': '' },
      admin: { ...strangers, viewer: '', person: '', 'home or operator': '', 'home or admin': '', admin: '' },
      script: { ...strangers, viewer: '' },
      member: { ...isNoPeer, peer: '' },
      removed: { ...isNoPeer, peer: 'NOT_MEMBER' },
    }
    allowed['no-alpn'] = allowed['nobody'] ?? {}
    const routes = routesOf({} as never, {} as never)
    t.ok(routes.length > 30, `${routes.length} routes seen`)
    t.ok(routes.some(r => r.access === 'peer'))
    await changesNothing(t, node, async () => {
      for (const { method, path, access } of routes) {
        const url = `/_shoal/${path.replace('{/:part}', '').replace(':digest', hex).replace(':id', id52).replace(':name', 'eve')}`
        for (const [name, caller] of Object.entries(callers)) {
          if (path.includes('/self/') && (allowed[name]?.[access] === '' || method === 'GET')) continue // it would stop, restart or leave
          if (path === 'api/v1/session' && method === 'DELETE' && caller.session !== undefined) continue // and this would end the session
          const asked = ask(
            node,
            caller,
            url,
            method === 'GET' ? {} : { method, body: { envelope: {} }, headers: { 'x-shoal-digest': hex } },
          )
          if (name === 'look-alike') {
            t.match(await failure(asked), /ECONNRESET|ERR_SSL|EPIPE/, `${name} ${method} ${path}`)
            continue
          }
          const { code, status } = await asked
          const want = allowed[name]?.[access] ?? 'NOT_ALLOWED'
          if (want === '') t.notMatch(code, /^(UNAUTHENTICATED|NOT_ALLOWED|NOT_MEMBER|INTERNAL)$/, `${name} ${method} ${path}: ${code}`)
          else t.equal(code, want, `${name} ${method} ${path}: ${status}`)
        }
      }
    })
    refused(t, await ask(node, { name: 'wrong token', token: `${token.token ?? ''}x` }, 'nodes'), 'UNAUTHENTICATED', 'a wrong token')
    refused(t, await ask(node, { ...member.caller, token: token.token }, 'nodes'), 'NOT_ALLOWED', 'a certificate with a token')
    refused(t, await ask(node, member.caller, '/'), 'NOT_ALLOWED', 'a peer at the app’s paths')
  })

  await t.test('doors: TLS, plain HTTP, Host, Origin', async t => {
    t.equal((await ask(node, nobody, '/_shoal/livez', { maxVersion: 'TLSv1.2' })).status, 200, 'TLS 1.2 is good for people')
    t.match(await failure(ask(node, member.caller, document, { maxVersion: 'TLSv1.2' })), /EPROTO|ERR_SSL|ECONNRESET/, 'and not for peers')
    t.match(await failure(ask(node, nobody, '/_shoal/livez', { plain: true })), /ECONNRESET|EPIPE/, 'plain HTTP is closed')
    const hosts: [string, string][] = [
      ['evil.example', 'MISDIRECTED'],
      ['evil.shoal', 'MISDIRECTED'],
      ['user@127.0.0.1', 'MISDIRECTED'],
      ['203.0.113.7', 'MISDIRECTED'],
      ['[2001:db8::7]:8443', 'MISDIRECTED'],
      ['0.0.0.0', 'MISDIRECTED'],
      ['localhost:1', ''],
      [`${node.id}.${pen.fleet}.shoal`, ''],
      ['box-1:8443', ''],
      ['[::1]:8443', ''],
    ]
    for (const [host, code] of hosts) t.equal((await ask(node, token, 'nodes', { headers: { host } })).code, code, `host "${host}"`)
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${node.port}`])
      refused(t, await ask(node, token, 'nodes', { headers: { origin } }), 'FOREIGN_ORIGIN', origin)
    t.equal((await ask(node, token, 'nodes', { headers: { origin: `https://127.0.0.1:${node.port}` } })).status, 200)
    const atApp = await ask(node, nobody, '/', { headers: { host: 'shop.example', origin: 'https://evil.example' } })
    t.equal(atApp.status, 302, 'the app’s paths take any')
    for (const path of ['/_shoal/../_shoal/api/v1/nodes', '//_shoal/api/v1/nodes', '/_SHOAL/api/v1/nodes', '/%5Fshoal/api/v1/nodes'])
      t.equal((await ask(node, nobody, path)).status >= 400, true, path)
  })

  await t.test('a removed node, and others, get no link', async t => {
    refused(t, await ask(node, removed.caller, document, { agent }), 'NOT_MEMBER', 'on the connection it had')
    const upgrade = async (caller: Caller): Promise<string> => {
      const ws = new WebSocket(`wss://127.0.0.1:${node.port}/_shoal/mesh`, 'shoal.mesh.v1', {
        rejectUnauthorized: false,
        ...(caller.cert ?? {}),
        ...((caller.alpn ?? caller.cert !== undefined) ? { ALPNProtocols: ['shoal/1'] } : {}),
      })
      const what = await new Promise<string>(done => {
        ws.on('open', () => done('open'))
        ws.on('unexpected-response', (_req, res) => done(String(res.statusCode)))
        ws.on('error', error => done('code' in error ? String(error.code) : error.message))
      })
      ws.terminate()
      return what
    }
    t.equal(await upgrade(member.caller), 'open')
    t.equal(await upgrade(removed.caller), '403')
    t.equal(await upgrade(nobody), '403')
    t.equal(await upgrade(callers['no-alpn'] ?? nobody), '403')
    t.match(await upgrade(callers['look-alike'] ?? nobody), /ECONNRESET|ERR_SSL|EPIPE/)
  })

  await t.test('bodies: no JSON, too large, of another type, with prototypes', async t => {
    const raw = (body: string | Buffer, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<Reply> =>
      ask(node, token, 'self/rename', { method: 'POST', body, headers })
    await changesNothing(t, node, async () => {
      refused(t, await raw('{'), 'BAD_REQUEST', 'cut')
      refused(t, await raw('[]'), 'BAD_REQUEST', 'a list')
      refused(t, await raw('null'), 'BAD_REQUEST', 'null')
      refused(t, await raw(''), 'BAD_REQUEST', 'empty')
      refused(t, await raw(Buffer.from([0xff, 0xfe, 0x00])), 'BAD_REQUEST', 'no text')
      refused(t, await raw(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), 'BAD_REQUEST', 'deep')
      refused(t, await raw('{"__proto__":{"name":"evil"}}'), 'BAD_REQUEST', '__proto__')
      refused(t, await raw('{"name":{"__proto__":"x"}}'), 'BAD_REQUEST', 'an object for a name')
      refused(t, await raw('{"name":"a\\u202eb"}'), 'BAD_REQUEST', 'a name that runs backwards')
      refused(t, await raw('{"name":"x"}', {}), 'UNSUPPORTED_TYPE', 'no type')
      refused(t, await raw('{"name":"x"}', { 'content-type': 'text/plain' }), 'UNSUPPORTED_TYPE', 'another type')
      const large = Buffer.alloc(20 << 20, 0x20)
      refused(t, await raw(large), 'TOO_LARGE', '20 MB: the client hears why, though it still writes')
      refused(t, await ask(node, nobody, 'self/rename', { body: large }), 'UNAUTHENTICATED', 'permission is judged before the body')
      refused(t, await post('rollouts/draft', { release: 'till@1.0.0', by: operator, canary: ['__proto__'] }), 'UNKNOWN_RELEASE', 'a draft')
      refused(t, await post('peers', { address: 'http://127.0.0.1' }), 'BAD_REQUEST', 'no address')
      refused(t, await post('peers', { address: '127.0.0.1:1' }), 'NO_NODE', 'nobody there')
      refused(t, await post('peers', { address: `127.0.0.1:${node.port}` }), 'NO_NODE', 'itself')
    })
  })

  await t.test('uploads: so many at once, and none that stands still holds a place for ever', async t => {
    const zip = Buffer.alloc(100_000, 7)
    const payload = pen.release('7.0.0', zip)
    t.equal((await post('releases', { envelope: pen.sign('release', payload) }, nobody)).status, 201)
    const headers = { 'content-type': 'application/zip', 'x-shoal-digest': payload.packages.any.digest, 'content-length': '100000' }
    const begin = (): ClientRequest => {
      const req = request({
        host: '127.0.0.1',
        port: node.port,
        path: '/_shoal/api/v1/packages',
        method: 'POST',
        headers,
        agent: false,
        rejectUnauthorized: false,
      })
      req.on('error', () => undefined)
      req.write(zip.subarray(0, 10))
      return req
    }
    const inbox = (): number => readdirSync(join(node.home, 'instance/inbox')).length
    const held = [begin(), begin()]
    await until('two are under way', async () => inbox() === 2)
    const third = await ask(node, nobody, 'packages', { body: zip, headers })
    refused(t, third, 'BUSY', 'a stranger’s third from one address')
    t.match(third.headers['retry-after'], /^[1-9]/)
    t.equal((await ask(node, token, 'packages', { body: zip, headers })).code, 'NOT_A_ZIP', 'strangers take no place of who is known')
    for (const req of held) req.destroy()
    await until('what was cut is gone', async () => inbox() === 0)
    refused(t, await ask(node, nobody, 'packages', { body: zip, headers }), 'NOT_A_ZIP', 'and its place is free again')
  })

  await t.test('lists, methods, and errors of one shape', async t => {
    const all = (await ask(node, token, 'nodes')).json
    t.equal(all.nodes.length, 2)
    t.match(all, { counts: { total: 2, lost: 1 }, next: null })
    const page = (await ask(node, token, 'nodes?limit=1')).json
    const rest = (await ask(node, token, `nodes?limit=1&after=${page.next}`)).json
    t.same(
      [...page.nodes, ...rest.nodes].map((n: Json) => n.id),
      all.nodes.map((n: Json) => n.id),
    )
    t.equal(rest.next, null)
    t.equal((await ask(node, token, 'nodes?outcome=confirmed')).json.nodes.length, 0)
    t.equal((await ask(node, token, 'nodes?step=idle&health=ok')).json.nodes.length, 2)
    t.equal((await ask(node, token, 'nodes?q=BOX-')).json.nodes[0].self, true)
    t.equal((await ask(node, token, 'nodes?tag=x')).json.nodes.length, 0)
    t.equal((await ask(node, token, 'nodes?all=1')).json.nodes.length, 3, 'with who was removed')
    for (const query of [
      'limit=0',
      'limit=1.5',
      'limit=99999999',
      'limit=x',
      'limit=1&limit=2',
      'step=flying',
      'health=',
      'outcome=__proto__',
    ])
      refused(t, await ask(node, token, `nodes?${query}`), 'BAD_REQUEST', query)
    refused(t, await ask(node, token, `nodes?after=${id52}`), 'NOT_FOUND', 'after nobody')
    for (const path of [
      'nodes/aa',
      'nodes/%00',
      'nodes/%ff',
      'nodes/__proto__',
      'rollouts/constructor',
      `packages/${hex}`,
      'x',
      'API/nodes',
    ])
      refused(t, await ask(node, token, path), 'NOT_FOUND', path)
    refused(t, await ask(node, token, 'packages/..%2f..%2fcerts%2fnode.key'), 'BAD_REQUEST', 'a path for a digest')
    const wrong = await ask(node, token, 'nodes', { method: 'DELETE' })
    refused(t, wrong, 'METHOD_NOT_ALLOWED', 'DELETE nodes')
    t.equal(wrong.headers.allow, 'HEAD, GET')
    const head = await ask(node, token, 'nodes', { method: 'HEAD' })
    t.same([head.status, head.bytes.length], [200, 0])
    t.equal((await ask(node, token, 'events', { method: 'HEAD' })).status, 200)
    t.equal((await ask(node, nobody, 'nodes')).headers['www-authenticate'], 'Bearer')
    t.equal((await ask(node, nobody, '/_shoal/livez')).json.node, undefined, 'strangers learn no more than that it lives')
  })

  await t.test('events resume where they stopped', async t => {
    const listen = async (last: string): Promise<{ text: () => string; end: () => void }> => {
      const socket = connect({ host: '127.0.0.1', port: node.port, rejectUnauthorized: false })
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      socket.on('error', () => undefined)
      const lines = ['GET /_shoal/api/v1/events HTTP/1.1', 'Host: localhost', `Authorization: Bearer ${token.token ?? ''}`]
      socket.write([...lines, ...(last === '' ? [] : [`Last-Event-ID: ${last}`]), '', ''].join('\r\n'))
      await until('the stream begins', async () => text.includes('retry: '))
      return { text: () => text, end: () => socket.destroy() }
    }
    const idsOf = (text: string): string[] => [...text.matchAll(/^id: (\d+)$/gm)].map(m => m[1] ?? '')
    const first = await listen('')
    await post('self/rename', { name: 'box-1b' })
    await until('it is told', async () => first.text().includes('"box-1b"'))
    first.end()
    const start = idsOf(first.text())[0] ?? ''
    await post('self/rename', { name: 'box-1' })
    const second = await listen(start)
    await until('what was missed comes', async () => second.text().includes('"box-1"'))
    t.notMatch(second.text(), 'event: reset')
    second.end()
    for (const last of ['1', '99999999999999', 'nonsense', '-1', '1e3']) {
      const reset = await listen(last)
      t.match(reset.text(), 'event: reset', `Last-Event-ID: ${last}`)
      t.equal(idsOf(reset.text()).length, 1, 'with the id to go on from')
      reset.end()
    }
  })

  await t.test('a sync peer at an IPv6 address does not spoil config.json', async t => {
    const { token: invitation } = (await must(node.cli(['invite', '--json', ...fleet.signing(node)]))).json()
    const second = await fleet.join(invitation)
    const bridge = createServer(socket => {
      const on = connectTcp(second.port, '127.0.0.1')
      for (const s of [socket, on]) s.on('error', () => undefined)
      socket.pipe(on).pipe(socket)
    })
    bridge.listen(0, '::1')
    await once(bridge, 'listening')
    t.teardown(() => bridge.close())
    const address = `[::1]:${(bridge.address() as { port: number }).port}`
    const pinned = await post('peers', { address })
    t.same([pinned.status, pinned.json], [201, { id: second.id, address }])
    await node.stop()
    await node.start()
    t.ok((await node.api('peers')).peers.some(p => p.pinned))
    t.equal((await ask(node, token, `peers/${second.id}`, { method: 'DELETE' })).status, 200)
  })
})
