// What a browser has to load stays small, comes from the node alone, and is served so that it is loaded once.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { ensureDashboard } from '../../../src/packages/index.ts'

const built = resolve('dist/ui')

await t.test('builds, and is not built again for the same sources', async t => {
  t.equal(await ensureDashboard(resolve('.')), null)
  const stamp = readFileSync(join(built, 'sources.txt'), 'utf8')
  t.equal(await ensureDashboard(resolve('.')), null)
  t.equal(readFileSync(join(built, 'sources.txt'), 'utf8'), stamp)
  t.equal(await ensureDashboard(t.testdir({})), null, 'a slot has no sources, and nothing is wrong with that')
})

await t.test('keeps within its budget: 40 kB of script, 8 kB of style, gzipped', t => {
  const sizeOf = (end: string): number =>
    readdirSync(join(built, 'assets'))
      .filter(name => name.endsWith(end))
      .reduce((sum, name) => sum + gzipSync(readFileSync(join(built, 'assets', name)), { level: 9 }).length, 0)
  t.ok(sizeOf('.js') > 1000 && sizeOf('.js') <= 40_000, `script: ${sizeOf('.js')} bytes`)
  t.ok(sizeOf('.css') > 1000 && sizeOf('.css') <= 8000, `style: ${sizeOf('.css')} bytes`)
  t.end()
})

await t.test('is one script and one style sheet, and names no other origin', t => {
  const page = readFileSync(join(built, 'index.html'), 'utf8')
  t.equal(page.match(/<script/g)?.length, 1)
  t.equal(page.match(/stylesheet/g)?.length, 1)
  t.notMatch(page, /<script(?![^>]*src=)|<style|\son\w+=/, 'nothing inline')
  for (const [, file] of page.matchAll(/(?:src|href)="\/_shoal\/([^"]+)"/g)) t.ok(existsSync(join(built, String(file))), String(file))
  for (const name of readdirSync(join(built, 'assets')).filter(each => each.endsWith('.css')))
    t.notMatch(readFileSync(join(built, 'assets', name), 'utf8'), /https?:|@import|url\(/, name)
  t.end()
})
