/**
 * `npm run bench:dashboard`: the dashboard of a real node before a fleet of ten thousand. Measured in Chromium: until the page is painted with its
 * first row of nodes, each time in a new browser context; and from a status that a node signs until the page shows it, with nothing else going
 * on and in the middle of a rollout, in which so many nodes a second say how far they are, and as many that they have done it. `--nodes N`,
 * `--loads N`, `--changes N`, `--busy NODES_PER_SECOND`; `--short`: a fleet of a thousand, seen a few times. Ends with 1 where a goal is missed.
 */
import { parseArgs } from 'node:util'
import { TestFleet, until } from '../e2e/fleet.ts'
import { Crowd } from './dashboard/crowd.ts'
import { Bench, type Times } from './dashboard/page.ts'
import { largest, median, table } from './figures.ts'
import { bench, type Teardowns } from './teardowns.ts'

/** Goals for the median: of ten looks on a machine that does other things too, the slowest says something about those. */
const paintMs = 1500
const changeMs = 1000

interface Measured {
  readonly what: string
  readonly times: readonly number[]
  readonly goalMs: number
}

function asked(): { readonly nodes: string; readonly loads: string; readonly changes: string; readonly busy: string } {
  const option = { type: 'string' } as const
  const options = { nodes: option, loads: option, changes: option, busy: option, short: { type: 'boolean', default: false } } as const
  const { short, ...given } = parseArgs({ options }).values
  const usual = short ? { nodes: '1000', loads: '3', changes: '10' } : { nodes: '10000', loads: '10', changes: '40' }
  return { busy: '50', ...usual, ...given }
}

function judge(all: readonly Measured[]): void {
  const rows = all.map(({ what, times, goalMs }) => [what, median(times), largest(times), goalMs])
  console.log(table(['ms', 'median', 'largest', 'goal for the median'], rows))
  // Nothing measured is a goal missed, too.
  const missed = all.filter(({ times, goalMs }) => !(median(times) <= goalMs))
  for (const { what, goalMs } of missed) console.error(`missed: ${what}, more than ${goalMs} ms`)
  if (missed.length > 0) process.exitCode = 1
}

async function changes(b: Bench, count: number, first: number): Promise<number[]> {
  const page = await b.open()
  const times: number[] = []
  for (let n = 0; n < count; n++) times.push(await b.change(page, first + n))
  await page.context().close()
  return times
}

/** Statuses and outcomes of others, ten times a second, until it is stopped. */
function chatter(crowd: Crowd, perSecond: number): () => void {
  let n = 0
  const timer = setInterval(() => crowd.tell(Array.from({ length: perSecond / 10 }, () => crowd.progress(n++)).flat()), 100)
  return () => clearInterval(timer)
}

async function crowdOf(teardowns: Teardowns, count: number): Promise<Crowd> {
  const fleet = await new TestFleet(teardowns).found(1)
  await fleet.first.stop()
  const crowd = new Crowd(fleet.first, count)
  console.log(`${crowd.facts.length} facts of ${count} nodes`)
  await fleet.first.start()
  teardowns.teardown(() => crowd.stop())
  await crowd.link()
  await until('everybody is seen', async () => JSON.stringify(await fleet.first.api('summary')).includes('"lost":0'), 120_000)
  return crowd
}

await bench(async teardowns => {
  const values = asked()
  const crowd = await crowdOf(teardowns, Number(values.nodes))
  const b = await Bench.before(crowd)
  teardowns.teardown(() => b.close())
  await b.logIn()
  const loads: Times[] = []
  for (let n = 0; n < Number(values.loads); n++) loads.push(await b.load())
  const count = Number(values.changes)
  const quiet = await changes(b, count, 0)
  const stop = chatter(crowd, Number(values.busy))
  const busy = await changes(b, count, count)
  stop()
  judge([
    { what: 'first contentful paint', times: loads.map(each => each.paint), goalMs: paintMs },
    { what: 'the sentence about the fleet', times: loads.map(each => each.sentence), goalMs: paintMs },
    { what: 'first row of nodes', times: loads.map(each => each.row), goalMs: paintMs },
    { what: 'a change, nothing else going on', times: quiet, goalMs: changeMs },
    { what: `a change in a rollout, ${values.busy} nodes a second`, times: busy, goalMs: changeMs },
  ])
})
