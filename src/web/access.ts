/** Who may call a route. A peer's certificate is not a user, a user's session is not a peer. Permission is judged before the body is read. */
import type { IncomingMessage } from 'node:http'
import { networkInterfaces } from 'node:os'
import { type NodeId, ShoalError } from '../model/index.ts'
import { nodeOfCertificate, type Role, roles } from '../trust/index.ts'
import { type Caller, checkCsrf } from './callers.ts'
import type { Who } from './listener/index.ts'
import { isOwnHost } from './own-hosts.ts'
import type { Session } from './sessions/index.ts'
import type { WebServices } from './services.ts'

/**
 * `anyone`: strangers too. `viewer`: reads all: sessions, the home's token. `operator`, `admin`: a session of that role or more; `home…`: the
 * home's token too, since it changes this node only. `signs…`: an envelope, which is its own permission, or a session of that role that signs
 * here. `person`: a session, whosever. `home`: the home's token alone. `bytes`: judged by what is sent. `peer`: a member over its certificate.
 */
export type Access =
  | 'anyone'
  | 'viewer'
  | 'person'
  | 'home'
  | 'home or operator'
  | 'home or admin'
  | 'admin'
  | 'signs as operator'
  | 'signs as admin'
  | 'bytes'
  | 'peer'

/** The member that a peer's certificate names, judged anew at each request and upgrade. @throws ShoalError NOT_MEMBER, NOT_ALLOWED, BAD_SIGNATURE */
export function memberOf(who: Who, services: WebServices): NodeId {
  if (who.kind !== 'peer') throw new ShoalError('NOT_ALLOWED', 'only a member over its own certificate may ask this')
  const { fleet } = services.replica
  const id = nodeOfCertificate(who.cert, fleet.root.fleet)
  fleet.mustBeMember(id)
  return id
}

/** The least role of a session that may. `null`: no session may. */
const leastRole: Readonly<Record<Exclude<Access, 'peer'>, Role | null>> = {
  anyone: 'viewer',
  viewer: 'viewer',
  person: 'viewer',
  bytes: 'viewer',
  home: null,
  'home or operator': 'operator',
  'home or admin': 'admin',
  admin: 'admin',
  'signs as operator': 'operator',
  'signs as admin': 'admin',
}

/** Where strangers are let through: what they may is in what they send. */
const openToStrangers: readonly Access[] = ['anyone', 'bytes', 'signs as operator', 'signs as admin']

export const isAtLeast = (role: Role, least: Role): boolean => roles.indexOf(role) >= roles.indexOf(least)

/** @throws ShoalError UNAUTHENTICATED, NOT_ALLOWED, NOT_MEMBER, CSRF */
export function mayCall(access: Access, req: IncomingMessage, caller: Caller, who: Who, services: WebServices): void {
  if (access === 'peer') {
    memberOf(who, services)
    return
  }
  switch (caller.kind) {
    case 'peer':
      throw new ShoalError('NOT_ALLOWED', 'a node’s certificate is no user')
    case 'nobody':
      if (!openToStrangers.includes(access)) throw new ShoalError('UNAUTHENTICATED', 'log in, or send the token of the node’s own home')
      return
    case 'home':
      if (access === 'person' || access === 'admin') throw new ShoalError('NOT_ALLOWED', 'the home’s token is no person')
      return
    case 'token':
      if (access !== 'viewer' && !openToStrangers.includes(access)) throw new ShoalError('NOT_ALLOWED', `token ${caller.name} reads only`)
      return
    case 'session':
      mayPerson(access, caller.session)
      if (access !== 'anyone') checkCsrf(req, caller)
      return
  }
}

function mayPerson(access: Exclude<Access, 'peer'>, { name, role }: Session): void {
  const least = leastRole[access]
  if (least === null) throw new ShoalError('NOT_ALLOWED', 'this takes the token of the node’s own home')
  if (!isAtLeast(role, least))
    throw new ShoalError('NOT_ALLOWED', `${name} is ${role}; this takes ${least === 'admin' ? 'an admin' : 'an operator or admin'}`)
}

const interfaces = (): readonly string[] => Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(each => each.address))

/**
 * Under /_shoal/ only names and addresses of this node are answered, against DNS rebinding; pages of other sites may ask nothing.
 * @throws ShoalError MISDIRECTED, FOREIGN_ORIGIN
 */
export function checkHost(req: IncomingMessage, services: WebServices): void {
  const own = { config: services.config(), addresses: services.addresses(), fleet: services.replica.fleet.root.fleet }
  const isOwn = isOwnHost(req.headers.host ?? '', { ...own, local: req.socket.localAddress ?? '', interfaces })
  if (!isOwn) throw new ShoalError('MISDIRECTED', `host "${req.headers.host ?? ''}" is none of this node’s`)
  const origin = req.headers.origin
  if (origin !== undefined && origin !== `https://${req.headers.host ?? ''}`)
    throw new ShoalError('FOREIGN_ORIGIN', `origin ${origin.slice(0, 100)} is not this node`)
}
