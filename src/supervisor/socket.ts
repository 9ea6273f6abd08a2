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
  const { bound, name, problem } = nameOf(made)
  if (problem !== 0 || (address.port !== 0 && name.port !== address.port)) {
    bound.close()
    throw explain(problem === 0 ? 'EADDRINUSE' : problem, address)
  }
  return bound
}

/**
 * Takes over a socket that a service manager bound and listens on, so that it outlives even this process.
 * @returns null if it is not the one that config.json names, which is the truth; it is let go of then
 */
export async function adoptSocket(fd: number, address: Address, say: (line: string) => void): Promise<BoundHandle | null> {
  const made = methodOf(net, '_createServerHandle').call(net, null, null, null, fd)
  if (typeof made === 'number') {
    say(`the service manager's socket (descriptor ${fd}) cannot be taken: ${getSystemErrorName(made)}`)
    return null
  }
  const { bound, name, problem } = nameOf(made)
  const { host } = net.isIP(address.host) === 0 ? await resolveHost(address) : address
  if (problem === 0 && name.address === host && (address.port === 0 || name.port === address.port)) return bound
  bound.close()
  const found = formatAddress({ host: String(name.address), port: Number(name.port) })
  say(`the service manager listens on ${found}, config.json says ${formatAddress(address)}: run \`shoal service install\` again`)
  return null
}

interface Named {
  readonly bound: BoundHandle
  readonly name: { readonly address?: unknown; readonly port?: unknown }
  /** 0, or a system's error number. */
  readonly problem: number
}

function nameOf(made: unknown): Named {
  if (typeof made !== 'object' || made === null) throw new ShoalError('NODE_VERSION', `this Node.js (${process.version}) binds no sockets`)
  const name: { address?: unknown; port?: unknown } = {}
  const answer = methodOf(made, 'getsockname').call(made, name)
  const port = typeof name.port === 'number' ? name.port : 0
  const problem = typeof answer === 'number' ? answer : 0
  return { bound: { handle: made, port, close: () => void methodOf(made, 'close').call(made) }, name, problem }
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
