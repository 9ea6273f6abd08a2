import t from 'tap'
import { closeCodes, maxFrameBytes } from '../../../src/mesh/core/index.ts'
import { Bench, fact, hello, nodeFact, nodeId } from './bench.ts'

const [a, b, z, self] = [nodeId('a'), nodeId('b'), nodeId('z'), nodeId('m')]
const order = (over = {}) => fact({ kind: 'order', owner: 'k'.repeat(64), epoch: 0, ...over })

void t.test('a link is up after both hellos; the side that dialled compares at once', async t => {
  const bench = new Bench()
  const link = bench.open(a, true)
  t.match(bench.sent(link), [{ t: 'hello', hello: { node: self, nonce: 'nonce-of-self', protocol: 1, seen: null } }])
  bench.frame(link, { t: 'hello', hello: hello(a) })
  const effects = bench.take()
  t.match(
    effects.find(e => e.t === 'linkUp'),
    { peer: a, hello: { nonce: hello(a).nonce } },
  )
  t.match(
    effects.filter(e => e.t === 'send'),
    [{ frame: { t: 'root', root: '0'.repeat(16) } }],
  )
  bench.frame(link, { t: 'same' })
  t.match(bench.takeOf('synced'), [{ peer: a }])
  t.match(bench.core.links(), [{ peer: a, dialled: true, synced: true }])
})

void t.test('the hello tells a peer the highest version that is held of its own facts', async t => {
  const bench = new Bench()
  bench.publish(fact({ owner: a, epoch: 3, version: 7 }), fact({ owner: a, kind: 'node', epoch: 2, version: 99 }))
  bench.take()
  t.match(bench.sent(bench.open(a)), [{ hello: { seen: { epoch: 3, version: 7 } } }])
})

void t.test('what is no proper link is closed, each fault with its code', async t => {
  const faults = [
    { name: 'another node than TLS says', hello: hello(b), code: closeCodes.identity },
    { name: 'another fleet', hello: hello(a, { fleet: 'g'.repeat(52) as never }), code: closeCodes.identity },
    { name: 'another protocol', hello: hello(a, { protocol: 2 }), code: closeCodes.version },
  ]
  for (const fault of faults) {
    const bench = new Bench()
    bench.frame(bench.open(a), { t: 'hello', hello: fault.hello })
    t.match(bench.takeOf('close'), [{ code: fault.code }], fault.name)
    t.equal(bench.core.links().length, 0)
  }
  const bench = new Bench()
  bench.frame(bench.open(a), { t: 'root', root: '0'.repeat(16) })
  t.match(bench.takeOf('close'), [{ code: closeCodes.protocol }], 'a frame before the hello')
  const twice = bench.link(a)
  bench.frame(twice, { t: 'hello', hello: hello(a) })
  t.match(bench.takeOf('close'), [{ code: closeCodes.protocol }], 'a second hello')
  bench.do({ t: 'malformed', link: bench.link(a) })
  t.match(bench.takeOf('close'), [{ code: closeCodes.protocol }], 'what is no frame')
  bench.open(b)
  bench.take()
  bench.advance(10_001)
  t.equal(bench.takeOf('terminate').length, 1, 'no hello within ten seconds')
})

void t.test('only members link, and a removal closes at once', async t => {
  const bench = new Bench()
  bench.members.add(a).add(self)
  bench.open(b)
  t.match(bench.takeOf('close'), [{ code: closeCodes.notMember }])
  const link = bench.link(a)
  const other = (bench.members.add(b), bench.link(b))
  bench.take()
  bench.members.delete(a)
  bench.frame(other, { t: 'facts', facts: [fact({ kind: 'removal', owner: 'k'.repeat(64) })], bulk: false })
  const effects = bench.take()
  t.match(
    effects.find(e => e.t === 'close'),
    { link, code: closeCodes.notMember },
  )
  t.match(
    effects.find(e => e.t === 'linkDown'),
    { peer: a, code: closeCodes.notMember },
  )
  t.match(
    effects.filter(e => e.t === 'store'),
    [{ durable: true }],
  )
})

