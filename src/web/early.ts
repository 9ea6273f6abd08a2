/**
 * Answers that come before the request's body is read whole: refusals, and packages that are here already. To close the connection then would
 * reset it, and a client that still writes would lose the answer with it. So the answer goes out whole, and the rest of the body is read and
 * dropped for a while.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context, Next } from 'koa'

/** ms that the client has to read the answer and to stop. */
const lingerMs = 3000

const hasMore = (req: IncomingMessage): boolean =>
  !req.complete && (req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined)

/** Middleware; outside of the one that makes answers of errors. */
export async function answerEarly(ctx: Context, next: Next): Promise<void> {
  await next()
  const body: unknown = ctx.body
  if (!hasMore(ctx.req) || typeof body !== 'string') return
  ctx.respond = false
  await linger(ctx.req, ctx.res, body)
}

async function linger(req: IncomingMessage, res: ServerResponse, text: string): Promise<void> {
  const limit = AbortSignal.timeout(lingerMs)
  res.write(text)
  req.resume()
  // Whichever comes first: the body's end, the client's going, the limit. All are good.
  await Promise.race(['end', 'close', 'error'].map(event => once(req, event, { signal: limit }))).catch(() => undefined)
  res.end()
}
