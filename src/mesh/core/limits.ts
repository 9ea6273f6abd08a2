/** Every number of the mesh: unit, default, reason. The measured ones come from seeded simulations of this design. */

/** Version of the frames; both sides must speak it. Finer features go by `caps`, never by comparing versions. */
export const meshProtocol = 1
export const subprotocol = 'shoal.mesh.v1'

/** Members up to which everybody links everybody: 63 links of some 70 KiB are 4.4 MB. */
export const fullMeshMembers = 64
/** Links beyond that: with 8, 98.9 % of survivors are still reached when half of the nodes die at once; 4 breaks, 12 costs half as much again. */
export const targetDegree = 8
/** Unpinned links above which one is let go: accepted links are welcome up to here. */
export const softMaxDegree = 16
/** Unpinned links above which a new one is refused: hubs before NAT serve 64. */
export const hardMaxDegree = 64
/** How often one random unpinned link is swapped, +-50 %: keeps the graph random. */
export const swapEveryMs = 600_000
/** How often a surplus link is let go. */
export const pruneEveryMs = 10_000
/** Unpinned peers whose link broke and that are tried again though others took their place: how a healed network finds together. */
export const maxLostPeers = 8

/** Handshakes of ours at once. */
export const maxDialsAtOnce = 4
/** A dial that the driver has not ended by then counts as failed. */
export const dialTimeoutMs = 10_000
/** Back-off: random(0, min(cap, base * 2^failures)). */
export const backoffBaseMs = 1_000
export const backoffCapPinnedMs = 60_000
export const backoffCapMs = 600_000
/** A link that held so long clears its peer's failures. */
export const stableAfterMs = 60_000
/** Of two nodes that both want a link the lesser id waits a little longer, so that few links are dialled twice. */
export const lesserWaitsMs = 2_000
export const lesserJitterMs = 3_000
/** After close code 1012 the peer is back in a moment: retries within 200 ms, for 30 s. */
export const quickRetryMs = 200
export const quickRetryCapMs = 2_000
export const quickForMs = 30_000
/** After a link came up again behind failures, all others are tried within 10 s, at most every 30 s: the network is back. */
export const cheerWithinMs = 10_000
export const cheerEveryMs = 30_000
/** A peer that let us go for lack of room, by a swap, or for a cloned id is left alone so long. */
export const coolOffMs = 60_000

/** Time from open to hello. */
export const helloTimeoutMs = 10_000
/** A link up for longer is not the other half of a simultaneous dial: the peer lost it, if it dials again. Above any dial's time. */
export const settledAfterMs = dialTimeoutMs + 5_000
/** Two boot nonces of one id that come back by turns so often within the window are two machines. */
export const cloneReturns = 2
export const cloneWindowMs = 600_000

/** Silence after which a ping goes out, a second one, and the end: a half-open link is noticed within 25 s. */
export const pingAfterMs = 20_000
export const pingAgainMs = 22_500
export const deadAfterMs = 25_000
/** A wake that comes later than asked by this means that we lagged or slept: no verdicts before fresh pings. */
export const lagMs = 1_000

/** Facts that changed are announced together after 100 to 250 ms: people watch. */
export const announceMinMs = 100
export const announceMaxMs = 250
/** Links above which what is heard from others is passed to a few only; their writer told everybody it is linked to. */
export const relayAllBelow = 8
export const relayTo = 6
/** Announcements of one flush above which two roots are compared instead. */
export const maxAnnounced = 200
/** A pull that made no progress so long is asked of another. */
export const pullStallMs = 3_000
export const pullSweepMs = 1_000
export const maxOtherSources = 3
/** Facts that the judge refused are not pulled again so long, unless trust changed. */
export const refusedForMs = 600_000
export const maxRefused = 1_000

/** Bytes of one bulk frame, and bulk frames under way per link: an order never waits behind more than that. */
export const chunkBytes = 64 << 10
export const bulkCredit = 4
/** Ids per `want`. */
export const maxWanted = 2_000
/** Digest exchange per link every 30 s +-50 %. */
export const digestEveryMs = 30_000
/** Digests of all links begin on this grid, first pings on the other: one wake for several. */
export const digestGridMs = 1_000
export const pingGridMs = 500
/** Exchanges that a node has open at once as the one who asks, and as the one who answers. */
export const maxExchanges = 4
export const exchangeTimeoutMs = 10_000
/** When the other side is busy, ask again after 1 to 4 s. */
export const laterMinMs = 1_000
export const laterMaxMs = 4_000
/** Digests asked for because the writer of a fact became known: once per so long. */
export const kickAfterMs = 500

/** Bytes of one frame on the wire, both ways. */
export const maxFrameBytes = 256 << 10
/** Counts in one frame; far above what chunks hold, they bound what a parser builds. */
export const maxEntriesPerFrame = 10_000
export const maxFactsPerFrame = 2_000
export const maxCaps = 32

/** WebSocket close codes of this protocol; 1012 is the standard's "service restart". */
export const closeCodes = {
  restart: 1012,
  protocol: 4000,
  identity: 4001,
  version: 4002,
  notMember: 4003,
  duplicate: 4004,
  self: 4005,
  cloned: 4006,
  dropped: 4007,
  full: 4008,
  swapped: 4010,
} as const
