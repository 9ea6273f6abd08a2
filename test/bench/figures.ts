/** Numbers as tables. */

/** The value below which a share of all lies; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity)

const text = (value: string | number): string =>
  typeof value === 'string' ? value : Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '-'

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.map(text).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
