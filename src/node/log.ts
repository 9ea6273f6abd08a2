/** Logs of the worker: one JSON line per event on standard error; the supervisor keeps them. Text from others is escaped by JSON. */
export type Log = (event: string, fields?: Record<string, unknown>) => void

export const jsonLog =
  (write: (line: string) => void, now: () => Date): Log =>
  (event, fields = {}) =>
    write(`${JSON.stringify({ time: now().toISOString(), event, ...fields })}\n`)
