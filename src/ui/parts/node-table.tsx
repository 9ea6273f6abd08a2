/** All nodes, a page at a time, found by text, tag, health and outcome. On a phone each row is a card. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { NodePage, NodeView, Summary } from '../api/types.ts'
import { Later } from '../later.tsx'
import { useQuery } from '../live/query.ts'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'
import { may } from './action.tsx'
import { Badge } from './basics.tsx'
import { markOf } from './marks.ts'
import { stateWord, unseenWord, whyWord } from './node-words.ts'
import { count, moment, releaseName, shortId } from './say.ts'
import { type Selection, select } from './selection.ts'
import { TableHead } from './table-head.tsx'

const pageSize = 50

const Check = ({
  label,
  isOn,
  set,
}: {
  readonly label: string
  readonly isOn: boolean
  readonly set: (isOn: boolean) => void
}): JSX.Element => (
  <label class="pick">
    <input type="checkbox" checked={isOn} aria-label={label} onChange={event => set(event.currentTarget.checked)} />
  </label>
)

const Row = ({ node, selection }: { readonly node: NodeView; readonly selection: Selection | null }): JSX.Element => {
  const w = words()
  const c = w.fleet.columns
  const seen = node.reach === 'lost' ? unseenWord(node.ageMs, w) : w.reaches[node.reach]
  const why = whyWord(node, w)
  return (
    <tr>
      {selection !== null && (
        <td class="pick">
          <Check label={w.fleet.select(node.name)} isOn={selection.value.has(node.id)} set={isOn => select(selection, [node], isOn)} />
        </td>
      )}
      <th scope="row">
        <a href={linkTo('nodes', node.id)}>{node.name}</a> <code>{shortId(node.id)}</code>
        {node.tags.map(tag => (
          <span key={tag} class="tag">
            {tag}
          </span>
        ))}
      </th>
      <td data-label={c.state}>
        <Badge mark={markOf(node)}>{stateWord(node, w)}</Badge>
        {why !== '' && <span class="why">{why}</span>}
      </td>
      <td data-label={c.serves}>{node.app === null ? '–' : releaseName(`${node.app.name}@${node.app.version}`)}</td>
      <td data-label={c.link}>{seen}</td>
      <td data-label={c.since}>{moment(node.since, w.locale, Date.now())}</td>
    </tr>
  )
}

interface Filters {
  readonly q: string
  readonly tag: string
  readonly health: string
  readonly outcome: string
  readonly step: string
}

const none: Filters = { q: '', tag: '', health: '', outcome: '', step: '' }

const Choice = ({ label, any, value, options, onChange }: ChoiceProps): JSX.Element => (
  <label class="bare">
    <span class="visually-hidden">{label}</span>
    <select value={value} onChange={event => onChange(event.currentTarget.value)}>
      <option value="">{any}</option>
      {options.map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  </label>
)

interface ChoiceProps {
  readonly label: string
  readonly any: string
  readonly value: string
  readonly options: readonly (readonly [string, string])[]
  readonly onChange: (value: string) => void
}

const FilterBar = ({ summary, filters, set }: FilterProps): JSX.Element => {
  const w = words()
  const f = w.fleet
  const tags = summary.tags.map(each => [each.name, `${each.name} (${count(each.nodes, w.locale)})`] as const)
  const change = (key: keyof Filters) => (value: string) => set({ ...filters, [key]: value })
  return (
    <div class="filters">
      <label class="bare grow">
        <span class="visually-hidden">{f.find}</span>
        <input type="search" placeholder={f.findHint} value={filters.q} onInput={event => change('q')(event.currentTarget.value)} />
      </label>
      {tags.length > 0 && <Choice label={f.tag} any={f.anyTag} value={filters.tag} options={tags} onChange={change('tag')} />}
      <Choice label={f.health} any={f.anyHealth} value={filters.health} options={Object.entries(w.healths)} onChange={change('health')} />
      <Choice
        label={f.outcome}
        any={f.anyOutcome}
        value={filters.outcome}
        options={Object.entries(w.outcomes)}
        onChange={change('outcome')}
      />
      <Choice label={f.step} any={f.anyStep} value={filters.step} options={Object.entries(w.steps)} onChange={change('step')} />
    </div>
  )
}

interface FilterProps {
  readonly summary: Summary
  readonly filters: Filters
  readonly set: (filters: Filters) => void
}

const pathOf = (filters: Filters, limit: number): string => {
  const query = new URLSearchParams({ limit: String(limit) })
  for (const [key, value] of Object.entries(filters)) if (value !== '') query.set(key, String(value))
  return `nodes?${query.toString()}`
}

const Table = ({ page, selection }: { readonly page: NodePage; readonly selection: Selection | null }): JSX.Element => {
  const { columns: c, selectAll } = words().fleet
  const isAll = page.nodes.every(node => selection?.value.has(node.id) === true)
  const all = selection !== null && <Check label={selectAll} isOn={isAll} set={isOn => select(selection, page.nodes, isOn)} />
  return (
    <table>
      <TableHead first={all} columns={[c.node, c.state, c.serves, c.link, c.since]} />
      <tbody>
        {page.nodes.map(node => (
          <Row key={node.id} node={node} selection={selection} />
        ))}
      </tbody>
    </table>
  )
}

export const NodeTable = ({ summary }: { readonly summary: Summary }): JSX.Element => {
  const filters = useSignal(none)
  const limit = useSignal(pageSize)
  const selection = useSignal<ReadonlyMap<string, string>>(new Map())
  const { value } = useQuery<NodePage>(pathOf(filters.value, limit.value), ['nodes'])
  const w = words()
  const page = value.value
  const set = (next: Filters): void => {
    filters.value = next
    limit.value = pageSize
  }
  return (
    <section class="nodes" aria-labelledby="nodes">
      <h2 id="nodes">{w.fleet.nodes}</h2>
      {summary.counts.total > 5 && <FilterBar summary={summary} filters={filters.value} set={set} />}
      {selection.value.size > 0 && <Later of={more => <more.Selected selection={selection} />} />}
      {page !== null && page.nodes.length > 0 && <Table page={page} selection={may('operator') ? selection : null} />}
      {page?.nodes.length === 0 && <p class="hint">{w.fleet.none}</p>}
      {page !== null && page.next !== null && (
        <p class="more">
          {w.of(page.nodes.length, page.counts['total'] ?? 0)}{' '}
          <button type="button" onClick={() => (limit.value += 2 * pageSize)}>
            {w.showMore}
          </button>
        </p>
      )}
    </section>
  )
}
