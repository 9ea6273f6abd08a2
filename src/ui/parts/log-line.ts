/** Lines of a node's log for people. Pure. */

type Entry = Readonly<Record<string, unknown>>

/** Where a file of a release lies says nothing but the digest of its slot; the name inside it does. */
const inSlot = /(?:file:\/\/)?[^\s("]*[\\/]slots[\\/][0-9a-f]{64}[\\/]/g

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

export function lineOf({ time, event, text, ...rest }: Entry): string {
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${shown(value)}`)
  const what = typeof text === 'string' ? text : fields.join(' ')
  return `${String(time).slice(11, 19)}  ${String(event)}  ${what}`.replace(inSlot, '')
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '' }

/** A line as a node keeps it for evidence: JSON, which it may have cut in the middle; or what an app wrote. */
export function lineOfText(line: string): string {
  if (!line.startsWith('{"')) return line
  try {
    return lineOf(JSON.parse(line) as Entry)
  } catch {
    const plain = line.replace(/^{"time":"[^"]*T(\d\d:\d\d:\d\d)[^"]*","event":"([^"]*)",?/, '$1  $2  ')
    const read = plain.replace(/\\(.)/g, (_, c: string) => escapes[c] ?? c).replace(inSlot, '')
    return read === line ? line : `${read} …`
  }
}
