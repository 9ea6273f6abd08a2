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
  const at = await numeric(address)
  const made = methodOf(net, '_createServerHandle').call(net, at.host, at.port, net.isIP(at.host))
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
  if (problem === 0 && isAt(name, await numeric(address))) return bound
  bound.close()
  const found = formatAddress({ host: String(name.address), port: Number(name.port) })
  say(`the service manager listens on ${found}, config.json says ${formatAddress(address)}: run \`shoal service install\` again`)
  return null
}

interface SocketName {
  readonly address?: unknown
  readonly port?: unknown
}

interface Named {
  readonly bound: BoundHandle
  readonly name: SocketName
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

/** The address with its name looked up. @throws ShoalError BAD_REQUEST */
export async function numeric(address: Address): Promise<Address> {
  if (net.isIP(address.host) !== 0) return address
  try {
    return { host: (await lookup(address.host)).address, port: address.port }
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `${formatAddress(address)}: the name is not known here`, { cause })
  }
}

/** Whether a socket's name is that address; port 0 takes any. */
export const isAt = (name: SocketName, { host, port }: Address): boolean => name.address === host && (port === 0 || name.port === port)

export function explain(problem: number | string, address: Address): ShoalError {
  const name = typeof problem === 'number' ? getSystemErrorName(problem) : problem
  const where = formatAddress(address)
  if (name === 'EADDRINUSE') return new ShoalError('PORT_IN_USE', `${where}: another process listens there (${name})`)
  if (name === 'EACCES') return new ShoalError('NOT_ALLOWED', `${where}: this user may not listen there (${name})`)
  return new ShoalError('BAD_REQUEST', `${where}: cannot be bound on this machine (${name})`)
}
