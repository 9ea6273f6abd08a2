/**
 * What went wrong, one block per cause and platform: first what is true now, then what happened, then the evidence, then what can be done with
 * one click. A failure without a cause does not exist: the node's answer has a code in any case.
 */
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import type { Board, Failure } from '../api/types.ts'
import { explained, type Explained } from '../words/causes.ts'
import { linkTo } from '../route.ts'
import { language, words } from '../words/index.ts'
import { Action } from './action.tsx'
import { Badge, Commands } from './basics.tsx'
import { lineOfText } from './log-line.ts'
import { markInRollout } from './marks.ts'
import { isOver, presentOf } from './rollout-words.ts'
import { shortId } from './say.ts'

const isExplained = (code: string): code is Explained => Object.hasOwn(explained.en, code)

const Buttons = ({ board, failure, reload }: BlockProps): JSX.Element | null => {
  const w = words().rollout
  const named = failure.nodes.map(node => node.id)
  const short = named.map(shortId).join(' ')
  // Where not all are named here, the node knows whom the cause means.
  const { code, platform, outcome } = failure
  const meant = failure.count > named.length ? { cause: { code, platform, outcome } } : { nodes: named }
  const control = (action: 'retry' | 'skip') => async (): Promise<void> => {
    await post(`rollouts/${board.id}/${action}`, meant)
    reload()
  }
  // What follows another order, or was only asked, has nothing to try again.
  const isLast = isOver(board) && board.state !== 'completed-with-exceptions'
  if (isLast || board.dryRun || outcome === 'superseded') return null
  const lines = (['retry', 'skip'] as const).map(verb => `shoal rollout ${verb} ${shortId(board.id)} ${short}`)
  return (
    <>
      <div class="verbs">
        <Action label={w.verbs.retry} kind="main" run={control('retry')} done={w.done.retry} />
        <Action
          label={w.verbs.skip}
          run={control('skip')}
          done={w.done.skip}
          ask={{ title: w.askSkip(failure.count), text: <p>{w.askSkipText}</p>, commands: lines.slice(1) }}
        />
      </div>
      <Commands lines={lines} />
    </>
  )
}

const Block = ({ board, failure, reload }: BlockProps): JSX.Element => {
  const w = words()
  const r = w.rollout
  const cause = isExplained(failure.code) ? explained[language.value][failure.code] : null
  const mark = markInRollout({ id: '', name: '', reach: 'direct', health: 'ok', step: 'idle', percent: 0, outcome: failure.outcome })
  return (
    <article class="card failure">
      <h3>
        <Badge mark={mark}>{w.outcomes[failure.outcome]}</Badge> {r.on(failure.count, failure.platform)} <code>{failure.code}</code>
      </h3>
      <dl>
        <dt>{r.now}</dt>
        <dd>{presentOf(failure, w)}</dd>
        {(cause !== null || failure.message !== '') && <dt>{r.happened}</dt>}
        {(cause !== null || failure.message !== '') && (
          <dd>
            {cause?.[0]} {failure.message !== '' && <q>{failure.message}</q>}
          </dd>
        )}
        {cause !== null && <dt>{r.cure}</dt>}
        {cause !== null && <dd>{failure.newer === null ? cause[1] : <a href={linkTo('rollouts', failure.newer)}>{r.newer}</a>}</dd>}
      </dl>
      {failure.log.length > 0 && (
        <details>
          <summary>{r.evidence(failure.log.length)}</summary>
          <pre tabIndex={0}>{failure.log.map(lineOfText).join('\n')}</pre>
        </details>
      )}
      <Buttons board={board} failure={failure} reload={reload} />
    </article>
  )
}

interface BlockProps {
  readonly board: Board
  readonly failure: Failure
  readonly reload: () => void
}

export const Failures = ({ board, reload }: { readonly board: Board; readonly reload: () => void }): JSX.Element | null => {
  if (board.failures.length === 0) return null
  return (
    <section class="stack" aria-labelledby="failures">
      <h2 id="failures">{words().rollout.failures}</h2>
      {board.failures.map(failure => (
        <Block key={`${failure.code} ${failure.platform} ${failure.outcome}`} board={board} failure={failure} reload={reload} />
      ))}
    </section>
  )
}
