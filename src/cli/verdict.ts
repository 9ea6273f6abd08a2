/** How a rollout ended, in words: the last line a person reads, the exit code a script reads, and who is to blame. Pure. */
import type { NodeAnswer, RolloutAnswer } from './answers.ts'
import { failureGroups, failureLines, namesOf } from './failures.ts'
import { oneLine, plural } from './output.ts'

export interface Verdict {
  readonly exit: 0 | 5
  /** What went wrong, by cause and platform, with reasons and log lines; the last line is the verdict. */
  readonly lines: readonly string[]
  /** The last line. */
  readonly sentence: string
}

/** States that do not change by themselves any more. */
export const endStates: ReadonlySet<string> = new Set(['completed', 'completed-with-exceptions', 'aborted', 'expired'])
/** States that a late success may still leave: a verdict only when they stand for a while. */
export const stuckStates: ReadonlySet<string> = new Set(['halted', 'stalled'])

export function verdictOf(rollout: RolloutAnswer): Verdict {
  const sentence = sentenceOf(rollout)
  const bad = failureGroups(rollout.nodes.filter(node => node.outcome !== 'missing'))
  return {
    exit: rollout.state === 'completed' ? 0 : 5,
    lines: [...bad.flatMap(failureLines), sentence],
    sentence,
  }
}

/** Nodes of the plan that have not confirmed and did not say why. */
const missingOf = (rollout: RolloutAnswer): readonly NodeAnswer[] =>
  rollout.nodes.filter(
    node => node.outcome === 'missing' || (node.outcome === null && (node.reach === 'lost' || node.reason?.code === 'HELD')),
  )

function sentenceOf(rollout: RolloutAnswer): string {
  if (rollout.isDryRun) return goSentence(rollout)
  const total = rollout.nodes.length
  const confirmed = rollout.nodes.filter(node => node.outcome === 'confirmed').length
  const missing = missingOf(rollout)
  const failed = rollout.nodes.filter(node => node.outcome === 'failed' || node.outcome === 'rolled-back')
  const parts = [
    failed.length === 0 ? '' : `went back: ${namesOf(failed)}`,
    missing.length === 0 ? '' : `missing: ${namesOf(missing)}`,
  ].filter(part => part !== '')
  const rest = parts.length === 0 ? '' : `; ${parts.join('; ')}`
  const done = `${confirmed} of ${plural(total, 'node')} confirmed ${rollout.release}${rest}`
  switch (rollout.state) {
    case 'completed':
      return confirmed === total ? `completed: ${plural(total, 'node')} confirmed ${rollout.release}` : `completed: ${rollout.release}`
    case 'completed-with-exceptions':
      return `completed with exceptions: ${done}`
    case 'halted':
      return `halted: ${done}. Nobody else starts; try again with \`shoal rollout retry ${rollout.id.slice(0, 8)}\`, or \`abort\`.`
    case 'stalled':
      if (missing.length > 0 && missing.every(node => node.reason?.code === 'NOT_MEMBER'))
        return `stalled: ${done}. Who left the fleet does not come back; \`shoal rollout skip ${rollout.id.slice(0, 8)}\` goes on without them, or \`abort\`.`
      return `stalled: ${done}. The rollout goes on when they come back; \`shoal rollout skip ${rollout.id.slice(0, 8)}\` goes on without them.`
    default:
      return `${rollout.state}: ${done}`
  }
}

/** What a dry run says in the end: it changes nothing, so nobody has to go on with it. */
export function goSentence(rollout: RolloutAnswer): string {
  const no = preflightRows(rollout).filter(row => row[2] !== 'go').length
  const all = plural(rollout.nodes.length, 'node')
  if (no === 0) return `go: all ${all} can take ${rollout.release}`
  return `${rollout.state === 'completed' ? 'go, as many may be missing' : 'no-go'}: ${no} of ${all} did not say go to ${rollout.release}`
}

/** The go and no-go of a dry run, as a table's rows. */
export function preflightRows(rollout: RolloutAnswer): readonly (readonly string[])[] {
  return rollout.nodes.map(node => {
    const answer = preflightOf(node, rollout)
    return [
      oneLine(node.name),
      node.id.slice(0, 8),
      answer,
      node.reason === null ? '' : `${node.reason.code}: ${oneLine(node.reason.message)}`,
    ]
  })
}

function preflightOf(node: NodeAnswer, rollout: RolloutAnswer): string {
  if (node.outcome === 'refused') return 'no-go'
  if (node.go === true) return 'go'
  if (node.reach === 'lost' || node.outcome === 'missing') return 'not asked'
  return rollout.state === 'completed' ? 'go' : 'no answer'
}
