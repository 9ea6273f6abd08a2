/**
 * The two TLS servers, which never listen: the front hands them their sockets. People: TLS 1.2 or 1.3, no certificate asked, tickets that
 * survive a switch. Peers: TLS 1.3, a certificate of the fleet's CA or no connection, no tickets: a peer's ticket alone would be its
 * identity (who holds the shared keys could be every node).
 */
import { constants } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { peerProtocol } from './front.ts'
import type { ListenerLimits } from './limits.ts'

/** PEM. */
export interface PemPair {
  readonly key: string
  readonly cert: string
}

export interface Certificates {
  /** The node's identity: for peers, and for people who ask by the fleet's name (a joiner that checks the pin). */
  readonly node: PemPair
  /** The fleet's CA, or while it changes both; sent behind the node's certificate. */
  readonly ca: readonly string[]
  /** For every other name and for addresses. */
  readonly web: PemPair
}

/** Made from argv by default, which holds the slot's path: then no ticket would survive a switch. And never one for both servers. */
const sessionContexts = { people: 'shoal people 1', peer: 'shoal peers 1' } as const

const isWebSocket = (req: IncomingMessage): boolean => req.method === 'GET' && req.headers.upgrade?.toLowerCase() === 'websocket'

const httpOptions = (limits: ListenerLimits): ServerOptions => ({
  handshakeTimeout: limits.handshakeMs,
  headersTimeout: Math.min(limits.headersMs, limits.longestRequestMs),
  requestTimeout: limits.longestRequestMs,
  connectionsCheckingInterval: limits.checkMs,
  keepAliveTimeout: limits.keepAliveMs,
  maxHeaderSize: limits.maxHeaderBytes,
  // Other upgrades (h2c) are only offers: their requests are answered as they are.
  shouldUpgradeCallback: isWebSocket,
})

const chain = (c: Certificates): PemPair => ({ key: c.node.key, cert: [c.node.cert, ...c.ca].join('\n') })

const peerContext = (c: Certificates): SecureContextOptions => ({
  ...chain(c),
  ca: [...c.ca],
  minVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
  sessionIdContext: sessionContexts.peer,
})

export class TlsServers {
  readonly people: Server
  readonly peer: Server
  readonly #fleetSuffix: string
  readonly #ticketKeys: Buffer
  #fleetContext: SecureContext

  constructor(fleetDomain: string, certificates: Certificates, ticketKeys: Buffer, limits: ListenerLimits) {
    this.#fleetSuffix = `.${fleetDomain}`
    this.#ticketKeys = ticketKeys
    this.#fleetContext = createSecureContext(this.#peopleContext(chain(certificates)))
    const http = httpOptions(limits)
    this.people = createServer({
      ...http,
      ...this.#peopleContext(certificates.web),
      SNICallback: (name, done) => done(null, this.#isFleetName(name) ? this.#fleetContext : undefined),
    })
    this.peer = createServer({
      ...http,
      ...peerContext(certificates),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: [peerProtocol],
    })
    // A server that never listens tracks no connections, and so has no deadlines for heads and bodies, unless it believes that it does.
    // It must never be closed either: that ends the tracking. selfTest proves both for the Node.js that runs.
    this.people.emit('listening')
    this.peer.emit('listening')
  }

  /** For new handshakes; connections that exist go on as they are. */
  setCertificates(certificates: Certificates): void {
    this.#fleetContext = createSecureContext(this.#peopleContext(chain(certificates)))
    this.people.setSecureContext(this.#peopleContext(certificates.web))
    this.peer.setSecureContext(peerContext(certificates))
  }

  /** Ends the watch over deadlines; for the very end only. */
  stop(): void {
    this.people.close()
    this.peer.close()
  }

  #isFleetName(name: string): boolean {
    return name.toLowerCase().endsWith(this.#fleetSuffix)
  }

  #peopleContext(pair: PemPair): SecureContextOptions {
    return { key: pair.key, cert: pair.cert, minVersion: 'TLSv1.2', sessionIdContext: sessionContexts.people, ticketKeys: this.#ticketKeys }
  }
}
