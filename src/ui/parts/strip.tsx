/** A rollout in one line: what, how far, its waves, and the way to its own screen. */
import type { JSX } from 'preact'
import type { Board, BoardWave } from '../api/types.ts'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'
import { Badge } from './basics.tsx'
import { markOfRollout, rolloutSentence, rolloutWord } from './rollout-words.ts'
import { releaseName } from './say.ts'

const Wave = ({ wave }: { readonly wave: BoardWave }): JSX.Element => (
  <span class={`bar ${wave.state}`} style={{ flexGrow: wave.size }}>
    <span class="fill ok" style={{ width: `${(100 * wave.confirmed) / wave.size}%` }} />
    <span class="fill bad" style={{ width: `${(100 * wave.failed) / wave.size}%` }} />
  </span>
)

export const RolloutStrip = ({ board }: { readonly board: Board }): JSX.Element => {
  const w = words()
  return (
    <article class={`strip ${board.state}`}>
      <p class="strip-title">
        <a href={linkTo('rollouts', board.id)}>{releaseName(board.release)}</a>
        <Badge mark={markOfRollout(board)}>{rolloutWord(board, w)}</Badge>
        {board.dryRun && <span class="tag">{w.rollout.dryRun}</span>}
      </p>
      <div class="bars" aria-hidden="true">
        {board.waves.map((wave, at) => (
          <Wave key={at} wave={wave} />
        ))}
      </div>
      <p class="sub">{rolloutSentence(board, w)}</p>
    </article>
  )
}
