/** One node: what it is and runs, why it is as it is, the way there step by step, its last log lines, and what can be done with it. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { get, post, type Refusal } from '../api/http.ts'
import type { NodeView } from '../api/types.ts'
import { Later } from '../later.tsx'
import { useQuery } from '../live/query.ts'
import { useTitle } from '../live/title.ts'
import { Action, asRefusal, Forbidden } from '../parts/action.tsx'
import { Commands, Loading, Problem } from '../parts/basics.tsx'
import { Icon } from '../parts/icon.tsx'
import { lineOf } from '../parts/log-line.ts'
import { markOf, toneOf } from '../parts/marks.ts'
import { heldSentence, stateWord, unseenWord } from '../parts/node-words.ts'
import { NotHere } from '../parts/not-here.tsx'
import { Remove } from '../parts/remove.tsx'
import { duration, moment, releaseName, shortId, size } from '../parts/say.ts'
import { type PeerTest, stepName, Steps } from '../parts/steps.tsx'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'

const Fact = ({ name, children }: { readonly name: string; readonly children: ComponentChildren }): JSX.Element => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
)

const heroTones = { ok: 'ok', busy: 'busy', calm: 'busy', warn: 'warn', bad: 'bad' } as const

const Head = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const w = words()
  const mark = markOf(node)
  const app = node.app === null ? w.node.noApp : releaseName(`${node.app.name}@${node.app.version}`)
  return (
    <section class={`hero ${heroTones[toneOf[mark]]}`}>
      <span class="seal">
        <Icon shape={mark} />
      </span>
      <div>
        <h1>{node.name}</h1>
        <p class="rest">{node.reach === 'lost' ? unseenWord(node.ageMs, w) : `${app} · ${stateWord(node, w)}`}</p>
        {node.held !== null && <p class="sub">{heldSentence(node.held, w)}</p>}
        {node.health === 'safe-mode' && <p class="sub">{w.node.safeMode}</p>}
        {node.reason !== null && node.reason.code !== 'HELD' && (
          <p class="sub">
            {node.reason.message} <code>{node.reason.code}</code>
          </p>
        )}
      </div>
    </section>
  )
}

const Facts = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const w = words()
  const n = w.node
  return (
    <section class="card" aria-labelledby="facts">
      <h2 id="facts">{n.facts}</h2>
      <dl>
        <Fact name={n.id}>
          <code>{node.id}</code>
        </Fact>
        <Fact name={n.address}>{node.address}</Fact>
        <Fact name={n.link}>{w.reaches[node.reach]}</Fact>
        <Fact name={n.app}>{node.app === null ? n.none : releaseName(`${node.app.name}@${node.app.version}`)}</Fact>
        {node.desired.app !== null && <Fact name={n.desired}>{releaseName(node.desired.app)}</Fact>}
        <Fact name={n.shoal}>{node.shoal?.version ?? '–'}</Fact>
        <Fact name={n.platform}>
          {node.platform} · {n.nodejs} {node.nodejs}
        </Fact>
        {node.tags.length > 0 && <Fact name={n.tags}>{node.tags.join(', ')}</Fact>}
        <Fact name={n.since}>{moment(node.since, w.locale, Date.now())}</Fact>
        {node.rollout !== null && (
          <Fact name={n.rollout}>
            <a href={linkTo('rollouts', node.rollout)}>{shortId(node.rollout)}</a>
            {node.outcome !== null && ` · ${w.outcomes[node.outcome]}`}
          </Fact>
        )}
        <Fact name={n.bytes}>
          {size(node.bytes.fetched, w.locale)} {w.rollout.fetched} · {size(node.bytes.served, w.locale)} {n.served}
        </Fact>
        {node.migrationMs !== null && <Fact name={n.migration}>{n.migrationTook(duration(node.migrationMs, w.locale))}</Fact>}
      </dl>
    </section>
  )
}

const Way = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const test = useSignal<PeerTest | null>(null)
  const n = words().node
  const run = async (): Promise<void> => {
    const { tests } = await post<{ readonly tests: readonly PeerTest[] }>('peers/test', { target: node.id })
    test.value = tests[0] ?? null
  }
  const made = test.value
  return (
    <section class="card" aria-labelledby="way">
      <h2 id="way">{n.test}</h2>
      <div class="verbs">
        <Action label={n.test} run={run} />
        <Forbidden role="operator" />
      </div>
      {made !== null && <p role="status">{made.ok ? n.testFine : n.testFails(stepName(made.step ?? ''))}</p>}
      {made !== null && <Steps test={made} />}
      <Commands lines={[`shoal peers test ${shortId(node.id)}`]} />
    </section>
  )
}

interface LogPage {
  readonly lines: readonly Readonly<Record<string, unknown>>[]
}

/** ms between two looks at a log that is open. */
const followMs = 2000

