/** Routes of the node's disk: what lies there and why; what nobody needs is removed. */
import type { PruneWish } from '../disk/index.ts'
import { asBoolean, asInteger, type Fields } from '../model/index.ts'
import { readJson } from './body.ts'
import { type Route, v1 } from './route.ts'
import type { WebServices } from './services.ts'

const longestMs = 100 * 365 * 86_400_000

const wishOf = (f: Fields): PruneWish => ({
  all: f.maybe('all', asBoolean, false),
  logs: f.maybe('logs', asBoolean, false),
  backupsOlderMs: f.maybe('backupsOlderMs', (v, w) => asInteger(v, w, 0, longestMs), null),
})

export function diskRoutes({ disk }: WebServices): readonly Route[] {
  return [
    { method: 'GET', path: `${v1}disk`, access: 'viewer', handle: () => disk.look() },
    {
      method: 'POST',
      path: `${v1}disk/prune`,
      access: 'home or operator',
      handle: async ctx => {
        const body = await readJson(ctx.req)
        const wish = wishOf(body)
        // What would go is what is left without a reason.
        if (body.maybe('dryRun', asBoolean, false)) return { ...(await disk.survey(wish)), removed: [], removedBytes: 0, failed: [] }
        return disk.prune(wish)
      },
    },
  ]
}
