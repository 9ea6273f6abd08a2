/**
 * config.json of this node over the API, as `shoal config` has it at home: judged whole before it is written, taken at the next start. Who changes it
 * says what they saw, so that nobody takes back what another has just written.
 */
import { type Config, formatConfig, parseConfig, requireAppSettings, ShoalError } from '../model/index.ts'
import { readJson } from './body.ts'
import { type Route, v1 } from './route.ts'
import type { WebServices } from './services.ts'

const path = `${v1}config`

/**
 * A command of an alert is a program that the node runs. Who stands at the machine names one; a session may keep or drop it, and no more: it is no
 * way around the operators' threshold for what runs.
 * @throws ShoalError NOT_ALLOWED
 */
export function refuseNewCommands(before: Config, after: Config): void {
  const known = new Set(before.alerts.map(alert => JSON.stringify(alert)))
  const foreign = after.alerts.find(alert => 'command' in alert && !known.has(JSON.stringify(alert)))
  if (foreign !== undefined)
    throw new ShoalError('NOT_ALLOWED', 'config.json.alerts: a command is named at the machine itself, by `shoal config edit`')
}

export function configRoutes(s: WebServices): readonly Route[] {
  const view = (): Record<string, unknown> => {
    const config = s.configFile()
    return { id: s.self, config, restart: formatConfig(config) !== formatConfig(s.config()) }
  }
  return [
    { method: 'GET', path, access: 'home or operator', handle: view },
    {
      method: 'POST',
      path,
      access: 'home or admin',
      handle: async (ctx, _param, caller) => {
        const f = await readJson(ctx.req)
        const [seen, wanted] = [parseConfig(f.raw('before'), 'before'), parseConfig(f.raw('config'), 'config')]
        requireAppSettings(wanted)
        await s.writeConfig(before => {
          if (formatConfig(before) !== formatConfig(seen))
            throw new ShoalError('CONFLICT', 'somebody changed config.json meanwhile: look at what it says now')
          if (caller.kind !== 'home') refuseNewCommands(before, wanted)
          return wanted
        })
        return view()
      },
    },
  ]
}
