/** After its node changed over the page may be older than the node: then it says so, and is loaded again when the person likes. */
import { signal } from '@preact/signals'
import { onEvent } from './stream.ts'

export const isOutdated = signal(false)

const ownScript = (): string => document.querySelector('script[src]')?.getAttribute('src') ?? ''

/** Looks at each new connection whether the node's page names the script that runs here. */
export function watchVersion(): void {
  onEvent(kind => {
    if (kind !== 'reset') return
    void fetch('/_shoal/')
      .then(res => (res.ok ? res.text() : null))
      .then(text => {
        if (text?.includes('/_shoal/assets/') === true) isOutdated.value = !text.includes(ownScript())
      })
      .catch(() => undefined)
  })
}
