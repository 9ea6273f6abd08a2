/** Logs of any node through any node: this node's own from its files, another's asked for over its pinned identity. Members and viewers read. */
import type { Context } from 'koa'
import { ShoalError } from '../model/index.ts'
import { findNode } from './names.ts'
import { type Route, v1 } from './route.ts'
import type { LogQuery, WebServices } from './services.ts'

const defaultLines = 100
const maxLines = 2000

/** @throws ShoalError BAD_REQUEST */
function queryOf(ctx: Context): LogQuery {
  const one = (key: string): string | null => {
    const value = ctx.query[key]
    if (value === undefined) return null
    if (typeof value !== 'string' || value.length > 100) throw new ShoalError('BAD_REQUEST', `query ${key}: is given twice, or too long`)
    return value
  }
  const text = one('lines')
  const lines = text === null ? defaultLines : Number(text)
  if (!Number.isInteger(lines) || lines < 1 || lines > maxLines)
    throw new ShoalError('BAD_REQUEST', `query lines: "${text ?? ''}" is no count from 1 to ${maxLines}`)
  return { lines, after: one('after') }
}

export function logRoutes(s: WebServices): readonly Route[] {
  return [
    {
      method: 'GET',
      path: `${v1}nodes/:id/logs`,
      access: 'viewer',
      handle: async (ctx, param) => {
        const id = findNode(s, param('id'))
        const query = queryOf(ctx)
        const page = id === s.self ? await s.logs.own(query) : await s.logs.of(id, query)
        return { id, name: s.replica.fleet.node(id)?.name ?? id.slice(0, 8), ...page }
      },
    },
    { method: 'GET', path: 'peer/v1/logs', access: 'peer', handle: ctx => s.logs.own(queryOf(ctx)) },
  ]
}
