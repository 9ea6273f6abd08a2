/** All rollouts, the newest first. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { RolloutView } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { Badge, Commands, Empty, Loading } from '../parts/basics.tsx'
import { markOfRollout, rolloutWord } from '../parts/rollout-words.ts'
import { moment, releaseName } from '../parts/say.ts'
import { TableHead } from '../parts/table-head.tsx'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'

const Row = ({ rollout }: { readonly rollout: RolloutView }): JSX.Element => {
  const w = words()
  const c = w.rollout.columns
  const total = rollout.waves.reduce((sum, wave) => sum + wave.size, 0)
  const confirmed = rollout.waves.reduce((sum, wave) => sum + wave.confirmed, 0)
  return (
    <tr>
      <th scope="row">
        <a href={linkTo('rollouts', rollout.id)}>{releaseName(rollout.release)}</a>
        {rollout.dryRun && <span class="tag">{w.rollout.dryRun}</span>}
        {rollout.kind === 'shoal' && <span class="tag">Shoal</span>}
      </th>
      <td data-label={c.state}>
        <Badge mark={markOfRollout(rollout)}>{rolloutWord(rollout, w)}</Badge>
      </td>
      <td data-label={c.nodes}>{rollout.dryRun ? w.nodes(total) : w.rollout.confirmed(confirmed, total)}</td>
      <td data-label={c.by}>{rollout.initiatedBy}</td>
      <td data-label={c.at}>{moment(rollout.initiatedAt, w.locale, Date.now())}</td>
    </tr>
  )
}

interface Answer {
  readonly rollouts: readonly RolloutView[]
  readonly next: string | null
}

export const Rollouts = (): JSX.Element => {
  const limit = useSignal(25)
  const { value } = useQuery<Answer>(`rollouts?brief=1&limit=${limit.value}`, ['rollouts'])
  const w = words()
  const page = value.value
  if (page === null) return <Loading />
  const c = w.rollout.columns
  return (
    <>
      <h1>{w.screens.rollouts}</h1>
      {page.rollouts.length === 0 && (
        <Empty title={w.rollout.none} text={w.fleet.firstAppHow}>
          <a class="button main" href={linkTo('releases')}>
            {w.fleet.toReleases}
          </a>
        </Empty>
      )}
      {page.rollouts.length > 0 && (
        <table>
          <TableHead columns={[c.release, c.state, c.nodes, c.by, c.at]} />
          <tbody>
            {page.rollouts.map(rollout => (
              <Row key={rollout.id} rollout={rollout} />
            ))}
          </tbody>
        </table>
      )}
      {page.next !== null && (
        <p class="more">
          <button type="button" onClick={() => (limit.value += 50)}>
            {w.showMore}
          </button>
        </p>
      )}
      <Commands lines={['shoal rollout list', 'shoal rollout watch latest']} />
    </>
  )
}
