/**
 * How a node gets in: an operator signs an invite with a one-time public key; the token carries the private half, the redeemer's addresses,
 * its node id and the CA's pin. The new node signs its own id with the one-time key; that, with the invite, is its admission, which every
 * node checks offline. Only the redeemer counts uses and looks at the expiry.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import {
  asArray,
  asString,
  type Digest,
  type Envelope,
  Fields,
  type FleetId,
  formatAddress,
  type Invite,
  type KeyId,
  type NodeId,
  parseAddress,
  parseDigest,
  parseEnvelope,
  parseFleetId,
  parseInvite,
  parseJson,
  parseNodeId,
  ShoalError,
} from '../model/index.ts'
import { nodeIdOf, type NodeKey, p256Spki } from './certificate.ts'
import { verifyDocument } from './dsse.ts'
import { retiredKeys, signingKeys, type TrustedRoot } from './root.ts'

const prefix = 'shoal1.'

/** What the token says; it is a secret until it is used. */
export interface Token {
  readonly fleet: FleetId
  readonly ca: Digest
  readonly redeemer: NodeId
  readonly addresses: readonly string[]
  readonly invite: string
  /** One-time Ed25519 private key, PKCS#8 DER, base64url. */
  readonly key: string
}

export interface OneTimeKey {
  /** SPKI DER, base64: goes into the invite. */
  readonly publicKey: string
  /** PKCS#8 DER, base64url: goes into the token. */
  readonly privateKey: string
}

export function newOneTimeKey(): OneTimeKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url'),
  }
}

/** The text carries four check characters, so that a cut or mistyped one is told from a wrong one. */
export function formatToken(t: Token): string {
  const body = Buffer.from(JSON.stringify([t.fleet, t.ca, t.redeemer, t.addresses, t.invite, t.key])).toString('base64url')
  return `${prefix}${body}${checksum(body)}`
}

const checksum = (text: string): string => {
  let a = 1
  let b = 0
  for (const c of text) {
    a = (a + (c.codePointAt(0) ?? 0)) % 4093
    b = (b + a) % 4091
  }
  return Buffer.from([a >> 4, ((a & 15) << 4) | (b >> 8), b & 255]).toString('base64url')
}

/** @throws ShoalError TOKEN_MALFORMED */
export function parseToken(text: string): Token {
  const trimmed = text.trim()
  const body = trimmed.slice(prefix.length, -4)
  if (!trimmed.startsWith(prefix) || trimmed.length > 4096 || checksum(body) !== trimmed.slice(-4)) {
    throw new ShoalError('TOKEN_MALFORMED', `token: ${trimmed.length} characters, not a whole one`)
  }
  try {
    const parts = asArray(parseJson(Buffer.from(body, 'base64url').toString('utf8'), 'token'), 'token', 6)
    const f = new Fields(Object.fromEntries(parts.entries()), 'token')
    return {
      fleet: f.get('0', parseFleetId),
      ca: f.get('1', parseDigest),
      redeemer: f.get('2', parseNodeId),
      addresses: f.list('3', (v, w) => formatAddress(parseAddress(v, w)), 16),
      invite: f.string('4', 64),
      key: f.string('5', 200),
    }
  } catch (cause) {
    throw new ShoalError('TOKEN_MALFORMED', 'token: cannot be read', { cause })
  }
}

const proofMessage = (fleet: FleetId, invite: string, node: NodeId): Buffer =>
  Buffer.from(JSON.stringify(['shoal-join-v1', fleet, invite, node]))

/** The new node's proof that it holds the token: its own id signed with the one-time key. */
export function proveToken(token: Token, node: NodeId): string {
  const key = createPrivateKey({ key: Buffer.from(token.key, 'base64url'), format: 'der', type: 'pkcs8' })
  return sign(null, proofMessage(token.fleet, token.invite, node), key).toString('base64')
}

const claimMessage = (fleet: FleetId, invite: string, node: NodeId): Buffer =>
  Buffer.from(JSON.stringify(['shoal-join-claim-v1', fleet, invite, node]))

/** Proof that whoever asks holds the new node's own key. Told to the redeemer alone, while the admission is known to all. */
export const proveKey = (token: Token, node: NodeKey): string =>
  sign('sha256', claimMessage(token.fleet, token.invite, node.id), createPrivateKey(node.key)).toString('base64')

export function isKeyProof(claim: string, fleet: FleetId, invite: string, admission: Pick<Admission, 'node' | 'spki'>): boolean {
  const key = createPublicKey({ key: p256Spki(admission.spki), format: 'der', type: 'spki' })
  return verify('sha256', claimMessage(fleet, invite, admission.node), key, Buffer.from(claim, 'base64'))
}

/** Body of a `member` fact: everything that others need to check an admission. */
export interface Admission {
  readonly node: NodeId
  /** The node's public key, SPKI DER base64: its facts are checked with it. */
  readonly spki: string
  readonly invite: Envelope
  readonly proof: string
}

export function parseAdmission(value: unknown): Admission {
  const f = new Fields(value, 'admission')
  return {
    node: f.get('node', parseNodeId),
    spki: f.get('spki', (v, w) => asString(v, w, 300)),
    invite: f.get('invite', parseEnvelope),
    proof: f.string('proof', 200),
  }
}

/** An invite's one-time public key. @throws ShoalError BAD_REQUEST */
export function requireOneTimeKey(invite: Invite): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(invite.key, 'base64'), format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `invite ${invite.id}: its key is no public key`, { cause })
  }
  throw new ShoalError('BAD_REQUEST', `invite ${invite.id}: its key is not Ed25519`)
}

/** The invite of an admission as it stands there, unverified. */
export const inviteOf = (a: Admission): Invite => parseInvite(parseJson(Buffer.from(a.invite.payload, 'base64').toString('utf8'), 'invite'))

/**
 * Checks an admission completely but for uses and expiry, which are the redeemer's.
 * @param isPast it stands already: invites of operators that were removed since count, up to the generation that the root names
 * @throws ShoalError BAD_SIGNATURE, OTHER_FLEET
 */
export function verifyAdmission(a: Admission, root: TrustedRoot, isPast = false): Invite {
  const { keys, threshold } = signingKeys(root, 'invite')
  const past = isPast ? retiredKeys(root, p => inviteOf(a).generation <= p.until) : new Map<KeyId, string>()
  const invite = parseInvite(verifyDocument(a.invite, 'invite', { keys: new Map([...keys, ...past]), threshold }).payload)
  if (invite.fleet !== root.fleet) throw new ShoalError('OTHER_FLEET', `invite is of fleet ${invite.fleet}, this is ${root.fleet}`)
  const id = nodeIdOf(p256Spki(a.spki))
  if (id !== a.node) throw new ShoalError('BAD_SIGNATURE', `admission: names node ${a.node}, its key is ${id}`)
  if (!verify(null, proofMessage(root.fleet, invite.id, a.node), requireOneTimeKey(invite), Buffer.from(a.proof, 'base64'))) {
    throw new ShoalError('BAD_SIGNATURE', `admission of ${a.node}: not signed with the key of invite ${invite.id}`)
  }
  return invite
}
