/** What of a disk nothing needs is removed, and what else is wished gone. It is named before it goes. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import { Action, Forbidden, may } from '../parts/action.tsx'
import { Commands, Problem } from '../parts/basics.tsx'
import { Answers, Dialog } from '../parts/dialog.tsx'
import { size } from '../parts/say.ts'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'
import { type DiskLook, type Item, nameOfItem } from './disk-look.ts'
import { plainPrune, pruneBody, pruneCommand, type PruneWish } from './prune-wish.ts'

/** Things that are named before they go. */
const maxNamed = 30

const sum = (items: readonly Item[]): number => items.reduce((bytes, item) => bytes + item.bytes, 0)

const Options = ({ wish }: { readonly wish: Signal<PruneWish> }): JSX.Element => {
  const w = moreWords().disk.options
  const set = (part: Partial<PruneWish>): void => {
    wish.value = { ...wish.value, ...part }
  }
  return (
    <details>
      <summary>{w.title}</summary>
      {(['all', 'logs'] as const).map(key => (
        <label key={key} class="check">
          <input
            type="checkbox"
            checked={wish.value[key]}
            disabled={!may('operator')}
            onChange={event => set({ [key]: event.currentTarget.checked })}
          />
          {w[key]}
        </label>
      ))}
      <div class="fields">
        <label>
          {w.backups}
          <input
            type="number"
            min={0}
            placeholder={w.none}
            value={wish.value.backupDays}
            disabled={!may('operator')}
            onInput={event => set({ backupDays: event.currentTarget.value })}
          />
        </label>
      </div>
    </details>
  )
}

const Rest = ({ count }: { readonly count: number }): JSX.Element | null => (count > 0 ? <li>{words().rollout.and(count)}</li> : null)

interface Pruned {
  readonly removedBytes: number
  readonly failed: readonly { readonly id: string; readonly message: string }[]
}

interface QuestionProps {
  readonly items: readonly Item[]
  readonly wish: PruneWish
  readonly onDone: (pruned: Pruned) => void
  readonly onClose: () => void
}

const Question = ({ items, wish, onDone, onClose }: QuestionProps): JSX.Element => {
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().disk
  const text = (bytes: number): string => size(bytes, words().locale)
  const prune = async (): Promise<void> => {
    onDone(await post<Pruned>('disk/prune', pruneBody(wish)))
  }
  return (
    <Dialog title={items.length === 0 ? w.nothing : w.ask(text(sum(items)))} onClose={onClose}>
      {items.length > 0 && <p>{w.askText}</p>}
      <ul class="plan">
        {items.slice(0, maxNamed).map(item => (
          <li key={`${item.kind} ${item.id}`}>
            {w.kinds[item.kind] ?? item.kind} <code>{nameOfItem(item)}</code> {text(item.bytes)}
          </li>
        ))}
        <Rest count={items.length - maxNamed} />
      </ul>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      <Commands lines={[pruneCommand(wish, true), pruneCommand(wish, false)]} />
      <Answers label={w.go} isDanger isBusy={isBusy.value || items.length === 0} onYes={() => run(prune)} onNo={onClose} />
    </Dialog>
  )
}

export const Prune = ({ reload }: { readonly reload: () => void }): JSX.Element => {
  const wish = useSignal(plainPrune)
  const found = useSignal<readonly Item[] | null>(null)
  const pruned = useSignal<Pruned | null>(null)
  const w = moreWords().disk
  const look = async (): Promise<void> => {
    pruned.value = null
    const { items } = await post<DiskLook>('disk/prune', { ...pruneBody(wish.value), dryRun: true })
    found.value = items.filter(item => item.needs.length === 0)
  }
  const close = (): void => {
    found.value = null
  }
  return (
    <>
      <Options wish={wish} />
      <div class="verbs">
        <Action label={w.prune} run={look} />
        {pruned.value !== null && (
          <span class="done" role="status">
            {w.removed(size(pruned.value.removedBytes, words().locale))}
          </span>
        )}
        <Forbidden role="operator" />
      </div>
      {pruned.value !== null && pruned.value.failed.length > 0 && (
        <div role="status">
          <ul>
            {pruned.value.failed.slice(0, maxNamed).map(({ id, message }, at) => (
              <li key={at}>{w.stays(id, message)}</li>
            ))}
            <Rest count={pruned.value.failed.length - maxNamed} />
          </ul>
        </div>
      )}
      {found.value !== null && (
        <Question
          items={found.value}
          wish={wish.value}
          onDone={done => {
            pruned.value = done
            close()
            reload()
          }}
          onClose={close}
        />
      )}
    </>
  )
}
