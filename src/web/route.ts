/** One row of the table of routes. */
import type { Context } from 'koa'
import type { Access } from './access.ts'
import type { Caller } from './callers.ts'

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below `/_shoal/`. */
  readonly path: string
  readonly access: Access
  /** What it returns is the answer's body; undefined: it answered itself. */
  readonly handle: (ctx: Context, param: (name: string) => string, caller: Caller) => unknown
}

export const v1 = 'api/v1/'