void t.test('of two links that were dialled at once the one dialled by the greater id stays, whichever came first', async t => {
  for (const [peer, firstDialled, survivor] of [
    [a, true, 'first'],
    [a, false, 'second'],
    [z, true, 'second'],
    [z, false, 'first'],
  ] as const) {
    const bench = new Bench()
    const first = bench.link(peer, firstDialled)
    bench.take()
    const second = bench.link(peer, !firstDialled)
    const effects = bench.take()
    const [gone] = effects.filter(e => e.t === 'close')
    t.match(gone, { link: survivor === 'first' ? second : first, code: closeCodes.duplicate })
    t.notOk(
      effects.some(e => e.t === 'linkUp' || e.t === 'linkDown'),
      'above the mesh nothing happened',
    )
    t.equal(bench.core.links().length, 1)
  }
})

void t.test('a peer that comes again after its link had settled, or with a new nonce, has lost the old one', async t => {
  const settled = new Bench()
  const first = settled.link(a, true)
  settled.advance(16_000)
  settled.take()
  settled.link(a)
  t.match(settled.takeOf('close'), [{ link: first }])
  const restarted = new Bench()
  const old = restarted.link(a, true)
  restarted.take()
  restarted.link(a, false, { nonce: 'nonce-after-restart' })
  const effects = restarted.take()
  t.match(
    effects.find(e => e.t === 'close'),
    { link: old },
  )
  t.same(
    effects.filter(e => e.t === 'linkUp' || e.t === 'linkDown').map(e => e.t),
    ['linkDown', 'linkUp'],
    'a restart is seen above the mesh',
  )
})

void t.test('two live nonces of one id by turns are a cloned disk; a restart and its way back are not', async t => {
  const bench = new Bench()
  const nonces = ['nonce-one', 'nonce-two', 'nonce-one']
  for (const nonce of nonces) bench.link(a, false, { nonce })
  t.equal(bench.takeOf('alarm').length, 0, 'one return may be an old connection')
  bench.link(a, false, { nonce: 'nonce-two' })
  const effects = bench.take()
  t.match(
    effects.find(e => e.t === 'alarm'),
    { alarm: { alarm: 'cloned', peer: a } },
  )
  t.match(
    effects.find(e => e.t === 'close'),
    { code: closeCodes.cloned },
  )
  const told = new Bench()
  const link = told.link(a)
  told.take()
  told.do({ t: 'closed', link, code: closeCodes.cloned })
  t.match(told.takeOf('alarm'), [{ alarm: { alarm: 'cloned', peer: self } }], 'the clone hears it from its peers')
  const met = new Bench()
  met.frame(met.open(self), { t: 'hello', hello: hello(self, { nonce: 'nonce-of-clone' }) })
  t.match(met.takeOf('alarm'), [{ alarm: { alarm: 'cloned', peer: self } }], 'or meets it')
  met.frame(met.open(self), { t: 'hello', hello: hello(self, { nonce: 'nonce-of-self' }) })
  t.match(met.takeOf('close').at(-1), { code: closeCodes.self }, 'its own address is only that')
})

void t.test('silence: two pings, then the end within 25 s; any sign of life ends the count', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  bench.take()
  bench.advance(19_900)
  t.equal(bench.takeOf('ping').length, 0)
  bench.advance(200)
  t.equal(bench.takeOf('ping').length, 1)
  bench.do({ t: 'alive', link })
  bench.advance(19_000)
  t.equal(bench.takeOf('ping').length, 0)
  bench.advance(6_100)
  const effects = bench.take()
  t.equal(effects.filter(e => e.t === 'ping').length, 2)
  t.match(
    effects.find(e => e.t === 'terminate'),
    { link },
  )
  t.match(
    effects.find(e => e.t === 'linkDown'),
    { peer: a, code: 1006 },
  )
})

void t.test('a process that stood still gives no verdict before fresh pings', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  bench.take()
  bench.oversleep(120_000)
  const effects = bench.take()
  t.equal(effects.filter(e => e.t === 'terminate').length, 0)
  t.match(
    effects.filter(e => e.t === 'ping'),
    [{ link }],
  )
  bench.advance(5_100)
  t.equal(bench.takeOf('terminate').length, 1)
})

