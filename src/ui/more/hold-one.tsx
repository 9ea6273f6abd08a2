/** The question before a node is held: for how long, and why. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import type { NodeView } from '../api/types.ts'
import { Commands, Problem } from '../parts/basics.tsx'
import { Answers, Dialog } from '../parts/dialog.tsx'
import { shortId } from '../parts/say.ts'
import { words } from '../words/index.ts'
import { useAsking } from './ask.ts'
import { HoldFields, holdBody, holdCommand, plainHold } from './hold-fields.tsx'

export const HoldOne = ({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }): JSX.Element => {
  const wish = useSignal(plainHold)
  const { isBusy, refusal, run } = useAsking()
  const n = words().node
  const hold = async (): Promise<void> => {
    await post(`nodes/${node.id}/hold`, holdBody(wish.value))
    onClose()
  }
  return (
    <Dialog title={n.askHold(node.name)} onClose={onClose}>
      <p>{n.askHoldText}</p>
      <HoldFields wish={wish} />
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      <Commands lines={[holdCommand(shortId(node.id), wish.value)]} />
      <Answers label={n.hold} isBusy={isBusy.value} onYes={() => run(hold)} onNo={onClose} />
    </Dialog>
  )
}
