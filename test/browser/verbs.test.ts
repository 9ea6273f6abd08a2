// What people do at the dashboard beside the great journeys: by drag, by keyboard alone, as a viewer, at a wall screen; and each verb that the command line has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { encode } from 'uqr'
import { changesNothing, logIn } from '../e2e/ask.ts'
import { makeApp, must, operator, passphrase } from '../e2e/fleet.ts'
import { faults, openScene, press, sideways, slow, Visitor } from './browser.ts'

const { browser, fleet, anna, page, zip } = await openScene(t)
const { first } = fleet
const second = fleet.node(1)
const show = (own: Page, hash: string): Promise<unknown> => own.goto(`${anna.origin}/_shoal/${hash}`)
const dialog = (own: Page): Locator => own.getByRole('dialog')

await t.test('a package is dropped on the page, and published', async t => {
  await show(page, '#/releases')
  const drop = page.locator('.drop')
  await drop.waitFor(slow)
  const bytes = readFileSync(await zip('1.0.0')).toString('base64')
  const transfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer()
    const bytes = Uint8Array.from(atob('${bytes}'), c => c.charCodeAt(0))
    transfer.items.add(new File([bytes], 'till-1.0.0.zip', { type: 'application/zip' }))
    return transfer
  })()`)
  await drop.dispatchEvent('dragover', { dataTransfer: transfer })
  t.match(await drop.getAttribute('class'), /over/, 'it shows that it takes it')
  await drop.dispatchEvent('drop', { dataTransfer: transfer })
  await page.getByText('till 1.0.0 is judged and may be published.').waitFor(slow)
  await page.getByRole('button', { name: 'Sign and publish' }).click()
  await page.getByRole('heading', { level: 1, name: 'till 1.0.0' }).waitFor(slow)
  t.match((await first.api('releases')).releases, [{ name: 'till', version: '1.0.0' }])
})

await t.test('by the keyboard alone: logged in, a package chosen, signed for, rolled out and signed', async t => {
  const visitor = await Visitor.at(t, browser, first)
  const own = await visitor.page()
  await press(own, own.locator('[name=name]'), 'End')
  await own.keyboard.type(operator)
  await press(own, own.locator('[name=passphrase]'), 'End')
  await own.keyboard.type(passphrase)
  await own.keyboard.press('Enter')
  await press(own, own.locator('nav a[href="#/releases"]'))
  const chooser = own.waitForEvent('filechooser', slow)
  await press(own, own.locator('.drop input'), 'Space')
  await (await chooser).setFiles(await zip('1.1.0'))
  await press(own, own.getByRole('button', { name: 'Sign and publish' }))
  await press(own, own.getByRole('button', { name: 'Roll out …' }))
  await dialog(own).getByText('Wave 1, canary').waitFor(slow)
  t.strictSame(await faults(own), [])
  await press(own, own.getByRole('button', { name: 'Sign and roll out' }))
  await own.getByText('Completed: all 2 nodes confirmed.').waitFor(slow)
  t.strictSame(await fleet.versions(), ['1.1.0', '1.1.0'])
  t.strictSame([...visitor.errors, ...visitor.foreign], [])
})

await t.test('the picture for a phone is a QR code of the page’s address', async t => {
  await show(page, '#/people')
  const qr = page.locator('svg.qr')
  await qr.waitFor(slow)
  const address = `${anna.origin}/_shoal/`
  const { data, size } = encode(address, { border: 2 })
  const drawn = new Set(
    [...((await qr.locator('path').getAttribute('d')) ?? '').matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(m => `${m[1]} ${m[2]}`),
  )
  const meant = new Set(data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`${x} ${y}`] : []))))
  t.equal(await qr.getAttribute('viewBox'), `0 0 ${size} ${size}`)
  t.ok(meant.size > 200)
  t.strictSame([...drawn].toSorted(), [...meant].toSorted())
  t.equal(await qr.getAttribute('aria-label'), address)
})

await t.test('at a wall screen all is larger, and nothing scrolls sideways', async t => {
  const wall = await Visitor.at(t, browser, first, { width: 2560 })
  const own = await wall.logIn()
  t.equal(await own.evaluate('getComputedStyle(document.documentElement).fontSize'), '20px')
  for (const hash of ['#/', `#/nodes/${second.id}`, '#/rollouts/latest', '#/people', '#/log']) {
    await show(own, hash)
    await own.locator('h1').waitFor(slow)
    t.ok((await sideways(own)) <= 0, hash)
    t.strictSame(await faults(own), [], hash)
  }
  t.strictSame([...wall.errors, ...wall.foreign], [])
})

