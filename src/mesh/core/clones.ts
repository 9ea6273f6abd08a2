/**
 * Two machines with one id (a cloned disk). A node makes a new boot nonce whenever it becomes the node, so a nonce that was replaced
 * never comes back. Rule: a replaced nonce that returns twice within ten minutes means two live machines. Once is not enough: a hello
 * may have waited in an old connection.
 */
import type { NodeId } from '../../model/index.ts'
import { cloneReturns, cloneWindowMs } from './limits.ts'

interface Nonces {
  current: string
  earlier: readonly string[]
  returns: readonly number[]
}

export class Clones {
  readonly #nonces = new Map<NodeId, Nonces>()

  /** Notes the nonce of a hello. true: the id is cloned. */
  note(peer: NodeId, nonce: string, now: number): boolean {
    const known = this.#nonces.get(peer)
    if (known === undefined) {
      this.#nonces.set(peer, { current: nonce, earlier: [], returns: [] })
      return false
    }
    known.returns = known.returns.filter(at => now - at < cloneWindowMs)
    if (nonce !== known.current) {
      if (known.earlier.includes(nonce)) known.returns = [...known.returns, now].slice(-cloneReturns)
      known.earlier = [...known.earlier.filter(n => n !== nonce), known.current].slice(-4)
      known.current = nonce
    }
    return known.returns.length >= cloneReturns
  }
}
