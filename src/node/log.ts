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

/** Of a fact that a peer sent and the judge refused: whose and why, never its text. */
export const refusedFields = (refused: {
  readonly peer: string
  readonly fact: { readonly kind: string; readonly owner: string }
  readonly code: string
  readonly message: string
}): Record<string, unknown> => {
  const { peer, fact, code, message } = refused
  return { from: peer, kind: fact.kind, owner: fact.owner, code, message }
}
