/** Tokens of scripts, and the audit. */
import type { Context } from 'koa'
import { asInteger, asString, parseDisplayName, ShoalError } from '../model/index.ts'
import type { AuditLog, AuditRow } from './audit.ts'
import { readJson } from './body.ts'
import { limitOf, one, paged } from './lists.ts'
import { type Route, v1 } from './route.ts'
import type { Tokens } from './tokens.ts'

const maxTokenMs = 10 * 366 * 86_400_000
const maxAuditLimit = 1000

export function peopleRoutes(tokens: Tokens, audit: () => AuditLog): readonly Route[] {
  return [
    {
      method: 'GET',
      path: `${v1}tokens`,
      access: 'home or operator',
      handle: ctx => {
        const { items, counts, next } = paged(tokens.list(), ctx.query, token => token.id)
        return { tokens: items, counts, next }
      },
    },
    {
      method: 'POST',
      path: `${v1}tokens`,
      access: 'home or operator',
      handle: async (ctx, _param, caller) => {
        const f = await readJson(ctx.req)
        const lastsMs = f.maybe('expiresMs', (v, w) => asInteger(v, w, 1000, maxTokenMs), null)
        ctx.status = 201
        return tokens.make(f.get('name', parseDisplayName), lastsMs, caller)
      },
    },
    {
      method: 'DELETE',
      path: `${v1}tokens/:id`,
      access: 'home or operator',
      handle: (_ctx, param) => {
        tokens.drop(param('id'))
        return { id: param('id') }
      },
    },
    { method: 'GET', path: `${v1}audit`, access: 'viewer', handle: ctx => pageOfAudit(ctx, audit()) },
    { method: 'GET', path: `${v1}audit/verify`, access: 'viewer', handle: () => audit().verify() },
  ]
}

/** Newest first; `after` is the `seq` of the last row of the page before. */
function pageOfAudit({ query }: Context, audit: AuditLog): unknown {
  const limit = Math.min(maxAuditLimit, limitOf(query))
  const after = one(query, 'after')
  if (after !== undefined && !/^\d{1,15}$/.test(after))
    throw new ShoalError('BAD_REQUEST', `query after: "${after.slice(0, 40)}" is no number`)
  const who = textOf(one(query, 'who'))
  const q = textOf(one(query, 'q'))?.toLowerCase() ?? null
  const rows = audit.list({ before: after === undefined ? Number.MAX_SAFE_INTEGER : Number(after), limit: limit + 1, who, q })
  const page = rows.slice(0, limit)
  return {
    audit: page.map(viewOf),
    counts: { total: audit.count({ who, q }) },
    next: rows.length > limit ? String(page.at(-1)?.seq ?? '') : null,
  }
}

const textOf = (value: string | undefined): string | null => (value === undefined ? null : asString(value, 'query', 100))

const viewOf = ({ seq, at, who, via, address, action, object, detail, result, request, hash }: AuditRow): unknown => ({
  seq,
  at,
  who,
  via,
  address,
  action,
  object,
  detail,
  result,
  requestId: request === '' ? null : request,
  hash,
})
