/**
 * Serves the dashboard's files, which were built with the program and lie beside it. They are few and small, so they are read once and kept:
 * a slot that goes away under a running node takes no page with it. The page may load what comes from this node and nothing else.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Context } from 'koa'
import { ShoalError } from '../model/index.ts'

/** Where the program that runs has its dashboard. */
const besideThis = join(import.meta.dirname, '..', '..', 'dist', 'ui')

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

const missing = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Shoal</title>
<h1>This node has no dashboard</h1>
<p>It runs, and the command line does all that the dashboard does: <code>npx shoal status</code>.</p>
<p>The dashboard is built from a checkout: <code>npm ci &amp;&amp; npm run build</code>, before <code>npx shoal init</code> or <code>join</code>; or deploy a package made by <code>npx shoal pack --shoal</code> there.</p>
</html>
`

interface Page {
  readonly type: string
  readonly bytes: Buffer
  /** Made when it is first asked for: a node that takes over has no time for it. */
  readonly zipped: () => Buffer
  readonly tag: string
}

function pageOf(name: string, bytes: Buffer): Page {
  let zipped: Buffer | null = null
  return {
    type: types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
    bytes,
    zipped: () => (zipped ??= gzipSync(bytes, { level: 9 })),
    tag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`,
  }
}

export class Dashboard {
  readonly #pages = new Map<string, Page>()

  constructor(dir = besideThis) {
    const names = existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: 'utf8' }) : []
    for (const name of names.filter(each => /\.(?:html|js|css|svg)$/.test(each)))
      this.#pages.set(name.replaceAll('\\', '/'), pageOf(name, readFileSync(join(dir, name))))
    if (!this.#pages.has('index.html')) this.#pages.set('index.html', pageOf('index.html', Buffer.from(missing)))
  }

  /** @param path below `/_shoal/`; '' is the page itself. @throws ShoalError NOT_FOUND */
  answer(ctx: Context, path: string): void {
    const name = path === '' ? 'index.html' : path
    const page = this.#pages.get(name)
    if (page === undefined) throw new ShoalError('NOT_FOUND', `${ctx.method} ${ctx.path.slice(0, 200)}`)
    const isHashed = name.startsWith('assets/')
    ctx.set('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    ctx.set('Content-Security-Policy', policy)
    ctx.set('Referrer-Policy', 'no-referrer')
    ctx.set('Cross-Origin-Opener-Policy', 'same-origin')
    ctx.set('Vary', 'Accept-Encoding')
    ctx.set('ETag', page.tag)
    ctx.status = 200
    ctx.type = page.type
    if (ctx.fresh) {
      ctx.status = 304
      return
    }
    const isZipped = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
    if (isZipped) ctx.set('Content-Encoding', 'gzip')
    ctx.body = isZipped ? page.zipped() : page.bytes
  }
}
