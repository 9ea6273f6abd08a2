/** Runs of neighbouring segments, both ends included: how a node says what it has, and a request what it wants. */
import { asArray, asInteger, ShoalError } from '../../model/index.ts'

export type Run = readonly [first: number, last: number]

/** Sorted indexes to runs. */
export function runsOf(indexes: Iterable<number>): readonly Run[] {
  const runs: [number, number][] = []
  for (const index of indexes) {
    const run = runs.at(-1)
    if (run !== undefined && index === run[1] + 1) run[1] = index
    else runs.push([index, index])
  }
  return runs
}

export function indexesOf(runs: readonly Run[]): readonly number[] {
  return runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => first + n))
}

/** `3-5,9` */
export const formatRuns = (runs: readonly Run[]): string =>
  runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')

/** @throws ShoalError BAD_REQUEST if it is no list of rising runs below `count` */
export function parseRuns(text: string, count: number, maxRuns: number): readonly Run[] {
  const parts = text.split(',')
  if (parts.length > maxRuns) throw new ShoalError('BAD_REQUEST', `list: ${parts.length} runs, at most ${maxRuns}`)
  return rising(
    parts.map(part => {
      const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part)
      if (match === null) throw new ShoalError('BAD_REQUEST', `list: ${JSON.stringify(part.slice(0, 20))} is no run such as 3-5`)
      return [Number(match[1]), Number(match[2] ?? match[1])]
    }),
    count,
  )
}

/** Runs as JSON has them: `[[3,5],[9,9]]`. @throws ShoalError BAD_REQUEST */
export function parseJsonRuns(value: unknown, count: number): readonly Run[] {
  const pair = (each: unknown): Run => {
    const [first, last] = asArray(each, 'have', 2)
    return [asInteger(first, 'have'), asInteger(last, 'have')]
  }
  return rising(asArray(value, 'have', 200_000).map(pair), count)
}

function rising(runs: readonly Run[], count: number): readonly Run[] {
  let next = 0
  for (const [first, last] of runs) {
    if (first < next || last < first || last >= count)
      throw new ShoalError('BAD_REQUEST', `runs: ${first}-${last} is not between ${next} and ${count - 1}`)
    next = last + 1
  }
  return runs
}
