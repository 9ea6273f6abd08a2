/** "Did you mean …?": the nearest of some words, if it is near enough. Pure. */

/**
 * Edits (insert, remove, replace, swap of neighbours) that turn one word into the other; Infinity: more than `limit`. It is asked of ten thousand
 * names at once, so it gives up as soon as it can.
 */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    rows.push([i])
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (isSame ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1)
      rows[i]?.push(best)
    }
    // A swap looks two rows back.
    if (Math.min(...(rows[i] ?? []), ...(rows[i - 1] ?? [])) > limit) return Infinity
  }
  return at(a.length, b.length)
}

/** null: none is within two fifths of the word's length (at least 1, at most 3 edits). */
export function closest(word: string, among: readonly string[]): string | null {
  const limit = Math.max(1, Math.min(3, Math.floor(word.length / 2.5)))
  const typed = word.toLowerCase().slice(0, 40)
  const near = among
    .map(each => ({ each, edits: distance(typed, each.toLowerCase(), limit) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits)
  return near[0]?.each ?? null
}

/** A second line for a message, or nothing. */
export function didYouMean(word: string, among: readonly string[]): string {
  const found = closest(word, among)
  return found === null ? '' : `\n(Did you mean ${found}?)`
}
