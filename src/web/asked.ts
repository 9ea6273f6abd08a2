/** What another member says of itself, as far as this release understands it. */
import { messageOf, type NodeId, ShoalError } from '../model/index.ts'
import type { WebServices } from './services.ts'

/** @throws ShoalError NO_NODE, also for an answer that this release cannot read: it is the other's, not the caller's fault */
export async function askedOf<T>(
  s: Pick<WebServices, 'askPeer'>,
  id: NodeId,
  path: string,
  timeoutMs: number,
  parse: (answer: unknown, what: string) => T,
): Promise<T> {
  const answer = await s.askPeer(id, path, timeoutMs)
  try {
    return parse(answer, `${path} of ${id}`)
  } catch (cause) {
    throw new ShoalError('NO_NODE', `node ${id} answered what this release cannot read: ${messageOf(cause)}`, { cause })
  }
}
