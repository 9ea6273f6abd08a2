import { readdirSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parseNodeId } from '../../../src/model/index.ts'
import { GoingBack } from '../../../src/node/going-back.ts'
import type { KnownOrder } from '../../../src/rollout/index.ts'
import { NodeStore } from '../../../src/store/index.ts'
import { order, release, Rig, trialOf } from '../data/index.ts'

const v1 = release('1', 1)
const v2 = release('2', 2)
const never = new AbortController().signal

/** v2 runs, on data that it migrated; `--data restore` was ordered with v1. */
async function migrated(t: Test, more: { leastCopyMs?: number } = {}): Promise<{ rig: Rig; goingBack: GoingBack; known: KnownOrder }> {
  const rig = new Rig(t.testdir(), v1, [v2]).fill()
  await rig.start(v1, null)
  rig.trial(v2, v1)
  await rig.start(v2, trialOf(v2))
  rig.good(v2)
  rig.settle()
  const store = new NodeStore(':memory:')
  t.teardown(() => store.close())
  const self = parseNodeId('b'.repeat(52))
  const goingBack = new GoingBack({ paths: rig.paths, memory: store, self, reserveBytes: () => 0, log: event => t.fail(event), ...more })
  const known = { id: order, order: { data: 'restore' }, release: { kind: 'app', ...v1, packages: { any: { digest: v1.digest } } } }
  return { rig, goingBack, known: known as unknown as KnownOrder }
}

const copies = (rig: Rig): readonly string[] => readdirSync(rig.paths.backups).filter(name => name.includes('-swap-'))

void t.test('what is prepared for an order stays while there is something to do for it, and goes with it', async t => {
  const { rig, goingBack, known } = await migrated(t)
  t.ok(goingBack.needs(known, 1))
  await goingBack.prepare(known, 1, never)
  t.equal(copies(rig).length, 1)
  t.match(goingBack.swapFor(trialOf(v1)), { kind: 'restore', order, attempt: 1 })
  await goingBack.keepFor(new Set([order]))
  t.equal(copies(rig).length, 1)
  t.notOk(goingBack.needs(known, 1))
  const before = readdirSync(rig.paths.backups).length
  await goingBack.keepFor(new Set())
  t.same(copies(rig), [], 'aborted')
  t.equal(readdirSync(rig.paths.backups).length, before - 1, 'the snapshot itself stays')
  t.equal(goingBack.swapFor(trialOf(v1)), null)
  t.ok(goingBack.needs(known, 1), 'resumed, it is prepared again')
})

void t.test('a copy that takes too long, or whose order is aborted meanwhile, ends and leaves nothing', async t => {
  const slow = await migrated(t, { leastCopyMs: 1 })
  await t.rejects(slow.goingBack.prepare(slow.known, 1, never), { code: 'INTERNAL' })
  t.same(copies(slow.rig), [])

  const { rig, goingBack, known } = await migrated(t)
  const over = new AbortController()
  const ended = t.rejects(
    goingBack.prepare(known, 1, never).finally(() => over.abort()),
    { code: 'BUSY' },
  )
  while (!over.signal.aborted && copies(rig).length === 0) await turn()
  t.notOk(over.signal.aborted, 'the copy has begun')
  await goingBack.keepFor(new Set())
  await ended
  t.same(copies(rig), [])
  t.equal(goingBack.swapFor(trialOf(v1)), null)
})