void t.test('a peer that closed with 1012 is tried again within 200 ms, others after up to a second', async t => {
  const bench = new Bench({ pinned: [{ id: a, address: 'a:1' }], rng: () => 0.999 })
  bench.advance(1_000)
  t.match(bench.takeOf('dial'), [{ peer: a, address: 'a:1' }])
  const link = bench.link(a, true)
  bench.do({ t: 'closed', link, code: closeCodes.restart })
  bench.take()
  bench.advance(201)
  t.equal(bench.takeOf('dial').length, 1)
  bench.do({ t: 'closed', link: bench.link(a, true), code: 1006 })
  bench.take()
  bench.advance(900)
  t.equal(bench.takeOf('dial').length, 0)
  bench.advance(101)
  t.equal(bench.takeOf('dial').length, 1)
})

void t.test('back-off doubles to its cap, pinned peers sooner, and a stable link clears it', async t => {
  const waits = (pinned: boolean): number[] => {
    const bench = new Bench({ ...(pinned ? { pinned: [{ id: a, address: 'a:1' }] } : {}), rng: () => 0.999 })
    if (!pinned) bench.publish(nodeFact(a, 'a:1'))
    const found: number[] = []
    for (let n = 0; n < 14; n++) {
      const before = bench.now
      while (bench.takeOf('dial').length === 0) bench.advance(100)
      found.push(bench.now - before)
      bench.do({ t: 'dialFailed', peer: a })
    }
    return found
  }
  const [pinned, other] = [waits(true), waits(false)]
  t.ok(Math.max(...pinned) <= 60_100 && Math.max(...pinned) > 59_000)
  t.ok(Math.max(...other) <= 600_100 && Math.max(...other) > 590_000)
  t.ok(pinned[1]! <= 1_100 && pinned[2]! > 1_800 && pinned[3]! > 3_800)
  const bench = new Bench({ pinned: [{ id: a, address: 'a:1' }], rng: () => 0.999 })
  for (let n = 0; n < 6; n++) {
    bench.advance(90_000)
    bench.do({ t: 'dialFailed', peer: a })
  }
  bench.advance(90_000)
  const link = bench.link(a, true)
  for (let n = 0; n < 7; n++) {
    bench.advance(10_000)
    bench.do({ t: 'alive', link })
  }
  bench.take()
  bench.do({ t: 'closed', link, code: 1006 })
  bench.advance(1_001)
  t.equal(bench.takeOf('dial').length, 1)
})

void t.test('addresses are tried in turn, the pinned one first', async t => {
  const bench = new Bench({ pinned: [{ id: a, address: 'pinned:1' }] })
  const body = { name: 'n', addresses: ['one:1', 'two:2'], tags: [], platform: 'linux-x64', nodejs: '24.0.0' }
  bench.publish(fact({ kind: 'node', owner: a, body: JSON.stringify(body) }))
  const tried: string[] = []
  while (tried.length < 4) {
    bench.advance(100)
    for (const dial of bench.takeOf('dial')) {
      tried.push(dial.address)
      bench.do({ t: 'dialFailed', peer: a })
    }
  }
  t.same(tried, ['pinned:1', 'one:1', 'two:2', 'pinned:1'])
})

void t.test('parking closes every link with 1012 and dials nobody, starting again does', async t => {
  const bench = new Bench({ pinned: [{ id: a, address: 'a:1' }] })
  bench.link(a)
  bench.link(b)
  bench.take()
  bench.do({ t: 'park' })
  t.same(
    bench.takeOf('close').map(e => e.code),
    [1012, 1012],
  )
  bench.advance(600_000)
  bench.open(b)
  const effects = bench.take()
  t.equal(effects.filter(e => e.t === 'dial').length, 0)
  t.match(
    effects.find(e => e.t === 'close'),
    { code: 1012 },
  )
  bench.do({ t: 'start', nonce: 'nonce-second' })
  bench.advance(1_001)
  t.equal(bench.takeOf('dial').length, 1)
})

void t.test('a dropped peer is left alone for a while', async t => {
  const bench = new Bench({ pinned: [{ id: a, address: 'a:1' }] })
  bench.link(a)
  bench.take()
  bench.do({ t: 'drop', peer: a })
  t.match(bench.takeOf('close'), [{ code: closeCodes.dropped }])
  bench.advance(59_000)
  t.equal(bench.takeOf('dial').length, 0)
  bench.advance(62_000)
  t.ok(bench.takeOf('dial').length > 0)
})

