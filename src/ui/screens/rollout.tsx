/** One rollout: where it stands, what each gate waits for, what went wrong and what can be done about it. */
import type { JSX } from 'preact'
import { post } from '../api/http.ts'
import type { Board } from '../api/types.ts'
import { useQuery } from '../live/query.ts'
import { useTitle } from '../live/title.ts'
import { Action, Forbidden } from '../parts/action.tsx'
import { Badge, Commands, Loading } from '../parts/basics.tsx'
import { Failures } from '../parts/failures.tsx'
import { Icon } from '../parts/icon.tsx'
import { NotHere } from '../parts/not-here.tsx'
import { isOver, markOfRollout, rolloutSentence, rolloutWord } from '../parts/rollout-words.ts'
import { duration, moment, releaseName, shortId, size } from '../parts/say.ts'
import { WayBack } from '../parts/rollback.tsx'
import { Waves } from '../parts/waves.tsx'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'

const tones = { ok: 'ok', busy: 'busy', held: 'busy', failed: 'bad', lost: 'warn', refused: 'warn', excused: 'warn' } as const

const Head = ({ board }: { readonly board: Board }): JSX.Element => {
  const w = words()
  const mark = markOfRollout(board)
  const ordered = w.rollout.by(board.by, moment(board.at, w.locale, Date.now()))
  const left = isOver(board) ? '' : ` · ${w.rollout.deadline(duration(board.leftMs, w.locale))}`
  return (
    <section class={`hero ${tones[mark as keyof typeof tones]}`}>
      <span class="seal">
        <Icon shape={mark} />
      </span>
      <div>
        <h1>
          {releaseName(board.release)} {board.dryRun && <span class="tag">{w.rollout.dryRun}</span>}
        </h1>
        <p class="rest" role="status">
          {rolloutSentence(board, w)}
        </p>
        <p class="sub">
          <Badge mark={mark}>{rolloutWord(board, w)}</Badge> {ordered}
          {left} · <code>{shortId(board.id)}</code>
        </p>
      </div>
    </section>
  )
}

const Verbs = ({ board, reload }: { readonly board: Board; readonly reload: () => void }): JSX.Element => {
  const w = words().rollout
  const control = (action: string) => async (): Promise<void> => {
    await post(`rollouts/${board.id}/${action}`, {})
    reload()
  }
  const id = shortId(board.id)
  const flip = board.state === 'paused' ? 'resume' : 'pause'
  const line = (verb: string): string => `shoal rollout ${verb} ${id}`
  // A dry run holds nobody up: there is nothing to steer.
  const goesOn = !isOver(board) && !board.dryRun
  return (
    <div class="verbs">
      {goesOn && <Action label={w.verbs[flip]} run={control(flip)} />}
      {goesOn && (
        <Action
          label={w.verbs.abort}
          kind="danger"
          run={control('abort')}
          ask={{ title: w.askAbort, text: <p>{w.askAbortText}</p>, commands: [line('abort')] }}
        />
      )}
      {board.kind === 'app' && !board.dryRun && <WayBack board={board} isOver={isOver(board)} reload={reload} />}
      <Forbidden role="operator" />
      <Commands lines={[`shoal rollout watch ${id}`, ...(goesOn ? [line(flip), line('abort')] : [])]} />
    </div>
  )
}

const Carried = ({ board }: { readonly board: Board }): JSX.Element | null => {
  const w = words()
  const { fetched, reused, sources } = board.bytes
  if (fetched + reused === 0) return null
  return (
    <p class="sub">
      {size(fetched, w.locale)} {w.rollout.fetched}
      {reused > 0 && ` · ${size(reused, w.locale)} ${w.rollout.reused}`}
      {sources > 0 && ` · ${w.rollout.sources(sources)}`}
    </p>
  )
}

export const Rollout = ({ id }: { readonly id: string }): JSX.Element => {
  const { value, refusal, reload } = useQuery<Board>(`rollouts/${encodeURIComponent(id)}/board`, ['rollouts'])
  const board = value.value
  useTitle(board === null ? null : `${releaseName(board.release)} ${rolloutWord(board, words())}`)
  const w = words().rollout
  if (refusal.value !== null) return <NotHere refusal={refusal.value} what={w.missing} screen="rollouts" back={w.back} />
  if (board === null) return <Loading />
  return (
    <>
      <p>
        <a href={linkTo('rollouts')}>{w.back}</a>
      </p>
      <Head board={board} />
      <Verbs board={board} reload={reload} />
      <Waves board={board} />
      <Failures board={board} reload={reload} />
      <Carried board={board} />
    </>
  )
}
