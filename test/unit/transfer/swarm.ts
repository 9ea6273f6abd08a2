// A swarm in virtual time: the real core at every node, links of a given rate, at most two bodies at once per node, nothing real.
import type { NodeId } from '../../../src/model/index.ts'
import { runsOf } from '../../../src/transfer/core/runs.ts'
import { Transfer, type TransferEffect, type TransferEvent } from '../../../src/transfer/core/transfer.ts'

interface Body {
  readonly to: number
  readonly segments: number[]
  got: number
}

interface SwarmNode {
  readonly core: Transfer
  readonly have: Uint8Array
  readonly bodies: Body[]
  sent: number
  doneAt: number
}

export interface SwarmOptions {
  readonly nodes: number
  readonly segments: number
  readonly segmentBytes: number
  readonly bytesPerMs: number
  readonly rng: () => number
}

/** Returns the time of the last node, and copies sent by the origin. */
export function swarm({ nodes: count, segments, segmentBytes, bytesPerMs, rng }: SwarmOptions): { ms: number; copies: number } {
  const lengths = Array.from({ length: segments }, () => segmentBytes)
  const ids = Array.from({ length: count + 1 }, (_, n) => String(n).padStart(52, 'a') as NodeId)
  const nodes = ids.map(
    (_, n): SwarmNode => ({
      core: new Transfer({ lengths, rng, unavailableAfterMs: 30_000, startedAtMs: 0 }),
      have: new Uint8Array(segments).fill(n === 0 ? 1 : 0),
      bodies: [],
      sent: 0,
      doneAt: n === 0 ? 0 : -1,
    }),
  )
  const later: { at: number; run: () => void }[] = []
  let now = 0
  const latencyMs = 1
  const tell = (n: number, event: TransferEvent): void => {
    const node = nodes[n]!
    if (node.doneAt >= 0) return
    for (const effect of node.core.step(event, now)) obey(n, effect)
  }
  const after = (run: () => void): void => void later.push({ at: now + 2 * latencyMs, run })
  function obey(n: number, effect: TransferEffect): void {
    if (effect.t === 'done') nodes[n]!.doneAt = now
    if (effect.t !== 'ask' && effect.t !== 'fetch') return
    const from = ids.indexOf(effect.peer)
    const peer = nodes[from]!
    if (effect.t === 'ask') {
      after(() => tell(n, { t: 'have', peer: effect.peer, runs: runsOf(peer.have.keys().filter(s => peer.have[s] === 1)) }))
    } else if (peer.bodies.length >= 2) after(() => tell(n, { t: 'busy', peer: effect.peer, retryAfterMs: 1000 }))
    else peer.bodies.push({ to: n, segments: effect.runs.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i)), got: 0 })
  }
  const deliver = (from: number, body: Body, bytes: number): void => {
    body.got += bytes
    nodes[from]!.sent += bytes
    while (body.got >= segmentBytes && body.segments.length > 0) {
      body.got -= segmentBytes
      const segment = body.segments.shift()!
      nodes[body.to]!.have[segment] = 1
      tell(body.to, { t: 'segment', peer: ids[from]!, segment })
    }
    if (body.segments.length > 0) return
    nodes[from]!.bodies.splice(nodes[from]!.bodies.indexOf(body), 1)
    after(() => tell(body.to, { t: 'ended', peer: ids[from]!, how: 'done' }))
  }
  nodes.forEach((_, n) => n > 0 && tell(n, { t: 'want', segments: lengths.keys() }))
  for (; now < 60_000 && nodes.some(node => node.doneAt < 0); now++) {
    if (now % 100 === 0) nodes.forEach((_, n) => tell(n, { t: 'peers', ids: ids.filter((_, m) => m !== n) }))
    for (const due of later.splice(0).filter(each => (each.at <= now ? true : (later.push(each), false)))) due.run()
    const inbound = nodes.map((_, n) => nodes.reduce((sum, node) => sum + node.bodies.filter(b => b.to === n).length, 0))
    nodes.forEach((node, from) => {
      const share = bytesPerMs / Math.max(1, node.bodies.length)
      for (const body of [...node.bodies]) deliver(from, body, Math.min(share, bytesPerMs / inbound[body.to]!))
    })
  }
  return { ms: now, copies: nodes[0]!.sent / (segments * segmentBytes) }
}
