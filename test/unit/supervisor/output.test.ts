import { execFileSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import t from 'tap'
import { Console, fdDevice, streamDevice } from '../../../src/supervisor/console.ts'
import { LineSplitter } from '../../../src/supervisor/line-splitter.ts'
import { LogFile } from '../../../src/supervisor/log-file.ts'

void t.test('lines: cut across chunks and characters, Windows ends, no end, endless', async t => {
  const lines: string[] = []
  const splitter = new LineSplitter(line => lines.push(line))
  const bytes = Buffer.from('grün\r\nzwei\n\ndrei')
  for (const byte of bytes) splitter.push(Buffer.from([byte]))
  t.same(lines, ['grün', 'zwei', ''])
  splitter.end()
  splitter.end()
  t.same(lines.splice(0), ['grün', 'zwei', '', 'drei'])
  for (let n = 0; n < 100; n++) splitter.push(Buffer.alloc(1000, 'x'))
  splitter.push(Buffer.from('\nnext\n'))
  t.equal(lines[0]?.length, 8193)
  t.same(lines.slice(1), ['next'])
})

void t.test('the log file: goes on, rotates, keeps three files, loses lines rather than growing', async t => {
  const dir = t.testdir({ 'node.log': 'before\n' })
  const path = join(dir, 'node.log')
  const log = new LogFile(path, 100)
  for (let n = 0; n < 5; n++) {
    log.write(`${n}${'x'.repeat(90)}`)
    await t.resolves(until(() => [path, `${path}.1`].some(file => textOf(file).includes(`${n}x`))))
  }
  log.write('last')
  log.flushSync()
  t.same(readdirSync(dir).sort(), ['node.log', 'node.log.1', 'node.log.2'])
  const unwritable = new LogFile(join(dir, 'node.log/below'), 100)
  unwritable.write('lost')
  unwritable.write('lost too')
  unwritable.flushSync()
  t.notOk(existsSync(join(dir, 'node.log/below')))
})

const padded = (n: number): string => `${n} ${'ü'.repeat(500)}`
const lost = (lines: number): string => JSON.stringify({ event: 'lines lost', lines, why: 'nobody read them here: see logs/node.log' })

void t.test('the console, where nobody reads: no wait, no growth; later whole lines in order, and how many are lost', async t => {
  if (process.platform === 'win32') return t.pass('no FIFOs')
  const path = join(t.testdir(), 'fifo')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(fd))
  const console = new Console(fdDevice(fd))
  for (let n = 0; n < 1000; n++) console.write(padded(n))
  const before = performance.now()
  await console.flush(50)
  t.ok(performance.now() - before < 5000, 'the end does not wait for it')
  let text = ''
  const read = (): boolean => {
    const bytes = Buffer.alloc(1 << 16)
    try {
      text += bytes.toString('latin1', 0, readSync(fd, bytes))
    } catch {
      // Nothing there now.
    }
    return text.includes('lines lost')
  }
  await until(read)
  const lines = Buffer.from(text, 'latin1').toString().trimEnd().split('\n')
  const shown = lines.length - 1
  t.ok(shown > 200 && shown < 500, `${shown} lines were kept`)
  t.same(lines, [...Array.from({ length: shown }, (_, n) => padded(n)), lost(1000 - shown)])
  console.write('after')
  read()
  t.ok(text.endsWith('after\n'), 'at once again')
})

void t.test('the console on a stream that holds what nobody reads: it is given no more than it asks for', async t => {
  const taken: string[] = []
  let release = (): void => undefined
  const stream = new Writable({
    write(bytes: Buffer, _encoding, done) {
      taken.push(bytes.toString())
      if (taken.length === 1) release = done
      else done()
    },
  })
  const console = new Console(streamDevice(stream))
  for (let n = 0; n < 1000; n++) console.write(padded(n))
  t.ok(stream.writableLength < 1 << 17)
  await console.flush(20)
  release()
  await console.flush()
  t.match(taken.at(-1), /lines lost/)
  t.equal(taken[1], `${padded(1)}\n`)
  stream.destroy()
  console.write('to nobody')
  await console.flush()
  const gone = new Console({
    take: () => {
      throw new Error('EIO')
    },
    isIdle: () => true,
  })
  gone.write('to nobody')
  await gone.flush()
})

/** A rotation may rename the file between any look and the next: what is not there at the read is empty. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Lets pending writes finish; the condition is on the disk, so there is no event to await. */
async function until(isTrue: () => boolean): Promise<void> {
  for (let turns = 0; !isTrue(); turns++) {
    if (turns > 100_000) throw new Error('it never became true')
    await new Promise(resolve => setImmediate(resolve))
  }
}
