/**
 * `npm run bench:dashboard`: the dashboard of a real node before a fleet of ten thousand. Measured in Chromium: until the page is painted with its
 * first row of nodes, each time in a new browser context; and from a status that a node signs until the page shows it, with nothing else going
 * on and in the middle of a rollout, in which so many nodes a second say how far they are, and as many that they have done it. `--nodes N`,
 * `--loads N`, `--changes N`, `--busy NODES_PER_SECOND`.
 */
import { parseArgs } from 'node:util'
import { TestFleet, until } from '../e2e/fleet.ts'
import { Crowd } from './dashboard/crowd.ts'
import { Bench, type Times } from './dashboard/page.ts'
import { largest, median, table } from './figures.ts'
import { bench, type Teardowns } from './teardowns.ts'

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
  const option = (value: string): { type: 'string'; default: string } => ({ type: 'string', default: value })
  const { values } = parseArgs({ options: { nodes: option('10000'), loads: option('10'), changes: option('40'), busy: option('50') } })
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
  const row = (what: string, times: readonly number[]): (string | number)[] => [what, median(times), largest(times)]
  console.log(
    table(
      ['ms', 'median', 'largest'],
      [
        row(
          'first contentful paint',
          loads.map(each => each.paint),
        ),
        row(
          'the sentence about the fleet',
          loads.map(each => each.sentence),
        ),
        row(
          'first row of nodes',
          loads.map(each => each.row),
        ),
        row('a change, nothing else going on', quiet),
        row(`a change in a rollout, ${values.busy} nodes a second`, busy),
      ],
    ),
  )
})
