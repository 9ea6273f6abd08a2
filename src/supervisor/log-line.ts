/**
 * A line of node.log is a JSON document of its own: what workers log comes as one, anything else (the supervisor's words, what a program
 * prints) becomes the event `output`. So nobody's text can look like another event.
 */
export function logLine(line: string, now: Date): string {
  return isEvent(line) ? line : JSON.stringify({ time: now.toISOString(), event: 'output', text: line })
}

function isEvent(line: string): boolean {
  if (!line.startsWith('{"time":')) return false
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}
