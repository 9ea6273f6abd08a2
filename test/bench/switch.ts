/**
 * `npm run bench:switch`: what clients under constant load see of a switch. Shoal's two ways and its going back, by real orders at real nodes,
 * beside stop and start, and pm2 reload, of the same app: round by round in one run. `--short`: two of each of Shoal's, for CI; it fails if a
 * request does. `--switches N`; `--only exclusive,overlap,stop,pm2`, `--only exclusive:` for its goings back.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { largest, median, quantile, table } from './figures.ts'
import { installPm2, pm2Reload, pm2Version, stopAndStart } from './switch/others.ts'
import { type FromLoad, type Kind, type Sample, slowMs, type Target, type ToLoad } from './switch/protocol.ts'
import { ShoalUnderLoad } from './switch/shoal.ts'
import { bench, type Teardowns } from './teardowns.ts'

/** Time under load before the first switch of a round; the first half warms up, the rest is `before`. */
const warmMs = 2000
/** Time after a switch that still belongs to it: who was away comes back. */
const settleMs = 500
/** Then a rest: no client's pause may span two switches, which a node's probation keeps apart in earnest. */
const restMs = 3000
const perRound = 10

interface Way {
  readonly name: string
  readonly target: Target
  /** One switch; `cut` is called when a going back begins. */
  readonly turn: (n: number, cut: () => void) => Promise<string>
  readonly expect: string
  /** What clients may have to wait for: the slowest request in flight. */
  readonly slowestMs: number
  /** Requests inside a worker that dies are lost; they are counted, and are no failure of the switch. */
  readonly loses: boolean
}

interface Window {
  readonly samples: readonly Sample[]
  readonly handshakes: number
  readonly stallMs: number
}

