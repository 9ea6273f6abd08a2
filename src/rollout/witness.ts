/**
 * Receipts: this node saw a peer come back with the digest that it claims, over a link that TLS ties to that peer. A receipt is written once
 * and never taken back.
 */
import { receiptName } from '../facts/index.ts'
import type { Digest, NodeId, PackageKind, ReceiptBody } from '../model/index.ts'
import type { KnownOrder } from './core/index.ts'

/** What a linked peer says that it runs, in the hello of the present link. */
export type RunsOf = (peer: NodeId, kind: PackageKind) => Digest | null | undefined

/** Receipts that this node can write now and has not written. */
export function dueReceipts(
  orders: readonly KnownOrder[],
  self: NodeId,
  runs: RunsOf,
): readonly { readonly name: string; readonly body: ReceiptBody }[] {
  const due: { name: string; body: ReceiptBody }[] = []
  for (const known of orders) {
    for (const [node, outcome] of known.outcomes) {
      if (outcome.outcome !== 'confirmed' || outcome.digest === null || node === self) continue
      if (runs(node, known.order.kind) !== outcome.digest) continue
      const given = known.receipts.get(node)?.find(r => r.witness === self)
      if (given !== undefined && given.digest === outcome.digest && given.epoch >= outcome.epoch) continue
      due.push({ name: receiptName(known.id, node), body: { order: known.id, node, digest: outcome.digest, epoch: outcome.epoch } })
    }
  }
  return due
}