await t.test('a viewer sees every screen, and whatever is pressed there changes nothing', async t => {
  const vera = (await must(first.cli(['operators', 'add', 'vera', '--role', 'viewer', '--operator', operator, '--json']))).json()
  const visitor = await Visitor.at(t, browser, first)
  const own = await visitor.logIn('vera', vera.passphrase)
  const changes: string[] = []
  visitor.context.on('request', request => {
    if (request.method() !== 'GET') changes.push(`${request.method()} ${request.url()}`)
  })
  const screens = [
    ['#/', 'h1'],
    [`#/nodes/${first.id}`, '#stop'],
    [`#/nodes/${second.id}`, '#doctor'],
    ['#/rollouts', 'h1'],
    ['#/rollouts/latest', 'h1'],
    ['#/releases', '#stick'],
    ['#/releases/till@1.0.0', 'h1'],
    ['#/people', '#kit'],
    ['#/log', 'table'],
  ] as const
  let pressed = 0
  await changesNothing(t, first, async () => {
    for (const [hash, last] of screens) {
      await show(own, hash)
      await own.locator(last).first().waitFor(slow)
      await own.evaluate('for (const details of document.querySelectorAll("main details")) details.open = true')
      // By Enter in a field a form is sent too.
      for (const field of await own.locator('main form input:enabled').all()) await field.press('Enter')
      for (const button of await own.locator('main button:enabled').all()) {
        // One may have gone by the click before.
        const isPressed = await button.click({ timeout: 2000 }).then(
          () => true,
          () => false,
        )
        if (isPressed) pressed += 1
        t.equal(await dialog(own).count(), 0, `${hash}: nothing is asked of a viewer`)
      }
    }
  })
  t.ok(pressed > 20, `${pressed} buttons pressed`)
  t.strictSame(changes, [])
  t.strictSame([...visitor.errors, ...visitor.foreign], [])
})

await t.test('keys: made anew, handed out under their passphrases, and the recovery kit', async t => {
  await must(first.cli(['operators', 'add', 'otto', '--role', 'operator', '--operator', operator, '--json']))
  await show(page, '#/people')
  const file = page.waitForEvent('download', slow)
  await page.getByRole('button', { name: 'Key file of otto' }).click(slow)
  const saved = join(fleet.dir, 'otto.json')
  await (await file).saveAs(saved)
  t.equal(readFileSync(saved, 'utf8'), first.file('certs/operators/otto.json'))
  // Who closes the question before the answer is there sees the passphrase nonetheless: there is no other copy.
  const held = Promise.withResolvers<undefined>()
  await page.route('**/operators/otto/rotate', route => held.promise.then(() => route.continue()))
  await page.getByRole('button', { name: 'New key for otto' }).click()
  await dialog(page).getByRole('button', { name: 'New key' }).click()
  await page.keyboard.press('Escape')
  await dialog(page).waitFor({ ...slow, state: 'detached' })
  held.resolve(undefined)
  const shown = dialog(page).locator('[role=status] .command code')
  await shown.waitFor(slow)
  await logIn(first, 'otto', await shown.innerText())
  t.not(readFileSync(saved, 'utf8'), first.file('certs/operators/otto.json'))
  await dialog(page).getByRole('button', { name: 'Close' }).click()

  await page.getByRole('button', { name: 'Make a new kit …' }).click()
  await dialog(page).getByRole('button', { name: 'Make a new kit …' }).click()
  await page.getByText('Its passphrase, shown once').waitFor(slow)
  const kit = page.waitForEvent('download', slow)
  await page.getByRole('button', { name: 'Save it as a file' }).click()
  const kept = join(fleet.dir, 'kit.json')
  await (await kit).saveAs(kept)
  t.equal(readFileSync(kept, 'utf8'), first.file('certs/recovery-kit.json'))
  t.strictSame(await faults(page), [])
})

