/** What the dashboard needs beside the contract's lists: its own files, the fleet in one answer, a rollout as one picture. */
import { boardOf } from './board.ts'
import { Dashboard } from './dashboard.ts'
import { findRollout } from './names.ts'
import { type Route, v1 } from './route.ts'
import type { WebServices } from './services.ts'
import { summaryOf } from './summary.ts'
import type { Views } from './views.ts'

export function dashboardRoutes(s: WebServices, views: Views): readonly Route[] {
  const dashboard = new Dashboard()
  const file = (path: string, fileOf: (param: (name: string) => string) => string): Route => ({
    method: 'GET',
    path,
    access: 'anyone',
    handle: (ctx, param) => dashboard.answer(ctx, fileOf(param)),
  })
  const get = (path: string, handle: Route['handle']): Route => ({ method: 'GET', path: v1 + path, access: 'viewer', handle })
  return [
    file('', () => ''),
    file('assets/:file', param => `assets/${param('file')}`),
    get('summary', () => summaryOf(s, views)),
    get('rollouts/:id/board', (_ctx, param) => boardOf(views, findRollout(views, param('id')))),
  ]
}
