/**
 * Operators' keys inside a running node. A session's row holds the key wrapped under a key that is derived from the session's secret, which only
 * the person's browser has: what lies on the disk signs nothing. scrypt runs off the event loop, and costs the same for a name that nobody has.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  generateKeyPair,
  hkdfSync,
  type KeyObject,
  randomBytes,
  scrypt,
  verify,
} from 'node:crypto'
import { Fields, type FleetId, type KeyId, type NodeId, parseJson, ShoalError } from '../model/index.ts'
import {
  type Kdf,
  kdfOf,
  keyFileOf,
  keyOfFile,
  type NewOperatorKey,
  normal,
  type OperatorKey,
  operatorKey,
  publicKeyFromHex,
  scryptCost,
  type Sealed,
  sealWith,
  unsealWith,
} from './keys.ts'

const scryptLater = (passphrase: string, { salt, cost }: Kdf): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    scrypt(normal(passphrase), salt, 32, cost, (error, key) => (error === null ? resolve(key) : reject(error))),
  )

export interface OpenedKey {
  readonly key: OperatorKey
  /** PKCS#8 DER. */
  readonly der: Buffer
}

/**
 * Opens a key file without holding up the event loop.
 * @param text null: there is no such file; takes as long as a wrong passphrase
 * @throws ShoalError BAD_PASSPHRASE
 */
export async function openKeyLater(text: string | null, passphrase: string): Promise<OpenedKey> {
  if (text === null) {
    await scryptLater(passphrase, { salt: randomBytes(16), cost: scryptCost })
    throw new ShoalError('BAD_PASSPHRASE', 'key file: there is none')
  }
  const f = new Fields(parseJson(text, 'key file', 10_000), 'key file')
  const der = unsealWith(f, await scryptLater(passphrase, kdfOf(f)))
  return { key: keyOfFile(f, der), der }
}

/** A new operator's key, made without holding up the event loop. */
export async function newKeyLater(name: string, passphrase: string): Promise<NewOperatorKey> {
  const privateKey = await new Promise<KeyObject>((resolve, reject) =>
    generateKeyPair('ed25519', undefined, (error, _publicKey, made) => (error === null ? resolve(made) : reject(error))),
  )
  return keyFileOf(name, privateKey, await sealLater(privateKey.export({ format: 'der', type: 'pkcs8' }), passphrase))
}

/** Encrypts a secret under a passphrase, without holding up the event loop. */
export async function sealLater(secret: Uint8Array, passphrase: string): Promise<Sealed> {
  const salt = randomBytes(16)
  return sealWith(secret, salt, await scryptLater(passphrase, { salt, cost: scryptCost }))
}

/** 32 bytes for one use, of a secret that is random itself. */
export const derive = (secret: string, purpose: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', `shoal ${purpose}`, 32))

/** Encrypts under a random secret: nonce, body and tag in base64. */
export function wrap(bytes: Uint8Array, secret: string, purpose: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', derive(secret, purpose), nonce)
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** null: it was wrapped under another secret, or changed. */
export function unwrap(text: string, secret: string, purpose: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', derive(secret, purpose), bytes.subarray(0, 12))
    decipher.setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
  } catch {
    return null
  }
}

const keyPurpose = 'session key'

export const wrapKey = (der: Uint8Array, secret: string): string => wrap(der, secret, keyPurpose)

/** null: not of this secret. */
export function unwrapKey(name: string, wrapped: string, secret: string): OperatorKey | null {
  const der = unwrap(wrapped, secret, keyPurpose)
  return der === null ? null : operatorKey(name, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

/** What is signed to log in with a key file: good at one node, for one challenge. */
const loginMessage = (fleet: FleetId, node: NodeId, challenge: string): Buffer =>
  Buffer.from(JSON.stringify(['shoal-login-v1', fleet, node, challenge]))

export const answerChallenge = (key: OperatorKey, fleet: FleetId, node: NodeId, challenge: string): string =>
  key.sign(loginMessage(fleet, node, challenge))

export interface ChallengeAnswer {
  readonly keyid: KeyId
  readonly challenge: string
  /** base64 */
  readonly signature: string
}

export const isAnswer = (publicHex: string, fleet: FleetId, node: NodeId, answer: ChallengeAnswer): boolean =>
  verify(null, loginMessage(fleet, node, answer.challenge), publicKeyFromHex(publicHex), Buffer.from(answer.signature, 'base64'))
