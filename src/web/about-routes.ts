/** Routes that tell of any node what it alone knows: this node answers itself, another is asked as a member, and answers members. */
import { parseNodeId, ShoalError } from '../model/index.ts'
import { About } from './about.ts'
import { parseAbout } from './about-answer.ts'
import { parseDiagnosis } from './doctor.ts'
import { findNode } from './names.ts'
import { MemberTests } from './peers.ts'
import { Rested } from './rested.ts'
import { type Route, v1 } from './route.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

/** ms for another node's answer: it walks over its disk for it. Whoever asks this node waits longer. */
export const aboutTimeoutMs = 30_000
const doctorTimeoutMs = 130_000

export function aboutRoutes(s: WebServices, views: Views): readonly Route[] {
  const about = new About(s, views)
  const doctor = new Rested(async () => parseDiagnosis(await s.examine(), 'doctor'))
  const tests = new MemberTests(s, views)
  return [
    {
      method: 'GET',
      path: `${v1}nodes/:id/about`,
      access: 'viewer',
      handle: async (_ctx, param) => {
        const id = findNode(s, param('id'))
        if (id === s.self) return about.own()
        return { ...(await s.askPeer(id, 'about', aboutTimeoutMs, parseAbout)), id }
      },
    },
    {
      method: 'GET',
      path: `${v1}nodes/:id/doctor`,
      access: 'home or operator',
      handle: async (_ctx, param) => {
        const id = findNode(s, param('id'))
        return {
          id,
          ...(id === s.self ? await doctor.ask() : await s.askPeer(id, 'doctor', doctorTimeoutMs, parseDiagnosis)),
        }
      },
    },
    { method: 'GET', path: 'peer/v1/doctor', access: 'peer', handle: () => doctor.ask() },
    { method: 'GET', path: 'peer/v1/about', access: 'peer', handle: () => about.own() },
    {
      method: 'GET',
      path: 'peer/v1/test',
      access: 'peer',
      handle: ctx => {
        const target = parseNodeId(ctx.query['target'], 'query target')
        if (target === s.self) throw new ShoalError('BAD_REQUEST', 'query target: a node does not walk to itself')
        return tests.to(target)
      },
    },
  ]
}
