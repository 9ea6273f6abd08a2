/** A token for a new node: made here, carried there, and green as soon as the node has arrived. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import type { Summary } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { useAsking } from '../more/ask.ts'
import { words } from '../words/index.ts'
import { Forbidden, may } from './action.tsx'
import { Command, Commands, Problem } from './basics.tsx'
import { press } from './press.ts'
import { moment } from './say.ts'

interface Made {
  readonly id: string
  readonly token: string
  readonly expiresAt: string
}

/** Names that are said; of many it is said how many. */
const maxNames = 12

const spans = [
  [30 * 60_000, '30m'],
  [4 * 3_600_000, '4h'],
  [7 * 86_400_000, '7d'],
] as const

const spanText = (ms: number): string => {
  const p = words().people
  if (ms < 3_600_000) return p.minutes(ms / 60_000)
  return ms < 86_400_000 ? p.hours(ms / 3_600_000) : p.days(ms / 86_400_000)
}

const Token = ({ made }: { readonly made: Made }): JSX.Element => {
  const { value } = useQuery<{ readonly nodes: readonly { readonly name: string }[] }>(`invites/${made.id}`, ['nodes'])
  const w = words()
  const arrived = (value.value?.nodes ?? []).map(node => node.name)
  const names = arrived.length > maxNames ? [...arrived.slice(0, maxNames), w.rollout.and(arrived.length - maxNames)] : arrived
  return (
    <div class="stack">
      <h3>{w.people.run}</h3>
      <Command text={`npx shoal join ${made.token} && npx shoal start`} />
      <p class="sub">{w.people.until(moment(made.expiresAt, w.locale, Date.now()))}</p>
      <p class={names.length > 0 ? 'done' : 'sub'} role="status">
        {names.length > 0 ? w.people.arrived(w.list(names)) : w.people.waiting}
      </p>
    </div>
  )
}

export const Invite = ({ summary }: { readonly summary: Summary }): JSX.Element => {
  const wish = useSignal({ expires: '30m', uses: '1', canInvite: false, console: false })
  const made = useSignal<Made | null>(null)
  const { isBusy, refusal, run } = useAsking()
  const p = words().people
  const { expires, uses, canInvite, console } = wish.value
  const make = async (): Promise<void> => {
    const expiresMs = spans.find(([, text]) => text === expires)?.[0]
    made.value = await post<Made>('invites', { uses: Number(uses), expiresMs, canInvite, console })
  }
  const command = `shoal invite${expires === '30m' ? '' : ` --expires ${expires}`}${uses === '1' ? '' : ` --uses ${uses}`}${canInvite ? ' --can-invite' : ''}${console ? ' --console' : ''}`
  return (
    <section class="card" aria-labelledby="invite">
      <h2 id="invite">{p.invite}</h2>
      <p class="sub">{summary.self.redeems ? p.inviteText : p.notHere}</p>
      {summary.self.redeems && (
        <>
          <div class="fields">
            <label>
              {p.expires}
              <select value={expires} onChange={event => (wish.value = { ...wish.value, expires: event.currentTarget.value })}>
                {spans.map(([ms, text]) => (
                  <option key={text} value={text}>
                    {spanText(ms)}
                  </option>
                ))}
              </select>
            </label>
            <label>
              {p.uses}
              <input
                type="number"
                min={1}
                max={1000}
                value={uses}
                onInput={event => (wish.value = { ...wish.value, uses: event.currentTarget.value })}
              />
            </label>
          </div>
          <label class="check">
            <input
              type="checkbox"
              checked={console}
              onChange={event => (wish.value = { ...wish.value, console: event.currentTarget.checked })}
            />
            {p.console}
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={canInvite}
              onChange={event => (wish.value = { ...wish.value, canInvite: event.currentTarget.checked })}
            />
            {p.canInvite}
          </label>
          <div class="verbs">
            <button type="button" class="main" disabled={!may('operator')} {...press(isBusy.value, () => run(make))}>
              {p.make}
            </button>
            <Forbidden role="operator" />
          </div>
        </>
      )}
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {made.value !== null && <Token key={made.value.token} made={made.value} />}
      <Commands lines={[command]} />
    </section>
  )
}
