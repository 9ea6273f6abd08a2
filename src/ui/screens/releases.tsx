/** What is signed: uploaded here by drag, published, and rolled out from here. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { ReleaseView } from '../api/types.ts'
import { Later } from '../later.tsx'
import { useQuery } from '../live/query.ts'
import { Forbidden, may } from '../parts/action.tsx'
import { Commands, Empty, Loading } from '../parts/basics.tsx'
import { idOf, releaseName } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { Upload } from '../parts/upload.tsx'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'

interface Answer {
  readonly releases: readonly ReleaseView[]
  readonly next: string | null
}

const Row = ({ release }: { readonly release: ReleaseView }): JSX.Element => {
  const w = words()
  const c = w.releases.columns
  const name = releaseName(idOf(release))
  return (
    <tr>
      <th scope="row">
        <a href={linkTo('releases', idOf(release))}>{name}</a>
        {release.kind === 'shoal' && <span class="tag">{w.releases.kinds.shoal}</span>}
      </th>
      <td data-label={c.for}>{Object.keys(release.packages).join(', ')}</td>
      <td data-label={c.nodes}>{w.nodes(release.nodes)}</td>
      <td data-label={c.notes}>{release.notes.slice(0, 120)}</td>
      <td class="end">
        <a class="button small" href={linkTo('releases', idOf(release))} aria-label={w.releases.rollOutOf(name)}>
          {w.releases.rollOut}
        </a>
      </td>
    </tr>
  )
}

const Table = ({ releases }: { readonly releases: readonly ReleaseView[] }): JSX.Element => {
  const c = words().releases.columns
  return (
    <table>
      <TableHead columns={[c.release, c.for, c.nodes, c.notes]} actions={c.next} />
      <tbody>
        {releases.map(release => (
          <Row key={release.id} release={release} />
        ))}
      </tbody>
    </table>
  )
}

export const Releases = (): JSX.Element => {
  const q = useSignal('')
  const shown = useSignal(30)
  const query = new URLSearchParams({ limit: String(shown.value), newest: '1', ...(q.value === '' ? {} : { q: q.value }) })
  const { value } = useQuery<Answer>(`releases?${query.toString()}`, ['releases'])
  const w = words()
  if (value.value === null) return <Loading />
  const { releases, next } = value.value
  const isEmpty = releases.length === 0
  return (
    <>
      <h1>{w.screens.releases}</h1>
      {may('operator') ? <Upload /> : <Forbidden role="operator" />}
      {isEmpty && q.value === '' && <Empty title={w.releases.none} text={w.releases.noneHow} />}
      {(!isEmpty || q.value !== '') && (
        <label class="bare">
          <span class="visually-hidden">{w.releases.find}</span>
          <input type="search" placeholder={w.releases.find} value={q.value} onInput={event => (q.value = event.currentTarget.value)} />
        </label>
      )}
      {isEmpty && q.value !== '' && <p class="hint">{w.releases.noneFound}</p>}
      {!isEmpty && <Table releases={releases} />}
      {next !== null && (
        <p class="more">
          <button type="button" onClick={() => (shown.value += 100)}>
            {w.showMore}
          </button>
        </p>
      )}
      <Later of={more => <more.Stick />} />
      <Commands lines={['shoal pack ./my-app', 'shoal publish my-app-1.0.0.zip', 'shoal deploy ./my-app']} />
    </>
  )
}
