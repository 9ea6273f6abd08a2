/**
 * The frames of `shoal.mesh.v1`: one JSON object per WebSocket text message, at most 256 KiB, told apart by `t`. A frame of unknown
 * `t` is ignored, unknown fields are ignored: newer nodes may say more. Links are symmetric; either side says any of these.
 *
 *   hello    first frame of both sides: {protocol:1, node, fleet, nonce, seen:[epoch,version]|null, app, shoal, trial, keep, caps}.
 *            `nonce` is new whenever the node becomes the node; `seen` is the highest (epoch, version) held of the receiver's own
 *            facts (who lost its memory goes above it); `app`, `shoal`: digests of what runs; `trial`: the order whose probation
 *            lasts, or null; `keep`: the receiver is a sync peer of the sender
 *   facts    {facts:[fact...], bulk}: pushed (orders, controls, holds, removals, root, members) or answering `want` (bulk: true,
 *            at most 64 KiB, at most 4 without an `ack`)
 *   ack      one bulk frame was taken in
 *   have     {entries:[[id,epoch,version,hash]...], re, done}: what the sender holds; the receiver pulls what it lacks.
 *            `re`: this answers a `list`; `done`: the last one
 *   want     {ids:[id...]}
 *   root     {root}: the sender's root sum, 16 hex digits; every 30 s +-50 % and on connect (by the side that dialled)
 *   same     the roots are equal
 *   later    busy with other exchanges: ask again in a few seconds
 *   buckets  {sums}: the roots differ; 256 sums of 16 hex digits
 *   list     {buckets:[n...], entries, last}: all that the sender holds in buckets that differ; answered by `have` (what the
 *            other side lacks or has older) and `want`; the next list goes out after that answer
 *
 * id: 16 hex digits, hash of kind, owner and name; hash: 32 bits of the content's hash. Two facts of equal (epoch, version): the
 * lower hash is kept. Everything is judged before it is stored, and passed on only if it changed what is stored.
 */
import type { Entry } from '../../facts/index.ts'
import type { Digest, Fact, FleetId, NodeId, OrderId } from '../../model/index.ts'

export interface Hello {
  readonly protocol: number
  readonly node: NodeId
  readonly fleet: FleetId
  readonly nonce: string
  readonly seen: { readonly epoch: number; readonly version: number } | null
  readonly app: Digest | null
  readonly shoal: Digest
  readonly trial: OrderId | null
  readonly keep: boolean
  readonly caps: readonly string[]
}

export type Frame =
  | { readonly t: 'hello'; readonly hello: Hello }
  | { readonly t: 'facts'; readonly facts: readonly Fact[]; readonly bulk: boolean }
  | { readonly t: 'ack' }
  | { readonly t: 'have'; readonly entries: readonly Entry[]; readonly re: boolean; readonly done: boolean }
  | { readonly t: 'want'; readonly ids: readonly string[] }
  | { readonly t: 'root'; readonly root: string }
  | { readonly t: 'same' }
  | { readonly t: 'later' }
  | { readonly t: 'buckets'; readonly sums: Uint32Array }
  | { readonly t: 'list'; readonly buckets: readonly number[]; readonly entries: readonly Entry[]; readonly last: boolean }

/** Upper estimates of bytes as JSON, used for chunks and by the simulator; bodies of JSON text grow by their escaped quotes. */
const factOverhead = 110
const entryBytes = 42
export const bytesOfFact = (f: Fact): number =>
  factOverhead + f.kind.length + f.owner.length + f.name.length + f.sig.length + f.body.length * 1.15
export const bytesOfEntries = (count: number): number => count * entryBytes

export function bytesOfFrame(frame: Frame): number {
  switch (frame.t) {
    case 'hello':
      return 460
    case 'facts':
      return frame.facts.reduce((sum, f) => sum + bytesOfFact(f), 30)
    case 'have':
      return 50 + bytesOfEntries(frame.entries.length)
    case 'want':
      return 20 + frame.ids.length * 19
    case 'buckets':
      return 20 + frame.sums.length * 8
    case 'list':
      return 60 + frame.buckets.length * 4 + bytesOfEntries(frame.entries.length)
    case 'root':
      return 40
    case 'ack':
    case 'same':
    case 'later':
      return 12
  }
}
