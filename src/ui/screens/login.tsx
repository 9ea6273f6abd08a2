/** Log in with an operator's name and passphrase. Says what is wrong, and when the next try is allowed. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { isAway, logIn, Refusal } from '../api/http.ts'
import { Icon, Logo } from '../parts/icon.tsx'
import { Languages } from '../parts/languages.tsx'
import { words } from '../words/index.ts'

const said = (error: unknown): string => {
  const w = words().login
  if (isAway(error)) return w.away
  if (!(error instanceof Refusal)) return String(error)
  if (error.status === 429) return w.wait(error.retryAfter)
  return error.status === 401 ? w.failed : `${error.message} (${error.code})`
}

const textOf = (data: FormData, key: string): string => {
  const value = data.get(key)
  return typeof value === 'string' ? value : ''
}

export const LogIn = (): JSX.Element => {
  const problem = useSignal('')
  const isBusy = useSignal(false)
  const w = words().login
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const data = new FormData(form)
    isBusy.value = true
    problem.value = ''
    try {
      await logIn(textOf(data, 'name').trim(), textOf(data, 'passphrase'))
    } catch (error) {
      problem.value = said(error)
      form.querySelector<HTMLInputElement>('[name=passphrase]')?.select()
    }
    isBusy.value = false
  }
  return (
    <main class="login">
      <form
        onSubmit={event => {
          event.preventDefault()
          void submit(event.currentTarget)
        }}
      >
        <Logo />
        <h1>Shoal</h1>
        <p class="lead">{w.lead(location.host)}</p>
        <label>
          {w.name}
          <input name="name" autocomplete="username" autocapitalize="none" spellcheck={false} required />
        </label>
        <label>
          {w.passphrase}
          <input name="passphrase" type="password" autocomplete="current-password" required />
        </label>
        {problem.value !== '' && (
          <p class="problem" role="alert">
            <Icon shape="refused" />
            {problem.value}
          </p>
        )}
        <button type="submit" class="main" disabled={isBusy.value}>
          {isBusy.value ? w.busy : w.submit}
        </button>
        <p class="hint">{w.hint}</p>
        <Languages />
      </form>
    </main>
  )
}
