/** Limits of the WebSockets under the mesh: unit, default, reason. */

export const meshPath = '/_shoal/mesh'
/** ALPN name of peers: tells them from browsers before anything else is said. */
export const peerAlpn = 'shoal/1'

/** Bytes of a message; frames are far below it. The library's own default is 100 MiB. */
export const maxPayloadBytes = 1 << 20
/** We never fragment; a peer that sends many tiny fragments must not pin memory. */
export const maxFragments = 64
export const maxBufferedChunks = 4096

/** Bytes in a connection's send buffer at which bulk stops, at which it goes on, and at which the peer is given up. */
export const pauseBytes = 256 << 10
export const resumeBytes = 64 << 10
export const abandonBytes = 4 << 20
/** A buffer that stays above the mark so long belongs to a peer that does not read. */
export const stuckMs = 30_000

/** From the first packet to the open WebSocket. Equals the core's dial timeout. */
export const handshakeMs = 10_000
/** After our close frame the peer has so long to answer. */
export const closeGraceMs = 2_000
/** Links accepted per second, and at once after a quiet time: two cores do 110 handshakes a second. */
export const acceptsPerSecond = 50
export const acceptBurst = 128

/** One probe, all steps together. */
export const probeMs = 10_000
/** Difference of clocks that a probe complains about: windows and invites go by the clock. */
export const maxSkewMs = 300_000
