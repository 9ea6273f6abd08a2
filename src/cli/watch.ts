/**
 * Follows a rollout to its end. A lost connection is never an end: the node that is asked may itself be changing over. What it sees goes
 * to standard error, drawn on a terminal, in lines elsewhere.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { ShoalError } from '../model/index.ts'
import { type NodeAnswer, parseRollout, type RolloutAnswer } from './answers.ts'
import type { Context } from './context.ts'
import { columnsOf } from './io.ts'
import { LiveBlock } from './live-block.ts'
import { maxPollMs, pollMs, reconnectMs, settledMs } from './limits.ts'
import { changes, nothingTold } from './progress.ts'
import { glyphsFor, render } from './render.ts'
import { endStates, stuckStates } from './verdict.ts'

/** What a watch needs of the world. */
export interface WatchDeps {
  readonly ask: () => Promise<unknown>
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  readonly wait: (ms: number) => Promise<unknown>
  readonly show: (rollout: RolloutAnswer, nowMs: number) => void
  readonly say: (line: string) => void
}

export interface Watched {
  readonly rollout: RolloutAnswer
  /** As the node answered. */
  readonly document: unknown
}

/** Codes that mean: not now. */
export const passing: ReadonlySet<string> = new Set(['NO_NODE', 'STARTING', 'BUSY', 'UNAUTHENTICATED'])

/** It is about to say how it ends: the supervisor holds the deadline of a switch, so this does not last. */
const isMidway = ({ outcome, reach, step }: NodeAnswer): boolean =>
  outcome === null && reach !== 'lost' && (step === 'switching' || step === 'probation')

/**
 * Asks until the rollout has ended: at once for final states; for those that a late success may still leave after a while in which
 * nobody was in the middle of a switch.
 * @throws ShoalError NO_NODE after a minute without an answer, and whatever else the node refuses
 */
export async function watch(deps: WatchDeps): Promise<Watched> {
  let since = { state: '', ms: deps.now() }
  let lastAnswerMs: number | null = null
  let isLost = false
  for (;;) {
    const askedMs = deps.now()
    try {
      const document = await deps.ask()
      const rollout = parseRollout(document)
      const now = deps.now()
      if (isLost) deps.say('the node answers again')
      isLost = false
      lastAnswerMs = now
      if (rollout.state !== since.state || rollout.nodes.some(isMidway)) since = { state: rollout.state, ms: now }
      deps.show(rollout, now)
      if (endStates.has(rollout.state) || (stuckStates.has(rollout.state) && now - since.ms >= settledMs)) return { rollout, document }
    } catch (error) {
      lastAnswerMs ??= deps.now()
      if (!(error instanceof ShoalError) || !passing.has(error.code) || deps.now() - lastAnswerMs > reconnectMs) throw error
      if (!isLost) deps.say(`no answer (${error.message}); waiting for the node to come back`)
      isLost = true
    }
    // A picture of thousands of nodes is dear to make and to read: who watches leaves the node time for others.
    await deps.wait(Math.max(pollMs, Math.min(maxPollMs, 2 * (deps.now() - askedMs))))
  }
}

/** Watches a rollout for a person. Ctrl-C ends the watch, never the rollout. */
export async function watchRollout(context: Context, id: string): Promise<Watched> {
  const { io } = context
  const isDrawn = io.stderr.isTTY === true && io.env['TERM'] !== 'dumb'
  const block = isDrawn ? new LiveBlock(io.stderr) : null
  let told = nothingTold
  const glyphs = glyphsFor(io.env)
  const inLines = (rollout: RolloutAnswer, nowMs: number): void => {
    const { lines, told: next } = changes(told, rollout, nowMs)
    told = next
    for (const line of lines) context.note(line)
  }
  try {
    return await watch({
      ask: () => context.api().get(`rollouts/${encodeURIComponent(id)}`),
      now: () => performance.now(),
      wait: ms => wait(ms, undefined, { signal: io.signal }),
      show: (rollout, nowMs) => (block === null ? inLines(rollout, nowMs) : block.draw(render(rollout, columnsOf(io.stderr) - 1, glyphs))),
      say: line => (block === null ? context.note(line) : block.above(line)),
    })
  } catch (error) {
    if (io.signal.aborted)
      throw new ShoalError('CANCELLED', `stopped watching; the rollout goes on\n\`shoal rollout pause ${id.slice(0, 8)}\` pauses it`, {
        cause: error,
      })
    throw error
  } finally {
    block?.end()
  }
}
