/** A line of a node's log for people. Pure. */
import { parseJson } from '../model/index.ts'
import { oneLine } from './output.ts'

export type LogEntry = Readonly<Record<string, unknown>>

const shown = (value: unknown): string => oneLine(typeof value === 'string' ? value : JSON.stringify(value))

/** `17:04:05.123  wave opened  rollout=abc wave=2`; text from others carries no control characters. */
export function lineOf({ time, event, text, app, ...rest }: LogEntry): string {
  const at = typeof time === 'string' ? oneLine(time).slice(11, 23) : '-'
  const what = event === 'output' ? shown(text) : `${app === true ? 'app: ' : ''}${shown(event)}`
  const fields = Object.entries(rest).map(([key, value]) => `${oneLine(key)}=${shown(value)}`)
  return [`${at.padEnd(12)}  ${what}`, ...(fields.length === 0 ? [] : [fields.join(' ')])].join('  ')
}

/** A line as it was written: JSON of ours, or whatever else. */
export function lineOfText(text: string): string {
  if (!text.startsWith('{')) return oneLine(text)
  try {
    const entry = parseJson(text, 'log')
    return typeof entry === 'object' && entry !== null ? lineOf({ ...entry }) : oneLine(text)
  } catch {
    return oneLine(text) // cut in the middle, or an app's own
  }
}
