/**
 * A real browser before real nodes. Every page is watched: what it asks of other origins, what it writes into its list of errors, and what axe finds
 * wrong with it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { operator, passphrase, type TestNode } from '../e2e/fleet.ts'

const require = createRequire(import.meta.url)
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const binary = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path))
const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update']

/** One for the whole test file. @throws Error where no Chromium is installed */
export function openBrowser(): Promise<Browser> {
  if (binary === undefined) throw new Error('no Chromium here: apt-get install chromium')
  return chromium.launch({ executablePath: binary, args: [...args, '--disable-sync', '--no-first-run'] })
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
