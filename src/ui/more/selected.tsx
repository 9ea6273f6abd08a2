/** What is done to several nodes at once: one after the other, so that one that refuses stops no other, and is named. */
import { type Signal, useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { post, type Refusal, session } from '../api/http.ts'
import type { ReleaseView } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { asRefusal, Forbidden, may } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import { Answers, Dialog } from '../parts/dialog.tsx'
import { OrderDialog } from '../parts/order.tsx'
import { idOf, releaseName, shortId } from '../parts/say.ts'
import type { Selection } from '../parts/selection.ts'
import { commandOf, plainForm, wishOf } from '../parts/wish.ts'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { HoldFields, holdBody, holdCommand, plainHold } from './hold-fields.tsx'

interface Done {
  readonly count: number
  readonly failed: readonly { readonly name: string; readonly refusal: Refusal }[]
}

/** Releases that are offered at once; what is not among them is found by its name. */
const maxOffered = 50
/** Commands that are shown; more of them help nobody. */
const maxCommands = 5

interface VerbProps {
  readonly selection: Selection
  readonly done: Signal<Done | null>
  readonly isBusy: Signal<boolean>
  readonly close: () => void
}

const ask = async (p: VerbProps, verb: string, body: object): Promise<void> => {
  p.isBusy.value = true
  const failed: Done['failed'][number][] = []
  for (const [id, name] of p.selection.value) {
    try {
      await post(`nodes/${id}/${verb}`, body)
    } catch (error) {
      failed.push({ name, refusal: asRefusal(error) })
    }
  }
  p.done.value = { count: p.selection.value.size - failed.length, failed }
  p.isBusy.value = false
  p.close()
}

const commandsFor = (selection: Selection, line: (id: string) => string): readonly string[] =>
  [...selection.value.keys()].slice(0, maxCommands).map(id => line(shortId(id)))

const Names = ({ selection }: { readonly selection: Selection }): JSX.Element => {
  const names = [...selection.value.values()]
  const rest = names.length - 12
  const { list, rollout } = words()
  return <p>{list(rest > 0 ? [...names.slice(0, 12), rollout.and(rest)] : names)}</p>
}

const Hold = (p: VerbProps): JSX.Element => {
  const wish = useSignal(plainHold)
  const w = moreWords().select
  return (
    <Dialog title={w.askHold(p.selection.value.size)} onClose={p.close}>
      <Names selection={p.selection} />
      <p>{words().node.askHoldText}</p>
      <HoldFields wish={wish} />
      <Commands lines={commandsFor(p.selection, id => holdCommand(id, wish.value))} />
      <Answers label={words().node.hold} isBusy={p.isBusy.value} onYes={() => void ask(p, 'hold', holdBody(wish.value))} onNo={p.close} />
    </Dialog>
  )
}

const Remove = (p: VerbProps): JSX.Element => {
  const typed = useSignal('')
  const reason = useSignal('')
  const { node } = words()
  const w = moreWords().select
  const { size } = p.selection.value
  const isReady = typed.value.trim() === String(size) && reason.value.trim() !== '' && !p.isBusy.value
  return (
    <Dialog title={w.askRemove(size)} onClose={p.close}>
      <Names selection={p.selection} />
      <p>{node.askRemoveText}</p>
      <label>
        {node.reason}
        <input value={reason.value} onInput={event => (reason.value = event.currentTarget.value)} />
      </label>
      <label>
        {w.typeCount(size)}
        <input value={typed.value} inputMode="numeric" autocomplete="off" onInput={event => (typed.value = event.currentTarget.value)} />
      </label>
      <Commands lines={commandsFor(p.selection, id => `shoal nodes remove ${id} --reason "${reason.value.replaceAll('"', '')}"`)} />
      <Answers
        label={node.remove}
        isDanger
        isBusy={!isReady}
        onYes={() => void ask(p, 'remove', { reason: reason.value.trim() })}
        onNo={p.close}
      />
    </Dialog>
  )
}

/** First which release, then the plan, as for every order. */
const RollOut = ({ selection, close }: VerbProps): JSX.Element => {
  const q = useSignal('')
  const query = new URLSearchParams({ limit: String(maxOffered), newest: '1', ...(q.value === '' ? {} : { q: q.value }) })
  const { value } = useQuery<{ readonly releases: readonly ReleaseView[]; readonly next: string | null }>(`releases?${query.toString()}`, [
    'releases',
  ])
  const chosen = useSignal('')
  const asked = useSignal<string | null>(null)
  const w = moreWords().select
  const names = (value.value?.releases ?? []).map(idOf)
  const release = names.includes(chosen.value) ? chosen.value : (names[0] ?? '')
  const form = { ...plainForm, whom: 'some', only: [...selection.value.keys()].join(',') } as const
  // What is asked for stays, whatever is published meanwhile.
  if (asked.value !== null) {
    const short = { ...form, only: [...selection.value.keys()].map(shortId).join(',') }
    const wish = wishOf(asked.value, form, session.value?.name ?? '', false)
    return <OrderDialog wish={wish} command={commandOf(asked.value, short, false)} onClose={close} />
  }
  return (
    <Dialog title={w.rollOut} onClose={close}>
      {value.value === null && <Loading />}
      <Names selection={selection} />
      {value.value !== null && names.length === 0 && <p class="hint">{q.value === '' ? w.noRelease : words().releases.noneFound}</p>}
      {(q.value !== '' || value.value?.next != null) && (
        <label>
          {words().releases.find}
          <input type="search" value={q.value} onInput={event => (q.value = event.currentTarget.value)} />
        </label>
      )}
      <label>
        {w.release}
        <select value={release} onChange={event => (chosen.value = event.currentTarget.value)}>
          {names.map(name => (
            <option key={name} value={name}>
              {releaseName(name)}
            </option>
          ))}
        </select>
      </label>
      <Answers label={words().releases.rollOut} isBusy={release === ''} onYes={() => (asked.value = release)} onNo={close} />
    </Dialog>
  )
}

type Verb = 'rollOut' | 'hold' | 'remove'

export const Selected = ({ selection }: { readonly selection: Selection }): JSX.Element | null => {
  const asked = useSignal<Verb | null>(null)
  const done = useSignal<Done | null>(null)
  const isBusy = useSignal(false)
  const close = (): void => {
    asked.value = null
  }
  const p = { selection, done, isBusy, close }
  const w = moreWords().select
  const { size } = selection.value
  if (size === 0) return <Outcome done={done.value} />
  const open = (verb: Verb) => () => {
    done.value = null
    asked.value = verb
  }
  return (
    <section class="card selected" aria-label={w.chosen(size)}>
      <p role="status">{w.chosen(size)}</p>
      <div class="verbs">
        <Verb label={w.rollOut} onClick={open('rollOut')} kind="main" />
        <Verb label={w.hold} onClick={open('hold')} />
        <Verb label={w.unhold} onClick={() => void ask(p, 'unhold', {})} isBusy={isBusy.value} />
        <Verb label={w.remove} onClick={open('remove')} kind="danger" isOff={!may('admin')} />
        <button type="button" class="quiet" onClick={() => (selection.value = new Map())}>
          {w.clear}
        </button>
        <Forbidden role="operator" />
      </div>
      <Outcome done={done.value} />
      {asked.value === 'rollOut' && <RollOut {...p} />}
      {asked.value === 'hold' && <Hold {...p} />}
      {asked.value === 'remove' && <Remove {...p} />}
    </section>
  )
}

interface ButtonProps {
  readonly label: ComponentChildren
  readonly onClick: () => void
  readonly kind?: string
  readonly isBusy?: boolean
  readonly isOff?: boolean
}

const Verb = ({ label, onClick, kind = '', isBusy = false, isOff = false }: ButtonProps): JSX.Element => (
  <button
    type="button"
    class={kind}
    disabled={!may('operator') || isBusy || isOff}
    title={isOff ? words().needsAdmin : undefined}
    onClick={onClick}
  >
    {label}
  </button>
)

const Outcome = ({ done }: { readonly done: Done | null }): JSX.Element | null => {
  const w = moreWords().select
  if (done === null) return null
  return (
    <>
      {done.count > 0 && (
        <p class="done" role="status">
          {w.done(done.count)}
        </p>
      )}
      {done.failed.slice(0, maxCommands).map(({ name, refusal }) => (
        <Problem key={name} code={refusal.code} message={`${w.failed(name)} ${refusal.message}`} />
      ))}
    </>
  )
}
