import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { ask, type Caller, changesNothing, hex, logIn, nobody, refused, type Reply, tokenOf } from './ask.ts'
import { makeApp, must, operator, passphrase, TestFleet, until } from './fleet.ts'
import type { Json } from '../helpers/json.ts'

void t.test('what a session’s operator does in plain words, the node signs with that session’s key', { timeout: 240_000 }, async t => {
  const fleet = await new TestFleet(t).found(1)
  const node = fleet.first
  const token = tokenOf(node)
  const admin = await logIn(node, operator, passphrase)
  const post = (as: Caller, path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Reply> =>
    ask(node, as, path, { body, headers })
  const made = await post(admin, 'operators', { name: 'otto', role: 'operator' })
  t.equal(made.status, 201, made.bytes.toString())
  t.match(made.json, { name: 'otto', role: 'operator', keyid: /^[0-9a-f]{64}$/, passphrase: /^\w{5}(-\w{5}){5}$/ })
  const otto = await logIn(node, 'otto', made.json.passphrase)
  const vera = await logIn(node, 'vera', (await post(admin, 'operators', { name: 'vera', role: 'viewer' })).json.passphrase)
  t.same(
    (await ask(node, vera, 'operators')).json.operators.map((o: Json) => `${o.name} ${o.role}`),
    [`${operator} admin`, 'otto operator', 'vera viewer'],
  )

  const zip = async (version: string): Promise<Buffer> => {
    const file = join(fleet.dir, `${version}.zip`)
    await must(node.cli(['pack', makeApp(fleet.dir, { version }), '--out', file, '--json']))
    return readFileSync(file)
  }
  const one = await zip('1.0.0')
  const upload = (as: Caller, body: Buffer, headers: object = {}): Promise<Reply> =>
    ask(node, as, 'packages', { method: 'POST', body, headers: { 'content-type': 'application/zip', ...headers } })

  await t.test('packages: who may send what, and what is wrong with them', async t => {
    await changesNothing(t, node, async () => {
      refused(t, await upload(nobody, one), 'UNAUTHENTICATED', 'nobody, no digest')
      refused(t, await upload(nobody, one, { 'x-shoal-digest': hex }), 'UNKNOWN_DIGEST', 'nobody, a digest that nobody signed')
      refused(t, await upload(vera, one), 'NOT_ALLOWED', 'a viewer')
      refused(t, await upload(token, one, { 'x-shoal-digest': hex }), 'UNKNOWN_DIGEST', 'the home’s token signs nothing')
      refused(t, await upload(otto, one, { 'content-type': 'text/plain' }), 'UNSUPPORTED_TYPE', 'no zip by its type')
      refused(t, await upload(otto, Buffer.from('hello')), 'NOT_A_ZIP', 'no zip')
      refused(t, await upload(otto, one.subarray(0, one.length - 30)), 'NOT_A_ZIP', 'cut')
      refused(t, await upload(otto, one, { 'x-shoal-digest': hex }), 'DIGEST_MISMATCH', 'another digest')
      refused(t, await upload(otto, one, { 'content-length': String(300 << 20) }), 'TOO_LARGE', 'more than a package may have')
      refused(t, await upload(otto, one, { 'transfer-encoding': 'chunked' }), 'LENGTH_REQUIRED', 'without a length')
    })
  })

  let digest = ''
  await t.test('upload, release, draft, roll out, steer', async t => {
    const uploaded = await upload(otto, one)
    t.equal(uploaded.status, 201, uploaded.bytes.toString())
    t.match(uploaded.json, { digest: /^[0-9a-f]{64}$/, name: 'till', version: '1.0.0', kind: 'app', platform: 'any', size: one.length })
    digest = uploaded.json.digest
    refused(t, await post(otto, 'releases', { packages: [hex] }), 'UNKNOWN_DIGEST', 'a package that is not here')
    refused(t, await post(otto, 'releases', { packages: [] }), 'BAD_REQUEST', 'no package')
    const released = await post(otto, 'releases', { packages: [digest], notes: 'the first' })
    t.equal(released.status, 201, released.bytes.toString())
    t.equal((await post(otto, 'releases', { packages: [digest], notes: 'the first' })).status, 200, 'the same again')
    refused(t, await post(otto, 'releases', { packages: [digest], notes: 'another' }), 'RELEASE_EXISTS', 'another of the same version')

    const wish = { release: 'till@1.0.0', soakMs: 100 }
    const draft = (await post(vera, 'rollouts/draft', wish)).json
    t.equal(draft.order.by, 'vera', 'a viewer may see what would be')
    refused(t, await post(otto, 'rollouts', { ...wish, plan: hex }), 'CONFLICT', 'another plan than was shown')
    const ordered = await post(otto, 'rollouts', { ...wish, plan: draft.order.plan })
    t.equal(ordered.status, 201, ordered.bytes.toString())
    const { id } = ordered.json
    await until('it is done', async () => (await ask(node, vera, `rollouts/${id}`)).json.state === 'completed')
    t.equal((await ask(node, vera, `rollouts/${id}`)).json.initiatedBy, 'otto')
    t.equal(await node.version(), '1.0.0')
    t.equal((await ask(node, otto, 'session')).status, 200, 'the session outlives the switch of its node')

    const two = (await upload(otto, await zip('2.0.0'))).json.digest
    t.equal((await post(otto, 'releases', { packages: [two] })).status, 201, 'and its key still signs')
    const open = (await post(otto, 'rollouts', { release: 'till@2.0.0', window: 'Mon 00:00-00:01 UTC', soakMs: 100 })).json.id
    t.match((await post(otto, `rollouts/${open}/pause`)).json, { state: 'paused' })
    t.match((await post(admin, `rollouts/${open}/resume`)).json, { state: 'open' })
    refused(t, await post(otto, `rollouts/${open}/skip`, {}), 'NOTHING_TO_DO', 'skip, where nobody failed')
    t.match((await post(otto, `rollouts/${open}/abort`)).json, { state: 'aborted' })
  })

  await t.test('invite, hold, remove', async t => {
    const invited = await post(otto, 'invites', { expiresMs: 60_000 })
    t.match(invited.json, { id: /^[0-9a-f]{32}$/, token: /^shoal1\./ })
    const second = await fleet.join(invited.json.token)
    await fleet.linked()
    t.equal((await post(otto, `nodes/${second.id}/hold`, { forMs: 60_000, reason: 'stocktaking' })).json.held, true)
    t.match((await ask(node, vera, `nodes/${second.id}`)).json.held, { by: 'otto', reason: 'stocktaking' })
    t.equal((await post(otto, `nodes/${second.id}/unhold`)).json.held, false)
    refused(t, await post(otto, `nodes/${second.id}/remove`, { reason: 'gone' }), 'NOT_ALLOWED', 'removing takes an admin')
    refused(t, await post(admin, `nodes/${second.id}/remove`, {}), 'BAD_REQUEST', 'and a reason')
    t.equal((await post(admin, `nodes/${second.id}/remove`, { reason: 'sold' })).status, 200)
    t.equal((await ask(node, vera, 'nodes')).json.nodes.length, 1)
  })

  await t.test('the same request twice is done once', async t => {
    const key = { 'idempotency-key': 'click-1' }
    const first = await post(otto, 'invites', { uses: 1 }, key)
    const again = await post(otto, 'invites', { uses: 1 }, key)
    t.same([again.status, again.json], [first.status, first.json], 'the same answer')
    t.same([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']], [undefined, 'true'])
    refused(t, await post(otto, 'invites', { uses: 2 }, key), 'IDEMPOTENCY_MISMATCH', 'another body')
    t.not((await post(admin, 'invites', { uses: 1 }, key)).json.id, first.json.id, 'another’s key is another key')
    refused(t, await post(otto, 'invites', { uses: 1 }, { 'idempotency-key': 'ü' }), 'BAD_REQUEST', 'no key')
    refused(t, await post(otto, 'invites', { uses: 0 }, { 'idempotency-key': 'click-2' }), 'BAD_REQUEST', 'what is refused')
    t.equal((await post(otto, 'invites', { uses: 3 }, { 'idempotency-key': 'click-2' })).status, 201, 'leaves the key free')
    const wish = { release: 'till@1.0.0', dryRun: true, force: true, soakMs: 100, allowDowngrade: true }
    const order = await post(otto, 'rollouts', wish, { 'idempotency-key': 'order-1' })
    await node.stop()
    await node.start()
    t.same((await post(otto, 'rollouts', wish, { 'idempotency-key': 'order-1' })).json, order.json, 'also after a restart of the node')
    const db = ['', '-wal'].map(end => readFileSync(join(node.home, `instance/node.db${end}`)).toString('latin1')).join('')
    t.notOk(db.includes(first.json.token), 'answers lie sealed')
  })

  await t.test('tokens of scripts read, and nothing else', async t => {
    const { token: text, id } = (await post(otto, 'tokens', { name: 'prometheus', expiresMs: 60_000 })).json
    t.match(text, /^shoal_[0-9a-f]{10}_[\w-]{32}$/)
    const script = { name: 'script', token: text }
    t.equal((await ask(node, script, 'nodes')).status, 200)
    refused(t, await ask(node, script, 'session'), 'NOT_ALLOWED', 'it is no person')
    refused(t, await post(script, 'self/rename', { name: 'x' }), 'NOT_ALLOWED', 'it changes nothing')
    refused(t, await post(script, 'releases', { packages: [digest] }), 'NOT_ALLOWED', 'it signs nothing')
    refused(t, await post(vera, 'tokens', { name: 'x' }), 'NOT_ALLOWED', 'a viewer makes none')
    const made = await must(node.cli(['tokens', 'add', 'probe', '--json']))
    t.equal((await ask(node, { name: 'cli', token: made.json().token }, 'nodes')).status, 200)
    t.match((await must(node.cli(['tokens', '--json']))).stdout, /"name": *"prometheus",\s*"madeBy": *"otto"/)
    const page = (await ask(node, otto, 'tokens?limit=1')).json
    t.match(page, { counts: { total: 2 }, next: page.tokens[0].id }, 'a list as all others')
    t.match((await ask(node, otto, `tokens?limit=1&after=${page.next}`)).json, { tokens: [{ id: String }], next: null })
    t.equal((await ask(node, otto, `tokens/${id}`, { method: 'DELETE' })).status, 200)
    refused(t, await ask(node, script, 'nodes'), 'UNAUTHENTICATED', 'a token that was ended')
    t.equal((await post(otto, 'tokens', { name: 'left behind' })).status, 201)
  })

  await t.test('who may not', async t => {
    const acts = ['releases', 'rollouts', 'rollouts/latest/pause', 'invites', 'nodes/self/hold', 'nodes/self/remove', 'operators']
    await changesNothing(t, node, async () => {
      for (const path of acts) {
        refused(
          t,
          await post(vera, path, { packages: [digest], release: 'till@1.0.0', reason: 'x', name: 'eve', role: 'admin' }),
          'NOT_ALLOWED',
          `viewer ${path}`,
        )
        refused(t, await post(nobody, path), 'UNAUTHENTICATED', `nobody ${path}`)
        refused(t, await post(token, path, { packages: [digest], release: 'till@1.0.0', reason: 'x' }), 'NOT_ALLOWED', `home ${path}`)
        refused(t, await post({ name: 'no csrf', session: { cookie: admin.session!.cookie, csrf: 'x' } }, path), 'CSRF', `no csrf ${path}`)
      }
      refused(t, await post(admin, 'operators', { name: 'otto', role: 'viewer' }), 'CONFLICT', 'a name twice')
      refused(t, await post(admin, 'operators', { name: '../x', role: 'viewer' }), 'BAD_REQUEST', 'no name')
      refused(t, await post(admin, 'operators', { name: 'x', role: 'king' }), 'BAD_REQUEST', 'no role')
      refused(t, await ask(node, admin, `operators/${operator}`, { method: 'DELETE' }), 'LAST_ADMIN', 'the last admin')
      refused(t, await ask(node, admin, 'operators/eve', { method: 'DELETE' }), 'NOT_FOUND', 'nobody of that name')
    })
    t.equal((await ask(node, admin, 'operators/otto', { method: 'DELETE' })).status, 200)
    refused(t, await ask(node, otto, 'session'), 'UNAUTHENTICATED', 'who was removed')
    t.equal((await ask(node, admin, 'rollouts')).json.rollouts.length, 3, 'what otto ordered stands')
  })

  await t.test('the audit says who did what, and no secret', async t => {
    const all: Json[] = (await ask(node, vera, 'audit?limit=1000')).json.audit
    const has = (what: object): boolean => all.some(row => Object.entries(what).every(([k, v]) => row[k] === v))
    t.ok(has({ who: 'otto', via: 'session', action: 'POST api/v1/rollouts', result: 'ok', address: '127.0.0.1', detail: 'till@1.0.0' }))
    t.ok(has({ who: 'otto', via: 'fact', action: 'order', object: 'till@1.0.0' }), 'and what was signed')
    t.ok(has({ who: operator, via: 'fact', action: 'removal' }))
    t.ok(has({ who: 'vera', via: 'session', action: 'POST api/v1/releases', result: 'NOT_ALLOWED' }), 'who was refused too')
    t.ok(has({ who: operator, via: 'nobody', action: 'POST api/v1/session', object: operator, result: 'ok' }))
    t.ok(has({ who: 'home', via: 'home', action: 'POST api/v1/tokens', result: 'ok' }))
    const text = JSON.stringify(all)
    for (const secret of [passphrase, made.json.passphrase, admin.session!.cookie, 'shoal1.', 'shoal_']) t.notOk(text.includes(secret))
    const page = (await ask(node, vera, 'audit?limit=2')).json
    t.same(page.audit, all.slice(0, 2), 'newest first')
    t.same((await ask(node, vera, `audit?limit=2&after=${page.next}`)).json.audit, all.slice(2, 4))
    const ottos = (await must(node.cli(['audit', '--who', 'otto', '--limit', '5', '--json']))).json() as Json
    t.ok(ottos.audit.length === 5 && ottos.audit.every((row: Json) => row.who === 'otto'))
    refused(t, await ask(node, vera, 'audit?after=x'), 'BAD_REQUEST', 'after what is no row')
    t.match((await must(node.cli(['audit', '--verify', '--json']))).json(), { brokenAt: null })
    await node.stop()
    const db = new Database(join(node.home, 'instance/node.db'))
    t.throws(() => db.exec("update audit set who = 'eve' where seq = 3"), /append-only/)
    t.throws(() => db.exec('delete from audit where seq = 3'), /append-only/)
    db.exec("drop trigger audit_is_not_changed; update audit set who = 'eve' where seq = 3")
    db.close()
    await node.start()
    const broken = await node.cli(['audit', '--verify', '--json'])
    t.same([broken.code, (broken.json() as Json).brokenAt], [1, 3], 'an edit of the file shows')
    t.match(broken.stderr, /row 3 is not what was written[^]*\(DIGEST_MISMATCH\)/)
  })

  await t.test('keys made anew, the kit, key files; the doctor', async t => {
    const vic = await post(admin, 'operators', { name: 'vic', role: 'operator' })
    const old = await logIn(node, 'vic', vic.json.passphrase)
    refused(t, await post(old, 'operators/vic/rotate'), 'NOT_ALLOWED', 'an operator')
    t.equal((await ask(node, old, 'session/key')).json.file, node.file('certs/operators/vic.json'))
    refused(t, await ask(node, old, `operators/${operator}/key`), 'NOT_ALLOWED', 'another’s key file')
    t.equal((await ask(node, admin, 'operators/vic/key')).json.file, node.file('certs/operators/vic.json'))
    const rotated = await post(admin, 'operators/vic/rotate')
    t.match(rotated.json, { name: 'vic', role: 'operator', passphrase: /^\w{5}(-\w{5}){5}$/ })
    t.not(rotated.json.keyid, vic.json.keyid)
    refused(t, await ask(node, old, 'nodes'), 'UNAUTHENTICATED', 'the session of the old key')
    await logIn(node, 'vic', rotated.json.passphrase)

    refused(t, await post(admin, `operators/${operator}/rotate`, { passphrase: 'wrong' }), 'LOGIN_FAILED', 'another passphrase')
    const own = await post(admin, `operators/${operator}/rotate`, { passphrase })
    t.match(own.json, { name: operator, passphrase: null })
    refused(t, await ask(node, admin, 'nodes'), 'UNAUTHENTICATED', 'one’s own old session')
    // As after a death before the new file took the place of the old one.
    const file = join(node.home, 'certs/operators', `${operator}.json`)
    renameSync(file, `${file}.new`)
    const again = await logIn(node, operator, passphrase)
    t.ok(existsSync(file), 'it has now')

    const { fleet } = (await ask(node, again, 'fleet')).json
    const kit = await post(again, 'keys/kit', { fleet })
    t.equal(kit.status, 201, kit.bytes.toString())
    t.equal(node.file('certs/recovery-kit.json'), kit.json.file)
    const env = { SHOAL_PASSPHRASE: kit.json.passphrase }
    const bea = ['operators', 'add', 'bea', '--role', 'admin', '--key', join(node.home, 'certs/recovery-kit.json'), '--json', '--yes']
    t.equal((await must(node.cli(bea, { env }))).json().role, 'admin', 'the kit names a new admin')

    const doctor = (await ask(node, again, 'nodes/self/doctor')).json
    t.equal(doctor.id, node.id)
    t.ok(doctor.checks.some((c: Json) => c.check === 'database' && c.state === 'ok'))
    t.ok(doctor.checks.some((c: Json) => c.check === 'restart'))
    refused(t, await ask(node, vera, 'nodes/self/doctor'), 'NOT_ALLOWED', 'a viewer')
  })
})
