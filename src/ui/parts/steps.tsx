/** The way to a node, step by step, as `peers test` walks it. */
import type { JSX } from 'preact'
import { words } from '../words/index.ts'
import { Badge } from './basics.tsx'

export interface PeerTest {
  readonly ok: boolean
  readonly step: string | null
  readonly message: string
  readonly steps: readonly { readonly step: string; readonly ok: boolean; readonly message: string }[]
}

export const stepName = (step: string): string => {
  const { steps } = words().node
  return Object.hasOwn(steps, step) ? steps[step as keyof typeof steps] : step
}

export const Steps = ({ test }: { readonly test: PeerTest }): JSX.Element => (
  <ol class="steps">
    {test.steps.map(({ step, ok, message }) => (
      <li key={step}>
        <Badge mark={ok ? 'ok' : 'failed'}>{stepName(step)}</Badge> <span class="sub">{message}</span>
      </li>
    ))}
  </ol>
)
