/**
 * A button that changes something. It is off from the click until the node has answered, says what was refused, and says to whom it is not
 * allowed instead of only being grey. What concerns many is asked first.
 */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { Refusal, session } from '../api/http.ts'
import type { Role } from '../api/types.ts'
import { words } from '../words/index.ts'
import { Commands, Problem } from './basics.tsx'
import { Answers, Dialog } from './dialog.tsx'
import { press } from './press.ts'

const ranks: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 }

/** May who is logged in do what takes this role? */
export const may = (role: Role): boolean => {
  const own = session.value?.role
  return own !== undefined && ranks[own] >= ranks[role]
}

/** Why not, in words; null: allowed. */
export const Forbidden = ({ role }: { readonly role: Role }): JSX.Element | null => {
  const own = session.value?.role
  if (own === undefined || may(role)) return null
  const w = words()
  return <p class="hint">{role === 'admin' ? w.needsAdmin : w.notAllowed(w.roles[own])}</p>
}

export interface Ask {
  readonly title: string
  readonly text: ComponentChildren
  readonly commands?: readonly string[]
}

export interface ActionProps {
  readonly label: string
  /** Said in place of the label where there are several alike. */
  readonly name?: string
  readonly run: () => Promise<unknown>
  readonly role?: Role
  readonly kind?: 'main' | 'danger' | ''
  readonly ask?: Ask
  /** Said when it is done. */
  readonly done?: string
}

export const asRefusal = (error: unknown): Refusal => (error instanceof Refusal ? error : new Refusal('INTERNAL', String(error), 0))

export const Action = ({ label, name, run, role = 'operator', kind = '', ask, done }: ActionProps): JSX.Element => {
  const state = useSignal<'rest' | 'asking' | 'busy' | 'done'>('rest')
  const refusal = useSignal<Refusal | null>(null)
  const act = async (): Promise<void> => {
    if (state.value === 'busy') return
    state.value = 'busy'
    refusal.value = null
    try {
      await run()
      state.value = 'done'
    } catch (error) {
      refusal.value = asRefusal(error)
      state.value = 'rest'
    }
  }
  const rest = (): void => {
    if (state.value === 'asking') state.value = 'rest'
  }
  return (
    <span class="action">
      <button
        type="button"
        class={kind}
        aria-label={name}
        disabled={!may(role)}
        {...press(state.value === 'busy', () => (ask === undefined ? void act() : (state.value = 'asking')))}
      >
        {label}
      </button>
      {state.value === 'done' && done !== undefined && (
        <span class="done" role="status">
          {done}
        </span>
      )}
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {state.value === 'asking' && ask !== undefined && (
        <Dialog title={ask.title} onClose={rest}>
          {ask.text}
          {ask.commands !== undefined && <Commands lines={ask.commands} />}
          <Answers label={label} isDanger={kind === 'danger'} isBusy={false} onYes={() => void act()} onNo={rest} />
        </Dialog>
      )}
    </span>
  )
}
