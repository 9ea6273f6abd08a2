/** What is wrong with a node and its machine, and what to do: `shoal doctor`, asked for at any node. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { get } from '../api/http.ts'
import type { NodeView } from '../api/types.ts'
import { Action, Forbidden } from '../parts/action.tsx'
import { Badge, Commands } from '../parts/basics.tsx'
import type { Mark } from '../parts/marks.ts'
import { moreWords } from '../words/more.ts'

interface Finding {
  readonly check: string
  readonly state: 'ok' | 'problem' | 'advice'
  readonly code: string | null
  readonly message: string
  readonly todo: string
}

const marks = { ok: 'ok', problem: 'failed', advice: 'refused' } as const satisfies Record<Finding['state'], Mark>
const ranks = { problem: 0, advice: 1, ok: 2 } as const

/** Text in which commands stand between backticks. */
const Quoted = ({ text }: { readonly text: string }): JSX.Element => (
  <>{text.split('`').map((part, at) => (at % 2 === 1 ? <code key={at}>{part}</code> : part))}</>
)

const Findings = ({ checks }: { readonly checks: readonly Finding[] }): JSX.Element => {
  const w = moreWords().doctor
  const problems = checks.filter(each => each.state === 'problem').length
  return (
    <>
      <p role="status">{problems === 0 ? w.fine : w.problems(problems)}</p>
      <ul class="steps">
        {checks
          .toSorted((a, b) => ranks[a.state] - ranks[b.state])
          .map(({ check, state, code, message, todo }) => (
            <li key={`${check} ${message}`}>
              <Badge mark={marks[state]}>{check}</Badge>{' '}
              <span>
                {message} {code !== null && <code>{code}</code>}
                {todo !== '' && (
                  <span class="why">
                    <Quoted text={todo} />
                  </span>
                )}
              </span>
            </li>
          ))}
      </ul>
    </>
  )
}

export const Doctor = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const checks = useSignal<readonly Finding[] | null>(null)
  const w = moreWords().doctor
  const run = async (): Promise<void> => {
    checks.value = null
    const answer = await get<{ readonly checks: readonly Finding[] }>(`nodes/${node.id}/doctor`)
    checks.value = answer.checks
  }
  return (
    <section class="card" aria-labelledby="doctor">
      <h2 id="doctor">{w.title}</h2>
      <p class="sub">{w.text}</p>
      <div class="verbs">
        <Action label={w.examine} run={run} />
        <Forbidden role="operator" />
      </div>
      {checks.value !== null && <Findings checks={checks.value} />}
      <Commands lines={['shoal doctor']} />
    </section>
  )
}
