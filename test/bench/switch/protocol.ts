/** What the driver of a bench and its load, two processes, say to each other. A load makes requests; it decides nothing. */

/** One server under load, as its clients reach it. */
export interface Target {
  readonly port: number
  /** How users and peers shake hands, and what they ask for. Users are half of each kind of client. */
  readonly user: Doorway
  readonly peer: Doorway
  /** Members of the fleet, each with one link; empty: the peers' WebSockets are the app's. */
  readonly members: readonly Member[]
}

export interface Doorway {
  readonly tls: {
    readonly servername: string
    readonly ca?: string
    readonly key?: string
    readonly cert?: string
    readonly ALPNProtocols?: readonly string[]
  }
  /** Path of the frequent requests. */
  readonly path: string
  /** Path of a request that lasts `slowMs`; null: the head of an ordinary one takes as long to arrive. */
  readonly slowPath: string | null
  /** Path of requests that write; null: none. */
  readonly writePath: string | null
  /** A 503 asks to come again at once, and the second answer counts. */
  readonly retries: boolean
}

export interface Member {
  readonly key: string
  readonly cert: string
  /** First frame of its link. */
  readonly hello: string
}

/** How long the slow requests of the load last. */
export const slowMs = 300

export const kinds = ['keep-alive', 'new', 'slow', 'lazy', 'stalled', 'websocket'] as const
export type Kind = (typeof kinds)[number]

/** One request, or one WebSocket that came back. */
export interface Sample {
  readonly kind: Kind
  readonly peer: boolean
  readonly ms: number
  /** null: as it should be. */
  readonly failure: string | null
  /** It was answered 503 and then, at its one retry, as it should be. */
  readonly cured: boolean
}

export type ToLoad = { readonly t: 'start'; readonly target: Target } | { readonly t: 'window' } | { readonly t: 'stop' }
export type FromLoad =
  | { readonly t: 'started' }
  /** All since the last one. */
  | { readonly t: 'samples'; readonly samples: readonly Sample[]; readonly handshakes: number; readonly stallMs: number }
  | { readonly t: 'stopped' }
