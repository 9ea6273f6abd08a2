/**
 * Who asks, on the way from a parked worker to the one that is the node now: a person's address; for a peer the certificate that the parked one's
 * TLS server has proven, under a key that only the workers of one supervisor share. Without it nothing that comes by the private socket is a
 * peer's. Whether the certificate is a member's, the node decides, as it does for its own connections.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Carries the client's address; a client's own header of this name is dropped. */
export const remoteHeader = 'x-shoal-remote'
/** Of a request: the certificate and its code. Of its answer: this worker reads that; an older one took the request for a stranger's. */
export const peerHeader = 'x-shoal-peer'

export class Voucher {
  readonly #key: Buffer

  /** @param secret shared by the workers of one supervisor, and by nobody else */
  constructor(secret: Buffer) {
    this.#key = createHmac('sha256', secret).update('shoal forwarded peer 1').digest()
  }

  /** @param cert DER */
  write(cert: Buffer): string {
    return `${cert.toString('base64')}.${this.#codeOf(cert).toString('base64')}`
  }

  /** null: no worker of this supervisor wrote it. */
  read(header: string): Buffer | null {
    const at = header.indexOf('.')
    const cert = Buffer.from(header.slice(0, Math.max(0, at)), 'base64')
    const code = Buffer.from(header.slice(at + 1), 'base64')
    const want = this.#codeOf(cert)
    return code.length === want.length && timingSafeEqual(code, want) ? cert : null
  }

  #codeOf(cert: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(cert).digest()
  }
}
