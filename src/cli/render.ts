/** A rollout drawn for a terminal: a pure function of what the node answered, a width and glyphs. Colours are never needed to read it. */
import type { NodeAnswer, RolloutAnswer, WaveAnswer } from './answers.ts'
import { type FailureGroup, failureGroups, namesOf, whoOf } from './failures.ts'
import { cut, oneLine } from './output.ts'

export interface Glyphs {
  readonly confirmed: string
  readonly failed: string
  readonly back: string
  readonly transfer: string
  readonly busy: string
  readonly waiting: string
  readonly excused: string
  readonly lost: string
  readonly refused: string
}

export const unicodeGlyphs: Glyphs = {
  confirmed: '✓',
  failed: '✕',
  back: '↩',
  transfer: '↓',
  busy: '◔',
  waiting: '·',
  excused: '–',
  lost: '?',
  refused: '!',
}
export const asciiGlyphs: Glyphs = {
  confirmed: '+',
  failed: 'x',
  back: '<',
  transfer: 'v',
  busy: 'o',
  waiting: '.',
  excused: '-',
  lost: '?',
  refused: '!',
}

/** Whether the terminal shows more than ASCII. */
export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  const locale = env['LC_ALL'] ?? env['LC_CTYPE'] ?? env['LANG'] ?? ''
  return env['TERM'] !== 'dumb' && /utf-?8/i.test(locale) ? unicodeGlyphs : asciiGlyphs
}

export function glyphOf(node: NodeAnswer, g: Glyphs): string {
  if (node.outcome === 'confirmed') return g.confirmed
  if (node.outcome === 'rolled-back') return g.back
  if (node.outcome === 'failed') return g.failed
  if (node.outcome === 'refused') return g.refused
  if (node.outcome === 'skipped' || node.outcome === 'superseded') return g.excused
  if (node.outcome === 'missing' || node.reach === 'lost') return g.lost
  if (node.step === 'transfer') return g.transfer
  return node.step === 'switching' || node.step === 'probation' ? g.busy : g.waiting
}

/** What a node does, in words. */
export function wordsOf(node: NodeAnswer): string {
  const reason = node.reason === null ? '' : `  ${node.reason.code}: ${oneLine(node.reason.message)}`
  if (node.outcome !== null) return `${node.outcome}${reason}`
  if (node.reach === 'lost') return 'not seen'
  return `${node.step}${node.step === 'transfer' ? ` ${node.percent} %` : ''}${reason}`
}

const isActive = (node: NodeAnswer): boolean => node.outcome === null && ['transfer', 'switching', 'probation'].includes(node.step)

/** Lines of nodes that are shown one by one. */
const maxNodeLines = 8

/** @param width columns; every line fits */
export function render(rollout: RolloutAnswer, width: number, glyphs: Glyphs = unicodeGlyphs): string[] {
  const byId = new Map<string, NodeAnswer>(rollout.nodes.map(node => [node.id, node]))
  const total = rollout.waves.reduce((sum, wave) => sum + wave.nodes.length, 0)
  const confirmed = rollout.waves.reduce((sum, wave) => sum + wave.confirmed, 0)
  const head = `${rollout.release}  ${rollout.state}  ${confirmed} of ${total} confirmed${rollout.initiatedBy === '' ? '' : `  by ${rollout.initiatedBy}`}`
  const waves = rollout.waves.map((wave, at) => waveLine(wave, at, rollout.waves.length, byId, width, glyphs))
  const lines = [head, ...waves, ...(rollout.opensWhen === '' ? [] : [oneLine(rollout.opensWhen)]), ...nodeLines(rollout.nodes, glyphs)]
  return lines.map(line => cut(line, width))
}

function waveLine(
  wave: WaveAnswer,
  at: number,
  count: number,
  byId: ReadonlyMap<string, NodeAnswer>,
  width: number,
  glyphs: Glyphs,
): string {
  const label = `wave ${String(at + 1).padStart(String(count).length)}  ${wave.state.padEnd(6)}  `
  const counts = `${wave.confirmed} of ${wave.nodes.length}, needs ${wave.need}${wave.failed > 0 ? `, ${wave.failed} failed` : ''}${wave.missing > 0 ? `, ${wave.missing} missing` : ''}`
  // A wave too wide for one cell per node is its counts.
  if (label.length + wave.nodes.length + 2 + counts.length > width) return label + counts
  const cells = wave.nodes.map(id => {
    const node = byId.get(id)
    return node === undefined ? glyphs.waiting : glyphOf(node, glyphs)
  })
  return `${label}${cells.join('')}  ${counts}`
}

/** Failures first, by cause and platform, then who is at work. */
function nodeLines(nodes: readonly NodeAnswer[], glyphs: Glyphs): readonly string[] {
  const shown = [...failureGroups(nodes), ...nodes.filter(isActive).map(node => ({ first: node, nodes: [node] }))]
  const lines = shown.slice(0, maxNodeLines).map(group => groupLine(group, glyphs))
  const hidden = shown.slice(maxNodeLines).reduce((sum, group) => sum + group.nodes.length, 0)
  return hidden > 0 ? [...lines, `  and ${hidden} more`] : lines
}

function groupLine(group: FailureGroup, glyphs: Glyphs): string {
  const names = group.nodes.length === 1 ? '' : `  (${namesOf(group.nodes)})`
  return `  ${glyphOf(group.first, glyphs)} ${whoOf(group)}  ${wordsOf(group.first)}${names}`
}