class Load {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'switch/load.ts'))

  constructor(teardowns: Teardowns) {
    teardowns.teardown(() => this.#child.kill('SIGKILL'))
  }

  start = (target: Target): Promise<FromLoad> => this.#ask({ t: 'start', target }, 'started')
  stop = (): Promise<FromLoad> => this.#ask({ t: 'stop' }, 'stopped')

  async window(): Promise<Window> {
    const said = await this.#ask({ t: 'window' }, 'samples')
    return said.t === 'samples' ? said : { samples: [], handshakes: 0, stallMs: 0 }
  }

  async #ask(message: ToLoad, reply: FromLoad['t']): Promise<FromLoad> {
    this.#child.send(message)
    for (;;) {
      const [said] = (await once(this.#child, 'message')) as [FromLoad]
      if (said.t === reply) return said
    }
  }
}

interface Seen {
  readonly before: Window[]
  readonly during: Window[]
  /** Of a going back: from its beginning. */
  readonly back: Window[]
}

async function round(load: Load, way: Way, from: number, count: number, seen: Seen): Promise<void> {
  await load.start(way.target)
  await sleep(warmMs / 2)
  await load.window()
  await sleep(warmMs / 2)
  seen.before.push(await load.window())
  for (let n = from; n < from + count; n++) {
    let cut: Promise<Window> | null = null
    const outcome = await way.turn(n, () => {
      cut ??= load.window()
    })
    if (outcome !== way.expect) throw new Error(`${way.name}: switch ${n} ended ${outcome}, not ${way.expect}`)
    await sleep(settleMs)
    const rest = await load.window()
    const first = await (cut as Promise<Window> | null)
    if (first === null) seen.during.push(rest)
    else {
      seen.during.push(first)
      seen.back.push(rest)
    }
    if (way.target.members.length > 0) await sleep(restMs)
    await load.window()
  }
  await load.stop()
  await sleep(settleMs)
}

const shoalWays = async (teardowns: Teardowns, handover: 'exclusive' | 'overlap'): Promise<readonly Way[]> => {
  const traits = { handover, probationSeconds: 0 }
  const shoal = await ShoalUnderLoad.found(teardowns, [
    { ...traits, version: '1.0.0' },
    { ...traits, version: '2.0.0' },
    { ...traits, version: '3.0.0', probationSeconds: 1, flaw: { kind: 'ill', afterMs: 600 } },
    { ...traits, version: '4.0.0', probationSeconds: 2, flaw: { kind: 'dies', afterMs: 1000 } },
  ])
  const slowestMs = handover === 'exclusive' ? slowMs : 0
  const way = { target: shoal.target, loses: false }
  return [
    { ...way, name: handover, slowestMs, expect: 'confirmed', turn: n => shoal.switchTo(n % 2 === 0 ? '2.0.0' : '1.0.0') },
    {
      ...way,
      name: `${handover}: back from ill`,
      slowestMs,
      expect: 'rolled-back',
      turn: (_, cut) => shoal.fall('3.0.0', cut),
    },
    {
      ...way,
      name: `${handover}: back from dead`,
      slowestMs: 0,
      expect: 'rolled-back',
      loses: true,
      turn: (_, cut) => shoal.fall('4.0.0', cut),
    },
  ]
}

async function ways(teardowns: Teardowns, isShort: boolean): Promise<readonly Way[]> {
  const all: Way[] = [...(await shoalWays(teardowns, 'exclusive')), ...(await shoalWays(teardowns, 'overlap'))]
  if (isShort) return all
  const plain = { slowestMs: 0, expect: 'confirmed', loses: false }
  all.push({ ...plain, ...(await stopAndStart(teardowns)), name: 'stop and start' })
  all.push({ ...plain, ...(await pm2Reload(teardowns, await installPm2(teardowns))), name: `pm2 ${pm2Version} reload` })
  return all
}

const msOf = (windows: readonly Window[], kind: Kind): number[] =>
  windows.flatMap(w => w.samples.flatMap(s => (s.kind === kind && s.failure === null ? [s.ms] : [])))

function failures(windows: readonly Window[]): string {
  const count = new Map<string, number>()
  for (const { kind, peer, failure } of windows.flatMap(w => w.samples)) {
    if (failure === null) continue
    const name = `${peer ? 'peer' : 'user'} ${kind}: ${failure}`
    count.set(name, (count.get(name) ?? 0) + 1)
  }
  return [...count].map(([name, n]) => `${name} x ${n}`).join('; ') || '-'
}

const failed = (windows: readonly Window[]): number => windows.reduce((sum, w) => sum + w.samples.filter(s => s.failure !== null).length, 0)

/** The longest wait of a busy client in each window. */
const waits = (windows: readonly Window[]): number[] => windows.map(w => largest([...msOf([w], 'keep-alive'), ...msOf([w], 'new')]))

const head = [
  'way',
  'switches',
  'requests',
  'failed',
  'cured 503',
  'p99 ka / new / lazy before',
  'p99 ka / new / lazy',
  'longest wait: median, largest',
  'beyond the slowest request: median, largest',
  'that without the stall of the load',
  'WebSocket back: median, largest',
  'handshakes per switch',
  'stall of the load',
] // prettier-ignore

function row(way: Way, { before, during, back }: Seen): readonly (string | number)[] {
  const all = [...during, ...back]
  const judged = back.length > 0 ? back : during
  const p99 = (windows: readonly Window[]): string =>
    (['keep-alive', 'new', 'lazy'] as const).map(kind => Math.round(quantile(msOf(windows, kind), 0.99))).join(' / ')
  const pair = (values: readonly number[]): string => `${Math.round(median(values))}, ${Math.round(largest(values))}`
  const beyond = waits(judged).map(ms => Math.max(0, ms - way.slowestMs))
  return [
    way.name,
    during.length,
    all.reduce((sum, w) => sum + w.samples.length, 0),
    failed(all),
    all.reduce((sum, w) => sum + w.samples.filter(s => s.cured).length, 0),
    p99(before),
    p99(judged),
    pair(waits(judged)),
    pair(beyond),
    pair(beyond.map((ms, n) => Math.max(0, ms - (judged[n]?.stallMs ?? 0)))),
    pair(msOf(judged, 'websocket')),
    Math.round(all.reduce((sum, w) => sum + w.handshakes, 0) / during.length),
    largest(all.map(w => w.stallMs)),
  ]
}

const isWanted = (name: string, parts: readonly string[] | undefined): boolean =>
  parts?.some(part => part === name || name.startsWith(`${part} `)) ?? true

function report(all: ReadonlyMap<Way, Seen>): void {
  const seen = [...all].filter(([, { during }]) => during.length > 0)
  const rows = seen.map(([way, windows]) => row(way, windows))
  console.log(table(head, rows))
  for (const [way, windows] of seen) console.log(`${way.name}: ${failures([...windows.before, ...windows.during, ...windows.back])}`)
}

await bench(async teardowns => {
  const options = { short: { type: 'boolean', default: false }, switches: { type: 'string' }, only: { type: 'string' } } as const
  const { values } = parseArgs({ options })
  const total = Number(values.switches ?? (values.short ? 2 : 50))
  const chosen = (await ways(teardowns, values.short)).filter(way => isWanted(way.name, values.only?.split(',')))
  const seen = new Map<Way, Seen>(chosen.map(way => [way, { before: [], during: [], back: [] }]))
  const load = new Load(teardowns)
  // Also when it is interrupted: what was measured was measured.
  teardowns.teardown(() => report(seen))
  for (let from = 0; from < total; from += perRound) {
    for (const [way, windows] of seen) {
      const begun = Date.now()
      await round(load, way, from, Math.min(perRound, total - from), windows)
      console.error(`${way.name}: ${windows.during.length} of ${total}, ${Date.now() - begun} ms`)
    }
  }
  const bad = [...seen].filter(([way, w]) => way.target.members.length > 0 && !way.loses && failed([...w.during, ...w.back]) > 0)
  if (bad.length > 0) throw new Error(`requests failed: ${bad.map(([way]) => way.name).join(', ')}`)
})
