/**
 * The parts that few screens need are a second script, which is fetched as soon as the first screen stands: so it is there before somebody asks, also
 * when the node has changed to another version meanwhile. Where it does not come any more, the page says how to get the newer one.
 */
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import type * as Part from './more/index.ts'
import { Loading } from './parts/basics.tsx'
import { words } from './words/index.ts'

type More = typeof Part

const more = signal<More | null>(null)
const isGone = signal(false)
let isAsked = false

/** ms after which a script that did not come is asked for again: the node may be changing over. */
const againMs = 2000
const tries = 5

export function loadMore(left = tries): void {
  if (isAsked && left === tries) return
  isAsked = true
  import('./more/index.ts').then(
    loaded => {
      more.value = loaded
      isGone.value = false
    },
    () => {
      isGone.value = true
      if (left > 1) setTimeout(() => loadMore(left - 1), againMs)
    },
  )
}

/** What the second script has, as soon as it is here. */
export const Later = ({ of }: { readonly of: (more: More) => JSX.Element }): JSX.Element => {
  loadMore()
  if (more.value !== null) return of(more.value)
  if (!isGone.value) return <Loading />
  return (
    <p class="notice" role="status">
      {words().newer}{' '}
      <button type="button" class="small" onClick={() => location.reload()}>
        {words().reload}
      </button>
    </p>
  )
}
