/** Removing a node cannot be taken back, so its name is typed first. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post, type Refusal } from '../api/http.ts'
import type { NodeView } from '../api/types.ts'
import { go } from '../route.ts'
import { words } from '../words/index.ts'
import { asRefusal, may } from './action.tsx'
import { Commands, Problem } from './basics.tsx'
import { Answers, Dialog } from './dialog.tsx'
import { shortId } from './say.ts'

export const Remove = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const isOpen = useSignal(false)
  const typed = useSignal('')
  const reason = useSignal('')
  const refusal = useSignal<Refusal | null>(null)
  const n = words().node
  const close = (): void => {
    isOpen.value = false
  }
  const remove = (): void => {
    post(`nodes/${node.id}/remove`, { reason: reason.value }).then(
      () => go('fleet'),
      (error: unknown) => (refusal.value = asRefusal(error)),
    )
  }
  return (
    <>
      <button
        type="button"
        class="danger"
        disabled={!may('admin')}
        title={may('admin') ? undefined : words().needsAdmin}
        onClick={() => (isOpen.value = true)}
      >
        {n.remove}
      </button>
      {isOpen.value && (
        <Dialog title={n.askRemove(node.name)} onClose={close}>
          <p>{n.askRemoveText}</p>
          <label>
            {n.reason}
            <input value={reason.value} onInput={event => (reason.value = event.currentTarget.value)} />
          </label>
          <label>
            {n.typeName(node.name)}
            <input value={typed.value} autocomplete="off" onInput={event => (typed.value = event.currentTarget.value)} />
          </label>
          {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
          <Commands lines={[`shoal nodes remove ${shortId(node.id)} --reason "${reason.value.replaceAll('"', '')}"`]} />
          <Answers label={n.remove} isDanger isBusy={typed.value !== node.name || reason.value.trim() === ''} onYes={remove} onNo={close} />
        </Dialog>
      )}
    </>
  )
}
