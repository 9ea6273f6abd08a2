// The dashboard in a real browser before a fleet of two real nodes: from the first log-in to a release that is explained and taken back.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator } from 'playwright-core'
import t from 'tap'
import { makeApp, must, operator, until } from '../e2e/fleet.ts'
import { faults, openScene, press, sideways, slow, Visitor } from './browser.ts'

const { browser, fleet, anna, page, zip } = await openScene(t)
const { first } = fleet
/** What Chromium complains of while a node is not there. */
const away =
  /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|CONNECTION_CLOSED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED)|status of 503/

await page.evaluate('window.neverReloaded = true')

await t.test('a fleet of two is seen green after logging in', async t => {
  await page.getByRole('heading', { level: 1, name: '2 nodes, and no app yet.' }).waitFor(slow)
  t.equal(await page.locator('.hero .cell.ok').count(), 2)
  await page.locator('.live.live').waitFor(slow)
})

await t.test(
  'a package is uploaded, checked, rolled out and watched to the end, while the node that serves the page changes over',
  async t => {
    await page.getByRole('link', { name: 'Releases', exact: true }).click()
    await page.locator('.drop input').setInputFiles(await zip('1.0.0'))
    await page.getByRole('button', { name: 'Sign and publish' }).click(slow)
    await page.getByRole('button', { name: 'Check first' }).click(slow)
    await page.getByRole('dialog').getByRole('button', { name: 'Check' }).click(slow)
    await page.getByText('Every node can take it.').waitFor(slow)
    await page.getByRole('link', { name: 'Releases', exact: true }).click()
    await page.getByRole('link', { name: 'till 1.0.0', exact: true }).click()
    await page.getByText('More options').click()
    await page.getByLabel('Pause after a wave').fill('0')
    await page.getByRole('button', { name: 'Roll out …' }).click()
    await page.getByRole('dialog').getByText('Wave 1, canary').waitFor(slow)
    await page.getByRole('button', { name: 'Sign and roll out' }).click()
    await page.getByText('Completed: all 2 nodes confirmed.').waitFor(slow)
    t.strictSame(await fleet.versions(), ['1.0.0', '1.0.0'])
    t.equal(await page.evaluate('window.neverReloaded'), true, 'the page was not loaded again')
    await page.getByRole('link', { name: 'Fleet', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'All 2 nodes serve till 1.0.0.' }).waitFor(slow)
  },
)

