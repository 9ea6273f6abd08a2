/** Backups of the node that serves this page: made, verified and restored here. What takes long is begun, and its row says how it goes. */
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { post } from '../api/http.ts'
import type { Reason } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { Action, Forbidden } from '../parts/action.tsx'
import { Badge, Commands, Loading } from '../parts/basics.tsx'
import type { Mark } from '../parts/marks.ts'
import { moment, releaseName, size } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'

export interface BackupView {
  readonly id: string
  readonly kind: string
  readonly at: string
  readonly own: boolean
  readonly app: string | null
  readonly bytes: number
  readonly state: string
  readonly reason: Reason | null
}

/** ms between two looks while something is being made, read or restored. */
const lookMs = 1000

const marks: Readonly<Record<string, Mark>> = { ready: 'ok', failed: 'failed', damaged: 'failed' }
const isUnderWay = (backup: BackupView): boolean => !Object.hasOwn(marks, backup.state)

const BackupName = ({ backup }: { readonly backup: BackupView }): JSX.Element => {
  const w = moreWords().backups
  return (
    <>
      {moment(backup.at, words().locale, Date.now())} <code>{backup.id}</code>
      {backup.kind !== 'backup' && <span class="tag">{w.kinds[backup.kind] ?? backup.kind}</span>}
      {!backup.own && <span class="tag">{w.foreign}</span>}
    </>
  )
}

const BackupState = ({ backup: { state, reason } }: { readonly backup: BackupView }): JSX.Element => (
  <>
    <Badge mark={marks[state] ?? 'busy'}>{moreWords().backups.states[state] ?? state}</Badge>
    {reason !== null && (
      <span class="why">
        {reason.message} <code>{reason.code}</code>
      </span>
    )}
  </>
)

interface TableProps {
  readonly backups: readonly BackupView[]
  /** What can be done with one; not given: it is only looked at. */
  readonly verbs?: (backup: BackupView) => JSX.Element
}

export const BackupTable = ({ backups, verbs }: TableProps): JSX.Element => {
  const w = moreWords().backups
  const c = w.columns
  if (backups.length === 0) return <p class="hint">{w.none}</p>
  return (
    <table>
      <TableHead columns={[c.id, c.app, c.size, c.state]} {...(verbs === undefined ? {} : { actions: c.next })} />
      <tbody>
        {backups.map(backup => (
          <tr key={backup.id}>
            <th scope="row">
              <BackupName backup={backup} />
            </th>
            <td data-label={c.app}>{backup.app === null ? '–' : releaseName(backup.app)}</td>
            <td data-label={c.size}>{size(backup.bytes, words().locale)}</td>
            <td data-label={c.state}>
              <BackupState backup={backup} />
            </td>
            {verbs !== undefined && <td class="end">{verbs(backup)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

interface VerbsProps {
  readonly backup: BackupView
  readonly reload: () => void
}

const Verbs = ({ backup: { id, kind }, reload }: VerbsProps): JSX.Element => {
  const w = moreWords().backups
  const begin = (what: 'verify' | 'restore') => async (): Promise<void> => {
    await post(`backups/${encodeURIComponent(id)}/${what}`, {})
    reload()
  }
  return (
    <div class="verbs">
      {kind === 'backup' && <Action label={w.verify} name={w.verifyOf(id)} run={begin('verify')} />}
      <Action
        label={w.restore}
        name={w.restoreOf(id)}
        kind="danger"
        run={begin('restore')}
        ask={{ title: w.ask(id), text: <p>{w.askText}</p>, commands: [`shoal backup restore ${id}`] }}
      />
    </div>
  )
}

export const Backups = (): JSX.Element => {
  const { value, reload } = useQuery<{ readonly backups: readonly BackupView[] }>('backups', [])
  const w = moreWords().backups
  const list = value.value?.backups ?? null
  const isBusy = list?.some(isUnderWay) === true
  useEffect(() => {
    if (!isBusy) return
    const timer = setInterval(reload, lookMs)
    return () => clearInterval(timer)
  }, [isBusy])
  const create = async (): Promise<void> => {
    await post('backups', {})
    reload()
  }
  return (
    <section class="stack" aria-labelledby="backups">
      <h2 id="backups">{w.title}</h2>
      <p class="sub">{w.text}</p>
      {list === null && <Loading />}
      {list !== null && <BackupTable backups={list} verbs={backup => <Verbs backup={backup} reload={reload} />} />}
      <div class="verbs">
        <Action label={w.create} run={create} done={w.begun} />
        <Forbidden role="operator" />
      </div>
      <Commands lines={['shoal backup list', 'shoal backup create', 'shoal backup verify ID', 'shoal backup restore ID']} />
    </section>
  )
}
