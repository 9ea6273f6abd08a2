/**
 * The listener builds on behaviour of Node.js that is not documented: servers that never listen keep their deadlines and their lists
 * after one emitted 'listening'. A Node.js that changed this would make slow-header attacks work, silently; so each worker tries it,
 * on a socket of its own, before it says `ready`. Failing means no `ready`: the old release stays.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { messageOf, ShoalError } from '../../model/index.ts'
import { defaultLimits, type ListenerLimits } from './limits.ts'
import { type Certificates, TlsServers } from './servers.ts'

/** Longer only on a machine that stalls; a healthy run takes about 30 ms. */
const deadlineMs = 5_000
/** Each of the two proofs has a server of its own: a machine that is slow for a moment must not meet the short deadline where none is to be proven. */
const [hasty, patient] = [
  { ...defaultLimits, headersMs: 10, checkMs: 5 },
  { ...defaultLimits, keepAliveMs: 4 * deadlineMs },
]

/** @throws ShoalError INTERNAL */
export async function proveNode(fleetDomain: string, certificates: Certificates, ticketKeys: Buffer): Promise<void> {
  const signal = AbortSignal.timeout(deadlineMs)
  const on = (limits: ListenerLimits, prove: Proof): Promise<void> =>
    serving(new TlsServers(fleetDomain, certificates, ticketKeys, limits), dialer(fleetDomain, certificates), prove, signal)
  try {
    await Promise.all([on(hasty, proveHeaderDeadline), on(patient, proveIdleList)])
  } catch (cause) {
    const what = signal.aborted ? `no answer in ${deadlineMs} ms` : messageOf(cause)
    throw new ShoalError('INTERNAL', `listener: Node.js ${process.version} failed the self-test: ${what}`, { cause })
  }
}

type Proof = (dial: () => TLSSocket, signal: AbortSignal, servers: TlsServers) => Promise<void>

async function serving(servers: TlsServers, dial: (port: number) => TLSSocket, prove: Proof, signal: AbortSignal): Promise<void> {
  servers.people.on('request', (_req, res) => res.end())
  const port = createServer(socket => servers.people.emit('connection', socket)).listen(0, '127.0.0.1')
  try {
    await once(port, 'listening', { signal })
    await prove(() => dial((port.address() as AddressInfo).port), signal, servers)
  } finally {
    port.close()
    servers.people.closeAllConnections()
    servers.stop()
  }
}

/** Asks by the fleet's name, and so proves on the way that the node's certificate is of the fleet's CA. */
const dialer =
  (fleetDomain: string, certificates: Certificates) =>
  (port: number): TLSSocket =>
    connect({
      host: '127.0.0.1',
      port,
      servername: `self-test.${fleetDomain}`,
      ca: [...certificates.ca],
      checkServerIdentity: () => undefined,
    })

const proveHeaderDeadline: Proof = async (dial, signal) => {
  const socket = dial()
  try {
    socket.write('GET / HTTP/1.1\r\nHost: sel')
    await untilClosed(socket, signal)
  } finally {
    socket.destroy()
  }
}

const proveIdleList: Proof = async (dial, signal, servers) => {
  const socket = dial()
  try {
    socket.write('GET / HTTP/1.1\r\nHost: self\r\n\r\n')
    await once(socket, 'data', { signal })
    servers.people.closeIdleConnections()
    await untilClosed(socket, signal)
  } finally {
    socket.destroy()
  }
}

async function untilClosed(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  socket.resume()
  await once(socket, 'close', { signal })
}
