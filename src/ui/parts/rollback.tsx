/** The way back for the whole fleet: an order like any other, shown before it is given. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { session } from '../api/http.ts'
import { words } from '../words/index.ts'
import { may } from './action.tsx'
import { OrderDialog } from './order.tsx'

export const Rollback = (): JSX.Element => {
  const isOpen = useSignal(false)
  const close = (): void => {
    isOpen.value = false
  }
  return (
    <>
      <button type="button" disabled={!may('operator')} onClick={() => (isOpen.value = true)}>
        {words().rollout.verbs.rollback}
      </button>
      {isOpen.value && (
        <OrderDialog wish={{ rollback: { to: null }, by: session.value?.name ?? '' }} command="shoal rollback" onClose={close} />
      )}
    </>
  )
}
