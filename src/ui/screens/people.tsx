/** Who may come in: nodes by a token, people by a key of their own. And how to open this page elsewhere. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { encode } from 'uqr'
import { post, session } from '../api/http.ts'
import type { NodeView, Role, Summary } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { Action, Forbidden, may } from '../parts/action.tsx'
import { Command, Commands, Loading, Problem } from '../parts/basics.tsx'
import { Invite } from '../parts/invite.tsx'
import { press } from '../parts/press.ts'
import { colons } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { useAsking } from '../more/ask.ts'
import { KeyVerbs, Kit } from '../more/keys.tsx'
import { Tokens } from '../more/tokens.tsx'
import { words } from '../words/index.ts'

interface Person {
  readonly name: string
  readonly role: Role
  readonly keyid: string
}

const roleNames = ['viewer', 'operator', 'admin'] as const

const Row = ({ person, reload }: { readonly person: Person; readonly reload: () => void }): JSX.Element => {
  const w = words()
  const p = w.people
  const remove = async (): Promise<void> => {
    await post(`operators/${encodeURIComponent(person.name)}`, undefined, 'DELETE')
    reload()
  }
  return (
    <tr>
      <th scope="row">
        {person.name}
        {person.name === session.value?.name && <span class="tag">{p.you}</span>}
      </th>
      <td data-label={p.columns.role}>{w.roles[person.role]}</td>
      <td data-label={p.columns.key}>
        <code>{person.keyid.slice(0, 16)}</code>
      </td>
      <td class="end">
        <div class="verbs">
          <KeyVerbs name={person.name} reload={reload} />
          {may('admin') && person.name !== session.value?.name && (
            <Action
              label={p.remove}
              name={p.removeOf(person.name)}
              role="admin"
              kind="danger"
              run={remove}
              ask={{ title: p.askRemove(person.name), text: <p>{p.askRemoveText}</p>, commands: [`shoal operators remove ${person.name}`] }}
            />
          )}
        </div>
      </td>
    </tr>
  )
}

const Add = ({ reload }: { readonly reload: () => void }): JSX.Element => {
  const name = useSignal('')
  const role = useSignal<Role>('viewer')
  const made = useSignal<{ readonly name: string; readonly passphrase: string } | null>(null)
  const { isBusy, refusal, run } = useAsking()
  const w = words()
  const add = async (): Promise<void> => {
    made.value = await post<{ readonly name: string; readonly passphrase: string }>('operators', {
      name: name.value.trim(),
      role: role.value,
    })
    name.value = ''
    reload()
  }
  return (
    <details class="card">
      <summary>{w.people.add}</summary>
      <div class="fields">
        <label>
          {w.people.name}
          <input value={name.value} autocapitalize="none" autocomplete="off" onInput={event => (name.value = event.currentTarget.value)} />
        </label>
        <label>
          {w.people.role}
          <select
            value={role.value}
            onChange={event => (role.value = roleNames.find(each => each === event.currentTarget.value) ?? 'viewer')}
          >
            {roleNames.map(each => (
              <option key={each} value={each}>
                {w.roles[each]}
              </option>
            ))}
          </select>
        </label>
      </div>
      <button type="button" class="main" disabled={!may('admin')} {...press(isBusy.value || name.value.trim() === '', () => run(add))}>
        {w.people.add}
      </button>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {made.value !== null && (
        <div role="status">
          <p>{w.people.newPassphrase(made.value.name)}</p>
          <Command text={made.value.passphrase} />
        </div>
      )}
      <Commands lines={[`shoal operators add ${name.value.trim() === '' ? 'NAME' : name.value.trim()} --role ${role.value}`]} />
    </details>
  )
}

const Operators = (): JSX.Element => {
  const { value, reload } = useQuery<{ readonly operators: readonly Person[] }>('operators', ['people'])
  const { people } = words()
  const c = people.columns
  return (
    <section class="stack" aria-labelledby="operators">
      <h2 id="operators">{people.operators}</h2>
      {value.value === null && <Loading />}
      {value.value !== null && (
        <table>
          <TableHead columns={[c.name, c.role, c.key]} actions={c.next} />
          <tbody>
            {value.value.operators.map(person => (
              <Row key={person.name} person={person} reload={reload} />
            ))}
          </tbody>
        </table>
      )}
      {may('admin') ? <Add reload={reload} /> : <Forbidden role="admin" />}
    </section>
  )
}

/** A picture for a camera: the address of this page. */
const Qr = ({ text }: { readonly text: string }): JSX.Element => {
  const { data, size } = encode(text, { border: 2 })
  const path = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : []))).join('')
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={text}>
      <path d={path} />
    </svg>
  )
}

const Phone = (): JSX.Element => {
  // What the browser gets from this very node; the CA's own pin, which a token carries, no browser ever shows.
  const { value } = useQuery<NodeView>('nodes/self', ['people'])
  const { people } = words()
  const address = `${location.origin}/_shoal/`
  return (
    <section class="card phone" aria-labelledby="phone">
      <Qr text={address} />
      <div class="stack">
        <h2 id="phone">{people.phone}</h2>
        <p class="sub">{people.phoneText}</p>
        <p>
          <code>{address}</code>
        </p>
        <p class="sub">
          {people.pin} <code>{colons(value.value?.fingerprint ?? '') || '…'}</code>
        </p>
      </div>
    </section>
  )
}

export const People = (): JSX.Element => {
  const { value } = useQuery<Summary>('summary', ['nodes', 'people'])
  if (value.value === null) return <Loading />
  return (
    <>
      <h1>{words().screens.people}</h1>
      <Invite summary={value.value} />
      <Operators />
      <Kit />
      <Tokens />
      <Phone />
    </>
  )
}
