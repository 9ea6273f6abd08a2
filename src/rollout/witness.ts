/**
 * Receipts: this node saw a peer come back with the digest that it claims, over a link that TLS ties to that peer. A receipt is written once
 * and never taken back.
 */
import { receiptName } from '../facts/index.ts'
import type { Digest, NodeId, PackageKind, ReceiptBody } from '../model/index.ts'
import type { KnownOrder } from './core/index.ts'

/** What a linked peer says that it runs, in the hello of the present link. */
export type RunsOf = (peer: NodeId, kind: PackageKind) => Digest | null | undefined

/** Nodes that write at once beyond those that are needed, so that one that dies is not waited for. */
const spareWitnesses = 2

/**
 * Receipts that this node can write now and has not written. A few are the first to write, by a rule that all know; the others write only
 * what is still missing later: a fleet of 64 needs no 63 receipts for each node.
 * @param isLate the outcome has been known for a while
 */
export function dueReceipts(
  orders: readonly KnownOrder[],
  self: NodeId,
  runs: RunsOf,
  linked: readonly NodeId[],
  isLate: (order: string, node: NodeId) => boolean,
): readonly { readonly name: string; readonly body: ReceiptBody }[] {
  const due: { name: string; body: ReceiptBody }[] = []
  for (const known of orders) {
    for (const [node, outcome] of known.outcomes) {
      if (outcome.outcome !== 'confirmed' || outcome.digest === null || node === self) continue
      if (runs(node, known.order.kind) !== outcome.digest) continue
      const given = known.receipts.get(node)?.find(r => r.witness === self)
      if (given !== undefined && given.digest === outcome.digest && given.epoch >= outcome.epoch) continue
      const others = known.receipts.get(node)?.filter(r => r.digest === outcome.digest && r.epoch >= outcome.epoch).length ?? 0
      if (others >= outcome.witnesses) continue
      if (!isAmongFirst(known.id + node, self, node, linked, outcome.witnesses + spareWitnesses) && !isLate(known.id, node)) continue
      due.push({ name: receiptName(known.id, node), body: { order: known.id, node, digest: outcome.digest, epoch: outcome.epoch } })
    }
  }
  return due
}

/** The same small group for all who know the same members: those whose ids come next after a place that order and node give. */
function isAmongFirst(salt: string, self: NodeId, node: NodeId, linked: readonly NodeId[], count: number): boolean {
  const ring = [self, ...linked.filter(n => n !== node)].toSorted()
  const from = ring.findIndex(id => id > salt.slice(20, 40))
  const place = (ring.indexOf(self) - Math.max(0, from) + ring.length) % ring.length
  return place < count
}
