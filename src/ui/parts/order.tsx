/** An order before it is signed: the plan that the node has made, wave by wave with names, and what will be the same on the command line. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { post, type Refusal } from '../api/http.ts'
import { go } from '../route.ts'
import { words } from '../words/index.ts'
import { asRefusal } from './action.tsx'
import { Commands, Loading, Problem } from './basics.tsx'
import { Answers, Dialog } from './dialog.tsx'
import { releaseName } from './say.ts'
import type { Wish } from './wish.ts'

interface Draft {
  readonly order: { readonly name: string; readonly version: string; readonly dryRun: boolean; readonly plan: string }
  readonly plan: { readonly waves: readonly { readonly nodes: readonly string[] }[]; readonly lost: readonly string[] }
  readonly names: Readonly<Record<string, string>>
}

type Data = 'keep' | 'restore'

const maxNames = 12

const Plan = ({ draft }: { readonly draft: Draft }): JSX.Element => {
  const w = words()
  const namesOf = (ids: readonly string[]): string => {
    const names = ids.slice(0, maxNames).map(id => draft.names[id] ?? id.slice(0, 8))
    return w.list(ids.length > names.length ? [...names, w.rollout.and(ids.length - names.length)] : names)
  }
  return (
    <ol class="plan">
      {draft.plan.waves.map((wave, at) => (
        <li key={at}>
          <strong>{at === 0 ? w.rollout.firstWave : w.rollout.wave(at + 1)}</strong> {w.nodes(wave.nodes.length)}
          <span class="why">{namesOf(wave.nodes)}</span>
        </li>
      ))}
      {draft.plan.lost.length > 0 && <li class="why">{w.order.lost(namesOf(draft.plan.lost))}</li>}
    </ol>
  )
}

export interface OrderProps {
  readonly wish: Wish
  readonly command: string
  /** What is still chosen; another wish is drafted anew. */
  readonly head?: ComponentChildren
  readonly onClose: () => void
}

export const OrderDialog = ({ wish, command, head, onClose }: OrderProps): JSX.Element => {
  const w = words()
  const draft = useSignal<Draft | null>(null)
  const refusal = useSignal<Refusal | null>(null)
  const isBusy = useSignal(false)
  // What becomes of data that is newer than the release; asked for only where there is such, and for this wish alone.
  const said = useSignal<{ readonly wish: string; readonly data: Data } | null>(null)
  const wished = JSON.stringify(wish)
  const data = said.value?.wish === wished ? said.value.data : null
  const meant = data === null ? wish : { ...wish, data }
  useEffect(() => {
    refusal.value = null
    draft.value = null
    let isWanted = true
    post<Draft>('rollouts/draft', meant).then(
      made => isWanted && (draft.value = made),
      (error: unknown) => isWanted && (refusal.value = asRefusal(error)),
    )
    return () => {
      isWanted = false
    }
  }, [JSON.stringify(meant)])
  // The digest of the plan that was shown goes along: the node signs that one or none.
  const order = async (): Promise<void> => {
    isBusy.value = true
    try {
      const { id } = await post<{ id: string }>('rollouts', { ...meant, plan: draft.value?.order.plan })
      onClose()
      go('rollouts', id)
    } catch (error) {
      refusal.value = asRefusal(error)
      isBusy.value = false
    }
  }
  const made = draft.value
  const release = made === null ? '' : releaseName(`${made.order.name}@${made.order.version}`)
  const isDry = wish['dryRun'] === true
  return (
    <Dialog title={made === null ? w.order.title : w.order.of(release)} onClose={onClose}>
      {head}
      {made === null && refusal.value === null && <Loading />}
      {made !== null && <Plan draft={made} />}
      {made !== null && <p class="sub">{isDry ? w.order.dry : w.order.promise}</p>}
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      {refusal.value?.code === 'DATA_NEWER' && (
        <p class="answers">
          {(['restore', 'keep'] as const).map(how => (
            <button key={how} type="button" onClick={() => (said.value = { wish: wished, data: how })}>
              {w.order.data[how]}
            </button>
          ))}
        </p>
      )}
      <Commands lines={[data === null ? command : `${command} --data ${data}`]} />
      <Answers
        label={isDry ? w.order.check : w.order.go}
        isBusy={isBusy.value || made === null}
        onYes={() => void order()}
        onNo={onClose}
      />
    </Dialog>
  )
}
