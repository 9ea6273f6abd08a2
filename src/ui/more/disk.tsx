/** What lies on the disk of the node that serves this page, and what of it nothing needs. It is named before it goes. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import { useQuery } from '../live/query.ts'
import { Action, Forbidden, may } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import { Answers, Dialog } from '../parts/dialog.tsx'
import { size } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'

interface Item {
  readonly kind: string
  readonly id: string
  readonly name: string
  readonly bytes: number
  readonly needs: readonly string[]
}

interface Look {
  readonly freeBytes: number
  readonly totals: readonly { readonly kind: string; readonly count: number; readonly bytes: number; readonly reclaimable: number }[]
  readonly items: readonly Item[]
}

const sum = (items: readonly Item[]): number => items.reduce((bytes, item) => bytes + item.bytes, 0)

const Prune = ({ reload }: { readonly reload: () => void }): JSX.Element => {
  const found = useSignal<readonly Item[] | null>(null)
  const removed = useSignal<number | null>(null)
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().disk
  const text = (bytes: number): string => size(bytes, words().locale)
  const look = async (): Promise<void> => {
    removed.value = null
    const { items } = await post<Look>('disk/prune', { dryRun: true })
    found.value = items.filter(item => item.needs.length === 0)
  }
  const prune = async (): Promise<void> => {
    const { removedBytes } = await post<{ readonly removedBytes: number }>('disk/prune', {})
    removed.value = removedBytes
    found.value = null
    reload()
  }
  const close = (): void => {
    found.value = null
  }
  const items = found.value
  return (
    <>
      <div class="verbs">
        <Action label={w.prune} run={look} />
        {removed.value !== null && (
          <span class="done" role="status">
            {w.removed(text(removed.value))}
          </span>
        )}
        <Forbidden role="operator" />
      </div>
      {items !== null && (
        <Dialog title={items.length === 0 ? w.nothing : w.ask(text(sum(items)))} onClose={close}>
          {items.length > 0 && <p>{w.askText}</p>}
          <ul class="plan">
            {items.slice(0, 30).map(item => (
              <li key={`${item.kind} ${item.id}`}>
                {w.kinds[item.kind] ?? item.kind} <code>{item.name === '' ? item.id.slice(0, 40) : item.name}</code> {text(item.bytes)}
              </li>
            ))}
          </ul>
          {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
          <Commands lines={['shoal prune --dry-run', 'shoal prune']} />
          <Answers label={w.go} isDanger isBusy={isBusy.value || items.length === 0} onYes={() => run(prune)} onNo={close} />
        </Dialog>
      )}
    </>
  )
}

export const Disk = (): JSX.Element => {
  const { value, reload } = useQuery<Look>('disk', [])
  const w = moreWords().disk
  const c = w.columns
  const { locale } = words()
  const look = value.value
  return (
    <section class="stack" aria-labelledby="disk">
      <h2 id="disk">{w.title}</h2>
      {look === null && <Loading />}
      {look !== null && <p class="sub">{w.free(size(look.freeBytes, locale))}</p>}
      {look !== null && (
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
                  <td data-label={c.free}>{size(total.reclaimable, locale)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      )}
      {may('viewer') && <Prune reload={reload} />}
    </section>
  )
}
