/** How a node is, in words: for its page and for its row. Pure. */
import type { Held, NodeMark, NodeView } from '../api/types.ts'
import type { Words } from '../words/en.ts'
import { markOf } from './marks.ts'
import { duration } from './say.ts'

/** What it does now, or how it is: an ill node by its illness, since “ill” leads nobody anywhere. */
export function stateWord(node: NodeMark, w: Words): string {
  if (node.step === 'transfer') return `${w.steps.transfer} ${node.percent} %`
  if (node.step !== 'idle') return w.steps[node.step]
  const mark = markOf(node)
  return mark === 'ill' ? w.healths[node.health] : w.marks[mark]
}

/** Who holds it, and why. */
export const heldWord = ({ by, reason }: Held, w: Words): string => w.node.heldBy(by, reason)

/** Who holds it, why, and until when. */
export const heldSentence = (held: Held, w: Words): string =>
  `${heldWord(held, w)} · ${held.leftMs === null ? w.node.heldEver : w.node.heldFor(duration(held.leftMs, w.locale))}`

/** For how long a lost node was not seen; of one that was never seen there is no span. */
export const unseenWord = (ageMs: number, w: Words): string => (ageMs < 1000 ? w.reaches.lost : w.notSeenFor(duration(ageMs, w.locale)))

/** A line beneath its state: who holds it, or what went wrong. */
export function whyWord({ held, reason }: Pick<NodeView, 'held' | 'reason'>, w: Words): string {
  if (held !== null) return heldWord(held, w)
  return reason === null ? '' : reason.message
}
