/** logs: what a node said lately, of any node through any node; `-f` goes on, through restarts of both. */
import { setTimeout as wait } from 'node:timers/promises'
import { asArray, asBoolean, asString, Fields, ShoalError } from '../../model/index.ts'
import type { Context } from '../context.ts'
import { followLogMs, reconnectMs } from '../limits.ts'
import { type LogEntry, lineOf } from '../log-line.ts'
import { type Args, type CommandSpec, countWithin, type Outcome } from '../spec.ts'
import { passing } from '../watch.ts'

interface Page {
  readonly lines: readonly LogEntry[]
  readonly cursor: string
  readonly gap: boolean
}

const maxLines = 2000

function parsePage(value: unknown): Page {
  const f = new Fields(value, 'logs')
  const entry = (each: unknown, where: string): LogEntry => {
    const e = new Fields(each, where)
    return Object.fromEntries(e.keys().map(key => [key, e.raw(key)]))
  }
  return {
    lines: asArray(f.raw('lines'), 'logs.lines', 1 << 20).map((each, at) => entry(each, `lines[${at}]`)),
    cursor: f.get('cursor', (v, w) => asString(v, w, 100)),
    gap: f.maybe('gap', asBoolean, false),
  }
}

async function logs(context: Context, args: Args): Promise<Outcome> {
  const count = args.read('lines', countWithin(1, maxLines), 100)
  if (args.has('follow') && context.isJson) throw new ShoalError('USAGE', '--json is one document and -f never ends; use -f --ndjson')
  const path = `nodes/${encodeURIComponent(args.word(0) ?? 'self')}/logs`
  const document = await context.api().get(`${path}?lines=${count}`)
  const page = parsePage(document)
  const format = args.has('ndjson') ? (entry: LogEntry) => JSON.stringify(entry) : lineOf
  if (!args.has('follow')) return { document, text: page.lines.map(format) }
  await follow(context, path, page, lines => context.io.stdout.write(lines.map(line => `${format(line)}\n`).join('')))
  return { text: [] }
}

/** Until Ctrl-C, which is how it ends well. @throws ShoalError what the node refuses; NO_NODE after a minute without an answer */
async function follow(context: Context, path: string, first: Page, show: (lines: readonly LogEntry[]) => void): Promise<void> {
  const { signal } = context.io
  let page = first
  let answeredMs = performance.now()
  show(page.lines)
  const isOver = (): boolean => signal.aborted
  while (!isOver()) {
    try {
      // A full page means that there is more.
      if (page.lines.length === 0) await wait(followLogMs, undefined, { signal })
      page = parsePage(await context.api().get(`${path}?after=${encodeURIComponent(page.cursor)}`))
      answeredMs = performance.now()
      if (page.gap) context.note('lines in between are gone: the log was rotated')
      show(page.lines)
    } catch (error) {
      if (isOver()) return
      const isPassing = error instanceof ShoalError && passing.has(error.code)
      if (!isPassing || performance.now() - answeredMs > reconnectMs) throw error
      page = { ...page, lines: [] }
    }
  }
}

export const logCommands: readonly CommandSpec[] = [
  {
    path: 'logs',
    args: '[node]',
    about: 'what a node logged lately; default: the node at home',
    options: [
      { flags: '-f, --follow', about: 'go on until Ctrl-C' },
      { flags: '-n, --lines <n>', about: 'how many of the last lines (default 100)' },
      { flags: '--ndjson', about: 'each line as it is in the log: a JSON document' },
    ],
    run: logs,
  },
]
