/**
 * `npm run sim -- --nodes N --seeds K [--seed S] [--json]`: K runs from seed S on (default 1). Exit 1 on any violation, with how to
 * replay it.
 */
import { parseArgs } from 'node:util'
import { newRun, type Run, summary } from './measure.ts'
import { rolloutPart } from './rollout.ts'
import { Scenario } from './scenario.ts'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'boolean' },
    verbose: { type: 'boolean' },
  },
})

const number = (text: string | undefined, otherwise: number, name: string): number => {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  console.error(`--${name}: ${text ?? ''} is no number from 1 up`)
  process.exit(2)
}

const nodes = number(values.nodes, 20, 'nodes')
const seeds = number(values.seeds, 10, 'seeds')
const first = number(values.seed, 1, 'seed')

/** Larger fleets measure the mesh alone: everybody's outcomes at everybody's would not fit into one machine. */
const rolloutsUpTo = 200

const runs: Run[] = []
for (let seed = first; seed < first + seeds; seed++) {
  const run = newRun(seed)
  new Scenario({ nodes, seed, run, part: nodes > rolloutsUpTo ? null : rolloutPart(run, seed) }).play()
  runs.push(run)
  if (values.verbose === true) console.error(JSON.stringify({ ...run, orderMs: undefined, statusMs: undefined }))
  for (const fault of run.faults.slice(0, 5)) console.error(`seed ${seed}: ${fault}`)
  if (run.faults.length > 0) console.error(`replay: npm run sim -- --nodes ${nodes} --seeds 1 --seed ${seed}`)
}

const result = summary(nodes, runs)
if (values.json === true) console.log(JSON.stringify(result))
else
  console.log(
    Object.entries(result)
      .map(([key, value]) => `${key.padEnd(26)}${JSON.stringify(value)}`)
      .join('\n'),
  )
process.exitCode = runs.some(run => run.faults.length > 0) ? 1 : 0
