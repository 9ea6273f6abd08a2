/**
 * A real browser before real nodes. Every page is watched: what it asks of other origins, what it writes into its list of errors, and what axe finds
 * wrong with it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { makeApp, must, operator, passphrase, TestFleet, type TestNode } from '../e2e/fleet.ts'

const require = createRequire(import.meta.url)
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const binary = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path))
const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update']

/** One for the whole test file. @throws Error where no Chromium is installed */
export function openBrowser(): Promise<Browser> {
  if (binary === undefined) throw new Error('no Chromium here: apt-get install chromium')
  return chromium.launch({ executablePath: binary, args: [...args, '--disable-sync', '--no-first-run'] })
}

/** What a real fleet may take for a step on a busy machine. */
export const slow = { timeout: 90_000 }

/** What the tests of the dashboard begin with: a fleet of two, and its operator, who has logged in at the first. */
export interface Scene {
  readonly browser: Browser
  readonly fleet: TestFleet
  readonly anna: Visitor
  readonly page: Page
  /** Packs the app `till`. @returns the zip's path */
  readonly zip: (version: string, health?: string) => Promise<string>
}

export async function openScene(t: Test): Promise<Scene> {
  const browser = await openBrowser()
  t.teardown(() => browser.close())
  const fleet = await new TestFleet(t).found(2)
  const anna = await Visitor.at(t, browser, fleet.first)
  const zip = async (version: string, health = ''): Promise<string> => {
    const out = join(fleet.dir, `till-${version}.zip`)
    await must(fleet.first.cli(['pack', makeApp(fleet.dir, { version, health }), '--out', out]))
    return out
  }
  return { browser, fleet, anna, page: await anna.logIn(), zip }
}

/** Tabs to what is meant, as somebody without a mouse does, and presses a key on it. */
export async function press(own: Page, target: Locator, key = 'Enter'): Promise<void> {
  await target.waitFor(slow)
  const isThere = (): Promise<boolean> => target.evaluate(element => element === element.ownerDocument.activeElement)
  for (let n = 0; n < 120 && !(await isThere()); n++) await own.keyboard.press('Tab')
  if (!(await isThere())) throw new Error(`not reached by Tab: ${String(target)}`)
  await own.keyboard.press(key)
}

export interface Looks {
  readonly colorScheme?: 'light' | 'dark'
  readonly width?: number
  readonly locale?: string
}

/** A person's browser, with what it complained of. */
export class Visitor {
  readonly context: BrowserContext
  readonly node: TestNode
  readonly errors: string[] = []
  readonly foreign: string[] = []

  private constructor(context: BrowserContext, node: TestNode) {
    this.context = context
    this.node = node
    context.on('request', request => {
      if (new URL(request.url()).origin !== this.origin && !/^(?:data|blob):/.test(request.url())) this.foreign.push(request.url())
    })
  }

  static async at(t: Test, browser: Browser, node: TestNode, looks: Looks = {}): Promise<Visitor> {
    const { colorScheme = 'light', width = 1280, locale = 'en-GB' } = looks
    const context = await browser.newContext({ ignoreHTTPSErrors: true, colorScheme, locale, viewport: { width, height: 900 } })
    t.teardown(() => context.close())
    return new Visitor(context, node)
  }

  get origin(): string {
    return `https://127.0.0.1:${this.node.port}`
  }

  /** What the browser complained of, but for what is meant to happen; told once. */
  unexpected(...meant: readonly RegExp[]): readonly string[] {
    return this.errors.splice(0).filter(text => !meant.some(each => each.test(text)))
  }

  async page(hash = ''): Promise<Page> {
    const page = await this.context.newPage()
    page.on('console', message => {
      if (message.type() === 'error') this.errors.push(message.text())
    })
    page.on('pageerror', error => this.errors.push(error.message))
    await page.goto(`${this.origin}/_shoal/${hash}`)
    return page
  }

  /** A page on which this person has logged in. */
  async logIn(name = operator, words = passphrase): Promise<Page> {
    const page = await this.page()
    await page.locator('[name=name]').fill(name)
    await page.locator('[name=passphrase]').fill(words)
    await page.locator('[type=submit]').click()
    await page.locator('.hero').waitFor()
    return page
  }
}

/** Rules that the page breaks, with where. */
export async function faults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const engine = (globalThis as unknown as { axe: { run: (options: object) => Promise<{ violations: Violation[] }> } }).axe
    interface Violation {
      readonly id: string
      readonly nodes: readonly { readonly html: string }[]
    }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const { violations } = await engine.run({ runOnly: tags })
    return violations.map(v => `${v.id}: ${v.nodes.map(n => n.html.slice(0, 160)).join(' | ')}`)
  })
}

/** Pixels by which the page is wider than the window. */
export const sideways = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth').then(Number)
