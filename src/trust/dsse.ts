/**
 * DSSE envelopes (dsse v1.0.2): what is signed is the pre-authentication encoding of type and payload, so that a signature over one
 * kind of document is never good for another. Verification counts distinct keys of the root, never signatures.
 */
import { createHash, verify } from 'node:crypto'
import {
  type Digest,
  type DocumentKind,
  type Envelope,
  type KeyId,
  parseDigest,
  parseJson,
  payloadTypeOf,
  ShoalError,
} from '../model/index.ts'
import { publicKeyFromHex, type Signer } from './keys.ts'

const preAuthEncoding = (type: string, payload: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload])

export const sha256 = (bytes: Uint8Array | string): Digest => parseDigest(createHash('sha256').update(bytes).digest('hex'))

/** Signs a document. `payload` is serialised once, here; after that only its bytes count. */
export function signDocument(kind: DocumentKind, payload: unknown, signers: readonly Signer[]): Envelope {
  return signBytes(kind, Buffer.from(JSON.stringify(payload)), signers)
}

export function signBytes(kind: DocumentKind, bytes: Uint8Array, signers: readonly Signer[]): Envelope {
  const payloadType = payloadTypeOf(kind)
  const message = preAuthEncoding(payloadType, bytes)
  return {
    payloadType,
    payload: Buffer.from(bytes).toString('base64'),
    signatures: signers.map(s => ({ keyid: s.keyid, sig: s.sign(message) })),
  }
}

/** Who may sign what: the people of the root that hold one of the roles, and how many of them it takes. */
export interface SigningKeys {
  readonly keys: ReadonlyMap<KeyId, string>
  readonly threshold: number
}

export interface VerifiedDocument {
  /** SHA-256 of the payload's bytes: names the document. */
  readonly digest: Digest
  readonly payload: unknown
  /** Keys whose signature is good, in the envelope's order. */
  readonly signedBy: readonly KeyId[]
}

/** @throws ShoalError BAD_SIGNATURE if the type differs or fewer than `threshold` distinct keys signed. */
export function verifyDocument(envelope: Envelope, kind: DocumentKind, allowed: SigningKeys): VerifiedDocument {
  const want = payloadTypeOf(kind)
  if (envelope.payloadType !== want) throw new ShoalError('BAD_SIGNATURE', `envelope: is ${envelope.payloadType}, should be ${want}`)
  const bytes = Buffer.from(envelope.payload, 'base64')
  const message = preAuthEncoding(want, bytes)
  const good = new Set<KeyId>()
  for (const { keyid, sig } of envelope.signatures) {
    const key = allowed.keys.get(keyid)
    if (key !== undefined && verify(null, message, publicKeyFromHex(key), Buffer.from(sig, 'base64'))) good.add(keyid)
  }
  if (good.size < allowed.threshold) {
    throw new ShoalError('BAD_SIGNATURE', `${kind}: signed by ${good.size} of the keys that may, needs ${allowed.threshold}`)
  }
  return { digest: sha256(bytes), payload: parseJson(bytes.toString('utf8'), kind), signedBy: [...good] }
}