const Log = ({ node, isOpenAtFirst }: { readonly node: NodeView; readonly isOpenAtFirst: boolean }): JSX.Element => {
  const lines = useSignal<readonly string[] | null>(null)
  const refusal = useSignal<Refusal | null>(null)
  const isOpen = useSignal(isOpenAtFirst)
  const w = words()
  const load = (): void => {
    if (document.hidden) return
    get<LogPage>(`nodes/${node.id}/logs?lines=60`).then(
      page => {
        lines.value = page.lines.map(lineOf)
        refusal.value = null
      },
      (error: unknown) => (refusal.value = asRefusal(error)),
    )
  }
  // Followed as long as it is open.
  useEffect(() => {
    if (!isOpen.value) return
    load()
    const timer = setInterval(load, followMs)
    return () => clearInterval(timer)
  }, [isOpen.value])
  return (
    <section class="card">
      <details open={isOpen.value} onToggle={event => (isOpen.value = event.currentTarget.open)}>
        <summary>
          <h2 class="inline">{w.node.log}</h2>
        </summary>
        {refusal.value !== null && <Problem code={refusal.value.code} message={`${w.node.noLog} ${refusal.value.message}`} />}
        {lines.value !== null && <pre tabIndex={0}>{lines.value.join('\n')}</pre>}
        <Commands lines={[`shoal logs ${shortId(node.id)}`, `shoal logs -f ${shortId(node.id)}`]} />
      </details>
    </section>
  )
}

const Verbs = ({ node, reload }: { readonly node: NodeView; readonly reload: () => void }): JSX.Element => {
  const n = words().node
  // Not by its health: an ill node can be held too.
  const isHeld = node.held !== null
  const id = shortId(node.id)
  const isAsked = useSignal(false)
  const ask = (): Promise<void> => Promise.resolve(void (isAsked.value = true))
  const unhold = async (): Promise<void> => {
    await post(`nodes/${node.id}/unhold`, {})
    reload()
  }
  const close = (): void => {
    isAsked.value = false
    reload()
  }
  return (
    <div class="verbs">
      <Action label={isHeld ? n.unhold : n.hold} run={isHeld ? unhold : ask} />
      {isAsked.value && <Later of={more => <more.HoldOne node={node} onClose={close} />} />}
      <Remove node={node} />
      <Forbidden role="operator" />
      <Commands
        lines={[`shoal nodes show ${id}`, `shoal nodes ${isHeld ? 'unhold' : 'hold'} ${id}`, `shoal nodes remove ${id} --reason "…"`]}
      />
    </div>
  )
}

export const NodePage = ({ id }: { readonly id: string }): JSX.Element => {
  const { value, refusal, reload } = useQuery<NodeView>(`nodes/${encodeURIComponent(id)}`, ['nodes'])
  const node = value.value
  useTitle(node?.name ?? null)
  const w = words()
  if (refusal.value !== null) return <NotHere refusal={refusal.value} what={w.node.missing} screen="fleet" back={w.screens.fleet} />
  if (node === null) return <Loading />
  const isFine = !['bad', 'warn'].includes(toneOf[markOf(node)])
  // Where one looks first when something is wrong. By their keys they are moved and not made anew when the node gets well.
  const log = <Log key="log" node={node} isOpenAtFirst={!isFine && node.reach !== 'lost'} />
  const doctor = <Later key="doctor" of={more => <more.Doctor node={node} />} />
  return (
    <>
      <p>
        <a href={linkTo('fleet')}>{w.screens.fleet}</a>
      </p>
      <Head node={node} />
      <Verbs node={node} reload={reload} />
      <Facts node={node} />
      {!isFine && log}
      {!isFine && doctor}
      {!node.self && <Way key="way" node={node} />}
      <Later key="more" of={more => (node.self ? <more.ThisNode node={node} /> : <more.OtherNode node={node} />)} />
      {isFine && doctor}
      {isFine && log}
    </>
  )
}