void t.test('in a small fleet everybody is dialled; whoever left or has no address is not', async t => {
  const bench = new Bench()
  const ids = Array.from({ length: 40 }, (_, n) => nodeId('c', n + 1))
  bench.publish(
    ...ids.map((id, n) => nodeFact(id, `h${n}:1`)),
    fact({ kind: 'node', owner: b, body: '{"left":true,"name":"b","addresses":["b:1"],"tags":[],"platform":"p","nodejs":"24"}' }),
  )
  bench.publish(fact({ kind: 'node', owner: a, body: 'from a later version' }))
  const dialled = new Set<string>()
  for (let n = 0; n < 100; n++) {
    for (const dial of bench.takeOf('dial')) {
      dialled.add(dial.peer)
      bench.link(dial.peer, true)
    }
    bench.advance(100)
  }
  t.same([...dialled].sort(), [...ids].sort())
  t.equal(bench.core.links().length, 40)
})

void t.test('in a large fleet some eight links and the sync peers are kept, others let go', async t => {
  let seed = 1
  const rng = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647
  const ids = Array.from({ length: 200 }, (_, n) => nodeId('c', n + 1))
  const pinned = ids.slice(0, 3).map((id, n) => ({ id, address: `h${n}:1` }))
  const bench = new Bench({ rng, pinned })
  bench.publish(...ids.map((id, n) => nodeFact(id, `h${n}:1`)))
  const settle = (ms: number): void => {
    for (let n = 0; n < ms; n += 500) {
      for (const dial of bench.takeOf('dial')) bench.frame(bench.link(dial.peer, true), { t: 'same' })
      for (const link of bench.core.links()) bench.do({ t: 'alive', link: 1 + bench.core.links().indexOf(link) })
      bench.advance(500)
    }
  }
  settle(5_000)
  t.equal(bench.core.links().length, 11)
  const strangers = ids.filter(id => !bench.core.links().some(l => l.peer === id))
  const keepers = strangers.slice(0, 10)
  for (const id of keepers) bench.link(id, false, { keep: true })
  const callers = strangers.slice(10, 40).map(id => bench.link(id))
  t.equal(bench.core.links().length, 11 + keepers.length + callers.length, 'accepted links are welcome')
  bench.take()
  for (let n = 0; n < 40; n++) {
    for (let link = 1; link < 100; link++) bench.do({ t: 'alive', link })
    bench.advance(10_000)
  }
  const codes = new Set(bench.takeOf('close').map(e => e.code))
  t.same([...codes], [closeCodes.full])
  const peers = new Set(bench.core.links().map(l => l.peer))
  t.equal(peers.size, 16 + 3 + 10)
  for (const { id } of pinned) t.ok(peers.has(id))
  for (const id of keepers) t.ok(peers.has(id))
})

void t.test('a swap makes the new link before it breaks the old one', async t => {
  let seed = 7
  const rng = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647
  const bench = new Bench({ rng })
  const ids = Array.from({ length: 100 }, (_, n) => nodeId('c', n + 1))
  bench.publish(...ids.map((id, n) => nodeFact(id, `h${n}:1`)))
  /** Peers that are alive and hold the same. @returns who is dialled */
  const step = (ms: number): readonly (typeof ids)[number][] => {
    bench.advance(ms)
    const effects = bench.take()
    for (const e of effects) if (e.t === 'send' && e.frame.t === 'root') bench.frame(e.link, { t: 'same' })
    for (const e of effects) if (e.t === 'ping') bench.do({ t: 'alive', link: e.link })
    return effects.flatMap(e => (e.t === 'dial' ? [e.peer] : []))
  }
  for (let n = 0; n < 20; n++) for (const peer of step(500)) bench.link(peer, true)
  t.equal(bench.core.links().length, 8)
  let swapped: (typeof ids)[number] | undefined
  for (let n = 0; n < 3_000 && swapped === undefined; n++) swapped = step(500)[0]
  if (swapped === undefined) throw new Error('no swap within 25 minutes')
  bench.take()
  const link = bench.link(swapped, true)
  t.equal(bench.core.links().length, 9)
  t.equal(bench.takeOf('close').length, 0, 'nothing is closed before the new one is synced')
  bench.frame(link, { t: 'same' })
  t.match(bench.takeOf('close'), [{ code: closeCodes.swapped }])
  t.equal(bench.core.links().length, 8)
})

