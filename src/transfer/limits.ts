/** Limits of transfers. */

/** Bytes of one request: enough to fill a link, little enough to lose. */
export const maxRequestBytes = 1 << 20
/** A request is at most this part of a package, so that those who fetch it soon have something for each other … */
export const requestsPerPackage = 16
/** … but not smaller than this. */
export const minRequestBytes = 256 << 10
/** Runs of neighbouring segments in one request; more would make its path too long. */
export const maxRunsPerRequest = 100
/** Requests for bytes at once, each to another peer. */
export const maxRequestsAtOnce = 4
/** Peers that are asked at once what they have. */
export const maxAsksAtOnce = 2
/** A peer that has only a part is asked again after this time, ms; also one that has nothing, doubling up to the maximum. */
export const askAgainMs = 300
export const maxAskAgainMs = 4000
/** A busy peer that names no time is tried again after this time, ms. */
export const busyRetryMs = 1000
/** The first refusal of a busy peer is answered sooner, ms: a place is free again after one request. Doubles up to what it asks for. */
export const firstBusyRetryMs = 120
export const maxBusyRetryMs = 10_000
/** A peer that failed is tried again after this time, ms, doubling up to the maximum. */
export const failedRetryMs = 500
export const maxFailedRetryMs = 8000
/** Segments that are compared to find a rare one. */
export const rarityTries = 8
/** Up to so many peers that have all are spared what a partial holder can give. */
export const fewHolders = 2
/** Refusals in a row after which a partial holder is no longer waited for. */
export const patience = 3
/** Without any sign of life from any peer for so long the package is unavailable, ms. */
export const unavailableAfterMs = 30_000
/** A request that brings no byte for so long has failed, ms. */
export const stalledAfterMs = 10_000
/** How often the driver looks at peers and clocks, ms. */
export const tickMs = 100
/** Bytes of an answer that is not package bytes: a blockmap of 200,000 segments has about 16 MB. */
export const maxAnswerBytes = 20 << 20

/** Concurrent bodies that a node serves. */
export const defaultMaxUploads = 2
/** A receiver that takes no byte for so long loses its place, ms. */
export const slowReceiverMs = 15_000
/** Segments of a group of the blockmap: cut where the hash of a segment says so, about one in 32, at most 256. */
export const groupOdds = 32
export const maxGroupSegments = 256
