/** What changed between two looks at a rollout, as full lines for logs: `[3/24] shop-7 confirmed 1.5.0 (12 s)`. Pure. */
import type { NodeAnswer, RolloutAnswer } from './answers.ts'
import { allStepsUpTo } from './limits.ts'
import { oneLine } from './output.ts'
import { wordsOf } from './render.ts'

/** What was said so far. */
export interface Told {
  readonly opensWhen: string
  readonly nodes: ReadonlyMap<string, { readonly said: string; readonly firstMs: number }>
}

export const nothingTold: Told = { opensWhen: '', nodes: new Map() }

/** `missing` is what others say of a node that is silent, which each one is for a moment while it switches: no end, so no line. */
const hasEnded = (node: NodeAnswer): boolean => node.outcome !== null && node.outcome !== 'missing'

const isSaid = (node: NodeAnswer, count: number): boolean =>
  hasEnded(node) || (count <= allStepsUpTo && ['transfer', 'switching', 'probation'].includes(node.step))

/** @param nowMs a clock of the caller's, for durations */
export function changes(told: Told, rollout: RolloutAnswer, nowMs: number): { lines: readonly string[]; told: Told } {
  const count = rollout.nodes.length
  const done = rollout.nodes.filter(hasEnded).length
  const nodes = new Map(told.nodes)
  const lines: string[] = []
  for (const node of rollout.nodes) {
    if (!isSaid(node, count)) continue
    // Percents would be a line each.
    const said = hasEnded(node) ? (node.outcome ?? '') : node.step
    const before = nodes.get(node.id)
    if (before?.said === said) continue
    const firstMs = before?.firstMs ?? nowMs
    nodes.set(node.id, { said, firstMs })
    lines.push(`[${done}/${count}] ${oneLine(node.name)} ${lineOf(node, rollout, nowMs - firstMs)}`)
  }
  if (rollout.opensWhen !== '' && rollout.opensWhen !== told.opensWhen) lines.push(oneLine(rollout.opensWhen))
  return { lines, told: { opensWhen: rollout.opensWhen, nodes } }
}

function lineOf(node: NodeAnswer, rollout: RolloutAnswer, ms: number): string {
  if (node.outcome === 'confirmed')
    return `confirmed ${rollout.release.slice(rollout.release.lastIndexOf('@') + 1)} (${Math.round(ms / 1000)} s)`
  return hasEnded(node) ? wordsOf(node) : node.step
}
