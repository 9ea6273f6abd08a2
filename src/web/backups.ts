/** Routes of backups. What takes long is begun by a POST (202) and looked after by GET: `state` says how it is, `reason` why it failed. */
import type { Context } from 'koa'
import { asBoolean, ShoalError } from '../model/index.ts'
import { readJson } from './body.ts'
import { paged } from './lists.ts'
import { type Route, v1 } from './route.ts'
import type { BackupView, WebServices } from './services.ts'

const path = `${v1}backups`
/** Characters that name a backup. */
const minPrefix = 6

export function backupRoutes({ backups }: WebServices): readonly Route[] {
  const find = async (text: string): Promise<BackupView> => {
    const list = await backups.list()
    const found = list.filter(b => b.id === text || (text.length >= minPrefix && b.id.startsWith(text)))
    const exact = found.find(b => b.id === text) ?? found[0]
    if (exact === undefined) throw new ShoalError('NOT_FOUND', `there is no backup ${text}`)
    if (found.length > 1 && exact.id !== text)
      throw new ShoalError('AMBIGUOUS', `backup ${text}: ${found.map(b => b.id).join(', ')} begin so`)
    return exact
  }
  const begun = (ctx: Context, id: string): Record<string, unknown> => {
    ctx.status = 202
    return { id }
  }
  return [
    {
      method: 'GET',
      path,
      access: 'viewer',
      handle: async ctx => {
        const { items, counts, next } = paged(await backups.list(), ctx.query, b => b.id)
        return { backups: items, counts, next }
      },
    },
    { method: 'GET', path: `${path}/:id`, access: 'viewer', handle: (_ctx, param) => find(param('id')) },
    { method: 'POST', path, access: 'home or operator', handle: ctx => begun(ctx, backups.create()) },
    {
      method: 'POST',
      path: `${path}/:id/verify`,
      access: 'home or operator',
      handle: async (ctx, param) => {
        const { id } = await find(param('id'))
        await backups.verify(id)
        return begun(ctx, id)
      },
    },
    {
      method: 'POST',
      path: `${path}/:id/restore`,
      access: 'home or operator',
      handle: async (ctx, param) => {
        const identity = (await readJson(ctx.req)).maybe('identity', asBoolean, false)
        const { id } = await find(param('id'))
        await backups.restore(id, identity)
        return begun(ctx, id)
      },
    },
  ]
}