await t.test('back to a version that is named; a rollout aborted and its nodes taken back', async t => {
  await show(page, '#/rollouts/latest')
  await page.getByRole('button', { name: 'Roll the fleet back' }).click(slow)
  await dialog(page).getByLabel('Which version').selectOption('1.0.0')
  await dialog(page).getByRole('heading', { name: 'Roll out till 1.0.0' }).waitFor(slow)
  await page.getByRole('button', { name: 'Sign and roll out' }).click(slow)
  await page.getByRole('heading', { level: 1, name: 'till 1.0.0' }).waitFor(slow)
  await page.getByText('Completed: all 2 nodes confirmed.').waitFor(slow)
  t.strictSame(await fleet.versions(), ['1.0.0', '1.0.0'])
  t.equal((await fleet.deploy(first, makeApp(fleet.dir, { version: '2.0.0', health: 'throw new Error("on fire")' }))).code, 5)
  await show(page, '#/rollouts/latest')
  await page.getByText('Halted: 1 node failed').waitFor(slow)
  await page.getByRole('button', { name: 'Abort and roll back …' }).click()
  await dialog(page).getByRole('button', { name: 'Abort and roll back …' }).click()
  await page.getByRole('button', { name: 'Sign and roll out' }).click(slow)
  await page.getByText('Completed: ').waitFor(slow)
  t.strictSame(await fleet.versions(), ['1.0.0', '1.0.0'])
  t.equal((await first.api('rollouts')).rollouts.filter(r => r.state === 'aborted').length, 1)
  // Before a version was chosen there was none that had been confirmed before.
  t.strictSame([...anna.unexpected(/status of 409/), ...anna.foreign], [], 'nothing else to complain of until here')
})

await t.test('the doctor of another node, pruning with its options, and the log verified', async t => {
  await show(page, `#/nodes/${second.id}`)
  await page.getByRole('button', { name: 'Examine' }).click(slow)
  await page.locator('section[aria-labelledby=doctor]').getByText('node.db is whole').waitFor(slow)
  t.strictSame(await faults(page), [])
  await show(page, `#/nodes/${first.id}`)
  const disk = page.locator('section[aria-labelledby=disk]')
  await disk.getByText('What else may go').click(slow)
  await disk.getByLabel('caches').check()
  await disk.getByRole('button', { name: 'Remove what nothing needs …' }).click()
  await dialog(page).getByText('compiled code').waitFor(slow)
  await dialog(page).getByText('On the command line').click()
  await dialog(page).getByText('shoal prune --all', { exact: true }).waitFor(slow)
  await page.route('**/disk/prune', async route => {
    const response = await route.fetch()
    await route.fulfill({ response, json: { ...(await response.json()), failed: [{ id: 'abc', message: 'EBUSY' }] } })
  })
  await dialog(page).getByRole('button', { name: 'Remove', exact: true }).click()
  await disk.getByText(/removed\./).waitFor(slow)
  await disk.getByText('abc could not be removed: EBUSY').waitFor(slow)
  t.strictSame(await faults(page), [])
  await show(page, '#/log')
  await page.getByRole('button', { name: 'Verify' }).click(slow)
  await page.getByText('none was changed or taken out').waitFor(slow)
})

await t.test('one’s own key made anew: the session ends, the passphrase stays', async t => {
  await show(page, '#/people')
  await page.getByRole('button', { name: `New key for ${operator}` }).click(slow)
  await dialog(page).getByLabel('Passphrase').fill(passphrase)
  await dialog(page).getByRole('button', { name: 'New key' }).click()
  await page.locator('[name=name]').waitFor(slow)
  await page.locator('[name=name]').fill(operator)
  await page.locator('[name=passphrase]').fill(passphrase)
  await page.locator('[type=submit]').click()
  await page.getByRole('heading', { level: 1, name: 'People' }).waitFor(slow)
  t.strictSame(anna.unexpected(/status of 401/), [], 'that the old session is gone, it was told')
})

await t.test('a node is stopped by who types its name', async t => {
  await show(page, `#/nodes/${first.id}`)
  await page.getByRole('button', { name: 'Stop …' }).click(slow)
  const stop = dialog(page).getByRole('button', { name: 'Stop the node' })
  t.ok(await stop.isDisabled())
  await dialog(page).getByLabel(/^Type/).fill(first.name)
  t.strictSame(await faults(page), [])
  const ended = new Promise(done => first.child?.once('exit', done))
  await stop.click()
  t.equal(await ended, 0)
  await page.locator('.live.reconnecting').waitFor(slow)
})
