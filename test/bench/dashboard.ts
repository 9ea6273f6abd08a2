/**
 * `npm run bench:dashboard`: the dashboard of a real node before a fleet of ten thousand. Measured in Chromium: until the page is painted with its
 * first row of nodes, each time in a new browser context; and from a status that a node signs until the page shows it, with nothing else going
 * on and while others tell theirs. `--nodes N`, `--loads N`, `--changes N`, `--busy STATUSES_PER_SECOND`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../browser/browser.ts'
import { operator, passphrase, TestFleet, until } from '../e2e/fleet.ts'
import { Crowd } from './dashboard/crowd.ts'
import { largest, median, table } from './figures.ts'
import { bench, type Teardowns } from './teardowns.ts'

interface Times {
  readonly paint: number
  readonly sentence: number
  readonly row: number
}

type State = Awaited<ReturnType<Awaited<ReturnType<Browser['newContext']>>['storageState']>>

/** Runs in the page, before it: writes down when the sentence and the first row stand there, and are painted. */
const watcher = `
  window.seen = {}
  const look = () => {
    for (const [key, selector] of [['sentence', '.hero h1'], ['row', '.nodes tbody tr']])
      if (!(key in window.seen) && document.querySelector(selector)) {
        window.seen[key] = null
        requestAnimationFrame(() => setTimeout(() => { window.seen[key] = performance.now() }))
      }
  }
  new MutationObserver(look).observe(document, { childList: true, subtree: true })
`

class Bench {
  readonly crowd: Crowd
  readonly #browser: Browser
  #state: State = { cookies: [], origins: [] }

  constructor(crowd: Crowd, browser: Browser) {
    this.crowd = crowd
    this.#browser = browser
  }

  get #address(): string {
    return `https://127.0.0.1:${this.crowd.real.port}/_shoal/`
  }

  async #open(): Promise<Page> {
    const context = await this.#browser.newContext({ ignoreHTTPSErrors: true, storageState: this.#state, locale: 'en-GB' })
    await context.addInitScript(watcher)
    return context.newPage()
  }

  async logIn(): Promise<void> {
    const page = await this.#open()
    await page.goto(this.#address)
    await page.locator('[name=name]').fill(operator)
    await page.locator('[name=passphrase]').fill(passphrase)
    await page.locator('[type=submit]').click()
    await page.locator('.hero').waitFor({ timeout: 60_000 })
    this.#state = await page.context().storageState()
    await page.context().close()
  }

  /** ms from the navigation on, in a browser that has nothing of the page yet. */
  async load(): Promise<Times> {
    const page = await this.#open()
    await page.goto(this.#address)
    await until('the first row is painted', async () => (await page.evaluate('window.seen.row > 0 && window.seen.sentence > 0')) === true)
    const times = (await page.evaluate(
      `({ paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN, ...window.seen })`,
    )) as Times
    await page.context().close()
    return times
  }

  async open(): Promise<Page> {
    const page = await this.#open()
    await page.goto(this.#address)
    await page.locator('.live.live').waitFor({ timeout: 60_000 })
    await page.locator('.nodes tbody tr').nth(2).waitFor({ timeout: 60_000 })
    return page
  }

  /** ms from the signature of a status until the row of its node says so and is painted. */
  async change(page: Page, n: number): Promise<number> {
    const { crowd } = this
    const at = 1 + (n % 20)
    const health = Math.floor(n / 20) % 2 === 0 ? 'degraded' : 'ok'
    const word = health === 'degraded' ? 'ill' : 'fine'
    const seen = page.evaluate(
      `new Promise(done => {
        const row = () => [...document.querySelectorAll('.nodes tbody tr')].find(each => each.textContent.includes('${crowd.node(at).name}'))
        const look = () => {
          if (!row()?.querySelector('.badge')?.textContent.includes('${word}')) return
          observer.disconnect()
          requestAnimationFrame(() => setTimeout(() => done(Date.now())))
        }
        const observer = new MutationObserver(look)
        observer.observe(document.body, { childList: true, subtree: true, characterData: true })
      })`,
    ) as Promise<number>
    await sleep(400)
    const begun = Date.now()
    crowd.tell([crowd.statusOf(at, { health })])
    return (await seen) - begun
  }
}

async function changes(b: Bench, count: number, first: number): Promise<number[]> {
  const page = await b.open()
  const times: number[] = []
  for (let n = 0; n < count; n++) times.push(await b.change(page, first + n))
  await page.context().close()
  return times
}

/** Statuses of others, some ten at a time, until it is stopped. */
function chatter(crowd: Crowd, perSecond: number): () => void {
  let n = 0
  const timer = setInterval(() => crowd.tell(Array.from({ length: perSecond / 10 }, () => crowd.progress(n++))), 100)
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
  const total = async (): Promise<unknown> => (await fleet.first.api('summary')) as unknown
  await until('everybody is seen', async () => JSON.stringify(await total()).includes('"lost":0'), 120_000)
  return crowd
}

await bench(async teardowns => {
  const option = (value: string): { type: 'string'; default: string } => ({ type: 'string', default: value })
  const { values } = parseArgs({ options: { nodes: option('10000'), loads: option('10'), changes: option('40'), busy: option('50') } })
  const crowd = await crowdOf(teardowns, Number(values.nodes))
  const browser = await openBrowser()
  teardowns.teardown(() => browser.close())
  const b = new Bench(crowd, browser)
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
        row(`a change among ${values.busy} others a second`, busy),
      ],
    ),
  )
})
