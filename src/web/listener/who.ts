/** Who asks, as the door proves it: which server the request came by, and a peer’s certificate. What they may do is decided elsewhere. */
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { takeHeader, takeRemote } from './private-socket.ts'
import { peerHeader, type Voucher } from './vouch.ts'

/** Who asks. `remote` is the client's address. A peer's certificate is proven by the fleet's CA, but not yet to be a member's. */
export type Who =
  | { readonly kind: 'people'; readonly remote: string }
  | { readonly kind: 'peer'; readonly remote: string; readonly cert: Buffer }
  /** A person's request that arrived at the parked worker; it came by TLS. */
  | { readonly kind: 'forwarded'; readonly remote: string }

/** Node makes the certificate anew each time it is asked; a connection has one for life. */
const certificates = new WeakMap<TLSSocket, Buffer>()

function certificateOf(socket: TLSSocket): Buffer | undefined {
  const cert = certificates.get(socket) ?? socket.getPeerX509Certificate()?.raw
  if (cert !== undefined) certificates.set(socket, cert)
  return cert
}

/** Null: a peer's connection without a certificate, which the TLS server lets nobody have, or one that nobody vouches for. */
export function whoAsks(req: IncomingMessage, kind: Who['kind'], voucher: Voucher): Who | null {
  if (kind === 'forwarded') return whoIsPassedOn(req, voucher)
  const remote = req.socket.remoteAddress ?? ''
  if (kind === 'people') return { kind, remote }
  const cert = req.socket instanceof TLSSocket ? certificateOf(req.socket) : undefined
  return cert === undefined ? null : { kind, remote, cert }
}

function whoIsPassedOn(req: IncomingMessage, voucher: Voucher): Who | null {
  const [remote, proof] = [takeRemote(req), takeHeader(req, peerHeader)]
  if (proof === '') return { kind: 'forwarded', remote }
  const cert = voucher.read(proof)
  return cert === null ? null : { kind: 'peer', remote, cert }
}
