/** The one sentence that says how the fleet is, before anything else. Pure. */
import type { Summary } from '../api/types.ts'
import { isStuck } from '../parts/rollout-words.ts'
import { releaseName } from '../parts/say.ts'
import type { Words } from '../words/en.ts'

export interface Sentence {
  readonly tone: 'ok' | 'busy' | 'warn' | 'bad'
  readonly main: string
  /** What is not as the sentence says, in few words; '' if nothing. */
  readonly rest: string
}

const live = new Set(['open', 'paused'])
/** Halted or stalled; who paused it knows. */
const isStill = (r: Summary['rollouts'][number]): boolean => isStuck(r) && r.state !== 'paused'

export function sentenceOf(s: Summary, w: Words): Sentence {
  const { total, lost, ill, held } = s.counts
  const [first] = s.apps.filter(app => app.name !== '')
  const others = s.apps.filter(app => app !== first)
  const rest = [
    ...s.rollouts.filter(isStill).map(r => w.fleet.rollout(releaseName(r.release), w.states[r.state])),
    ...(first === undefined ? [] : others.slice(0, 3).map(app => w.fleet.others(app.nodes, releaseName(app.name)))),
    ...(lost === 0 ? [] : [w.fleet.lost(lost)]),
    ...(ill === 0 ? [] : [w.fleet.ill(ill)]),
    ...(held === 0 ? [] : [w.fleet.held(held)]),
  ]
  return { tone: toneOf(s, others.length > 0 && first !== undefined), main: mainOf(first, total, w), rest: w.list(rest) }
}

function mainOf(first: Summary['apps'][number] | undefined, total: number, w: Words): string {
  if (first === undefined) return w.fleet.noApp(total)
  const release = releaseName(first.name)
  return first.nodes === total ? w.fleet.allServe(total, release) : w.fleet.someServe(first.nodes, total, release)
}

function toneOf(s: Summary, isMixed: boolean): Sentence['tone'] {
  if (s.counts.ill > 0 || s.rollouts.some(isStill)) return 'bad'
  if (s.rollouts.some(r => live.has(r.state))) return 'busy'
  return s.counts.lost > 0 || isMixed ? 'warn' : 'ok'
}
