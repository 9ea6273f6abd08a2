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

await t.test(
  'keeps within its budget, gzipped: 40 kB of script and 8 kB of style until the first screen stands, 60 kB of script in all',
  t => {
    const names = readdirSync(join(built, 'assets'))
    const sizeOf = (some: readonly string[]): number =>
      some.reduce((sum, name) => sum + gzipSync(readFileSync(join(built, 'assets', name)), { level: 9 }).length, 0)
    const scripts = names.filter(name => name.endsWith('.js'))
    const [first = '', ...others] = [...readFileSync(join(built, 'index.html'), 'utf8').matchAll(/assets\/([^"]+\.js)/g)].map(
      m => m[1] ?? '',
    )
    t.strictSame(others, [], 'the page names one script')
    // What the first script needs at once would be an import that is no call.
    t.notMatch(readFileSync(join(built, 'assets', first), 'utf8'), /(?:^|[;}])(?:import|export)(?:\{[^}]*\}|\*)?from?["']\.\//)
    t.ok(sizeOf([first]) > 1000 && sizeOf([first]) <= 40_000, `first script: ${sizeOf([first])} bytes`)
    t.ok(scripts.length === 2 && sizeOf(scripts) <= 60_000, `all ${scripts.length} scripts: ${sizeOf(scripts)} bytes`)
    const style = sizeOf(names.filter(name => name.endsWith('.css')))
    t.ok(style > 1000 && style <= 8000, `style: ${style} bytes`)
    t.end()
  },
)

await t.test('is one script, which fetches a second, and one style sheet, and names no other origin', t => {
  const page = readFileSync(join(built, 'index.html'), 'utf8')
  t.equal(page.match(/<script/g)?.length, 1)
  t.equal(page.match(/stylesheet/g)?.length, 1)
  t.notMatch(page, /<script(?![^>]*src=)|<style|\son\w+=/, 'nothing inline')
  for (const [, file] of page.matchAll(/(?:src|href)="\/_shoal\/([^"]+)"/g)) t.ok(existsSync(join(built, String(file))), String(file))
  for (const name of readdirSync(join(built, 'assets')).filter(each => each.endsWith('.css')))
    t.notMatch(readFileSync(join(built, 'assets', name), 'utf8'), /https?:|@import|url\(/, name)
  t.end()
})
