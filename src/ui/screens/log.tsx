/** Who did what, when, from where: what this node was asked, and what operators signed anywhere. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { get } from '../api/http.ts'
import { useQuery } from '../live/query.ts'
import { Action } from '../parts/action.tsx'
import { Badge, Commands, Loading, Problem } from '../parts/basics.tsx'
import { saveJson } from '../parts/save.ts'
import { moment, shortId } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { words } from '../words/index.ts'

interface Entry {
  readonly seq: number
  readonly at: string
  readonly who: string
  readonly via: string
  readonly address: string
  readonly action: string
  readonly object: string
  readonly detail: string
  readonly result: string
}

interface Answer {
  readonly audit: readonly Entry[]
  readonly next: string | null
}

/** Ids are as long as they must be; a person needs eight characters of one. */
const shortened = (text: string): string => text.replace(/\b[a-z2-7]{52}\b|\b[0-9a-f]{64}\b/g, id => shortId(id))

const Row = ({ entry }: { readonly entry: Entry }): JSX.Element => {
  const w = words()
  const c = w.log.columns
  const isFine = entry.result === 'ok' || entry.result === ''
  return (
    <tr>
      <td class="whole" data-label={c.at}>
        {moment(entry.at, w.locale, Date.now())}
      </td>
      <th class="whole" scope="row">
        {entry.who === '' ? '–' : entry.who}
      </th>
      <td data-label={c.what}>
        {entry.action} {shortened(entry.object)} {!isFine && <Badge mark="refused">{entry.result}</Badge>}
        {entry.detail !== '' && <span class="why">{shortened(entry.detail)}</span>}
      </td>
      <td data-label={c.from}>{[entry.via, shortened(entry.address)].filter(each => each !== '').join(' · ')}</td>
    </tr>
  )
}

const save = (entries: readonly Entry[]): void => saveJson('shoal-audit.json', JSON.stringify(entries, null, 2))

interface Verdict {
  readonly rows: number
  readonly brokenAt: number | null
}

/** Each row carries the hash of the one before: who edits one is seen. */
const Verify = (): JSX.Element => {
  const verdict = useSignal<Verdict | null>(null)
  const w = words().log
  const { value } = verdict
  const verify = async (): Promise<void> => {
    verdict.value = null
    verdict.value = await get<Verdict>('audit/verify')
  }
  return (
    <>
      <Action label={w.verify} role="viewer" run={verify} />
      {value !== null && (
        <p role="status">
          <Badge mark={value.brokenAt === null ? 'ok' : 'failed'}>
            {value.brokenAt === null ? w.whole(value.rows) : w.broken(value.brokenAt)}
          </Badge>
        </p>
      )}
    </>
  )
}

const Table = ({ entries }: { readonly entries: readonly Entry[] }): JSX.Element => {
  const c = words().log.columns
  return (
    <table>
      <TableHead columns={[c.at, c.who, c.what, c.from]} />
      <tbody>
        {entries.map(entry => (
          <Row key={entry.seq} entry={entry} />
        ))}
      </tbody>
    </table>
  )
}

export const Log = (): JSX.Element => {
  const q = useSignal('')
  const limit = useSignal(100)
  const query = new URLSearchParams({ limit: String(limit.value), ...(q.value === '' ? {} : { q: q.value }) })
  const { value, refusal } = useQuery<Answer>(`audit?${query.toString()}`, ['log'])
  const w = words()
  const page = value.value
  return (
    <>
      <h1>{w.screens.log}</h1>
      <div class="filters">
        <label class="bare grow">
          <span class="visually-hidden">{w.log.find}</span>
          <input type="search" placeholder={w.log.findHint} value={q.value} onInput={event => (q.value = event.currentTarget.value)} />
        </label>
        <button type="button" disabled={page === null} onClick={() => save(page?.audit ?? [])}>
          {w.log.export}
        </button>
        <Verify />
      </div>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {page === null && refusal.value === null && <Loading />}
      {page?.audit.length === 0 && <p class="hint">{w.log.none}</p>}
      {page !== null && page.audit.length > 0 && <Table entries={page.audit} />}
      {page?.next != null && (
        <p class="more">
          <button type="button" onClick={() => (limit.value += 200)}>
            {w.showMore}
          </button>
        </p>
      )}
      <Commands lines={['shoal audit', 'shoal audit --verify']} />
    </>
  )
}