await t.test('a release that fails is explained, stopped, and the fleet rolled back, by clicks', async t => {
  await must(fleet.deploy(first, makeApp(fleet.dir, { version: '1.1.0' })))
  const bad = await zip('2.0.0', 'throw new Error("the printer is on fire")')
  await page.getByRole('link', { name: 'Releases', exact: true }).click()
  await page.locator('.drop input').setInputFiles(bad)
  await page.getByRole('button', { name: 'Sign and publish' }).click(slow)
  await page.getByRole('button', { name: 'Roll out …' }).click(slow)
  await page.getByRole('button', { name: 'Sign and roll out' }).click(slow)
  await page.getByText('Halted: 1 node failed').waitFor(slow)
  await page.getByText('the printer is on fire').waitFor(slow)
  t.match(
    await page.locator('.failure').innerText(),
    /serves till 1\.1\.0 again; its data is as it was[\s\S]*APP_UNHEALTHY|APP_UNHEALTHY[\s\S]*serves till 1\.1\.0 again/,
  )
  t.strictSame(await faults(page), [])
  await page.getByRole('button', { name: 'Abort', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Abort', exact: true }).click()
  await page.getByText('Aborted. Nobody else begins.').waitFor(slow)
  await page.getByRole('button', { name: 'Roll the fleet back' }).click()
  await page.getByRole('button', { name: 'Sign and roll out' }).click(slow)
  await page.getByText('Completed: all 2 nodes confirmed.').waitFor(slow)
  t.strictSame(await fleet.versions(), ['1.1.0', '1.1.0'])
})

await t.test('the node of the page: its peers, its backups, its name, its settings', async t => {
  t.strictSame([...anna.errors, ...anna.foreign], [], 'nothing to complain of until here')
  const visitor = await Visitor.at(t, browser, first)
  const own = await visitor.logIn()
  await own.goto(`https://127.0.0.1:${first.port}/_shoal/#/nodes/${first.id}`)
  const peer = fleet.node(1).name
  await own.getByRole('button', { name: `Test ${peer}` }).click(slow)
  await own.getByText('Every step succeeds.').waitFor(slow)
  await own.getByLabel('Address, HOST:PORT').fill('127.0.0.1:1')
  await own.getByRole('button', { name: 'Add a sync peer' }).click()
  await own.getByText('NO_NODE').waitFor(slow)
  await own.getByRole('button', { name: `Do not keep ${peer}` }).click()
  await own.getByRole('button', { name: `Keep a link to ${peer}` }).click(slow)
  await own.getByRole('button', { name: `Do not keep ${peer}` }).waitFor(slow)

  await own.getByRole('button', { name: 'Make a backup' }).click()
  const backup = own.locator('section[aria-labelledby=backups] tbody tr').first()
  await backup.getByText('whole').waitFor(slow)
  await backup.getByRole('button', { name: /^Verify/ }).click()
  await backup.getByText('whole').waitFor(slow)
  await backup.getByRole('button', { name: /^Restore/ }).click()
  await own.getByRole('dialog').getByRole('button', { name: 'Restore …' }).click()
  await own.locator('section[aria-labelledby=backups] tbody tr').nth(1).waitFor(slow)
  // It brings config.json back too, so nothing is changed in it before that is over.
  await until('the backup is restored', async () => {
    const { backups } = (await first.api('backups')) as unknown as { backups: { kind: string; state: string }[] }
    return (
      backups.some(b => b.kind === 'kept') && backups.every(b => b.state === 'ready') && (await first.api('nodes/self')).step === 'idle'
    )
  })
  await own.getByText('kept aside').first().waitFor(slow)

  await own.getByLabel('Name', { exact: true }).fill('counter-1')
  await own.getByRole('button', { name: 'Rename' }).click()
  await own.getByRole('heading', { level: 1, name: 'counter-1' }).waitFor(slow)
  const editor = own.getByLabel('config.json')
  await until('the editor has the new name', async () => (await editor.inputValue()).includes('"counter-1"'))
  const before = JSON.parse(await editor.inputValue())
  await editor.fill('{ not json')
  await own.getByRole('button', { name: 'Write', exact: true }).click()
  await own.getByText('This is no JSON.').waitFor(slow)
  await editor.fill(JSON.stringify({ ...before, alerts: [{ command: ['/bin/true'] }] }))
  await own.getByRole('button', { name: 'Write', exact: true }).click()
  await own.getByText('NOT_ALLOWED').waitFor(slow)
  await editor.fill(JSON.stringify({ ...before, name: first.name, tags: ['shop=north'] }))
  await own.getByRole('button', { name: 'Write', exact: true }).click()
  await own.getByText('restart it.').waitFor(slow)
  await own.getByRole('button', { name: 'Restart' }).click()
  await own.getByRole('dialog').getByRole('button', { name: 'Restart' }).click()
  await own.getByRole('heading', { level: 1, name: first.name }).waitFor(slow)
  t.match(await first.api('nodes/self'), { name: first.name, tags: ['shop=north'] })
  // What the other tells of its links is as of the moment in which it is asked.
  await until('the other sees it again, by its name', async () =>
    (await fleet.node(1).api('nodes')).nodes.some(node => node.name === first.name && node.reach === 'direct'),
  )
  await own.goto(`https://127.0.0.1:${first.port}/_shoal/#/nodes/${fleet.node(1).id}`)
  const section = (id: string): Locator => own.locator(`section[aria-labelledby=${id}]`)
  await section('slots').getByText('till 1.1.0').waitFor(slow)
  t.match(await section('slots').locator('tbody tr', { hasText: 'till 1.1.0' }).innerText(), /current/)
  t.match(await section('peers').innerText(), new RegExp(`${first.name}[^]*linked for`))
  await section('peers')
    .getByRole('button', { name: `Test the way from ${peer} to ${first.name}` })
    .click()
  await section('peers').getByText('Every step succeeds.').waitFor(slow)
  await section('disk').getByText('Thing by thing').click()
  await section('disk').getByText('node.db', { exact: true }).first().waitFor(slow)
  t.strictSame(await faults(own), [])
  await own.getByText('Last log lines').click()
  await own.locator('pre', { hasText: /\d\d:\d\d:\d\d/ }).waitFor(slow)
  await page.locator('.live.live').waitFor(slow)
  // The port was closed for a moment.
  t.strictSame(anna.unexpected(away), [])
  t.strictSame(visitor.unexpected(away, /status of (403|503)/), [], 'what was refused on purpose is all')
  t.strictSame([...anna.foreign, ...visitor.foreign], [])
})

await t.test('a token is shown once, reads, and ends', async t => {
  const own = await (await Visitor.at(t, browser, first)).logIn()
  await own.goto(`https://127.0.0.1:${first.port}/_shoal/#/people`)
  await own.getByLabel('What for').fill('prometheus')
  await own.getByRole('button', { name: 'Make a reading token' }).click(slow)
  const shown = own.locator('[role=status] .command code')
  await shown.waitFor(slow)
  const headers = { authorization: `Bearer ${await shown.innerText()}` }
  t.equal((await first.get('/_shoal/api/v1/summary', headers)).status, 200)
  await own.getByRole('button', { name: 'End prometheus' }).click()
  await own.getByRole('dialog').getByRole('button', { name: 'End' }).click()
  await own.getByText('There are none.').waitFor(slow)
  t.equal((await first.get('/_shoal/api/v1/summary', headers)).status, 401)
})

await t.test('a file for a stick is the command line’s, both ways', async t => {
  const own = await (await Visitor.at(t, browser, first)).logIn()
  await own.goto(`https://127.0.0.1:${first.port}/_shoal/#/releases`)
  const download = own.waitForEvent('download', slow)
  await own.getByRole('button', { name: 'Make the file' }).click(slow)
  const made = join(fleet.dir, 'made-in-browser.shoal')
  await (await download).saveAs(made)
  const taken = await must(fleet.node(1).cli(['import', made, '--json']))
  t.ok((taken.json() as unknown as { packages: number }).packages >= 2, 'with its packages')
  const file = join(fleet.dir, 'made-at-home.shoal')
  await must(first.cli(['export', file, '--json']))
  await own.locator('section[aria-labelledby=stick] input[type=file]').setInputFiles(file)
  await own.getByText(/^New facts: \d+\. Packages handed in: [1-9]/).waitFor(slow)
  writeFileSync(file, readFileSync(file).subarray(0, -100))
  await own.locator('section[aria-labelledby=stick] input[type=file]').setInputFiles(file)
  await own.getByText('DIGEST_MISMATCH').waitFor(slow)
})

await t.test('several nodes at once: held, let go on, and rolled out to', async t => {
  const own = await (await Visitor.at(t, browser, first)).logIn()
  await own.getByLabel('Select all that are shown').check(slow)
  await own.getByText('2 nodes are selected').waitFor(slow)
  await own.getByRole('button', { name: 'Hold …' }).click()
  await own.getByRole('dialog').getByLabel('Why').fill('stocktaking')
  await own.getByRole('dialog').getByLabel('For how long').selectOption('hours')
  t.strictSame(await faults(own), [])
  await own.getByRole('dialog').getByRole('button', { name: 'Hold' }).click()
  await own.getByText('Done for 2.').waitFor(slow)
  await until('both are held', async () => (await first.api('nodes')).nodes.every(n => n.health === 'held'))
  await own.getByRole('button', { name: 'Let go on' }).click()
  await until('nobody is held', async () => (await first.api('nodes')).nodes.every(n => n.health === 'ok'))
  await own.getByLabel(`Select ${first.name}`).uncheck()
  await own.getByText('One node is selected').waitFor(slow)
  t.strictSame(await faults(own), [])
  await own.getByRole('button', { name: 'Roll out to these …' }).click()
  await own.getByRole('dialog').getByLabel('Release').selectOption('till@1.1.0')
  await own.getByRole('dialog').getByRole('button', { name: 'Roll out …' }).click()
  await own.getByRole('dialog').getByText('Wave 1, canary').waitFor(slow)
  t.match(await own.getByRole('dialog').innerText(), new RegExp(`1 node\\s+${fleet.node(1).name}`))
  await own.getByRole('button', { name: 'Sign and roll out' }).click()
  await own.getByText('Completed: the node confirmed.').waitFor(slow)
})

await t.test('every screen, light, dark, on a phone and in German: no fault of access, no sideways scroll', async t => {
  const id = fleet.node(1).id
  const rollout = (await first.api('rollouts')).rollouts.at(-1)?.id ?? ''
  const plain = ['#/', `#/nodes/${id}`, '#/rollouts', `#/rollouts/${rollout}`, '#/releases/till@1.0.0', '#/log'].map(
    hash => [hash, 'h1'] as const,
  )
  const screens = [...plain, [`#/nodes/${first.id}`, '#settings'], ['#/releases', '#stick'], ['#/people', '#tokens']] as const
  for (const looks of [{}, { colorScheme: 'dark' }, { width: 375 }, { colorScheme: 'dark', width: 375, locale: 'de-DE' }] as const) {
    const visitor = await Visitor.at(t, browser, first, looks)
    const entry = await visitor.page()
    t.strictSame(await faults(entry), [], `log in ${JSON.stringify(looks)}`)
    await entry.close()
    const own = await visitor.logIn()
    for (const [screen, last] of screens) {
      await own.goto(`${visitor.origin}/_shoal/${screen}`)
      await own.locator(last).waitFor(slow)
      const what = `${screen} ${JSON.stringify(looks)}`
      t.strictSame(await faults(own), [], what)
      t.ok((await sideways(own)) <= 0, `${what}: does not scroll sideways`)
    }
    t.strictSame([...visitor.errors, ...visitor.foreign], [])
  }
})

await t.test('a viewer sees all of it and can change nothing', async t => {
  const vera = (await must(first.cli(['operators', 'add', 'vera', '--role', 'viewer', '--operator', operator, '--json']))).json()
  const visitor = await Visitor.at(t, browser, first)
  const own = await visitor.logIn('vera', vera.passphrase)
  await own.goto(`${visitor.origin}/_shoal/#/releases/till@1.0.0`)
  await own.getByText('You are logged in as viewer').first().waitFor(slow)
  t.ok(await own.getByRole('button', { name: 'Roll out …' }).isDisabled())
  await own.goto(`${visitor.origin}/_shoal/#/rollouts/latest`)
  t.ok(await own.getByRole('button', { name: 'Roll the fleet back' }).isDisabled(slow))
})

await t.test('by the keyboard alone: from the log-in to the question before an order', async t => {
  const visitor = await Visitor.at(t, browser, first)
  const own = await visitor.page()
  await own.locator('[name=name]').focus()
  await own.keyboard.type(operator)
  await own.keyboard.press('Tab')
  await own.keyboard.type('correct horse battery staple')
  await own.keyboard.press('Enter')
  await own.locator('.hero').waitFor(slow)
  await own.locator('tbody input[type=checkbox]').first().focus()
  await own.keyboard.press('Space')
  await own.locator('.selected').waitFor(slow)
  await press(own, own.locator('.selected button:nth-of-type(2)'))
  await own.getByRole('dialog').waitFor(slow)
  await own.keyboard.press('Escape')
  await own.getByRole('dialog').waitFor({ ...slow, state: 'detached' })
  await press(own, own.locator('nav a[href="#/releases"]'))
  await press(own, own.locator('th a[href="#/releases/till%401.1.0"]'))
  await press(own, own.locator('button.main').first())
  await own.getByRole('dialog').waitFor(slow)
  await own.keyboard.press('Escape')
  await own.getByRole('dialog').waitFor({ ...slow, state: 'detached' })
})

await t.test('nine tabs live on one stream', async t => {
  const visitor = await Visitor.at(t, browser, first)
  let streams = 0
  visitor.context.on('request', request => {
    if (request.url().endsWith('/api/v1/events')) streams += 1
  })
  const tabs = [await visitor.logIn()]
  while (tabs.length < 9) tabs.push(await visitor.page())
  for (const tab of tabs) await tab.locator('.hero').waitFor(slow)
  for (const tab of tabs) await tab.locator('.live.live').waitFor(slow)
  t.equal(streams, 1)
  await tabs[0]?.close()
  await until('another tab listens', async () => streams === 2)
  for (const tab of tabs.slice(1)) await tab.locator('.live.live').waitFor(slow)
})

await t.test('a restart of the node: the page says so, and goes on without a reload and without a log-in', async t => {
  t.strictSame([...anna.errors, ...anna.foreign], [], 'nothing to complain of until here')
  await page.getByRole('link', { name: 'Fleet', exact: true }).click()
  await fleet.first.stop()
  await page.locator('.live.reconnecting').waitFor(slow)
  await fleet.first.start()
  await page.locator('.live.live').waitFor(slow)
  await page.getByRole('heading', { level: 1, name: 'All 2 nodes serve till 1.1.0.' }).waitFor(slow)
  t.equal(await page.evaluate('window.neverReloaded'), true)
  t.strictSame(anna.unexpected(away), [])
})
