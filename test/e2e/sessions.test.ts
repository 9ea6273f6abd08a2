import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseNodeId } from '../../src/model/index.ts'
import { answerChallenge, newOperatorKey, openOperatorKey } from '../../src/trust/index.ts'
import { ask, type Caller, logIn, nobody, Pen, refused, type Reply, sessionOf } from './ask.ts'
import { must, operator, passphrase, TestFleet, until } from './fleet.ts'

void t.test('sessions: in, out, through a restart, and never by another', { timeout: 280_000 }, async t => {
  const fleet = await new TestFleet(t).found(2)
  const node = fleet.first
  const other = fleet.node(1)
  const pen = await Pen.of(node)
  const session = (of: Caller, q: object = {}, at = node): Promise<Reply> => ask(at, of, 'session', q)
  const enter = (body: object, at = node): Promise<Reply> => ask(at, nobody, 'session', { body })

  await t.test('log in, reload, log out', async t => {
    const reply = await enter({ name: operator, passphrase })
    t.equal(reply.status, 201)
    t.match(reply.json, { name: operator, role: 'admin', csrf: /^[\w-]{43}$/, canSign: true })
    t.match(reply.headers['set-cookie']?.[0], /^__Host-shoal=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/)
    const caller = sessionOf(operator, reply)
    const { cookie, csrf } = caller.session!
    const again = await session(caller)
    t.same([again.status, again.json.csrf], [200, csrf], 'a reload is told the same')
    t.equal((await ask(node, caller, 'nodes')).status, 200)
    t.equal((await ask(node, caller, '/_shoal/healthz')).json.shoal.name, 'shoal', 'is told what runs')
    refused(t, await session({ name: 'no csrf', session: { cookie, csrf: '' } }, { method: 'DELETE' }), 'CSRF', 'without x-csrf')
    refused(
      t,
      await session({ name: 'odd csrf', session: { cookie, csrf: cookie } }, { method: 'DELETE' }),
      'CSRF',
      'the cookie is no csrf',
    )
    const planted = { headers: { cookie: `__Host-shoal=${cookie}; __Host-shoal=${'a'.repeat(43)}` } }
    refused(t, await session(nobody, planted), 'UNAUTHENTICATED', 'two cookies are none')
    for (const origin of ['https://evil.example', 'null'])
      refused(t, await session(caller, { method: 'DELETE', headers: { origin } }), 'FOREIGN_ORIGIN', origin)
    const second = sessionOf(operator, await ask(node, caller, 'session', { body: { name: operator, passphrase } }))
    refused(t, await session(caller), 'UNAUTHENTICATED', 'a new log-in ends the session that it replaces')
    const left = await session(second, { method: 'DELETE' })
    t.equal(left.status, 200)
    t.match(left.headers['set-cookie']?.[0], /^__Host-shoal=; .*Max-Age=0$/)
    refused(t, await session(second), 'UNAUTHENTICATED', 'after logging out')
    const db = ['', '-wal'].map(end => readFileSync(join(node.home, `instance/node.db${end}`)).toString('latin1')).join('')
    t.notOk(db.includes(cookie), 'node.db has no cookie')
    t.notOk(node.output.includes(cookie) || node.output.includes(passphrase), 'nor has the log')
  })

  await t.test('who is not let in', async t => {
    const wrong = await enter({ name: operator, passphrase: 'wrong' })
    refused(t, wrong, 'LOGIN_FAILED', 'a wrong passphrase')
    const unknown = await enter({ name: 'nobody-knows', passphrase })
    refused(t, unknown, 'LOGIN_FAILED', 'an unknown name')
    t.equal(wrong.json.error.message, unknown.json.error.message, 'both hear the same')
    for (const name of ['../anna', '../../certs/operators/anna', '__proto__', '', 'ANNA'])
      refused(t, await enter({ name, passphrase }), 'LOGIN_FAILED', `name "${name}"`)
    for (const body of [{}, { name: operator }, { name: [operator], passphrase }, { name: operator, passphrase: 'x'.repeat(5000) }])
      refused(t, await enter(body), 'BAD_REQUEST', JSON.stringify(body).slice(0, 60))
    refused(t, await enter({ name: operator, passphrase: 'x'.repeat(20_000) }), 'TOO_LARGE', 'more than anybody needs')
    refused(t, await enter({ name: operator, passphrase }, other), 'NO_OPERATOR_KEY', 'a node that keeps no keys says so of all names')
  })

  await t.test('with a key file, at any node: the key stays where it is', async t => {
    const key = openOperatorKey(node.file(`certs/operators/${operator}.json`), passphrase)
    const stranger = newOperatorKey(operator, passphrase).key
    const challenge = async (at = other): Promise<string> => (await ask(at, nobody, 'session/challenge')).json.challenge
    const answer = (c: string, by = key, at = other): object => ({
      keyid: by.keyid,
      challenge: c,
      signature: answerChallenge(by, pen.fleet, parseNodeId(at.id), c),
    })
    const one = await challenge()
    const reply = await enter(answer(one), other)
    t.equal(reply.status, 201)
    t.match(reply.json, { name: operator, role: 'admin', canSign: false })
    t.equal((await session(sessionOf(operator, reply), {}, other)).status, 200)
    refused(t, await session(sessionOf(operator, reply)), 'UNAUTHENTICATED', 'a session is good at its node only')
    refused(t, await enter(answer(one), other), 'LOGIN_FAILED', 'a challenge is answered once')
    refused(t, await enter(answer(await challenge(), stranger), other), 'LOGIN_FAILED', 'a key that the root does not name')
    refused(t, await enter(answer(await challenge(), key, node), other), 'LOGIN_FAILED', 'signed for another node')
    const [expires = '', ...rest] = (await challenge()).split('.')
    refused(t, await enter(answer([Number(expires) + 1, ...rest].join('.')), other), 'LOGIN_FAILED', 'a challenge that lives longer')
  })

  await t.test('a session outlives its node’s restart, and ends with its person', async t => {
    const added = await must(node.cli(['operators', 'add', 'otto', '--role', 'operator', '--json', '--yes', ...fleet.signing(node)]))
    const otto = await logIn(node, 'otto', added.json().passphrase)
    await node.stop()
    await node.start()
    t.match((await session(otto)).json, { name: 'otto', role: 'operator', csrf: otto.session?.csrf })
    await must(node.cli(['operators', 'remove', 'otto', '--json', '--yes', ...fleet.signing(node)]))
    await until('it has ended', async () => (await session(otto)).code === 'UNAUTHENTICATED')
    refused(t, await enter({ name: 'otto', passphrase: added.json().passphrase }), 'LOGIN_FAILED', 'who was removed')
  })

  await t.test('guessing is slowed down, and the right one is let in elsewhere', async t => {
    const tries = await Promise.all(Array.from({ length: 12 }, () => enter({ name: 'victim', passphrase: 'guess' })))
    const codes = tries.map(r => r.code)
    t.equal(codes.filter(c => c === 'LOGIN_FAILED').length, 5, codes.join())
    const refusal = tries.find(r => r.code === 'TOO_MANY_TRIES')!
    refused(t, refusal, 'TOO_MANY_TRIES', 'the sixth at once')
    t.match(refusal.headers['retry-after'], /^[1-9]\d*$/)
    t.equal((await enter({ name: operator, passphrase })).status, 201, 'another name is not held up by it')
  })
})
