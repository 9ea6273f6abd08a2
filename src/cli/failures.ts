/** Nodes that ended badly, one group per cause and platform: forty nodes with one fault are one thing to understand. As the dashboard shows them. Pure. */
import type { NodeAnswer } from './answers.ts'
import { lineOfText } from './log-line.ts'
import { oneLine, plural } from './output.ts'

/** Nodes of a group that are named. */
const maxNamed = 10

export interface FailureGroup {
  readonly first: NodeAnswer
  readonly nodes: readonly NodeAnswer[]
}

export const isBad = (node: NodeAnswer): boolean => node.outcome !== null && !['confirmed', 'skipped'].includes(node.outcome)

/** The greatest group first; inside, as the plan has them. */
export function failureGroups(nodes: readonly NodeAnswer[]): readonly FailureGroup[] {
  const groups = Map.groupBy(nodes.filter(isBad), node => [node.outcome, node.reason?.code, node.platform].join(' '))
  return [...groups.values()]
    .flatMap(([first, ...rest]) => (first === undefined ? [] : [{ first, nodes: [first, ...rest] }]))
    .toSorted(bySize)
}

const bySize = (a: FailureGroup, b: FailureGroup): number => b.nodes.length - a.nodes.length

export const namesOf = (nodes: readonly NodeAnswer[]): string => {
  const names = nodes.slice(0, maxNamed).map(node => oneLine(node.name))
  return `${names.join(', ')}${nodes.length > names.length ? ` and ${nodes.length - names.length} more` : ''}`
}

/** `3 nodes on linux-x64`; of one its name. */
export const whoOf = ({ first, nodes }: FailureGroup): string =>
  nodes.length === 1
    ? oneLine(first.name)
    : `${plural(nodes.length, 'node')}${first.platform === '' ? '' : ` on ${oneLine(first.platform)}`}`

/** What happened, with the first node's message, whom it happened to, and the first log lines that anybody has. */
export function failureLines(group: FailureGroup): readonly string[] {
  const { first, nodes } = group
  const runs = [...new Set(nodes.map(node => (node.app === null ? '' : `, runs ${node.app.name}@${node.app.version}`)))]
  const reason = first.reason === null ? '' : `: ${first.reason.code}: ${oneLine(first.reason.message)}`
  const who = nodes.length === 1 ? `${whoOf(group)} (${first.id.slice(0, 8)})` : whoOf(group)
  return [
    `${who} ${first.outcome ?? ''}${reason}${runs.length === 1 ? (runs[0] ?? '') : ''}`,
    ...(nodes.length === 1 ? [] : [`  ${namesOf(nodes)}`]),
    ...(nodes.find(node => node.log.length > 0)?.log ?? []).map(line => `    ${lineOfText(line)}`),
  ]
}
