/**
 * Dialling a peer: TLS 1.3 with its pinned identity, ALPN `shoal/1`, the mesh's subprotocol. Whatever fails, fails once, within ten
 * seconds, and leaves nothing behind.
 */
import WebSocket, { type ClientOptions } from 'ws'
import { messageOf } from '../model/index.ts'
import { subprotocol } from './core/index.ts'
import { handshakeMs, maxBufferedChunks, maxFragments, maxPayloadBytes, meshPath, peerAlpn } from './limits.ts'

/** PEM. `ca` is the fleet's, the only one that counts. */
export interface PeerTls {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** The limits of both directions; `maxBufferedChunks` is younger than the library's types. */
export const socketLimits: Pick<ClientOptions, 'maxPayload' | 'maxFragments'> = {
  maxPayload: maxPayloadBytes,
  maxFragments,
  ...{ maxBufferedChunks },
}

export const tlsOptions = (tls: PeerTls, servername: string): ClientOptions => ({
  ...tls,
  minVersion: 'TLSv1.3',
  rejectUnauthorized: true,
  // The library hands these on to TLS, though its types do not name them.
  ...{ servername, ALPNProtocols: [peerAlpn] },
})

export interface Dialling {
  readonly opened: (ws: WebSocket) => void
  readonly failed: (why: string) => void
}

/** Starts to dial; the result gives up. Exactly one of the two is called, unless it was given up. */
export function dial(address: string, tls: PeerTls, servername: string, on: Dialling): () => void {
  const open = (): WebSocket =>
    new WebSocket(`wss://${address}${meshPath}`, [subprotocol], {
      ...tlsOptions(tls, servername),
      ...socketLimits,
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
      followRedirects: false,
    })
  let isOver = false
  const fail = (why: string): void => {
    if (isOver) return
    isOver = true
    on.failed(why)
  }
  try {
    const ws = open()
    ws.on('error', error => fail(messageOf(error)))
    ws.on('unexpected-response', (_request, response) => {
      fail(`answered ${response.statusCode ?? 'nothing'}`)
      ws.terminate()
    })
    ws.on('open', () => {
      if (isOver) return
      isOver = true
      on.opened(ws)
    })
    return () => {
      isOver = true
      ws.terminate()
    }
  } catch (error) {
    // An address that is no URL: told like any other failure, after the caller has returned.
    queueMicrotask(() => fail(messageOf(error)))
    return () => {
      isOver = true
    }
  }
}
