/** One release: what it is, and the form that rolls it out, with the same options as the command line. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { session } from '../api/http.ts'
import type { ReleaseView } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { Forbidden, may } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import { OrderDialog } from '../parts/order.tsx'
import { releaseName } from '../parts/say.ts'
import { commandOf, type Form, plainForm, wishOf } from '../parts/wish.ts'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'

interface FieldProps {
  readonly form: Form
  readonly set: (form: Form) => void
}

const Text = ({
  form,
  set,
  field,
  label,
  hint,
}: FieldProps & { readonly field: TextField; readonly label: string; readonly hint?: string }): JSX.Element => (
  <label>
    {label}
    <input value={form[field]} placeholder={hint} onInput={event => set({ ...form, [field]: event.currentTarget.value })} />
  </label>
)

type TextField = 'only' | 'tags' | 'canary' | 'waves' | 'window'
type NumberField = 'maxFailed' | 'maxMissing' | 'soak' | 'witnesses' | 'deadline'
type FlagField = 'allowDowngrade' | 'replaceApp' | 'force'

const Count = ({
  form,
  set,
  field,
  label,
  hint,
}: FieldProps & { readonly field: NumberField; readonly label: string; readonly hint?: string }): JSX.Element => (
  <label>
    {label}
    <input
      type="number"
      min={0}
      value={form[field]}
      placeholder={hint}
      onInput={event => set({ ...form, [field]: event.currentTarget.value })}
    />
  </label>
)

const Flag = ({ form, set, field, label }: FieldProps & { readonly field: FlagField; readonly label: string }): JSX.Element => (
  <label class="check">
    <input type="checkbox" checked={form[field]} onChange={event => set({ ...form, [field]: event.currentTarget.checked })} />
    {label}
  </label>
)

const Whom = ({ form, set }: FieldProps): JSX.Element => {
  const w = words().releases
  return (
    <fieldset>
      <legend>{w.whom}</legend>
      {(['all', 'some', 'tagged'] as const).map(whom => (
        <label key={whom} class="check">
          <input type="radio" name="whom" checked={form.whom === whom} onChange={() => set({ ...form, whom })} />
          {w[whom]}
        </label>
      ))}
      {form.whom === 'some' && <Text form={form} set={set} field="only" label={w.nodesHint} />}
      {form.whom === 'tagged' && <Text form={form} set={set} field="tags" label={w.tagsHint} />}
    </fieldset>
  )
}

const Options = ({ form, set }: FieldProps): JSX.Element => {
  const w = words().releases
  return (
    <details>
      <summary>{w.more}</summary>
      <div class="fields">
        <Text form={form} set={set} field="canary" label={w.canary} hint={w.canaryHint} />
        <Text form={form} set={set} field="window" label={w.window} hint={w.windowHint} />
        <Count form={form} set={set} field="maxFailed" label={w.maxFailed} hint={w.auto} />
        <Count form={form} set={set} field="maxMissing" label={w.maxMissing} hint={w.auto} />
        <Count form={form} set={set} field="soak" label={w.soak} />
        <Count form={form} set={set} field="witnesses" label={w.witnesses} />
        <Count form={form} set={set} field="deadline" label={w.deadline} />
      </div>
      <Flag form={form} set={set} field="allowDowngrade" label={w.downgrade} />
      <Flag form={form} set={set} field="replaceApp" label={w.replaceApp} />
      <Flag form={form} set={set} field="force" label={w.force} />
    </details>
  )
}

const RollOut = ({ release }: { readonly release: string }): JSX.Element => {
  const form = useSignal(plainForm)
  const asked = useSignal<'go' | 'check' | null>(null)
  const w = words().releases
  const set = (next: Form): void => {
    form.value = next
  }
  const isDry = asked.value === 'check'
  const command = commandOf(release, form.value, false)
  return (
    <section class="card" aria-labelledby="form">
      <h2 id="form">{w.form}</h2>
      <Whom form={form.value} set={set} />
      <div class="fields">
        <Text form={form.value} set={set} field="waves" label={w.waves} hint={w.wavesHint} />
      </div>
      <Options form={form.value} set={set} />
      <div class="verbs">
        <button type="button" disabled={!may('operator')} onClick={() => (asked.value = 'check')}>
          {w.checkFirst}
        </button>
        <button type="button" class="main" disabled={!may('operator')} onClick={() => (asked.value = 'go')}>
          {w.rollOut}
        </button>
        <Forbidden role="operator" />
      </div>
      <Commands lines={[command, `${command} --dry-run`]} />
      {asked.value !== null && (
        <OrderDialog
          wish={wishOf(release, form.value, session.value?.name ?? '', isDry)}
          command={isDry ? `${command} --dry-run` : command}
          onClose={() => (asked.value = null)}
        />
      )}
    </section>
  )
}

export const Release = ({ id }: { readonly id: string }): JSX.Element => {
  const { value, refusal } = useQuery<ReleaseView>(`releases/${encodeURIComponent(id)}`, ['releases'])
  const w = words().releases
  const release = value.value
  if (release === null && refusal.value === null) return <Loading />
  return (
    <>
      <p>
        <a href={linkTo('releases')}>{w.back}</a>
      </p>
      <h1>{releaseName(id)}</h1>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {release !== null && (
        <>
          {release.notes !== '' && <p class="notes">{release.notes}</p>}
          <RollOut release={id} />
          <section class="card">
            <p class="sub">
              {w.kinds[release.kind]} · {words().nodes(release.nodes)}
            </p>
            <dl>
              {Object.entries(release.packages).map(([platform, digest]) => (
                <>
                  <dt>
                    {w.digest} {platform}
                  </dt>
                  <dd>
                    <code>{digest}</code>
                  </dd>
                </>
              ))}
            </dl>
          </section>
        </>
      )}
    </>
  )
}
