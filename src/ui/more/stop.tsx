/** Stopping the node of this page: its name is typed first, since nobody at this page can start it again. And what is done at the machine alone. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import type { NodeView } from '../api/types.ts'
import { Forbidden, may } from '../parts/action.tsx'
import { Commands, Problem } from '../parts/basics.tsx'
import { Answers, Dialog } from '../parts/dialog.tsx'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'

const Question = ({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }): JSX.Element => {
  const typed = useSignal('')
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().stop
  const stop = async (): Promise<void> => {
    await post('self/stop', {})
    onClose()
  }
  return (
    <Dialog title={w.ask(node.name)} onClose={onClose}>
      <p>{w.askText}</p>
      <label>
        {words().node.typeName(node.name)}
        <input value={typed.value} autocomplete="off" onInput={event => (typed.value = event.currentTarget.value)} />
      </label>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      <Commands lines={['shoal stop']} />
      <Answers label={w.stop} isDanger isBusy={isBusy.value || typed.value !== node.name} onYes={() => run(stop)} onNo={onClose} />
    </Dialog>
  )
}

export const Stop = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const isOpen = useSignal(false)
  const w = moreWords().stop
  return (
    <section class="card" aria-labelledby="stop">
      <h2 id="stop">{w.title}</h2>
      <p class="sub">{w.text}</p>
      <div class="verbs">
        <button type="button" class="danger" disabled={!may('admin')} onClick={() => (isOpen.value = true)}>
          {w.verb}
        </button>
        <Forbidden role="admin" />
      </div>
      <p class="sub">{w.atTheMachine}</p>
      <Commands lines={['shoal stop', 'shoal leave', 'shoal reset-identity', 'shoal keys restore --key recovery-kit.json']} />
      {isOpen.value && <Question node={node} onClose={() => (isOpen.value = false)} />}
    </section>
  )
}
