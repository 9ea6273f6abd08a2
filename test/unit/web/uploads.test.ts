/** Packages that come in: how many at once, and that none stands still for ever. */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Caller } from '../../../src/web/callers.ts'
import { RetryLater } from '../../../src/web/retry-later.ts'
import { steady, UploadTurns } from '../../../src/web/upload-turns.ts'

const stranger: Caller = { kind: 'nobody' }
const home: Caller = { kind: 'home' }

void t.test('strangers have a few places, each address fewer, and none of those that operators need', t => {
  const turns = new UploadTurns()
  const busy = (caller: Caller, address: string): void => {
    try {
      turns.take(caller, address)
      t.fail(`${address} got a place`)
    } catch (error) {
      t.ok(error instanceof RetryLater && error.code === 'BUSY' && error.afterMs >= 1000, address)
    }
  }
  const held = ['10.0.0.1', '::ffff:10.0.0.1', '2001:db8::1', '2001:db8:0:0:1::2'].map(address => turns.take(stranger, address))
  busy(stranger, '10.0.0.1')
  busy(stranger, '2001:db8::3')
  busy(stranger, '10.0.0.2')
  const known = [1, 2, 3, 4].map(() => turns.take(home, '10.0.0.1'))
  busy(home, '127.0.0.1')
  for (const leave of known) leave()
  held[0]?.()
  held[0]?.()
  turns.take(stranger, '10.0.0.3')
  busy(stranger, '10.0.0.1')
  t.end()
})

void t.test('bytes that come are passed on; where none come it ends, and the source is let go', async t => {
  let isClosed = false
  async function* source(isStalled: boolean): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.from('a')
      await turn()
      yield Buffer.from('b')
      if (isStalled) await new Promise<never>(() => undefined)
    } finally {
      isClosed = true
    }
  }
  const read = async (isStalled: boolean): Promise<string> => {
    let text = ''
    for await (const chunk of steady(source(isStalled), 50)) text += Buffer.from(chunk).toString()
    return text
  }
  t.equal(await read(false), 'ab')
  t.ok(isClosed)
  await t.rejects(read(true), { code: 'CANCELLED' })
  isClosed = false
  for await (const chunk of steady(source(true), 50)) {
    t.equal(chunk.length, 1)
    break
  }
  t.ok(isClosed, 'who stops reading lets go of the source')
})
