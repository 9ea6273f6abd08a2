/** Routes of people's keys and the recovery kit. What is told once is told here; what is kept stays under its passphrase. */
import { type Acts, sessionOf } from './acts.ts'
import { readJson } from './body.ts'
import type { Keys } from './keys.ts'
import { type Route, v1 } from './route.ts'
import type { Sessions } from './sessions/index.ts'

export function keyRoutes(acts: Acts, sessions: Sessions, keys: Keys): readonly Route[] {
  return [
    {
      method: 'GET',
      path: `${v1}session/key`,
      access: 'person',
      handle: (_ctx, _param, caller) => keys.exported(sessionOf(caller).session.name),
    },
    { method: 'GET', path: `${v1}operators/:name/key`, access: 'admin', handle: (_ctx, param) => keys.exported(param('name')) },
    {
      method: 'POST',
      path: `${v1}operators/:name/rotate`,
      access: 'admin',
      handle: async (ctx, param, caller) => {
        const name = param('name')
        const prove = (passphrase: string): Promise<void> => sessions.prove(name, passphrase, ctx.ip)
        const rotated = await keys.rotate(name, await readJson(ctx.req), acts.signer(caller), prove)
        ctx.status = 201
        return rotated
      },
    },
    {
      method: 'POST',
      path: `${v1}keys/kit`,
      access: 'admin',
      handle: async (ctx, _param, caller) => {
        const made = await keys.kit(await readJson(ctx.req), acts.signer(caller))
        ctx.status = 201
        return made
      },
    },
  ]
}