void t.test('own orders go to every link at once, statuses are announced a moment later', async t => {
  const bench = new Bench()
  const links = [bench.link(a), bench.link(b), bench.link(z)]
  bench.take()
  const effects = bench.publish(order(), fact())
  t.same(effects.map(e => e.t).slice(0, 3), ['store', 'changed', 'send'], 'stored before it is sent')
  t.match(
    effects.filter(e => e.t === 'send'),
    links.map(link => ({ link, frame: { t: 'facts', facts: [{ kind: 'order' }], bulk: false } })),
  )
  bench.take()
  bench.publish(fact({ name: 'second' }))
  bench.advance(251)
  const frames = bench.takeOf('send')
  t.same(frames.map(e => e.link).sort(), links)
  t.ok(
    frames.every(e => e.frame.t === 'have' && e.frame.entries.length === 2),
    'both changes in one frame',
  )
})

void t.test('what is heard is passed on if it changed something, and not to where it came from', async t => {
  const bench = new Bench()
  const [from, other] = [bench.link(a), bench.link(b)]
  bench.take()
  bench.frame(from, { t: 'facts', facts: [order()], bulk: false })
  const effects = bench.take()
  t.match(
    effects.filter(e => e.t === 'store'),
    [{ durable: true }],
  )
  t.match(
    effects.filter(e => e.t === 'send'),
    [{ link: other, frame: { t: 'facts' } }],
  )
  t.equal(effects.filter(e => e.t === 'send').length, 1)
  bench.frame(other, { t: 'facts', facts: [order()], bulk: false })
  bench.frame(from, { t: 'facts', facts: [order()], bulk: false })
  t.same(
    bench.take().filter(e => e.t !== 'wake'),
    [],
    'known: nothing at all',
  )
  bench.frame(from, { t: 'facts', facts: [fact({ kind: 'from-a-later-version', name: 'x' })], bulk: true })
  t.match(bench.takeOf('changed'), [{ facts: [{ kind: 'from-a-later-version' }] }], 'unknown kinds are carried')
  bench.advance(251)
  t.match(bench.sent(), [{ t: 'have', entries: [{ v: 1 }] }])
})

void t.test('with many links a relay passes an order to a few and tells the others soon', async t => {
  const bench = new Bench()
  const links = Array.from({ length: 40 }, (_, n) => bench.link(nodeId('c', n + 1)))
  bench.take()
  bench.frame(links[0]!, { t: 'facts', facts: [order()], bulk: false })
  const pushed = bench.takeOf('send')
  t.equal(pushed.length, 6)
  bench.advance(251)
  const told = bench.takeOf('send')
  t.ok(told.every(e => e.frame.t === 'have'))
  t.equal(new Set([...pushed, ...told].map(e => e.link)).size, 39)
  bench.publish(order({ name: 'own' }))
  t.equal(bench.takeOf('send').length, 40, 'its own goes to all')
})

void t.test('an announcement is pulled once, from another if the first is silent or gone', async t => {
  const bench = new Bench()
  const [one, two, three] = [bench.link(a), bench.link(b), bench.link(z)]
  bench.take()
  const id = bench.registers.idOf(fact())
  const have = { t: 'have', entries: [{ id, e: 1, v: 1, h: 7 }], re: false, done: false } as const
  for (const link of [one, two, three]) bench.frame(link, have)
  t.match(bench.takeOf('send'), [{ link: one, frame: { t: 'want', ids: [id] } }])
  bench.advance(4_100)
  t.match(
    bench.takeOf('send').filter(e => e.frame.t === 'want'),
    [{ link: two }],
    'stood still for three seconds',
  )
  bench.do({ t: 'closed', link: two, code: 1006 })
  t.match(
    bench.takeOf('send').filter(e => e.frame.t === 'want'),
    [{ link: three }],
    'gone',
  )
  bench.frame(three, { t: 'facts', facts: [fact()], bulk: true })
  t.match(bench.sent(three), [{ t: 'ack' }])
  bench.advance(60_000)
  t.notOk(bench.sent().some(f => f.t === 'want'))
})

void t.test('a newer announcement is pulled although an older pull is open', async t => {
  const bench = new Bench()
  const [one, two] = [bench.link(a), bench.link(b)]
  const id = bench.registers.idOf(fact())
  bench.take()
  bench.frame(one, { t: 'have', entries: [{ id, e: 1, v: 1, h: 7 }], re: false, done: false })
  bench.frame(two, { t: 'have', entries: [{ id, e: 1, v: 2, h: 7 }], re: false, done: false })
  t.match(bench.takeOf('send'), [{ link: one }, { link: two }])
  bench.frame(two, { t: 'facts', facts: [fact({ version: 2 })], bulk: true })
  bench.frame(one, { t: 'facts', facts: [fact({ version: 1 })], bulk: true })
  t.equal(bench.registers.all()[0]?.version, 2)
})

