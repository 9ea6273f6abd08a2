/** The fleet: one sentence, what needs a person, what is under way, and every node. */
import type { JSX } from 'preact'
import type { NodeView, Summary } from '../api/types.ts'
import { Said } from '../live/said.tsx'
import { useQuery } from '../live/query.ts'
import { Badge, Cells, Empty, Loading } from '../parts/basics.tsx'
import { Icon } from '../parts/icon.tsx'
import { markOf } from '../parts/marks.ts'
import { NodeTable } from '../parts/node-table.tsx'
import { isStuck } from '../parts/rollout-words.ts'
import { RolloutStrip } from '../parts/strip.tsx'
import { duration } from '../parts/say.ts'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'
import { sentenceOf } from './sentence.ts'

const Hero = ({ summary }: { readonly summary: Summary }): JSX.Element => {
  const w = words()
  const { tone, main, rest } = sentenceOf(summary, w)
  const shoals = summary.shoals.map(each => each.name)
  const sub = shoals.length === 1 ? w.fleet.sub(summary.name, shoals[0] ?? '') : w.fleet.subMixed(summary.name, w.list(shoals))
  return (
    <section class={`hero ${tone}`}>
      <span class="seal">
        <Icon shape={tone === 'ok' ? 'ok' : tone === 'busy' ? 'busy' : 'refused'} />
      </span>
      <div>
        <h1>{main}</h1>
        <Said text={rest === '' ? main : `${main} ${rest}`} />
        {rest !== '' && <p class="rest">{rest}</p>}
        <p class="sub">{sub}</p>
      </div>
      {summary.cells.length > 0 && <Cells nodes={summary.cells} markOf={markOf} label={w.fleet.picture} />}
    </section>
  )
}

const Ailing = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const w = words()
  const mark = markOf(node)
  const text = node.reach === 'lost' ? w.notSeenFor(duration(node.ageMs, w.locale)) : w.healths[node.health]
  return (
    <li>
      <Badge mark={mark}>{text}</Badge> <a href={linkTo('nodes', node.id)}>{node.name}</a>
      {node.reason !== null && <span class="why">{node.reason.message}</span>}
    </li>
  )
}

const NeedsYou = ({ summary }: { readonly summary: Summary }): JSX.Element | null => {
  const w = words()
  const rollouts = summary.rollouts.filter(isStuck)
  if (rollouts.length === 0 && summary.ailing.length === 0) return null
  return (
    <section class="needs" aria-labelledby="needs">
      <h2 id="needs">{w.fleet.needsYou}</h2>
      {summary.ailing.length > 0 && (
        <ul class="ailing">
          {summary.ailing.map(node => (
            <Ailing key={node.id} node={node} />
          ))}
        </ul>
      )}
      {rollouts.map(board => (
        <RolloutStrip key={board.id} board={board} />
      ))}
    </section>
  )
}

const FirstSteps = ({ summary }: { readonly summary: Summary }): JSX.Element | null => {
  const w = words().fleet
  if (summary.rollouts.length > 0 && summary.counts.total > 1) return null
  return (
    <div class="pair">
      {summary.rollouts.length === 0 && (
        <Empty title={w.firstApp} text={w.firstAppHow}>
          <a class="button main" href={linkTo('releases')}>
            {w.toReleases}
          </a>
        </Empty>
      )}
      {summary.counts.total === 1 && (
        <Empty title={w.firstNode} text={w.firstNodeHow}>
          <a class="button main" href={linkTo('people')}>
            {w.toPeople}
          </a>
        </Empty>
      )}
    </div>
  )
}

export const Fleet = (): JSX.Element => {
  const { value } = useQuery<Summary>('summary', ['nodes', 'rollouts', 'releases'])
  const summary = value.value
  if (summary === null) return <Loading />
  const under = summary.rollouts.filter(r => !isStuck(r))
  return (
    <>
      <Hero summary={summary} />
      <NeedsYou summary={summary} />
      {under.map(board => (
        <RolloutStrip key={board.id} board={board} />
      ))}
      <FirstSteps summary={summary} />
      <NodeTable summary={summary} />
    </>
  )
}
