/** What one check of the doctor found. */
import { type Code, codeOf, codes, messageOf } from '../../model/index.ts'

export interface Finding {
  readonly check: string
  /** `advice`: nothing is wrong, but it could be better. */
  readonly state: 'ok' | 'problem' | 'advice'
  readonly code: Code | null
  readonly message: string
  /** What to do; empty if nothing. */
  readonly todo: string
}

export type Check = (found: (finding: Omit<Finding, 'check'>) => void) => Promise<void> | void

export const ok = (message: string): Omit<Finding, 'check'> => ({ state: 'ok', code: null, message, todo: '' })
export const problem = (code: Code, message: string, todo: string = codes[code].todo): Omit<Finding, 'check'> => ({
  state: 'problem',
  code,
  message,
  todo,
})
export const advice = (message: string, todo: string): Omit<Finding, 'check'> => ({ state: 'advice', code: null, message, todo })

/** Runs one check; what it throws is what it found. */
export async function runCheck(check: string, run: Check): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  try {
    await run(finding => findings.push({ check, ...finding }))
  } catch (error) {
    findings.push({ check, ...problem(codeOf(error), messageOf(error)) })
  }
  return findings
}
