/** Something that is asked of the node by a form: what it refused stays to be read, and twice is not begun. */
import { type Signal, useSignal } from '@preact/signals'
import type { Refusal } from '../api/http.ts'
import { asRefusal } from '../parts/action.tsx'

export interface Asking {
  readonly isBusy: Signal<boolean>
  readonly refusal: Signal<Refusal | null>
  readonly run: (act: () => Promise<unknown>) => void
}

export function useAsking(): Asking {
  const isBusy = useSignal(false)
  const refusal = useSignal<Refusal | null>(null)
  const run = (act: () => Promise<unknown>): void => {
    if (isBusy.value) return
    isBusy.value = true
    refusal.value = null
    act()
      .catch((error: unknown) => (refusal.value = asRefusal(error)))
      .finally(() => (isBusy.value = false))
  }
  return { isBusy, refusal, run }
}
