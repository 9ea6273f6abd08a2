/**
 * Redeems invites: the only route that a stranger may call, and the only place where certificates are issued. Uses and expiry are judged here
 * alone, in one transaction with the admission.
 */
import { admissionFact, fleetJudge } from '../facts/index.ts'
import {
  asArray,
  asString,
  type Fact,
  type Fields,
  formatAddress,
  type NodeId,
  parseAddress,
  parseEnvelope,
  parseJson,
  parseNodeId,
  ShoalError,
} from '../model/index.ts'
import { isKeyProof, makeNodeCertificate, verifyAdmission } from '../trust/index.ts'
import type { WebServices } from './services.ts'

/** Sync peers that joins alone bring: links find the rest, and config.json stays readable for people. */
const maxPinned = 64

/** Facts that a new node needs to trust the fleet before it has its first link. */
const seedKinds = ['root', 'member', 'removal', 'node']

/**
 * Who asks again with the same proof gets the same certificate, since an answer may be lost. But a proof is no secret: all members hold it in the
 * admission. So what only the new node may have or say, the CA's key and the address, counts the first time, and later for who holds its key.
 * @throws ShoalError NOT_ALLOWED, TOKEN_USED, TOKEN_EXPIRED, BAD_SIGNATURE, NOT_MEMBER
 */
export async function redeem(services: WebServices, f: Fields): Promise<Record<string, unknown>> {
  const { ca, replica, invites } = services
  if (ca === null) throw new ShoalError('NOT_ALLOWED', 'this node does not redeem invites')
  const node = f.get('node', parseNodeId)
  const stored = invites.invite(f.string('invite', 64))
  if (stored === undefined) throw new ShoalError('TOKEN_USED', 'this node knows no such invite')
  const admission = {
    node,
    spki: f.string('spki', 300),
    invite: parseEnvelope(parseJson(stored.envelope, 'invite')),
    proof: f.string('proof', 200),
  }
  const invite = verifyAdmission(admission, replica.fleet.root)
  const now = services.wallNow()
  if (Date.parse(stored.expiresAt) <= now.getTime())
    throw new ShoalError('TOKEN_EXPIRED', `the token was good until ${stored.expiresAt}, it is ${now.toISOString()}`)
  if (invite.generation <= replica.fleet.removalOf(node))
    throw new ShoalError('NOT_MEMBER', `node ${node} was removed after this invite was made`)
  const fact = admissionFact(services.sign, services.self, admission, invite.generation)
  const isNew = mayAdmit(services, fact)
  if (!invites.redeem(invite.id, node, fact)) throw new ShoalError('TOKEN_USED', `invite ${invite.id} has no use left`)
  if (isNew) services.publish([fact], true)
  const claim = f.maybe('claim', (v, w) => asString(v, w, 200), '')
  const isItself = isNew || isKeyProof(claim, replica.fleet.root.fleet, invite.id, admission)
  if (isItself) await pinNewNode(services, f, node)
  services.log(isNew ? 'node admitted' : 'node asked again', { node, invite: invite.id })
  return {
    roots: rootChain(services),
    ca: services.caPem,
    cert: makeNodeCertificate(admission.spki, replica.fleet.root.fleet, ca),
    caKey: invite.canInvite && isItself ? ca.key : null,
    console: invite.console,
    facts: replica.registers.all().filter(each => seedKinds.includes(each.kind)),
    redeemer: { id: services.self, address: services.addresses()[0] ?? '' },
  }
}

/** Judged before a use is taken. @returns false: it is admitted already */
function mayAdmit({ replica }: WebServices, fact: Fact): boolean {
  const standing = replica.registers.compare(fact)
  if (standing === 'full') throw new ShoalError('NOT_ALLOWED', 'this node has let in as many as one may: make the invite at another')
  if (standing !== 'new') return false
  const verdict = fleetJudge(replica.fleet)(fact, replica.registers)
  if (verdict.v === 'reject') throw new ShoalError(verdict.code, verdict.message)
  return true
}

/** The new node becomes a sync peer, if it said where it is. */
async function pinNewNode(services: WebServices, f: Fields, node: NodeId): Promise<void> {
  const [address] = f.maybe('addresses', (v, w) => asArray(v, w, 16).map(a => formatAddress(parseAddress(asString(a, w, 300), w))), [])
  const { peers } = services.config()
  if (address !== undefined && peers.length < maxPinned) await services.pin({ id: node, address })
}

function rootChain({ replica }: WebServices): readonly string[] {
  const chain: string[] = []
  for (let version = 1; version <= replica.fleet.root.version; version++) chain.push(replica.fleet.rootText(version) ?? '')
  return chain
}
