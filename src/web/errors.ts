/** The one place where what was thrown becomes an answer. */
import type { Context, Next } from 'koa'
import { codeOf, codes, messageOf, systemCodeOf } from '../model/index.ts'
import { setAnswer } from './answer.ts'
import { requestIdOf } from './request-id.ts'
import { RetryLater } from './retry-later.ts'
import type { WebServices } from './services.ts'

/** Error middleware: code to status by the table of codes; what is not ours says nothing but its request id. */
export const answerErrors =
  (log: WebServices['log']) =>
  async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next()
    } catch (error) {
      if (['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(systemCodeOf(error) ?? '')) return
      const code = codeOf(error)
      const requestId = requestIdOf(ctx.req)
      if (code === 'INTERNAL')
        log('request failed', {
          requestId,
          method: ctx.method,
          path: ctx.path,
          error: error instanceof Error ? (error.stack ?? '') : String(error),
        })
      ctx.status = codes[code].status
      if (ctx.status === 503) ctx.set('Retry-After', '1')
      if (error instanceof RetryLater) ctx.set('Retry-After', String(Math.ceil(error.afterMs / 1000)))
      if (ctx.status === 401) ctx.set('WWW-Authenticate', 'Bearer')
      const message = code === 'INTERNAL' ? 'internal fault; see the log of the node' : messageOf(error)
      setAnswer(ctx, { error: { code, message, requestId } })
    }
  }
