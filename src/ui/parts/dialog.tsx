/** A question that has to be answered before anything else: the browser's own dialog, which keeps the focus and closes by Escape. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { words } from '../words/index.ts'
import { press } from './press.ts'

export interface DialogProps {
  readonly title: string
  readonly children: ComponentChildren
  readonly onClose: () => void
}

export const Dialog = ({ title, children, onClose }: DialogProps): JSX.Element => {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    ref.current?.showModal()
    // Without a field the first that takes the focus would be the command line's heading.
    if (ref.current?.querySelector('input, select, textarea') === null) ref.current.querySelector<HTMLElement>('.answers button')?.focus()
    return () => {
      // While it is open nothing behind it takes the focus. If what had it before has gone too, the page finds the next (live/focus.ts).
      queueMicrotask(() => before instanceof HTMLElement && before.focus())
    }
  }, [])
  return (
    <dialog ref={ref} aria-labelledby="dialog-title" onClose={onClose} onCancel={onClose}>
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  )
}

/** The two ways out of a question. */
export const Answers = ({ label, isDanger = false, isBusy, onYes, onNo }: AnswersProps): JSX.Element => (
  <p class="answers">
    <button type="button" onClick={onNo}>
      {words().cancel}
    </button>
    <button type="button" class={isDanger ? 'danger' : 'main'} {...press(isBusy, onYes)}>
      {label}
    </button>
  </p>
)

interface AnswersProps {
  readonly label: string
  readonly isDanger?: boolean
  readonly isBusy: boolean
  readonly onYes: () => void
  readonly onNo: () => void
}
