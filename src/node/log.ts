/** Logs of the worker: one JSON line per event on standard error; the supervisor keeps them. Text from others is escaped by JSON. */
import type { Logger } from '../app/index.ts'

export type Log = (event: string, fields?: Record<string, unknown>) => void

export const jsonLog =
  (write: (line: string) => void, now: () => Date): Log =>
  (event, fields = {}) =>
    write(`${JSON.stringify({ time: now().toISOString(), event, ...fields })}\n`)

/** The same for the app: its lines are marked as its own. */
export const appLogger = (log: Log): Logger => {
  const at =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, event: string): void =>
      log(event, { level, app: true, ...fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
