/** What a node's doctor found: `shoal doctor`, which the node runs of itself, read as what comes from outside, be it from this node or another. */
import { asOneOf, asString, Fields, isCode } from '../model/index.ts'

export interface Finding {
  readonly check: string
  /** `advice`: nothing is wrong, but it could be better. */
  readonly state: 'ok' | 'problem' | 'advice'
  readonly code: string | null
  readonly message: string
  /** What to do; empty: nothing. */
  readonly todo: string
}

export interface Diagnosis {
  readonly ok: boolean
  readonly checks: readonly Finding[]
}

const maxFindings = 500

function finding(value: unknown, where: string): Finding {
  const f = new Fields(value, where)
  const code = f.maybe('code', (v, w) => asString(v, w, 100), null)
  return {
    check: f.string('check', 100),
    state: f.get('state', (v, w) => asOneOf(v, w, ['ok', 'problem', 'advice'])),
    code: code === null || isCode(code) ? code : 'INTERNAL',
    message: f.string('message'),
    todo: f.string('todo'),
  }
}

/** @throws ShoalError BAD_REQUEST */
export function parseDiagnosis(value: unknown, where: string): Diagnosis {
  const f = new Fields(value, where)
  return { ok: f.boolean('ok'), checks: f.list('checks', finding, maxFindings) }
}
