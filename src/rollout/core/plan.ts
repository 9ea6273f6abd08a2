/**
 * Makes the plan of an order: which nodes go when. The first wave grows to one node of each stratum (platform, Node.js, tags), the node where
 * the operator sits and the nodes that nobody reaches go last. Deterministic: the same inputs give the same plan.
 */
import { type NodeId, type Plan, type PlannedWave, ShoalError } from '../../model/index.ts'

export interface Candidate {
  readonly id: NodeId
  readonly platform: string
  readonly nodejs: string
  readonly tags: readonly string[]
  readonly lost: boolean
  readonly healthy: boolean
}

export interface PlanOptions {
  /** `1,10%,50%,100%`: cumulative; percents of the whole plan, rounded up. */
  readonly waves: string
  readonly canary: readonly NodeId[]
  readonly maxFailed: number | null
  readonly maxMissing: number | null
  /** The node where the order is made. */
  readonly self: NodeId
}

export const defaultWaves = '1,10%,50%,100%'
/** Waves of fewer nodes tolerate nothing; larger ones one failure and one missing node, so that a single bad box does not stop a fleet. */
const toleranceFrom = 5

/** @throws ShoalError BAD_REQUEST */
export function parseWaves(text: string, total: number): readonly number[] {
  const counts = text.split(',').map(part => {
    const match = /^(\d{1,5})(%?)$/.exec(part.trim())
    const n = Number(match?.[1])
    if (match === null || n < 1 || (match[2] === '%' && n > 100))
      throw new ShoalError('BAD_REQUEST', `waves: "${part}" is no count or percentage`)
    return Math.min(total, match[2] === '%' ? Math.ceil((total * n) / 100) : n)
  })
  return counts[counts.length - 1] === total ? counts : [...counts, total]
}

const stratum = (c: Candidate): string => JSON.stringify([c.platform, c.nodejs, [...c.tags].sort()])

function pickCanaries(regular: readonly Candidate[], options: PlanOptions, all: readonly Candidate[]): readonly Candidate[] {
  if (options.canary.length > 0) {
    return [...new Set(options.canary)].map(id => {
      const found = all.find(c => c.id === id)
      if (found === undefined) throw new ShoalError('BAD_REQUEST', `canary: node ${id} is not among those that the order is for`)
      return found
    })
  }
  const firstOf = new Map<string, Candidate>()
  for (const c of regular) if (c.healthy && !firstOf.has(stratum(c))) firstOf.set(stratum(c), c)
  return [...firstOf.values()]
}

/** @throws ShoalError NOTHING_TO_DO, BAD_REQUEST */
export function makePlan(candidates: readonly Candidate[], options: PlanOptions): Plan {
  if (candidates.length === 0) throw new ShoalError('NOTHING_TO_DO', 'the order is for no node')
  const sorted = [...candidates].sort((a, b) => (a.id < b.id ? -1 : 1))
  const isLast = (c: Candidate): boolean => c.lost || c.id === options.self
  const canaries = pickCanaries(
    sorted.filter(c => !isLast(c)),
    options,
    sorted,
  )
  const rest = sorted.filter(c => !canaries.includes(c))
  const line = [...canaries, ...rest.filter(c => !isLast(c)), ...rest.filter(isLast)]
  const regular = line.length - rest.filter(isLast).length
  const nodes = cut(line, parseWaves(options.waves, line.length), canaries.length, regular)
  return {
    waves: nodes.map((wave, at) => toleranceOf(wave, at, nodes.length, options)),
    lost: sorted.filter(c => c.lost).map(c => c.id),
  }
}

/** Cuts the line at the cumulative counts; the last wave takes all that is left, earlier ones never those that go last. */
function cut(line: readonly Candidate[], counts: readonly number[], canaries: number, regular: number): readonly (readonly NodeId[])[] {
  const waves: NodeId[][] = []
  let from = 0
  counts.forEach((count, at) => {
    // From the first count that takes in everybody on, all that is left goes.
    const isFinal = count >= line.length || at === counts.length - 1
    const to = isFinal ? line.length : Math.min(regular, Math.max(count, canaries))
    if (to > from) waves.push(line.slice(from, to).map(c => c.id))
    from = Math.max(from, to)
  })
  return waves
}

/** Where all of a wave may fail there is no gate: only the last one may tolerate that. */
function toleranceOf(nodes: readonly NodeId[], at: number, waves: number, options: PlanOptions): PlannedWave {
  const usual = at === 0 || nodes.length < toleranceFrom ? 0 : 1
  const most = at > 0 && at === waves - 1 ? nodes.length : nodes.length - 1
  return {
    nodes,
    maxFailed: Math.min(options.maxFailed ?? usual, most),
    maxMissing: Math.min(options.maxMissing ?? usual, nodes.length),
  }
}
