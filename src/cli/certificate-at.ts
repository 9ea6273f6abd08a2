/** Who is at an address, before anything is said to it. */
import { X509Certificate } from 'node:crypto'
import { connect, type PeerCertificate } from 'node:tls'
import { type Address, formatAddress, messageOf, ShoalError, systemCodeOf } from '../model/index.ts'
import { dialDeadlineMs } from './limits.ts'

/** Looks at the certificate that is shown, says nothing, and hangs up. @throws ShoalError NO_NODE */
export function certificateAt(address: Address, signal: AbortSignal): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string, cause?: unknown): void => {
      socket.destroy()
      reject(new ShoalError('NO_NODE', `${formatAddress(address)} does not answer: ${why}`, { cause }))
    }
    const { host, port } = address
    const socket = connect({ host, port, servername: '', rejectUnauthorized: false, timeout: dialDeadlineMs })
    socket.once('secureConnect', () => {
      const { raw } = socket.getPeerCertificate() as Partial<PeerCertificate>
      if (raw === undefined) refuse('it shows no certificate')
      else resolve(new X509Certificate(raw))
      socket.destroy()
    })
    socket.once('timeout', () => refuse(`no TLS handshake within ${dialDeadlineMs / 1000} s`))
    socket.once('error', error => refuse(systemCodeOf(error) ?? messageOf(error), error))
    signal.addEventListener('abort', () => refuse('interrupted'), { once: true })
  })
}
