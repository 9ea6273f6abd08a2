/**
 * The listener builds on behaviour of Node.js that is not documented: servers that never listen keep their deadlines and their lists
 * after one emitted 'listening'. A Node.js that changed this would make slow-header attacks work, silently; so each worker tries it,
 * on a socket of its own, before it says `ready`. Failing means no `ready`: the old release stays.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { messageOf, ShoalError } from '../../model/index.ts'
import { defaultLimits } from './limits.ts'
import { type Certificates, TlsServers } from './servers.ts'

/** Longer only on a machine that stalls; a healthy run takes about 80 ms. */
const deadlineMs = 5_000
const quick = { ...defaultLimits, headersMs: 40, checkMs: 20, keepAliveMs: 4 * deadlineMs }

/** @throws ShoalError INTERNAL */
export async function proveNode(fleetDomain: string, certificates: Certificates, ticketKeys: Buffer): Promise<void> {
  const servers = new TlsServers(fleetDomain, certificates, ticketKeys, quick)
  servers.people.on('request', (_req, res) => res.end())
  const port = createServer(socket => servers.people.emit('connection', socket)).listen(0, '127.0.0.1')
  const signal = AbortSignal.timeout(deadlineMs)
  try {
    await once(port, 'listening', { signal })
    const dial = dialer(port, fleetDomain, certificates)
    await Promise.all([proveHeaderDeadline(dial, signal), proveIdleList(dial, () => servers.people.closeIdleConnections(), signal)])
  } catch (cause) {
    const what = signal.aborted ? `no answer in ${deadlineMs} ms` : messageOf(cause)
    throw new ShoalError('INTERNAL', `listener: Node.js ${process.version} failed the self-test: ${what}`, { cause })
  } finally {
    port.close()
    servers.people.closeAllConnections()
    servers.stop()
  }
}

type Dial = () => TLSSocket

/** Asks by the fleet's name, and so proves on the way that the node's certificate is of the fleet's CA. */
const dialer =
  (port: Server, fleetDomain: string, certificates: Certificates): Dial =>
  () =>
    connect({
      host: '127.0.0.1',
      port: (port.address() as AddressInfo).port,
      servername: `self-test.${fleetDomain}`,
      ca: [...certificates.ca],
      checkServerIdentity: () => undefined,
    })

async function proveHeaderDeadline(dial: Dial, signal: AbortSignal): Promise<void> {
  const socket = dial()
  try {
    socket.write('GET / HTTP/1.1\r\nHost: sel')
    await untilClosed(socket, signal)
  } finally {
    socket.destroy()
  }
}

async function proveIdleList(dial: Dial, closeIdle: () => void, signal: AbortSignal): Promise<void> {
  const socket = dial()
  try {
    socket.write('GET / HTTP/1.1\r\nHost: self\r\n\r\n')
    await once(socket, 'data', { signal })
    closeIdle()
    await untilClosed(socket, signal)
  } finally {
    socket.destroy()
  }
}

async function untilClosed(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  socket.resume()
  await once(socket, 'close', { signal })
}
