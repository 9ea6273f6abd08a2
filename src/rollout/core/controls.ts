/**
 * What operators did to a rollout. Controls are facts that only ever add up; the state is their join, the same on every replica that holds
 * the same ones: abort absorbs, between pause and resume the higher generation wins, then the higher hash.
 */
import type { NodeId } from '../../model/index.ts'
import type { KnownControl } from './types.ts'

export interface ControlState {
  readonly aborted: boolean
  readonly paused: boolean
  readonly skipped: ReadonlySet<NodeId>
  /** 1 + how often a retry named the node. */
  attemptOf(node: NodeId): number
}

const isLater = (a: KnownControl, b: KnownControl): boolean =>
  a.generation !== b.generation ? a.generation > b.generation : a.hash > b.hash

const latest = (controls: Iterable<KnownControl>): KnownControl | undefined => {
  let best: KnownControl | undefined
  for (const c of controls) if (best === undefined || isLater(c, best)) best = c
  return best
}

const names = (c: KnownControl, node: NodeId): boolean => c.nodes.includes(node) || (c.action === 'retry' && c.nodes.length === 0)

export function joinControls(controls: readonly KnownControl[]): ControlState {
  const aborted = controls.some(c => c.action === 'abort')
  const paused = latest(controls.filter(c => c.action === 'pause' || c.action === 'resume'))?.action === 'pause'
  const retries = controls.filter(c => c.action === 'retry')
  const choices = controls.filter(c => c.action === 'skip' || c.action === 'retry')
  const candidates = new Set(choices.flatMap(c => (c.action === 'skip' ? c.nodes : [])))
  const skipped = new Set([...candidates].filter(node => latest(choices.filter(c => names(c, node)))?.action === 'skip'))
  return { aborted, paused, skipped, attemptOf: node => 1 + retries.filter(c => names(c, node)).length }
}
