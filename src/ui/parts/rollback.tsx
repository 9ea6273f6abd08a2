/** The way back: an order like any other, shown before it is given. While a rollout goes on, it is aborted first. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post, session } from '../api/http.ts'
import type { Board, ReleaseView } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { words } from '../words/index.ts'
import { Action, may } from './action.tsx'
import { OrderDialog } from './order.tsx'
import { shortId } from './say.ts'

/** Versions that are offered; of a longer history the command line takes any. */
const maxVersions = 100

/** Where to: what was confirmed before, or a version that is named. */
const Whither = ({ name, to }: { readonly name: string; readonly to: Signal<string> }): JSX.Element => {
  const query = new URLSearchParams({ limit: String(maxVersions), newest: '1', q: `${name}@` })
  const { value } = useQuery<{ readonly releases: readonly ReleaseView[] }>(`releases?${query.toString()}`, ['releases'])
  const w = words().rollout
  const versions = (value.value?.releases ?? []).filter(release => release.name === name).map(release => release.version)
  return (
    <label>
      {w.backTo}
      <select value={to.value} onChange={event => (to.value = event.currentTarget.value)}>
        <option value="">{w.backToLast}</option>
        {versions.map(version => (
          <option key={version} value={version}>
            {version}
          </option>
        ))}
      </select>
    </label>
  )
}

interface BackProps {
  readonly board: Board
  readonly onClose: () => void
  /** The rollout was aborted for that: its own nodes go back. */
  readonly isOfThis: boolean
}

const Back = ({ board, onClose, isOfThis }: BackProps): JSX.Element => {
  const to = useSignal('')
  const rollback = { to: to.value === '' ? null : to.value, ...(isOfThis ? { of: board.id } : {}) }
  const option = to.value === '' ? '' : ` --to ${to.value}`
  return (
    <OrderDialog
      wish={{ rollback, by: session.value?.name ?? '' }}
      command={isOfThis ? `shoal rollout abort ${shortId(board.id)} --rollback${option}` : `shoal rollback${option}`}
      head={<Whither name={board.release.slice(0, board.release.lastIndexOf('@'))} to={to} />}
      onClose={onClose}
    />
  )
}

export interface WayBackProps {
  readonly board: Board
  readonly isOver: boolean
  readonly reload: () => void
}

export const WayBack = ({ board, isOver, reload }: WayBackProps): JSX.Element => {
  const open = useSignal<'no' | 'back' | 'aborted'>('no')
  const w = words().rollout
  const abort = async (): Promise<void> => {
    await post(`rollouts/${board.id}/abort`, {})
    open.value = 'aborted'
  }
  const close = (): void => {
    open.value = 'no'
    reload()
  }
  return (
    <>
      {isOver && (
        <button type="button" disabled={!may('operator')} onClick={() => (open.value = 'back')}>
          {w.verbs.rollback}
        </button>
      )}
      {!isOver && (
        <Action
          label={w.verbs.abortBack}
          kind="danger"
          run={abort}
          ask={{
            title: w.askAbortBack,
            text: <p>{w.askAbortBackText}</p>,
            commands: [`shoal rollout abort ${shortId(board.id)} --rollback`],
          }}
        />
      )}
      {open.value !== 'no' && <Back board={board} isOfThis={open.value === 'aborted'} onClose={close} />}
    </>
  )
}