void t.test('facts are judged before anything else; refused ones are not pulled again until trust changes', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  bench.take()
  const bad = fact({ sig: 'forged' })
  bench.frame(link, { t: 'facts', facts: [bad], bulk: false })
  t.match(bench.takeOf('refused'), [{ peer: a, code: 'BAD_SIGNATURE', fact: bad }])
  t.equal(bench.registers.size, 0)
  const have = { t: 'have', entries: [bench.registers.entryFor(bad)], re: false, done: false } as const
  bench.frame(link, have)
  t.equal(bench.sent().length, 0)
  bench.frame(link, { t: 'facts', facts: [fact({ kind: 'root', owner: 'r', name: 'x' })], bulk: false })
  bench.take()
  bench.frame(link, have)
  t.match(bench.sent(link), [{ t: 'want' }])
})

void t.test('a fact whose writer is unknown is dropped and compared for again when trust grows', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  bench.take()
  bench.frame(link, { t: 'facts', facts: [fact({ sig: 'wait' })], bulk: false })
  t.equal(bench.registers.size, 0)
  bench.advance(2_000)
  t.notOk(bench.sent(link).some(f => f.t === 'root'))
  bench.frame(link, { t: 'facts', facts: [fact({ kind: 'member', owner: 'r', name: 'x' })], bulk: false })
  bench.advance(1_100)
  t.ok(bench.sent(link).some(f => f.t === 'root'))
})

void t.test('evidence against a writer, and a newer self, are alarms', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  bench.publish(fact({ body: 'one' }))
  bench.take()
  bench.frame(link, { t: 'facts', facts: [fact({ body: 'two' })], bulk: false })
  t.match(bench.takeOf('alarm'), [{ alarm: { alarm: 'conflict' } }])
  bench.frame(link, { t: 'facts', facts: [fact({ owner: self, epoch: 9, version: 4 })], bulk: false })
  t.match(bench.takeOf('alarm'), [{ alarm: { alarm: 'ahead', epoch: 9, version: 4 } }])
})

void t.test('bulk goes out in chunks with credit, trust first, and an order passes it', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  const statuses = Array.from({ length: 60 }, (_, n) => fact({ name: `s${n}`, body: 'x'.repeat(10_000) }))
  bench.publish(...statuses, fact({ kind: 'root', owner: 'r', name: 'r' }), fact({ kind: 'member', owner: 'r', name: 'm' }))
  bench.take()
  bench.frame(link, { t: 'want', ids: bench.registers.all().map(f => bench.registers.idOf(f)) })
  const frames = bench.sent(link)
  t.equal(frames.length, 4, 'four chunks without an ack')
  const kinds = frames.flatMap(f => (f.t === 'facts' ? f.facts.map(each => each.kind) : []))
  t.same(kinds.slice(0, 2), ['root', 'member'])
  t.ok(frames.every(f => f.t === 'facts' && JSON.stringify(f).length < maxFrameBytes / 3))
  bench.publish(order())
  t.match(bench.sent(link), [{ t: 'facts', bulk: false }], 'an order does not wait for credit')
  let count = kinds.length
  for (let n = 0; n < 40 && count < 62; n++) {
    bench.frame(link, { t: 'ack' })
    for (const f of bench.sent(link)) if (f.t === 'facts') count += f.facts.length
  }
  t.equal(count, 62)
})

void t.test('a full connection gets urgent facts only, the rest when it has drained', async t => {
  const bench = new Bench()
  const link = bench.link(a)
  bench.take()
  bench.do({ t: 'pressure', link, high: true })
  const known = fact({ name: 'known' })
  bench.publish(known)
  bench.frame(link, { t: 'want', ids: [bench.registers.idOf(known)] })
  t.equal(bench.sent(link).length, 0)
  bench.publish(order())
  t.equal(bench.sent(link).length, 1)
  bench.do({ t: 'pressure', link, high: false })
  t.match(bench.sent(link), [{ t: 'facts', bulk: true, facts: [{ name: 'known' }] }])
})
