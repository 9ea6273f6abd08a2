/**
 * Operators' signing keys: Ed25519, named by TUF's key id, kept in files that are encrypted under a passphrase
 * (scrypt, AES-256-GCM). A key file never holds the key in the clear; its passphrase is never written beside it but by `init`.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scryptSync,
  sign,
} from 'node:crypto'
import { Fields, type KeyId, parseJson, parseKeyId, parseOperatorName, ShoalError } from '../model/index.ts'

/** scrypt's cost: 2^16 takes about 0.25 s and 64 MiB. */
export const scryptCost = { N: 1 << 16, r: 8, p: 1, maxmem: 160 << 20 }
const maxCost = 1 << 18

export interface Signer {
  readonly keyid: KeyId
  /** base64 */
  sign(message: Uint8Array): string
}

export interface OperatorKey extends Signer {
  readonly name: string
  /** Raw Ed25519 public key in hex, as TUF writes it. */
  readonly publicHex: string
}

/** TUF's key id: SHA-256 of the canonical JSON of the key. */
export const keyIdOf = (publicHex: string): KeyId =>
  parseKeyId(createHash('sha256').update(`{"keytype":"ed25519","keyval":{"public":"${publicHex}"},"scheme":"ed25519"}`).digest('hex'))

const rawHex = (key: KeyObject): string => Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex')

/** A raw public key in hex to a key object. */
export const publicKeyFromHex = (hex: string): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') }, format: 'jwk' })

export const operatorKey = (name: string, key: KeyObject): OperatorKey => {
  const publicHex = rawHex(createPublicKey(key))
  return { name, publicHex, keyid: keyIdOf(publicHex), sign: message => sign(null, message, key).toString('base64') }
}

export interface NewOperatorKey {
  readonly key: OperatorKey
  /** Text of the encrypted key file. */
  readonly file: string
}

export function newOperatorKey(name: string, passphrase: string): NewOperatorKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return keyFileOf(name, privateKey, seal(privateKey.export({ format: 'der', type: 'pkcs8' }), passphrase))
}

/** A new key with its file, from the key and what `seal` made of it. */
export function keyFileOf(name: string, privateKey: KeyObject, sealed: Sealed): NewOperatorKey {
  const key = operatorKey(name, privateKey)
  return { key, file: `${JSON.stringify({ schema: 1, name, keyid: key.keyid, public: key.publicHex, ...sealed }, null, 2)}\n` }
}

/** @throws ShoalError BAD_PASSPHRASE, BAD_REQUEST */
export function openOperatorKey(text: string, passphrase: string, where = 'key file'): OperatorKey {
  const f = new Fields(parseJson(text, where, 10_000), where)
  return keyOfFile(f, unseal(f, passphrase))
}

/** The key that an opened key file holds. @throws ShoalError BAD_REQUEST */
export function keyOfFile(f: Fields, der: Buffer): OperatorKey {
  const { where } = f
  const key = operatorKey(f.get('name', parseOperatorName), createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  if (key.keyid !== f.get('keyid', parseKeyId))
    throw new ShoalError('BAD_REQUEST', `${where}: holds key ${key.keyid}, says ${f.string('keyid')}`)
  return key
}

export interface Sealed {
  readonly kdf: { readonly name: 'scrypt'; readonly salt: string; readonly N: number; readonly r: number; readonly p: number }
  readonly nonce: string
  readonly sealed: string
}

/** Encrypts a secret under a passphrase; the parameters travel with it. */
export function seal(secret: Uint8Array, passphrase: string): Sealed {
  const salt = randomBytes(16)
  return sealWith(secret, salt, scryptSync(normal(passphrase), salt, 32, scryptCost))
}

/** The same with a key that scrypt has made of the passphrase and the salt, at `scryptCost`. */
export function sealWith(secret: Uint8Array, salt: Uint8Array, key: Uint8Array): Sealed {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const body = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
  const { N, r, p } = scryptCost
  return {
    kdf: { name: 'scrypt', salt: Buffer.from(salt).toString('base64'), N, r, p },
    nonce: nonce.toString('base64'),
    sealed: body.toString('base64'),
  }
}

/** One person types it composed, another decomposed: the same passphrase. */
export const normal = (passphrase: string): string => passphrase.normalize('NFKC')

export interface Kdf {
  readonly salt: Buffer
  readonly cost: typeof scryptCost
}

/** How the key of a sealed thing is made. @throws ShoalError BAD_REQUEST if it would cost too much */
export function kdfOf(f: Fields): Kdf {
  const kdf = new Fields(f.raw('kdf'), `${f.where}.kdf`)
  const cost = { N: kdf.integer('N', 2, maxCost), r: kdf.integer('r', 1, 16), p: kdf.integer('p', 1, 4), maxmem: scryptCost.maxmem * 4 }
  return { salt: Buffer.from(kdf.string('salt', 100), 'base64'), cost }
}

/** @throws ShoalError BAD_PASSPHRASE */
export function unseal(f: Fields, passphrase: string): Buffer {
  const { salt, cost } = kdfOf(f)
  return unsealWith(f, scryptSync(normal(passphrase), salt, 32, cost))
}

/** @throws ShoalError BAD_PASSPHRASE */
export function unsealWith(f: Fields, key: Uint8Array): Buffer {
  const body = Buffer.from(f.string('sealed', 8192), 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(f.string('nonce', 100), 'base64'))
    decipher.setAuthTag(body.subarray(-16))
    return Buffer.concat([decipher.update(body.subarray(0, -16)), decipher.final()])
  } catch (cause) {
    throw new ShoalError('BAD_PASSPHRASE', `${f.where}: the passphrase does not open it`, { cause })
  }
}

const consonants = 'bdfghjklmnprstvz'
const vowels = 'aiou'

/** Six pronounceable words of 16 bits each (proquints): 96 bits that can be read over a telephone. */
export function newPassphrase(): string {
  const word = (n: number): string =>
    `${consonants[n >> 12] ?? ''}${vowels[(n >> 10) & 3] ?? ''}${consonants[(n >> 6) & 15] ?? ''}${vowels[(n >> 4) & 3] ?? ''}${consonants[n & 15] ?? ''}`
  const bytes = randomBytes(12)
  return [0, 2, 4, 6, 8, 10].map(at => word(bytes.readUInt16BE(at))).join('-')
}
