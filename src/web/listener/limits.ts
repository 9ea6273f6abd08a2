/** Limits of the listener: how long a connection may take for each stage, and how much waits during a switch. Tests shorten them. */
export interface ListenerLimits {
  /** Until the whole ClientHello is there; then the TLS handshake gets as long again. Longer: slow clients hold sockets for nothing. */
  readonly handshakeMs: number
  /** From the first byte of a request to the end of its head; a slow-header attack holds a connection for no longer. */
  readonly headersMs: number
  /** How often Node looks for heads and bodies that are late; they live up to this much longer. */
  readonly checkMs: number
  /** Idle time of a kept connection, as clients are told; Node closes a second later, so that honest clients never race with it. */
  readonly keepAliveMs: number
  /** Upper bound for receiving one whole request, whatever `requestMs` of the options says. */
  readonly longestRequestMs: number
  readonly maxHeaderBytes: number
  /** Connections at once; beyond, new ones are closed at once. */
  readonly maxConnections: number
  /** Requests that wait at once for the next worker; beyond: 503. */
  readonly maxHeld: number
  /** How long one request waits for the next worker; then 503. */
  readonly holdMs: number
  /** Pause before a request knocks again at a worker that takes no more connections for a moment; doubled each time. */
  readonly knockMs: number
  /** After a final answer that cuts a request short: time for the client to read it before the socket goes. */
  readonly lingerMs: number
  /**
   * Clients whose requests are passed on are asked to come to the public port anew at random moments of this time: all at once, their handshakes
   * would keep a worker busy that has just taken over.
   */
  readonly comeAnewMs: number
  /**
   * A parked listener ends no idle connection before this, from the moment that it passes requests on: the advertised idle time, Node's buffer of
   * 1 s, `comeAnewMs`, and half a second.
   */
  readonly parkedIdleMs: number
}

export const defaultLimits: ListenerLimits = {
  handshakeMs: 10_000,
  headersMs: 15_000,
  checkMs: 5_000,
  keepAliveMs: 5_000,
  longestRequestMs: 3_600_000,
  maxHeaderBytes: 16_384,
  maxConnections: 10_000,
  maxHeld: 1_000,
  holdMs: 30_000,
  knockMs: 50,
  lingerMs: 1_000,
  comeAnewMs: 500,
  parkedIdleMs: 7_000,
}

/** Longest pause between two knocks. */
export const maxKnockMs = 1_000
/** Time to receive a request of a path for which the caller asks nothing else. */
export const defaultRequestMs = 300_000
/** Bytes of a ClientHello; with post-quantum keys they are about 2 KiB. What is larger goes to the people's server, which judges it. */
export const maxHelloBytes = 32_768
/** Seconds that clients are asked to wait after a 503 of ours. */
export const retryAfterSeconds = 1
