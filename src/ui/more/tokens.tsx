/** Tokens of scripts and monitors at this node: made once, shown once, ended here. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import { useQuery } from '../live/query.ts'
import { Action, may } from '../parts/action.tsx'
import { Command, Commands, Problem } from '../parts/basics.tsx'
import { moment } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'

interface Token {
  readonly id: string
  readonly name: string
  readonly madeBy: string
  readonly expiresAt: string | null
  readonly usedAt: string | null
}

const day = 86_400_000
const spans = { month: 30 * day, year: 365 * day, ever: null } as const
const commands = { month: ' --expires 30d', year: ' --expires 365d', ever: '' } as const
type Span = keyof typeof spans
const spanNames: readonly Span[] = ['month', 'year', 'ever']

const Row = ({ token, reload }: { readonly token: Token; readonly reload: () => void }): JSX.Element => {
  const w = moreWords().tokens
  const c = w.columns
  const at = (iso: string): string => moment(iso, words().locale, Date.now())
  const end = async (): Promise<void> => {
    await post(`tokens/${token.id}`, undefined, 'DELETE')
    reload()
  }
  return (
    <tr>
      <th scope="row">
        {token.name} <code>{token.id}</code>
      </th>
      <td data-label={c.by}>{token.madeBy}</td>
      <td data-label={c.until}>{token.expiresAt === null ? w.ever : at(token.expiresAt)}</td>
      <td data-label={c.used}>{token.usedAt === null ? w.never : at(token.usedAt)}</td>
      <td class="end">
        <Action
          label={w.end}
          name={w.endOf(token.name)}
          kind="danger"
          run={end}
          ask={{ title: w.ask(token.name), text: <p>{w.askText}</p>, commands: [`shoal tokens remove ${token.id}`] }}
        />
      </td>
    </tr>
  )
}

const Add = ({ reload }: { readonly reload: () => void }): JSX.Element => {
  const name = useSignal('')
  const span = useSignal<Span>('year')
  const made = useSignal<{ readonly name: string; readonly token: string } | null>(null)
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().tokens
  const add = async (): Promise<void> => {
    const lasts = spans[span.value]
    made.value = await post('tokens', { name: name.value.trim(), ...(lasts === null ? {} : { expiresMs: lasts }) })
    name.value = ''
    reload()
  }
  return (
    <form
      class="stack"
      onSubmit={event => {
        event.preventDefault()
        run(add)
      }}
    >
      <div class="fields">
        <label>
          {w.name}
          <input value={name.value} required maxLength={64} onInput={event => (name.value = event.currentTarget.value)} />
        </label>
        <label>
          {w.lasts}
          <select
            value={span.value}
            onChange={event => (span.value = spanNames.find(each => each === event.currentTarget.value) ?? 'year')}
          >
            {spanNames.map(each => (
              <option key={each} value={each}>
                {w.spans[each]}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="verbs">
        <button type="submit" disabled={isBusy.value}>
          {w.add}
        </button>
      </p>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {made.value !== null && (
        <div role="status">
          <p>{w.made(made.value.name)}</p>
          <Command text={made.value.token} />
        </div>
      )}
      <Commands
        lines={[
          `shoal tokens add ${name.value.trim() === '' ? 'NAME' : `"${name.value.trim().replaceAll('"', '')}"`}${commands[span.value]}`,
        ]}
      />
    </form>
  )
}

const List = (): JSX.Element => {
  const { value, reload } = useQuery<{ readonly tokens: readonly Token[] }>('tokens', ['people'])
  const w = moreWords().tokens
  const c = w.columns
  const list = value.value?.tokens ?? []
  return (
    <>
      {value.value !== null && list.length === 0 && <p class="hint">{w.none}</p>}
      {list.length > 0 && (
        <table>
          <TableHead columns={[c.name, c.by, c.until, c.used]} actions={c.next} />
          <tbody>
            {list.map(token => (
              <Row key={token.id} token={token} reload={reload} />
            ))}
          </tbody>
        </table>
      )}
      <Add reload={reload} />
    </>
  )
}

export const Tokens = (): JSX.Element | null => {
  const w = moreWords().tokens
  if (!may('operator')) return null
  return (
    <section class="stack" aria-labelledby="tokens">
      <h2 id="tokens">{w.title}</h2>
      <p class="sub">{w.text}</p>
      <List />
    </section>
  )
}
