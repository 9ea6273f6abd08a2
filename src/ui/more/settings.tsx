/** config.json and the name of the node that serves this page. What is written counts after a restart, and the page says so until then. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post, Refusal } from '../api/http.ts'
import type { NodeView } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { Action, Forbidden, may } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'

interface ConfigFile {
  readonly config: unknown
  readonly restart: boolean
}

const Rename = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const name = useSignal(node.name)
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().settings
  return (
    <form
      class="row"
      onSubmit={event => {
        event.preventDefault()
        run(() => post('self/rename', { name: name.value.trim() }))
      }}
    >
      <label class="grow">
        {w.name}
        <input value={name.value} required onInput={event => (name.value = event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={!may('admin') || isBusy.value || name.value.trim() === node.name}>
        {w.rename}
      </button>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
    </form>
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal('BAD_REQUEST', moreWords().settings.noJson, 400)
  }
}

const Editor = ({ file, reload }: { readonly file: ConfigFile; readonly reload: () => void }): JSX.Element => {
  const shown = JSON.stringify(file.config, null, 2)
  // What a person has begun to write stays, and with it what it was written over.
  const draft = useSignal<{ readonly text: string; readonly before: unknown } | null>(null)
  const w = moreWords().settings
  const save = async (): Promise<void> => {
    if (draft.value === null) return
    await post('config', { config: parsed(draft.value.text), before: draft.value.before })
    draft.value = null
    reload()
  }
  return (
    <>
      <label>
        {w.label}
        <textarea
          class="code"
          rows={12}
          spellcheck={false}
          readOnly={!may('admin')}
          value={draft.value?.text ?? shown}
          onInput={event => (draft.value = { before: draft.value?.before ?? file.config, text: event.currentTarget.value })}
        />
      </label>
      {file.restart && <p class="notice">{w.pending}</p>}
      <div class="verbs">
        <Action label={w.save} role="admin" kind="main" run={save} done={w.saved} />
        <Action
          label={w.restart}
          role="admin"
          run={() => post('self/restart', {})}
          ask={{ title: w.askRestart, text: <p>{w.askRestartText}</p>, commands: ['shoal restart'] }}
        />
        <Forbidden role="admin" />
      </div>
    </>
  )
}

const File = (): JSX.Element => {
  const { value, refusal, reload } = useQuery<ConfigFile>('config', ['nodes'])
  if (refusal.value !== null) return <Problem code={refusal.value.code} message={refusal.value.message} />
  return value.value === null ? <Loading /> : <Editor file={value.value} reload={reload} />
}

export const Settings = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const w = moreWords().settings
  return (
    <section class="card" aria-labelledby="settings">
      <h2 id="settings">{w.title}</h2>
      <Rename key={node.name} node={node} />
      <p class="sub">{w.text}</p>
      {may('operator') ? <File /> : <Forbidden role="operator" />}
      <Commands lines={['shoal rename NAME', 'shoal config get', 'shoal config set KEY VALUE', 'shoal config edit', 'shoal restart']} />
    </section>
  )
}
