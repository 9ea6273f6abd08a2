import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readLog } from '../../../src/node/logs.ts'
import { logLine } from '../../../src/supervisor/log-line.ts'

const line = (n: number): string => `${JSON.stringify({ time: '2026-01-01T00:00:00.000Z', event: `e${n}` })}\n`
const events = (page: { lines: readonly Readonly<Record<string, unknown>>[] }): unknown[] => page.lines.map(l => l['event'])

void t.test('the last lines, also from the file before, and what comes after a cursor', async t => {
  const path = join(t.testdir(), 'node.log')
  t.same(await readLog(path, { lines: 5, after: null }), { lines: [], cursor: '', gap: false }, 'no log yet')
  writeFileSync(`${path}.1`, line(1) + line(2))
  writeFileSync(path, line(3) + line(4) + '{"time":"half')
  const first = await readLog(path, { lines: 3, after: null })
  t.same(events(first), ['e2', 'e3', 'e4'], 'half a line comes when it is whole')
  appendFileSync(path, '","event":"e5"}\n')
  const second = await readLog(path, { lines: 3, after: first.cursor })
  t.same(events(second), ['e5'])
  t.same((await readLog(path, { lines: 3, after: second.cursor })).lines, [])
})

void t.test('a rotation loses nothing that is still there, and says what is gone', async t => {
  const path = join(t.testdir(), 'node.log')
  writeFileSync(path, line(1))
  const { cursor } = await readLog(path, { lines: 1, after: null })
  appendFileSync(path, line(2))
  renameSync(path, `${path}.1`)
  writeFileSync(path, line(3))
  const rest = await readLog(path, { lines: 1, after: cursor })
  const next = await readLog(path, { lines: 1, after: rest.cursor })
  t.same([events(rest), events(next)], [['e2'], ['e3']])
  const lost = await readLog(path, { lines: 1, after: '7-7' })
  t.equal(lost.gap, true)
  t.same(events(lost), ['e3'])
})

void t.test('pages are bounded, and a line is never cut in two', async t => {
  const path = join(t.testdir(), 'node.log')
  writeFileSync(path, Array.from({ length: 20_000 }, (_, n) => line(n)).join(''))
  const page = await readLog(path, { lines: 2000, after: null })
  t.equal(page.lines.length, 2000)
  t.equal(page.lines.at(-1)?.['event'], 'e19999')
  let seen = 0
  let cursor = `${page.cursor.split('-')[0] ?? ''}-0`
  for (let pages = 0; pages < 20; pages++) {
    const more = await readLog(path, { lines: 1, after: cursor })
    if (!more.lines.every(each => each['event'] === `e${seen++}`)) t.fail('a line is missing')
    cursor = more.cursor
  }
  t.equal(seen, 20_000)
})

void t.test('what is no event becomes one, so nobody’s text looks like another line', async t => {
  const now = new Date('2026-01-01T00:00:00Z')
  t.equal(logLine('{"time":"x","event":"y"}', now), '{"time":"x","event":"y"}')
  t.equal(logLine('{"time":nonsense', now), '{"time":"2026-01-01T00:00:00.000Z","event":"output","text":"{\\"time\\":nonsense"}')
  t.match(JSON.parse(logLine('slot abc ended\u001b[2J', now)), { event: 'output', text: 'slot abc ended\u001b[2J' })
})
