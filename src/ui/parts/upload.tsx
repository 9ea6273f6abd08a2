/** A package comes in by drag or by choice: sent, judged by the node, then signed for by the operator. Nothing runs by it. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post, type Refusal, upload } from '../api/http.ts'
import { go } from '../route.ts'
import { words } from '../words/index.ts'
import { asRefusal } from './action.tsx'
import { Problem } from './basics.tsx'
import { Icon } from './icon.tsx'
import { releaseName } from './say.ts'

interface Received {
  readonly digest: string
  readonly name: string
  readonly version: string
}

type State =
  | { readonly kind: 'rest' }
  | { readonly kind: 'sending'; readonly file: string; readonly part: number }
  | { readonly kind: 'judged'; readonly received: Received }

const hexOf = (bytes: ArrayBuffer): string => [...new Uint8Array(bytes)].map(b => b.toString(16).padStart(2, '0')).join('')

async function send(file: File, state: Signal<State>): Promise<void> {
  state.value = { kind: 'sending', file: file.name, part: 0 }
  const digest = hexOf(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
  const headers = { 'content-type': 'application/zip', 'x-shoal-digest': digest }
  const received = await upload<Received>('packages', file, headers, part => (state.value = { kind: 'sending', file: file.name, part }))
  state.value = { kind: 'judged', received }
}

const Publish = ({ received, onDone }: { readonly received: Received; readonly onDone: () => void }): JSX.Element => {
  const notes = useSignal('')
  const refusal = useSignal<Refusal | null>(null)
  const isBusy = useSignal(false)
  const w = words().releases
  const name = `${received.name}@${received.version}`
  const publish = async (): Promise<void> => {
    isBusy.value = true
    try {
      await post('releases', { packages: [received.digest], notes: notes.value })
      onDone()
      go('releases', name)
    } catch (error) {
      refusal.value = asRefusal(error)
      isBusy.value = false
    }
  }
  return (
    <div class="card">
      <p role="status">{w.judged(releaseName(name))}</p>
      <label>
        {w.notes}
        <textarea rows={3} maxLength={4000} value={notes.value} onInput={event => (notes.value = event.currentTarget.value)} />
      </label>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      <p class="answers">
        <button type="button" onClick={onDone}>
          {words().cancel}
        </button>
        <button type="button" class="main" disabled={isBusy.value} onClick={() => void publish()}>
          {w.publish}
        </button>
      </p>
    </div>
  )
}

const Drop = ({ take, isOver }: { readonly take: (file: File | undefined) => void; readonly isOver: Signal<boolean> }): JSX.Element => {
  const w = words().releases
  return (
    <label
      class={isOver.value ? 'drop over' : 'drop'}
      onDragOver={event => {
        event.preventDefault()
        isOver.value = true
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={event => {
        event.preventDefault()
        isOver.value = false
        take(event.dataTransfer?.files[0])
      }}
    >
      <Icon shape="upload" />
      <strong>{w.upload}</strong>
      <span class="hint">{w.uploadHow}</span>
      <span class="button small">{w.choose}</span>
      <input class="visually-hidden" type="file" accept=".zip,application/zip" onChange={event => take(event.currentTarget.files?.[0])} />
    </label>
  )
}

export const Upload = (): JSX.Element => {
  const state = useSignal<State>({ kind: 'rest' })
  const refusal = useSignal<Refusal | null>(null)
  const isOver = useSignal(false)
  const rest = (): void => {
    state.value = { kind: 'rest' }
  }
  const take = (file: File | undefined): void => {
    if (file === undefined) return
    refusal.value = null
    send(file, state).catch((error: unknown) => {
      refusal.value = asRefusal(error)
      rest()
    })
  }
  const now = state.value
  return (
    <div class="stack">
      {now.kind === 'rest' && <Drop take={take} isOver={isOver} />}
      {now.kind === 'sending' && (
        <p class="card" role="status">
          {words().releases.sending(now.file, Math.round(100 * now.part))}
          <progress aria-hidden="true" value={now.part} />
        </p>
      )}
      {now.kind === 'judged' && <Publish received={now.received} onDone={rest} />}
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
    </div>
  )
}
