/** What a node alone knows of itself, whichever node serves this page: its slots, and of another node its links, backups and disk too. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import type { NodeView } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { Action, Forbidden } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import { colons, moment, releaseName, shortId, size } from '../parts/say.ts'
import type { PeerTest } from '../parts/steps.tsx'
import { TableHead } from '../parts/table-head.tsx'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { BackupTable, type BackupView } from './backups.tsx'
import { DiskItems, DiskTotals, Needs } from './disk.tsx'
import type { DiskLook } from './disk-look.ts'
import { type Peer, PeerTable, testOf } from './links.tsx'

interface Slot {
  readonly digest: string
  readonly kind: string
  readonly name: string
  readonly bytes: number
  readonly needs: readonly string[]
}

export interface AboutView {
  readonly at: string
  readonly fingerprint: string
  readonly slots: readonly Slot[]
  readonly backups: readonly BackupView[]
  readonly peers: readonly Peer[]
  readonly disk: DiskLook
}

const Slots = ({ slots }: { readonly slots: readonly Slot[] }): JSX.Element => {
  const w = moreWords().about.slots
  const c = w.columns
  return (
    <Section id="slots" title={w.title} text={w.text}>
      {slots.length === 0 && <p class="hint">{w.none}</p>}
      {slots.length > 0 && (
        <table>
          <TableHead columns={[c.release, c.kind, c.why, c.size]} />
          <tbody>
            {slots.map(slot => (
              <tr key={slot.digest}>
                <th scope="row">
                  {slot.name === '' ? w.nameless : releaseName(slot.name)} <code title={slot.digest}>{slot.digest.slice(0, 12)}</code>
                </th>
                <td data-label={c.kind}>{slot.kind === 'app' || slot.kind === 'shoal' ? words().releases.kinds[slot.kind] : '–'}</td>
                <td data-label={c.why}>
                  <Needs needs={slot.needs} />
                </td>
                <td data-label={c.size}>{size(slot.bytes, words().locale)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  )
}

interface SectionProps {
  readonly id: string
  readonly title: string
  readonly text?: string
  readonly children: ComponentChildren
}

const Section = ({ id, title, text, children }: SectionProps): JSX.Element => (
  <section class="stack" aria-labelledby={id}>
    <h2 id={id}>{title}</h2>
    {text !== undefined && <p class="sub">{text}</p>}
    {children}
  </section>
)

const Links = ({ node, peers }: { readonly node: NodeView; readonly peers: readonly Peer[] }): JSX.Element => {
  const tests = useSignal<ReadonlyMap<string, PeerTest>>(new Map())
  const w = moreWords().peers
  return (
    <Section id="peers" title={w.title}>
      <PeerTable
        peers={peers}
        tests={tests}
        verbs={peer => <Action label={w.test} name={w.testFrom(node.name, peer.name)} run={testOf(tests, peer, node.id)} />}
      />
      <Forbidden role="operator" />
    </Section>
  )
}

const Kept = ({ backups }: { readonly backups: readonly BackupView[] }): JSX.Element => (
  <Section id="backups" title={moreWords().backups.title}>
    <BackupTable backups={backups} />
  </Section>
)

/** The clock and the certificate of the node, for who has to compare them. */
const Marks = ({ about }: { readonly about: AboutView }): JSX.Element => {
  const w = moreWords().about
  return (
    <dl>
      <dt>{w.clock}</dt>
      <dd>{moment(about.at, words().locale, Date.now())}</dd>
      <dt>{w.fingerprint}</dt>
      <dd>
        <code>{colons(about.fingerprint)}</code>
      </dd>
    </dl>
  )
}

export const About = ({ node }: { readonly node: NodeView }): JSX.Element => {
  // Asked for once: it costs that node a walk over its disk. What changed since, a person sees who asks again.
  const { value, refusal, reload } = useQuery<AboutView>(`nodes/${node.id}/about`, [])
  const about = value.value
  const w = moreWords()
  const id = shortId(node.id)
  return (
    <>
      {refusal.value !== null && <Problem code={refusal.value.code} message={`${w.about.away(node.name)} ${refusal.value.message}`} />}
      {about === null && refusal.value === null && <Loading />}
      {about !== null && <Slots slots={about.slots} />}
      {about !== null && !node.self && (
        <>
          <Links node={node} peers={about.peers} />
          <Kept backups={about.backups} />
          <Section id="disk" title={w.disk.title} text={w.disk.free(size(about.disk.freeBytes, words().locale))}>
            <DiskTotals look={about.disk} />
            <DiskItems look={about.disk} />
          </Section>
        </>
      )}
      {about !== null && (
        <section class="card" aria-label={w.about.marks}>
          <Marks about={about} />
        </section>
      )}
      <div class="verbs">
        <button type="button" onClick={reload}>
          {w.about.again}
        </button>
        <Commands lines={[`shoal nodes show ${id}`]} />
      </div>
    </>
  )
}
