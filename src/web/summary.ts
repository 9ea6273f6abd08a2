/**
 * The fleet in one answer of bounded size: counts, what is served, who ails, which rollouts are not over. A page asks for it at every change, so
 * that a fleet of ten thousand costs a browser no more than one of ten.
 */
import { type KnownOrder, watchedOrders } from '../rollout/index.ts'
import { boardOf, cellOf } from './board.ts'
import type { WebServices } from './services.ts'
import type { NodePicture } from './node-views.ts'
import type { Views } from './views.ts'

/** Nodes of a fleet that is drawn with a cell for each. */
const maxCells = 400
/** Nodes that ail and are named. */
const maxAiling = 50
/** Kinds of anything that are counted apart: releases, tags. */
const maxKinds = 100
/** Rollouts that are not over and shown. */
const maxRollouts = 4

const over = new Set(['completed', 'completed-with-exceptions', 'aborted', 'expired'])

export function summaryOf(s: WebServices, views: Views): Record<string, unknown> {
  const nodes = views.nodes(false)
  const seen = nodes.filter(n => n.reach !== 'lost')
  const { root, generation } = s.replica.fleet
  const isIll = (n: NodePicture): boolean => n.health === 'degraded' || n.health === 'safe-mode'
  return {
    fleet: root.fleet,
    name: root.fleetName,
    generation,
    self: { id: s.self, name: s.config().name, life: s.life(), address: s.addresses()[0] ?? '', redeems: s.ca !== null },
    counts: {
      total: nodes.length,
      ok: seen.filter(n => n.health === 'ok').length,
      ill: seen.filter(isIll).length,
      held: seen.filter(n => n.health === 'held').length,
      lost: nodes.length - seen.length,
    },
    apps: counted(seen.map(n => (n.app === null ? '' : `${n.app.name}@${n.app.version}`))),
    shoals: counted(seen.map(n => n.shoal?.version ?? '')),
    platforms: counted(nodes.map(n => n.platform)),
    tags: counted(nodes.flatMap(n => n.tags)),
    ailing: nodes
      .filter(n => n.reach === 'lost' || isIll(n))
      .slice(0, maxAiling)
      .map(n => views.withAge(n)),
    cells: nodes.length > maxCells ? [] : nodes.map(cellOf),
    rollouts: rolloutsOf(views),
    releases: s.replica.book.releases().length,
  }
}

/** Each name with how many have it, the most common first. */
function counted(names: readonly string[]): readonly { readonly name: string; readonly nodes: number }[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts]
    .map(([name, nodes]) => ({ name, nodes }))
    .toSorted((a, b) => b.nodes - a.nodes || a.name.localeCompare(b.name, 'en'))
    .slice(0, maxKinds)
}

/**
 * Those that still go on, and the newest one whatever became of it. An order that halted needs nobody any more once a newer one has taken its
 * place, and a dry run is over when it was answered: it changes nothing, so it leaves nothing to be done.
 */
function rolloutsOf(views: Views): readonly unknown[] {
  const all = views.rollouts()
  const [newest] = all
  const watched = new Set(watchedOrders(all))
  const isLive = (known: KnownOrder): boolean =>
    known.order.dryRun ? views.state(known) === 'open' : watched.has(known) && !over.has(views.state(known))
  const live = all.filter(isLive).slice(0, maxRollouts)
  const shown = newest === undefined || live.includes(newest) ? live : [newest, ...live]
  return shown.map(known => boardOf(views, known))
}
