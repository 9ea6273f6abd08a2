/** What lies on a node's disk, thing by thing, with the reasons why it stays. */
import type { JSX } from 'preact'
import { useQuery } from '../live/query.ts'
import { Loading } from '../parts/basics.tsx'
import { size } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { type DiskLook, nameOfItem } from './disk-look.ts'
import { Prune } from './prune.tsx'

/** Things that are named; a disk of more has them summed above. */
const maxItems = 100

/** Why a thing stays, or that it may go. */
export const Needs = ({ needs }: { readonly needs: readonly string[] }): JSX.Element => {
  const w = moreWords().disk
  if (needs.length === 0) return <span class="why">{w.mayGo}</span>
  return (
    <>
      {needs.map(need => (
        <span key={need} class="tag">
          {w.needs[need] ?? need}
        </span>
      ))}
    </>
  )
}

export const DiskTotals = ({ look }: { readonly look: DiskLook }): JSX.Element => {
  const w = moreWords().disk
  const c = w.columns
  const { locale } = words()
  return (
    <table>
      <TableHead columns={[c.what, c.count, c.size, c.free]} />
      <tbody>
        {look.totals
          .filter(total => total.count > 0)
          .map(total => (
            <tr key={total.kind}>
              <th scope="row">{w.kinds[total.kind] ?? total.kind}</th>
              <td data-label={c.count}>{total.count}</td>
              <td data-label={c.size}>{size(total.bytes, locale)}</td>
              <td data-label={c.free}>{total.reclaimable === 0 ? '–' : size(total.reclaimable, locale)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}

export const DiskItems = ({ look }: { readonly look: DiskLook }): JSX.Element => {
  const w = moreWords().disk
  const c = w.columns
  const items = look.items.toSorted((a, b) => b.bytes - a.bytes).slice(0, maxItems)
  return (
    <details class="card">
      <summary>{w.things}</summary>
      <table>
        <TableHead columns={[c.thing, c.what, c.why, c.size]} />
        <tbody>
          {items.map(item => (
            <tr key={`${item.kind} ${item.id}`}>
              <th scope="row">{nameOfItem(item)}</th>
              <td data-label={c.what}>{w.kinds[item.kind] ?? item.kind}</td>
              <td data-label={c.why}>
                <Needs needs={item.needs} />
              </td>
              <td data-label={c.size}>{size(item.bytes, words().locale)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}

/** Of the node that serves this page. */
export const Disk = (): JSX.Element => {
  const { value, reload } = useQuery<DiskLook>('disk', [])
  const w = moreWords().disk
  const look = value.value
  return (
    <section class="stack" aria-labelledby="disk">
      <h2 id="disk">{w.title}</h2>
      {look === null && <Loading />}
      {look !== null && <p class="sub">{w.free(size(look.freeBytes, words().locale))}</p>}
      {look !== null && <DiskTotals look={look} />}
      {look !== null && <DiskItems look={look} />}
      <Prune reload={reload} />
    </section>
  )
}
