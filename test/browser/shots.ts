/** `npm run shots`: the pictures of the README, taken of a real fleet that is founded, deployed to and stopped at a bad release for them. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { makeApp, must, TestFleet, until } from '../e2e/fleet.ts'
import { openBrowser, Visitor } from './browser.ts'

const teardowns: (() => unknown)[] = []
const t = { teardown: (end: () => unknown) => teardowns.push(end) } as unknown as Test
const out = resolve('docs/images')
const work = mkdtempSync(join(tmpdir(), 'shoal-shots-'))

async function take(page: Page, hash: string, name: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/_shoal/${hash}`)
  await page.locator('h1').waitFor()
  await page.locator('.live.live').waitFor()
  await page.waitForTimeout(600)
  await page.screenshot({ path: join(out, `${name}.png`) })
}

async function shots(): Promise<void> {
  mkdirSync(out, { recursive: true })
  const fleet = await new TestFleet(t).found(5)
  const app = (version: string, health = ''): string => makeApp(work, { version, health, probationSeconds: 2 })
  for (const version of ['1.4.0', '1.5.0']) await must(fleet.deploy(fleet.first, app(version), ['--notes', 'Receipts in colour']))
  const browser = await openBrowser()
  t.teardown(() => browser.close())
  const light = await (await Visitor.at(t, browser, fleet.first)).logIn()
  const dark = await (await Visitor.at(t, browser, fleet.first, { colorScheme: 'dark' })).logIn()
  const phone = await (await Visitor.at(t, browser, fleet.first, { width: 375 })).logIn()
  await take(light, '#/', 'fleet')
  await take(phone, '#/', 'phone')
  await take(light, '#/people', 'people')
  const running = fleet.deploy(fleet.node(1), app('1.6.0'), ['--soak', '4s'])
  await until('the order is known', async () => (await fleet.first.api('rollouts')).rollouts[0]?.release === 'till@1.6.0', 200_000)
  await dark.goto(`${new URL(dark.url()).origin}/_shoal/#/rollouts/latest`)
  await dark.locator('.wave.passed').first().waitFor({ timeout: 200_000 })
  await dark
    .locator('.cell.busy, .cell.transfer')
    .first()
    .waitFor({ timeout: 30_000 })
    .catch(() => undefined)
  await dark.screenshot({ path: join(out, 'rollout.png') })
  await running
  await fleet.deploy(fleet.first, app('1.7.0', 'throw new Error("the printer does not answer on /dev/lp0")'))
  await take(light, '#/rollouts/latest', 'halted')
  await take(dark, '#/', 'needs-you')
}

try {
  await shots()
} finally {
  for (const end of teardowns.toReversed()) await end()
  rmSync(work, { recursive: true, force: true })
}
