import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
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
