/** The links of a node as a table: how each is, and at which step of a test the way fails. */
import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import type { Reach } from '../api/types.ts'
import { Badge } from '../parts/basics.tsx'
import { duration } from '../parts/say.ts'
import { type PeerTest, stepName } from '../parts/steps.tsx'
import { TableHead } from '../parts/table-head.tsx'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'

export interface Peer {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly pinned: boolean
  readonly reach: Reach
  readonly linkedMs: number | null
  readonly dialled: boolean | null
}

/** How a link is: since when it is up, and which of both called the other. */
const LinkState = ({ peer, test }: { readonly peer: Peer; readonly test: PeerTest | undefined }): JSX.Element => {
  const w = moreWords().peers
  const { linkedMs, dialled } = peer
  return (
    <>
      {words().reaches[peer.reach]}
      {linkedMs !== null && (
        <span class="why">
          {w.since(duration(linkedMs, words().locale))} · {dialled === true ? w.called : w.wasCalled}
        </span>
      )}
      {test !== undefined && <Verdict test={test} />}
    </>
  )
}

const Verdict = ({ test }: { readonly test: PeerTest }): JSX.Element => {
  const n = words().node
  return (
    <span class="why" role="status">
      <Badge mark={test.ok ? 'ok' : 'failed'}>{test.ok ? n.testFine : n.testFails(stepName(test.step ?? ''))}</Badge>{' '}
      {!test.ok && test.message}
    </span>
  )
}

export type Tests = Signal<ReadonlyMap<string, PeerTest>>

/** @param at the node that walks; '': the one that serves this page */
export const testOf = (tests: Tests, peer: Peer, at: string) => async (): Promise<void> => {
  const answer = await post<{ readonly tests: readonly PeerTest[] }>('peers/test', { target: peer.id, ...(at === '' ? {} : { at }) })
  const [made] = answer.tests
  if (made !== undefined) tests.value = new Map([...tests.value, [peer.id, made]])
}

interface TableProps {
  readonly peers: readonly Peer[]
  readonly tests: Tests
  readonly verbs: (peer: Peer) => JSX.Element
}

export const PeerTable = ({ peers, tests, verbs }: TableProps): JSX.Element => {
  const w = moreWords().peers
  const c = w.columns
  if (peers.length === 0) return <p class="hint">{w.none}</p>
  return (
    <table>
      <TableHead columns={[c.node, c.address, c.link]} actions={c.next} />
      <tbody>
        {peers.map(peer => (
          <tr key={peer.id}>
            <th scope="row">
              <a href={linkTo('nodes', peer.id)}>{peer.name}</a>
              {peer.pinned && <span class="tag">{w.pinned}</span>}
            </th>
            <td data-label={c.address}>{peer.address}</td>
            <td data-label={c.link}>
              <LinkState peer={peer} test={tests.value.get(peer.id)} />
            </td>
            <td class="end">{verbs(peer)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
