/** The links of the node that serves this page, those that it keeps for ever, and the step at which the way to one fails. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import { useQuery } from '../live/query.ts'
import { Action, Forbidden, may } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import type { PeerTest } from '../parts/steps.tsx'
import { moreWords } from '../words/more.ts'
import { useAsking } from './ask.ts'
import { type Peer, PeerTable, testOf, type Tests } from './links.tsx'

interface VerbsProps {
  readonly peer: Peer
  readonly reload: () => void
  readonly tests: Tests
}

const Verbs = ({ peer, reload, tests }: VerbsProps): JSX.Element => {
  const w = moreWords().peers
  const keep = async (): Promise<void> => {
    await (peer.pinned ? post(`peers/${peer.id}`, undefined, 'DELETE') : post('peers', { address: peer.address }))
    reload()
  }
  return (
    <div class="verbs">
      <Action label={w.test} name={w.testOf(peer.name)} run={testOf(tests, peer, '')} />
      <Action
        key={String(peer.pinned)}
        label={peer.pinned ? w.remove : w.keep}
        name={peer.pinned ? w.removeOf(peer.name) : w.keepOf(peer.name)}
        run={keep}
      />
    </div>
  )
}

const Add = ({ reload }: { readonly reload: () => void }): JSX.Element => {
  const address = useSignal('')
  const { isBusy, refusal, run } = useAsking()
  const w = moreWords().peers
  const add = async (): Promise<void> => {
    await post('peers', { address: address.value.trim() })
    address.value = ''
    reload()
  }
  return (
    <form
      class="row"
      onSubmit={event => {
        event.preventDefault()
        run(add)
      }}
    >
      <label class="grow">
        {w.address}
        <input value={address.value} spellcheck={false} required onInput={event => (address.value = event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={!may('operator') || isBusy.value}>
        {w.add}
      </button>
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
    </form>
  )
}

export const Peers = (): JSX.Element => {
  const { value, reload } = useQuery<{ readonly peers: readonly Peer[] }>('peers', ['nodes'])
  const tests = useSignal<ReadonlyMap<string, PeerTest>>(new Map())
  const w = moreWords().peers
  const list = value.value?.peers ?? null
  return (
    <section class="stack" aria-labelledby="peers">
      <h2 id="peers">{w.title}</h2>
      <p class="sub">{w.text}</p>
      {list === null && <Loading />}
      {list !== null && <PeerTable peers={list} tests={tests} verbs={peer => <Verbs peer={peer} reload={reload} tests={tests} />} />}
      <Add reload={reload} />
      <Forbidden role="operator" />
      <Commands lines={['shoal peers list', 'shoal peers add HOST:PORT', 'shoal peers remove ID', 'shoal peers test']} />
    </section>
  )
}
