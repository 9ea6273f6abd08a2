/** GET /_shoal/metrics: this node, the fleet as this node sees it, and the rollout that runs. Names are a promise: docs/grafana.json uses them. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { healths } from '../model/index.ts'
import { buckets, type HttpCounts } from './http-counts.ts'
import { expose, type Family, type Sample } from './exposition.ts'
import type { Route } from './route.ts'
import type { WebServices } from './services.ts'
import type { Sessions } from './sessions/index.ts'
import type { NodePicture } from './node-views.ts'
import type { Views } from './views.ts'

const reaches = ['self', 'direct', 'via', 'lost'] as const
const states = ['ok', 'starting', 'draining', 'safe-mode'] as const
const rolloutStates = ['open', 'paused', 'halted', 'stalled', 'aborted', 'expired', 'completed', 'completed-with-exceptions'] as const

const gauge = (name: string, help: string, samples: readonly Sample[] | number): Family => ({
  name,
  help,
  type: 'gauge',
  samples: typeof samples === 'number' ? [{ value: samples }] : samples,
})

const counter = (name: string, help: string, samples: readonly Sample[]): Family => ({ name, help, type: 'counter', samples })

/** One sample for each of a closed list, so that none comes and goes. */
const each = (label: string, list: readonly string[], count: (of: string) => number): readonly Sample[] =>
  list.map(of => ({ labels: { [label]: of }, value: count(of) }))

export interface MetricsNeeds {
  readonly services: WebServices
  readonly views: Views
  readonly sessions: Sessions
  readonly http: HttpCounts
  readonly streams: { readonly count: number }
}

export function metricsRoute(n: MetricsNeeds): Route {
  // Begun by the first scrape: who is not watched pays nothing.
  const loop = monitorEventLoopDelay({ resolution: 20 })
  return {
    method: 'GET',
    path: 'metrics',
    access: 'viewer',
    handle: async ctx => {
      const nodes = n.views.nodes(false)
      const free = await n.services.freeBytes()
      ctx.set('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
      ctx.set('Cache-Control', 'no-store')
      const text = expose([...ofNode(n, free), ...ofFleet(nodes), ...ofRollouts(n.views), ...ofPeople(n), ...ofHttp(n), ...ofProcess(loop)])
      loop.enable()
      loop.reset()
      return text
    },
  }
}

function ofNode({ services: s }: MetricsNeeds, freeBytes: number): readonly Family[] {
  const { app, shoal } = s.running()
  const about = {
    node: s.self,
    name: s.config().name,
    fleet: s.replica.fleet.root.fleet,
    shoal: shoal.version,
    nodejs: process.versions.node,
  }
  return [
    gauge('shoal_info', 'What this node is; always 1.', [{ labels: about, value: 1 }]),
    gauge(
      'shoal_app_info',
      'The app that runs here; no sample if none does.',
      app === null ? [] : [{ labels: { app: app.name, version: app.version, digest: app.digest }, value: 1 }],
    ),
    gauge(
      'shoal_state',
      'The state of this node: 1 for the one that it is in.',
      each('state', states, state => Number(s.life() === state)),
    ),
    gauge('shoal_facts', 'Facts that this node holds.', s.replica.registers.size),
    gauge('shoal_generation', 'The highest generation that operators have signed, as far as this node knows.', s.replica.fleet.generation),
    gauge('shoal_disk_free_bytes', 'Free space where instance/ lies.', freeBytes),
  ]
}

function ofFleet(nodes: readonly NodePicture[]): readonly Family[] {
  const count = (is: (node: NodePicture) => boolean): number => nodes.filter(is).length
  const versions = Map.groupBy(nodes, n => (n.app === null ? 'none' : `${n.app.name}@${n.app.version}`))
  return [
    gauge(
      'shoal_nodes',
      'Nodes of the fleet by how this node reaches them.',
      each('reach', reaches, reach => count(n => n.reach === reach)),
    ),
    gauge(
      'shoal_nodes_health',
      'Nodes of the fleet by what they say of their health.',
      each('health', healths, health => count(n => n.health === health)),
    ),
    gauge(
      'shoal_nodes_app',
      'Nodes of the fleet by the app that they run.',
      [...versions].map(([app, list]) => ({ labels: { app }, value: list.length })),
    ),
    gauge(
      'shoal_nodes_behind',
      'Nodes that do not run what they should.',
      count(n => n.desired.app !== null && n.desired.app !== (n.app === null ? null : `${n.app.name}@${n.app.version}`)),
    ),
  ]
}

function ofRollouts(views: Views): readonly Family[] {
  const all = views.rollouts()
  const known = all.map(o => views.state(o))
  const [latest] = all
  const waves = latest === undefined ? [] : views.waves(latest)
  const sum = (of: 'confirmed' | 'failed' | 'missing'): number => waves.reduce((total, wave) => total + wave[of], 0)
  const planned = waves.reduce((total, wave) => total + wave.nodes.length, 0)
  return [
    gauge(
      'shoal_rollouts',
      'Rollouts that this node knows, by state.',
      each('state', rolloutStates, state => known.filter(s => s === state).length),
    ),
    gauge('shoal_rollout_nodes', 'Nodes of the newest rollout by what came of it.', [
      ...(['confirmed', 'failed', 'missing'] as const).map(result => ({ labels: { result }, value: sum(result) })),
      { labels: { result: 'planned' }, value: planned },
    ]),
    gauge(
      'shoal_rollout_waves',
      'Waves of the newest rollout by state.',
      each('state', ['closed', 'open', 'passed'], state => waves.filter(w => w.state === state).length),
    ),
  ]
}

const ofPeople = ({ sessions, streams }: MetricsNeeds): readonly Family[] => [
  gauge('shoal_sessions', 'Sessions of people at this node.', sessions.count),
  gauge('shoal_event_streams', 'Event streams that are open.', streams.count),
]

function ofHttp({ http }: MetricsNeeds): readonly Family[] {
  const { within, count, sum } = http.durations
  return [
    counter(
      'shoal_http_requests_total',
      'Requests under /_shoal/ since this worker took over, by route and status.',
      http.counts().map(({ route, status, count: value }) => ({ labels: { route, status }, value })),
    ),
    {
      name: 'shoal_http_request_duration_seconds',
      type: 'histogram',
      help: 'Time until an answer under /_shoal/ was ready.',
      samples: [
        ...buckets.map((bound, at) => ({ suffix: '_bucket', labels: { le: String(bound) }, value: within[at] ?? 0 })),
        { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
        { suffix: '_sum', value: sum },
        { suffix: '_count', value: count },
      ],
    },
  ]
}

function ofProcess(loop: ReturnType<typeof monitorEventLoopDelay>): readonly Family[] {
  const { user, system } = process.cpuUsage()
  const delay = (percent: number): number => (loop.count === 0 ? 0 : loop.percentile(percent) / 1e9)
  return [
    counter('process_cpu_seconds_total', 'CPU time of the worker.', [{ value: (user + system) / 1e6 }]),
    gauge('process_resident_memory_bytes', 'Resident memory of the worker.', process.memoryUsage.rss()),
    gauge('process_start_time_seconds', 'When the worker started, seconds since 1970.', Date.now() / 1000 - process.uptime()),
    gauge('nodejs_eventloop_delay_seconds', 'Delay of the event loop since the last scrape.', [
      { labels: { percentile: '50' }, value: delay(50) },
      { labels: { percentile: '99' }, value: delay(99) },
    ]),
  ]
}
