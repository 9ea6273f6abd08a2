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
import { type Asking, useAsking } from './ask.ts'

interface KeyFile {
  readonly name: string
  readonly file: string
}

interface RotateProps {
  readonly name: string
  readonly asking: Asking
  readonly rotate: (body: object) => Promise<void>
  readonly onClose: () => void
}

/** One's own passphrase stays; of another person there is a new one. */
const Rotate = ({ name, asking: { isBusy, refusal, run }, rotate, onClose }: RotateProps): JSX.Element => {
  const passphrase = useSignal('')
  const w = moreWords().keys
  const isOwn = session.value?.name === name
  return (
    <Dialog title={w.askRotate(name)} onClose={onClose}>
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
      <Commands lines={[isOwn ? 'shoal keys rotate' : `shoal keys rotate ${name}`]} />
      <Answers
        label={w.rotate}
        isDanger
        isBusy={isBusy.value || (isOwn && passphrase.value === '')}
        onYes={() => run(() => rotate(isOwn ? { passphrase: passphrase.value } : {}))}
        onNo={onClose}
      />
    </Dialog>
  )
}

const NewPassphrase = ({
  text,
  name,
  onClose,
}: {
  readonly text: string
  readonly name: string
  readonly onClose: () => void
}): JSX.Element => (
  <Dialog title={moreWords().keys.rotateOf(name)} onClose={onClose}>
    <div role="status">
      <p>{words().people.newPassphrase(name)}</p>
      <Command text={text} />
    </div>
    <p class="answers">
      <button type="button" onClick={onClose}>
        {words().close}
      </button>
    </p>
  </Dialog>
)

/** What can be done with one person's key. */
export const KeyVerbs = ({ name, reload }: { readonly name: string; readonly reload: () => void }): JSX.Element | null => {
  const isOpen = useSignal(false)
  // Held here and not in the question, which can be closed before the answer: that has the only copy of the passphrase.
  const made = useSignal<string | null>(null)
  const asking = useAsking()
  const w = moreWords().keys
  const isOwn = session.value?.name === name
  if (!isOwn && !may('admin')) return null
  const download = async (): Promise<void> => {
    const { file } = await get<KeyFile>(isOwn ? 'session/key' : `operators/${encodeURIComponent(name)}/key`)
    saveJson(`${name}.json`, file)
  }
  const rotate = async (body: object): Promise<void> => {
    const answer = await post<{ readonly passphrase: string | null }>(`operators/${encodeURIComponent(name)}/rotate`, body)
    isOpen.value = false
    made.value = answer.passphrase
    // One's own session was the old key's: the page asks, and shows the log-in.
    reload()
  }
  const { isBusy, refusal } = asking
  const open = (): void => {
    refusal.value = null
    isOpen.value = true
  }
  // What was refused has been read; what is still on its way is shown when it comes.
  const close = (): void => {
    if (!isBusy.value) refusal.value = null
    isOpen.value = false
  }
  return (
    <>
      <Action label={w.file} name={w.fileOf(name)} role="viewer" run={download} />
      {may('admin') && (
        <button type="button" aria-label={w.rotateOf(name)} disabled={isBusy.value} onClick={open}>
          {w.rotate} …
        </button>
      )}
      {!isOpen.value && refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {isOpen.value && <Rotate name={name} asking={asking} rotate={rotate} onClose={close} />}
      {made.value !== null && <NewPassphrase text={made.value} name={name} onClose={() => (made.value = null)} />}
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
