/** The waves of a rollout, and before each its gate, which says in a sentence what it waits for. The sequence inside a wave never changes. */
import type { JSX } from 'preact'
import type { Board, BoardWave } from '../api/types.ts'
import { words } from '../words/index.ts'
import { Badge, Cells } from './basics.tsx'
import { markInRollout } from './marks.ts'
import { gateSentence, gateStateOf, isHaltedIn } from './rollout-words.ts'

const Gate = ({ board, at }: { readonly board: Board; readonly at: number }): JSX.Element => {
  const w = words()
  const state = gateStateOf(board, at, w)
  return (
    <p class={`gate ${state}`}>
      <svg class="lock" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
        <path d={state === 'open' ? 'M8 11V8a4 4 0 0 1 7.7-1.500' : 'M8 11V8a4 4 0 0 1 8 0v3'} />
        <rect x="6" y="11" width="12" height="8.5" rx="2" />
      </svg>
      <span>{gateSentence(board, at, w)}</span>
    </p>
  )
}

/** Nodes of a wave that are drawn with their names. */
const maxNamed = 8

const Stand = ({ board, wave }: { readonly board: Board; readonly wave: BoardWave }): JSX.Element => {
  const w = words()
  if (isHaltedIn(board, wave)) return <Badge mark="failed">{`${w.states.halted} · ${w.rollout.failed(wave.failed)}`}</Badge>
  return (
    <Badge mark={wave.state === 'passed' ? 'ok' : wave.state === 'open' ? 'busy' : 'waiting'}>{w.rollout.waveStates[wave.state]}</Badge>
  )
}

const Wave = ({ board, wave, at }: { readonly board: Board; readonly wave: BoardWave; readonly at: number }): JSX.Element => {
  const w = words()
  const title = at === 0 ? w.rollout.firstWave : w.rollout.wave(at + 1)
  const hidden = wave.size - wave.cells.length
  const state = isHaltedIn(board, wave) ? 'halted' : wave.state
  const failed = wave.failed > 0 && state !== 'halted' ? ` · ${w.rollout.failed(wave.failed)}` : ''
  return (
    <div class={`card wave ${state}`} aria-current={state === 'open' ? 'step' : undefined}>
      <h2>
        {title} {!board.dryRun && <Stand board={board} wave={wave} />}
      </h2>
      <p class="sub">{board.dryRun ? w.nodes(wave.size) : `${w.rollout.confirmed(wave.confirmed, wave.size)}${failed}`}</p>
      {hidden > 0 && <Counts wave={wave} />}
      <Cells nodes={wave.cells} markOf={markInRollout} label={title} isNamed={wave.size <= maxNamed} />
      {hidden > 0 && <p class="sub">{w.rollout.more(hidden)}</p>}
    </div>
  )
}

/** A wave too great for a cell per node: its counts as one bar with the numbers in it. */
const Counts = ({ wave }: { readonly wave: BoardWave }): JSX.Element => {
  const parts = [
    ['ok', wave.confirmed],
    ['bad', wave.failed],
    ['warn', wave.missing],
    ['calm', wave.size - wave.confirmed - wave.failed - wave.missing],
  ] as const
  return (
    <div class="counts" aria-hidden="true">
      {parts.map(
        ([tone, n]) =>
          n > 0 && (
            <span key={tone} class={`badge ${tone}`} style={{ flexGrow: n }}>
              {n}
            </span>
          ),
      )}
    </div>
  )
}

export const Waves = ({ board }: { readonly board: Board }): JSX.Element => (
  <ol class="waves">
    {board.waves.map((wave, at) => (
      <li key={at}>
        {(at === 0 || !board.dryRun) && <Gate board={board} at={at} />}
        <Wave board={board} wave={wave} at={at} />
      </li>
    ))}
    {board.waves.length > 0 && !board.dryRun && (
      <li class="end">
        <Gate board={board} at={board.waves.length} />
      </li>
    )}
  </ol>
)
