/** What a reader is told while the screen changes: the last of what happens within two seconds, and nobody is talked over. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'

/** ms between two announcements. */
const pauseMs = 2000

export const Said = ({ text }: { readonly text: string }): JSX.Element => {
  const said = useSignal(text)
  const at = useSignal(0)
  useEffect(() => {
    const timer = setTimeout(
      () => {
        said.value = text
        at.value = performance.now()
      },
      Math.max(0, at.peek() + pauseMs - performance.now()),
    )
    return () => clearTimeout(timer)
  }, [text])
  return (
    <p class="visually-hidden" role="status">
      {said}
    </p>
  )
}
