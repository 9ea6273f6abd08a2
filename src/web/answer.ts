/**
 * What a route answered becomes the body. Objects go out as text that is made here: Koa would ask of an object whether it is a web `Response`, and
 * the first look at that global loads Node's fetch client, 35 ms of a stand-still at the first answer of a worker that has just taken over.
 */
import { isUint8Array } from 'node:util/types'
import { Stream } from 'node:stream'
import type { Context } from 'koa'

export function setAnswer(ctx: Context, answer: unknown): void {
  if (answer === null || typeof answer === 'string' || isUint8Array(answer) || answer instanceof Stream) {
    ctx.body = answer
    return
  }
  ctx.type = 'json'
  ctx.body = JSON.stringify(answer)
}
