/** Each request has one id: in the header `x-request-id`, in errors, in the log and in the audit. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const ids = new WeakMap<IncomingMessage, string>()

export function requestIdOf(req: IncomingMessage): string {
  const known = ids.get(req)
  if (known !== undefined) return known
  const id = randomUUID()
  ids.set(req, id)
  return id
}
