// Where somebody without a mouse is after each act; what is pressed twice is done once; what tabs are called.
import { connect } from 'node:tls'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { makeApp, until } from '../e2e/fleet.ts'
import { faults, openScene, press, slow } from './browser.ts'

const { fleet, anna, page } = await openScene(t)
const { first } = fleet
const second = fleet.node(1)
const show = (own: Page, hash: string): Promise<unknown> => own.goto(`${anna.origin}/_shoal/${hash}`)
const dialog = page.getByRole('dialog')
const button = (name: string, exact = true): Locator => page.getByRole('button', { name, exact })

/** What has the focus: its element, and its text. */
const focused = (): Promise<string> => page.evaluate('`${document.activeElement.tagName} ${document.activeElement.innerText}`').then(String)

/** @returns how often it was asked for while `act` went on */
async function posts(path: string, act: () => Promise<unknown>): Promise<number> {
  let n = 0
  const count = (request: { method: () => string; url: () => string }): void => {
    if (request.method() === 'POST' && request.url().endsWith(path)) n += 1
  }
  page.on('request', count)
  await act()
  page.off('request', count)
  return n
}

await t.test('a held node says who holds it and why; held, and let go on, its button keeps the focus', async t => {
  await show(page, `#/nodes/${second.id}`)
  await press(page, button('Hold'))
  await dialog.getByLabel('Why').fill('a new disk')
  await dialog.getByLabel('For how long').selectOption('2 hours')
  await press(page, dialog.getByRole('button', { name: 'Hold', exact: true }))
  await page.getByText(/^Held by anna: a new disk · (?:1 hour|2 hours) left$/).waitFor(slow)
  await button('Let go on').waitFor(slow)
  t.equal(await focused(), 'BUTTON Let go on')
  t.equal(await page.title(), `${second.name} · Shoal`)
  await show(page, '#/')
  // A reader is told, at most once in two seconds.
  await page.locator('.hero [role=status]', { hasText: '1 held' }).waitFor(slow)
  await page.locator('tr', { hasText: second.name }).getByText('Held by anna: a new disk').waitFor(slow)
  await show(page, `#/nodes/${second.id}`)
  await press(page, button('Let go on'))
  await button('Hold').waitFor(slow)
  t.equal(await focused(), 'BUTTON Hold')
})

await t.test('at another screen the heading has the focus, and the tab its name', async t => {
  await show(page, '#/')
  await page.locator('.nodes a', { hasText: second.name }).waitFor(slow)
  await press(page, page.locator('.nodes a', { hasText: second.name }))
  await page.getByRole('heading', { level: 1, name: second.name }).waitFor(slow)
  t.equal(await focused(), `H1 ${second.name}`)
  await page.keyboard.press('Tab')
  t.equal(await focused(), 'BUTTON Hold', 'from there on')
  await press(page, page.locator('nav a[href="#/log"]'))
  await page.getByRole('heading', { level: 1, name: 'Log' }).waitFor(slow)
  t.equal(await focused(), 'H1 Log')
  t.equal(await page.title(), 'Log · Shoal')
})

await t.test('an address that nobody can read is not found', async t => {
  const own = await anna.page('#/nodes/%')
  await own.getByText('There is no such node in the fleet.').waitFor(slow)
  await own.close()
  t.strictSame(anna.unexpected(/status of (?:400|404)/), [])
})

await t.test('Enter twice adds one person, whose passphrase stays to be read; removed, the heading has the focus', async t => {
  await show(page, '#/people')
  await page.locator('summary', { hasText: 'Add a person' }).click(slow)
  await page.getByLabel('Name', { exact: true }).first().fill('vera')
  const asked = await posts('/operators', async () => {
    await press(page, button('Add a person'))
    await page.keyboard.press('Enter')
    await page.getByText('The passphrase of vera').waitFor(slow)
    await page.keyboard.press('Enter')
  })
  t.equal(asked, 1)
  t.equal(await page.locator('.problem').count(), 0)
  t.equal(await focused(), 'BUTTON Add a person')
  await press(page, button('Remove vera'))
  await dialog.waitFor(slow)
  t.equal(await focused(), 'BUTTON Cancel', 'of a question without fields')
  t.strictSame(await faults(page), [])
  await press(page, dialog.getByRole('button', { name: 'Remove' }))
  await button('Remove vera').waitFor({ ...slow, state: 'detached' })
  t.match(await focused(), /^H1 People/)
})

await t.test('a double click makes one token', async t => {
  const asked = await posts('/invites', async () => {
    await button('Make a token').dblclick(slow)
    await page.getByRole('heading', { name: 'On the new machine' }).waitFor(slow)
  })
  t.equal(asked, 1)
})

await t.test('the fingerprint to compare is that of the certificate that browsers get', async t => {
  const socket = connect({ host: '127.0.0.1', port: first.port, rejectUnauthorized: false })
  await new Promise(done => socket.once('secureConnect', done))
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  await page.locator('.phone').getByText(fingerprint256).waitFor(slow)
  t.match(fingerprint256, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/)
})

await t.test('aborted, a rollout has no button left that could have the focus: its heading has it', async t => {
  t.equal((await fleet.deploy(first, makeApp(fleet.dir, { version: '1.0.0', health: 'throw new Error("on fire")' }))).code, 5)
  await show(page, '#/rollouts/latest')
  await page.getByText('Halted: 1 node failed').waitFor(slow)
  t.equal(await page.title(), 'till 1.0.0 halted · Shoal')
  await press(page, button('Pause').or(button('Resume')))
  await page.waitForTimeout(500)
  t.match(await focused(), /^BUTTON (?:Pause|Resume)/)
  await press(page, button('Abort'))
  await press(page, dialog.getByRole('button', { name: 'Abort', exact: true }))
  await page.getByText('Aborted. Nobody else begins.').waitFor(slow)
  t.equal(await focused(), 'H1 till 1.0.0')
  await until('the title says it', async () => (await page.title()) === 'till 1.0.0 aborted · Shoal')
  t.strictSame([...anna.unexpected(/status of (?:400|404|409)/), ...anna.foreign], [])
})
