/** One mark per node: what a person has to see of it, in a rollout or at any time. Pure. */
import type { NodeMark } from '../api/types.ts'

export type Mark = 'ok' | 'failed' | 'back' | 'refused' | 'excused' | 'lost' | 'ill' | 'held' | 'transfer' | 'busy' | 'waiting'

const ofStep = (node: NodeMark, otherwise: Mark): Mark => {
  if (node.step === 'transfer') return 'transfer'
  if (node.step === 'switching' || node.step === 'probation') return 'busy'
  return node.step === 'idle' ? otherwise : 'waiting'
}

/** In the picture of a rollout the outcome counts. */
export function markInRollout(node: NodeMark): Mark {
  switch (node.outcome) {
    case 'confirmed':
      return 'ok'
    case 'rolled-back':
      return 'back'
    case 'failed':
      return 'failed'
    case 'refused':
      return 'refused'
    case 'skipped':
    case 'superseded':
      return 'excused'
    case 'missing':
      return 'lost'
    case null:
      return node.reach === 'lost' ? 'lost' : ofStep(node, 'waiting')
  }
}

/** In the picture of the fleet: how it is now. */
export function markOf(node: NodeMark): Mark {
  if (node.reach === 'lost') return 'lost'
  if (node.health === 'held') return 'held'
  if (node.health !== 'ok') return 'ill'
  if (node.outcome === 'rolled-back' && node.step === 'idle') return 'back'
  if (node.outcome === 'failed' && node.step === 'idle') return 'failed'
  return ofStep(node, 'ok')
}

/** How a mark is coloured; several share a colour, none shares colour and shape. */
export const toneOf: Readonly<Record<Mark, 'ok' | 'bad' | 'warn' | 'busy' | 'calm'>> = {
  ok: 'ok',
  failed: 'bad',
  back: 'bad',
  refused: 'warn',
  excused: 'calm',
  lost: 'warn',
  ill: 'bad',
  held: 'calm',
  transfer: 'busy',
  busy: 'busy',
  waiting: 'calm',
}
