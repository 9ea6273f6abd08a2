/**
 * The bound handle that outlives every worker. It is never listened on here: workers listen on it, so between two of them new
 * connections wait in the backlog and none is refused. Uses the private call that Node's own cluster module uses, hence the checks.
 */
import { lookup } from 'node:dns/promises'
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { type Address, formatAddress, ShoalError } from '../model/index.ts'

/** A bound TCP handle of Node.js; `child.send` takes it. */
export interface BoundHandle {
  readonly handle: object
  readonly port: number
  readonly close: () => void
}

type Method = (this: unknown, ...values: unknown[]) => unknown

function methodOf(object: object, name: string): Method {
  const found: unknown = Reflect.get(object, name)
  if (typeof found !== 'function') throw new ShoalError('NODE_VERSION', `this Node.js (${process.version}) has no ${name} for sockets`)
  return found as Method
}

/**
 * Binds an address. EADDRINUSE is not told by the bind itself (the worker would then listen on a random port), so the name of the
 * socket is asked for right after.
 * @throws ShoalError PORT_IN_USE, NOT_ALLOWED (a port that needs privileges), BAD_REQUEST (no address of this machine)
 */
export async function bindAddress(address: Address): Promise<BoundHandle> {
  const at = net.isIP(address.host) === 0 ? await resolveHost(address) : { host: address.host, family: net.isIP(address.host) }
  const made = methodOf(net, '_createServerHandle').call(net, at.host, address.port, at.family)
  if (typeof made === 'number') throw explain(made, address)
  if (typeof made !== 'object' || made === null) throw new ShoalError('NODE_VERSION', `this Node.js (${process.version}) binds no sockets`)
  const close = (): void => void methodOf(made, 'close').call(made)
  const name: { port?: unknown } = {}
  const problem = methodOf(made, 'getsockname').call(made, name)
  const { port } = name
  if (problem !== 0 || typeof port !== 'number' || (address.port !== 0 && port !== address.port)) {
    close()
    throw explain(typeof problem === 'number' && problem !== 0 ? problem : 'EADDRINUSE', address)
  }
  return { handle: made, port, close }
}

async function resolveHost(address: Address): Promise<{ host: string; family: number }> {
  try {
    const found = await lookup(address.host)
    return { host: found.address, family: found.family }
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `${formatAddress(address)}: the name is not known here`, { cause })
  }
}

function explain(problem: number | string, address: Address): ShoalError {
  const name = typeof problem === 'number' ? getSystemErrorName(problem) : problem
  const where = formatAddress(address)
  if (name === 'EADDRINUSE') return new ShoalError('PORT_IN_USE', `${where}: another process listens there (${name})`)
  if (name === 'EACCES') return new ShoalError('NOT_ALLOWED', `${where}: this user may not listen there (${name})`)
  return new ShoalError('BAD_REQUEST', `${where}: cannot be bound on this machine (${name})`)
}
