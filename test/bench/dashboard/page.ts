/** The dashboard in Chromium, as the bench looks at it: what is painted when, by the page's own clock. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../../browser/browser.ts'
import { operator, passphrase, until } from '../../e2e/fleet.ts'
import type { Crowd } from './crowd.ts'

export interface Times {
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

export class Bench {
  readonly crowd: Crowd
  readonly #browser: Browser
  #state: State = { cookies: [], origins: [] }

  private constructor(crowd: Crowd, browser: Browser) {
    this.crowd = crowd
    this.#browser = browser
  }

  static async before(crowd: Crowd): Promise<Bench> {
    return new Bench(crowd, await openBrowser())
  }

  close(): Promise<void> {
    return this.#browser.close()
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
    const times: Times = await page.evaluate(
      `({ paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN, ...window.seen })`,
    )
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
    const seen: Promise<number> = page.evaluate(
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
    )
    await sleep(400)
    const begun = Date.now()
    crowd.tell([crowd.statusOf(at, { health })])
    return (await seen) - begun
  }
}
