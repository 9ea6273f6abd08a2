/** People's keys made anew, and handed out as they are kept: under their passphrases. And the recovery kit. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { get, post, session } from '../api/http.ts'
import { Action, Forbidden, may } from '../parts/action.tsx'
import { Command, Commands, Problem } from '../parts/basics.tsx'
import { Answers, Dialog } from '../parts/dialog.tsx'
import { saveJson } from '../parts/save.ts'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'

interface KeyFile {
  readonly name: string
  readonly file: string
}

interface RotateProps {
  readonly name: string
  readonly onClose: () => void
  readonly reload: () => void
}

/** One's own passphrase stays; of another person there is a new one, shown once. */
const Rotate = ({ name, onClose, reload }: RotateProps): JSX.Element => {
  const passphrase = useSignal('')
  const made = useSignal<string | null>(null)
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().keys
  const isOwn = session.value?.name === name
  const rotate = async (): Promise<void> => {
    const body = isOwn ? { passphrase: passphrase.value } : {}
    const answer = await post<{ readonly passphrase: string | null }>(`operators/${encodeURIComponent(name)}/rotate`, body)
    made.value = answer.passphrase
    // One's own session was the old key's: the page asks, and shows the log-in.
    reload()
    if (answer.passphrase === null) onClose()
  }
  // The answer may hold the only copy of a passphrase: it is waited for.
  const close = (): void => {
    if (!isBusy.value) onClose()
  }
  return (
    <Dialog title={w.askRotate(name)} onClose={close}>
      <p>{isOwn ? w.askRotateOwnText : w.askRotateText}</p>
      {isOwn && (
        <label>
          {words().login.passphrase}
          <input
            type="password"
            autocomplete="current-password"
            value={passphrase.value}
            onInput={event => (passphrase.value = event.currentTarget.value)}
          />
        </label>
      )}
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {made.value !== null && (
        <div role="status">
          <p>{words().people.newPassphrase(name)}</p>
          <Command text={made.value} />
        </div>
      )}
      <Commands lines={[isOwn ? 'shoal keys rotate' : `shoal keys rotate ${name}`]} />
      {made.value === null && (
        <Answers
          label={w.rotate}
          isDanger
          isBusy={isBusy.value || (isOwn && passphrase.value === '')}
          onYes={() => run(rotate)}
          onNo={close}
        />
      )}
      {made.value !== null && (
        <p class="answers">
          <button type="button" onClick={onClose}>
            {words().close}
          </button>
        </p>
      )}
    </Dialog>
  )
}

/** What can be done with one person's key. */
export const KeyVerbs = ({ name, reload }: { readonly name: string; readonly reload: () => void }): JSX.Element | null => {
  const isOpen = useSignal(false)
  const w = moreWords().keys
  const isOwn = session.value?.name === name
  if (!isOwn && !may('admin')) return null
  const download = async (): Promise<void> => {
    const { file } = await get<KeyFile>(isOwn ? 'session/key' : `operators/${encodeURIComponent(name)}/key`)
    saveJson(`${name}.json`, file)
  }
  return (
    <>
      <Action label={w.file} name={w.fileOf(name)} role="viewer" run={download} />
      {may('admin') && (
        <button type="button" aria-label={w.rotateOf(name)} onClick={() => (isOpen.value = true)}>
          {w.rotate} …
        </button>
      )}
      {isOpen.value && <Rotate name={name} reload={reload} onClose={() => (isOpen.value = false)} />}
    </>
  )
}

interface Made {
  readonly file: string
  readonly passphrase: string
}

export const Kit = (): JSX.Element => {
  const made = useSignal<Made | null>(null)
  const w = moreWords().kit
  const make = async (): Promise<void> => {
    const { fleet } = await get<{ readonly fleet: string }>('fleet')
    made.value = await post<Made>('keys/kit', { fleet })
  }
  const now = made.value
  return (
    <section class="card" aria-labelledby="kit">
      <h2 id="kit">{w.title}</h2>
      <p class="sub">{w.text}</p>
      <div class="verbs">
        <Action
          label={w.make}
          role="admin"
          kind="danger"
          run={make}
          ask={{ title: w.ask, text: <p>{w.askText}</p>, commands: ['shoal keys kit'] }}
        />
        <Forbidden role="admin" />
      </div>
      {now !== null && (
        <div class="stack" role="status">
          <p>{w.made}</p>
          <Command text={now.passphrase} />
          <p class="verbs">
            <button type="button" onClick={() => saveJson('recovery-kit.json', now.file)}>
              {w.save}
            </button>
          </p>
        </div>
      )}
      <Commands lines={['shoal keys kit', 'shoal operators export NAME --out NAME.json']} />
    </section>
  )
}
