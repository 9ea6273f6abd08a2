/**
 * Who may call a route. A peer's certificate is not a user, a user's token is not a peer. Permission is judged before the body is read.
 */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { type NodeId, parseAddress, ShoalError } from '../model/index.ts'
import { nodeOfCertificate } from '../trust/index.ts'
import type { Who } from './listener/index.ts'
import type { WebServices } from './services.ts'

/**
 * `anyone`; `viewer`: reads all; `home`: holds local.token, changes this node; `signed`: the body carries its own permission, an envelope or a
 * proof; `peer`: a member over its own certificate.
 */
export type Access = 'anyone' | 'viewer' | 'home' | 'signed' | 'peer'

const isSameSecret = (a: string, b: string): boolean => {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}

/** The caller holds this home's local token. */
export const hasToken = (req: IncomingMessage, services: WebServices): boolean => {
  const [scheme, token] = (req.headers.authorization ?? '').split(' ')
  return scheme?.toLowerCase() === 'bearer' && token !== undefined && isSameSecret(token, services.localToken)
}

/** The member that a peer's certificate names, judged anew at each request and upgrade. @throws ShoalError NOT_MEMBER, NOT_ALLOWED, BAD_SIGNATURE */
export function memberOf(who: Who, services: WebServices): NodeId {
  if (who.kind !== 'peer') throw new ShoalError('NOT_ALLOWED', 'only a member over its own certificate may ask this')
  const { fleet } = services.replica
  const id = nodeOfCertificate(who.cert, fleet.root.fleet)
  fleet.mustBeMember(id)
  return id
}

/** @throws ShoalError UNAUTHENTICATED, NOT_ALLOWED, NOT_MEMBER */
export function mayCall(access: Access, req: IncomingMessage, who: Who, services: WebServices): void {
  if (access === 'peer') {
    memberOf(who, services)
    return
  }
  if (who.kind === 'peer') throw new ShoalError('NOT_ALLOWED', 'a node’s certificate is no user')
  if ((access === 'viewer' || access === 'home') && !hasToken(req, services)) {
    throw new ShoalError('UNAUTHENTICATED', 'this needs the token of the node’s own home')
  }
}

const hostOf = (text: string): string | null => {
  try {
    return parseAddress(/:\d+$/.test(text) ? text : `${text}:443`).host.toLowerCase()
  } catch {
    return null
  }
}

/**
 * Under /_shoal/ only names of this node are answered, against DNS rebinding; pages of other sites may ask nothing.
 * @throws ShoalError MISDIRECTED, FOREIGN_ORIGIN
 */
export function checkHost(req: IncomingMessage, services: WebServices): void {
  const host = hostOf(req.headers.host ?? '')
  const config = services.config()
  const own = [...services.addresses(), config.listen, ...config.hosts].map(a => hostOf(a))
  const isOwn =
    host !== null &&
    (isIP(host) !== 0 ||
      host === 'localhost' ||
      own.includes(host) ||
      host === config.name.toLowerCase() ||
      host.endsWith(`.${services.replica.fleet.root.fleet}.shoal`))
  if (!isOwn) throw new ShoalError('MISDIRECTED', `host "${req.headers.host ?? ''}" is none of this node’s`)
  const origin = req.headers.origin
  if (origin !== undefined && origin !== `https://${req.headers.host ?? ''}`)
    throw new ShoalError('FOREIGN_ORIGIN', `origin ${origin.slice(0, 100)} is not this node`)
}
