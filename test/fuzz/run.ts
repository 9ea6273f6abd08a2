/**
 * `npm run fuzz -- [--seconds 60 | --rounds N] [--seed S] [--only NAME]`: what comes from outside, changed at random, into everything that reads it.
 * It must be taken or refused with a code, within a second, and what is taken must hold what its target promises. Exit 1 if not, with how to replay it.
 */
import { parseArgs } from 'node:util'
import { messageOf, ShoalError } from '../../src/model/index.ts'
import { Random } from '../helpers/random.ts'
import { packageTargets } from './packages.ts'
import { signedTargets } from './signed.ts'
import type { Target } from './target.ts'
import { textTargets } from './texts.ts'
import { wireTargets } from './wire.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, rounds: { type: 'string' }, seed: { type: 'string', default: '1' }, only: { type: 'string' } },
})
/** A single input may take so long, ms: on a busy machine, with everything it starts. */
const slowMs = 1000

interface Tally {
  taken: number
  refused: number
  slowestMs: number
}

/** What was wrong about it; null: nothing. */
function faultOf(target: Target, seed: number, tally: Tally): string | null {
  const random = new Random(seed)
  const began = performance.now()
  try {
    target.try(random)
    tally.taken++
  } catch (error) {
    if (!(error instanceof ShoalError)) return error instanceof Error ? (error.stack ?? messageOf(error)) : messageOf(error)
    tally.refused++
  }
  const ms = performance.now() - began
  tally.slowestMs = Math.max(tally.slowestMs, ms)
  return ms > slowMs ? `took ${Math.round(ms)} ms` : null
}

const targets = [...textTargets, ...signedTargets, ...wireTargets, ...packageTargets].filter(
  each => values.only === undefined || each.name === values.only,
)
const until = performance.now() + Number(values.seconds ?? 60) * 1000
const rounds = values.rounds === undefined ? Infinity : Number(values.rounds)
const first = Number(values.seed)
const tallies = new Map(targets.map(each => [each.name, { taken: 0, refused: 0, slowestMs: 0 }]))
let faults = 0
// Whoever refuses what is right would pass this test for ever.
for (const { accepts } of targets) accepts()
for (let round = 0; round < rounds && (values.rounds !== undefined || performance.now() < until); round++) {
  for (const target of targets) {
    const seed = first + round
    const fault = faultOf(target, seed, tallies.get(target.name) ?? { taken: 0, refused: 0, slowestMs: 0 })
    if (fault === null) continue
    faults++
    console.error(`${target.name}: ${fault}\n  npm run fuzz -- --only '${target.name}' --rounds 1 --seed ${seed}`)
  }
  if (faults > 20) break
}
for (const [name, { taken, refused, slowestMs }] of tallies)
  console.log(
    `${name.padEnd(24)} taken ${String(taken).padStart(7)}  refused ${String(refused).padStart(7)}  slowest ${slowestMs.toFixed(1)} ms`,
  )
console.log(`${faults} faults`)
process.exitCode = faults === 0 ? 0 : 1
