/** doctor: what is wrong with the node at home and its machine, and what to do. */
import type { Context } from '../context.ts'
import { examine, type Finding } from '../doctor/index.ts'
import { oneLine, plural } from '../output.ts'
import type { CommandSpec, Outcome } from '../spec.ts'

const marks = { ok: 'ok     ', advice: 'advice ', problem: 'PROBLEM' } as const

const linesOf = ({ check, state, code, message, todo }: Finding): readonly string[] => [
  `${marks[state]}  ${check.padEnd(12)}  ${oneLine(message)}${code === null ? '' : ` (${code})`}`,
  ...(todo === '' ? [] : [`${' '.repeat(23)}${todo}`]),
]

/** The first problem stands for all: standard output has each. */
const failureOf = ({ check, code, message, todo }: Finding, summary: string): NonNullable<Outcome['failure']> => ({
  code: code ?? 'DEGRADED',
  message: `${summary}; ${check}: ${oneLine(message)}`,
  todo,
})

async function doctor(context: Context): Promise<Outcome> {
  const { paths, io } = context
  const checks = await examine({ paths, api: () => context.api(), signal: io.signal, now: new Date() })
  const count = checks.filter(each => each.state === 'problem').length
  const summary = count === 0 ? 'nothing is wrong' : plural(count, 'problem')
  const worst = checks.find(each => each.state === 'problem')
  const failure = worst === undefined ? {} : { failure: failureOf(worst, summary) }
  return { document: { ok: count === 0, checks }, text: [...checks.flatMap(linesOf), summary], ...failure }
}

export const doctorCommands: readonly CommandSpec[] = [
  { path: 'doctor', about: 'what is wrong with this node and its machine, and what to do; 1 if something is', run: doctor },
]
