/** For how long a node is held, and why. */
import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import { moreWords } from '../words/more.ts'

const hour = 3_600_000
const spans = { ever: null, hours: 2 * hour, day: 24 * hour, week: 168 * hour } as const
const options = { ever: '', hours: ' --for 2h', day: ' --for 1d', week: ' --for 7d' } as const
type Span = keyof typeof spans
const names: readonly Span[] = ['ever', 'hours', 'day', 'week']

export interface HoldWish {
  readonly span: Span
  readonly reason: string
}

export const plainHold: HoldWish = { span: 'ever', reason: '' }

export const holdBody = ({ span, reason }: HoldWish): object => ({
  ...(spans[span] === null ? {} : { forMs: spans[span] }),
  ...(reason.trim() === '' ? {} : { reason: reason.trim() }),
})

export const holdCommand = (id: string, { span, reason }: HoldWish): string =>
  `shoal nodes hold ${id}${options[span]}${reason.trim() === '' ? '' : ` --reason "${reason.trim().replaceAll('"', '')}"`}`

export const HoldFields = ({ wish }: { readonly wish: Signal<HoldWish> }): JSX.Element => {
  const w = moreWords().hold
  return (
    <div class="fields">
      <label>
        {w.for}
        <select
          value={wish.value.span}
          onChange={event => (wish.value = { ...wish.value, span: names.find(each => each === event.currentTarget.value) ?? 'ever' })}
        >
          {names.map(each => (
            <option key={each} value={each}>
              {w.spans[each]}
            </option>
          ))}
        </select>
      </label>
      <label>
        {w.reason}
        <input
          value={wish.value.reason}
          maxLength={500}
          onInput={event => (wish.value = { ...wish.value, reason: event.currentTarget.value })}
        />
      </label>
    </div>
  )
}
