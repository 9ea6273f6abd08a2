/**
 * X.509 for the fleet: one CA that admits, one certificate per node that names it. Keys and signatures are node:crypto's (P-256), forge only
 * encodes. Validity runs from 1970 to RFC 5280's "no well-defined expiration date": membership is the authority, and boxes have wrong clocks.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import type forge from 'node-forge'
import { type FleetId, type NodeId, parseNodeId, ShoalError, toBase32 } from '../model/index.ts'
import { sha256 } from './dsse.ts'

const load = createRequire(import.meta.url)
type Asn1 = forge.asn1.Asn1
/** forge's types know a tag only as one of its universal types, a context-specific one is a plain number; and of `fromDer` not all options. */
interface Asn1Codec extends Omit<typeof forge.asn1, 'create' | 'fromDer'> {
  create(cls: forge.asn1.Class, tag: number, isConstructed: boolean, value: string | Asn1[]): Asn1
  fromDer(bytes: string, options: { readonly strict: boolean; readonly parseAllBytes: boolean; readonly decodeBitStrings: boolean }): Asn1
}
/** Loaded when the first certificate is made: a worker that starts makes none, and it is 30 ms and 8 MB. */
const asn1 = (): Asn1Codec => (load('node-forge') as { readonly asn1: Asn1Codec }).asn1

const oids = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
}

const bin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const node = (tag: number, value: string | Asn1[], cls = asn1().Class.UNIVERSAL): Asn1 =>
  asn1().create(cls, tag, typeof value !== 'string', value)
const seq = (...parts: Asn1[]): Asn1 => node(asn1().Type.SEQUENCE, parts)
const oid = (id: string): Asn1 => node(asn1().Type.OID, asn1().oidToDer(id).getBytes())
const tagged = (tag: number, value: string | Asn1[]): Asn1 => node(tag, value, asn1().Class.CONTEXT_SPECIFIC)
const bits = (bytes: string, unused = 0): Asn1 => node(asn1().Type.BITSTRING, String.fromCharCode(unused) + bytes)
const der = (value: Asn1): string => asn1().toDer(value).getBytes()
/** forge decodes BIT STRINGs as ASN.1 by default, which breaks one signature in some thousands: never here. */
const fromDer = (bytes: Uint8Array): Asn1 => asn1().fromDer(bin(bytes), { strict: true, parseAllBytes: true, decodeBitStrings: false })

const nameOf = (commonName: string): Asn1 =>
  seq(node(asn1().Type.SET, [seq(oid(oids.commonName), node(asn1().Type.UTF8, Buffer.from(commonName).toString('latin1')))]))

const extension = (id: string, critical: boolean, value: Asn1): Asn1 =>
  seq(oid(id), ...(critical ? [node(asn1().Type.BOOLEAN, '\xff')] : []), node(asn1().Type.OCTETSTRING, der(value)))

const validity = (): Asn1 => seq(node(asn1().Type.UTCTIME, '700101000000Z'), node(asn1().Type.GENERALIZEDTIME, '99991231235959Z'))

const keyIdentifier = (spki: Uint8Array): string => bin(createHash('sha1').update(spki).digest())

interface Template {
  readonly subject: string
  readonly issuer: string
  readonly spki: Uint8Array
  readonly issuerSpki: Uint8Array
  readonly extensions: Asn1[]
}

function issue(t: Template, key: KeyObject): string {
  const algorithm = seq(oid(oids.ecdsaWithSha256))
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const tbs = seq(
    tagged(0, [node(asn1().Type.INTEGER, '\x02')]),
    node(asn1().Type.INTEGER, bin(serial)),
    algorithm,
    nameOf(t.issuer),
    validity(),
    nameOf(t.subject),
    fromDer(t.spki),
    tagged(3, [
      seq(
        extension(oids.subjectKeyId, false, node(asn1().Type.OCTETSTRING, keyIdentifier(t.spki))),
        extension(oids.authorityKeyId, false, seq(tagged(0, keyIdentifier(t.issuerSpki)))),
        ...t.extensions,
      ),
    ]),
  )
  const signature = sign('sha256', Buffer.from(der(tbs), 'latin1'), key)
  const pem = Buffer.from(der(seq(tbs, algorithm, bits(bin(signature)))), 'latin1').toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${(pem.match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`
}

const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' })
const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pemOf = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString()

export interface KeyAndCertificate {
  /** PKCS#8 PEM, P-256. */
  readonly key: string
  /** PEM. */
  readonly cert: string
}

const caName = 'Shoal fleet CA'

/** The fleet's CA: may sign leaves and nothing else (pathLen 0). */
export function makeCa(): KeyAndCertificate {
  const key = newKey()
  const spki = spkiOf(key)
  const extensions = [
    extension(oids.basicConstraints, true, seq(node(asn1().Type.BOOLEAN, '\xff'), node(asn1().Type.INTEGER, '\0'))),
    extension(oids.keyUsage, true, bits('\x06', 1)),
  ]
  return { key: pemOf(key), cert: issue({ subject: caName, issuer: caName, spki, issuerSpki: spki, extensions }, key) }
}

/** A node's id: SHA-256 of its public key's SPKI DER in base32. */
export const nodeIdOf = (spki: Uint8Array): NodeId => parseNodeId(toBase32(createHash('sha256').update(spki).digest()))

/** The one name in a node's certificate; Node's own hostname check pins the peer by it. */
export const serverNameOf = (node: NodeId, fleet: FleetId): string => `${node}.${fleet}.shoal`

export interface NodeKey {
  readonly id: NodeId
  readonly key: string
  /** SPKI DER, base64. */
  readonly spki: string
}

export function newNodeKey(): NodeKey {
  const key = newKey()
  const spki = spkiOf(key)
  return { id: nodeIdOf(spki), key: pemOf(key), spki: spki.toString('base64') }
}

/** The node's key from its PEM file. */
export function readNodeKey(pem: string): NodeKey {
  const spki = spkiOf(createPrivateKey(pem))
  return { id: nodeIdOf(spki), key: pem, spki: spki.toString('base64') }
}

const leafExtensions = (names: readonly Asn1[]): Asn1[] => [
  extension(oids.basicConstraints, true, seq()),
  extension(oids.keyUsage, true, bits('\x80', 7)),
  extension(oids.extKeyUsage, false, seq(oid(oids.serverAuth), oid(oids.clientAuth))),
  extension(oids.subjectAltName, false, seq(...names)),
]

/** A node's certificate. The name comes from the key alone: nobody can ask for another's. @throws ShoalError BAD_REQUEST */
export function makeNodeCertificate(spkiBase64: string, fleet: FleetId, ca: KeyAndCertificate): string {
  const spki = p256Spki(spkiBase64)
  const id = nodeIdOf(spki)
  const caKey = createPrivateKey(ca.key)
  return issue(
    { subject: id, issuer: caName, spki, issuerSpki: spkiOf(caKey), extensions: leafExtensions([tagged(2, serverNameOf(id, fleet))]) },
    caKey,
  )
}

/** Reads a P-256 public key from outside; anything else is refused. */
export function p256Spki(base64: string): Buffer {
  const bytes = Buffer.from(base64, 'base64')
  try {
    if (createPublicKey({ key: bytes, format: 'der', type: 'spki' }).asymmetricKeyDetails?.namedCurve === 'prime256v1') return bytes
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `public key of ${bytes.length} bytes: no SPKI`, { cause })
  }
  throw new ShoalError('BAD_REQUEST', 'public key: is not P-256')
}

const ipv6Bytes = (ip: string): number[] => {
  const [head = '', tail] = (ip.split('%')[0] ?? '').split('::')
  const groups = (text: string | undefined): number[] =>
    text === undefined || text === '' ? [] : text.split(':').map(g => Number.parseInt(g, 16))
  const [front, back] = [groups(head), groups(tail)]
  const all = [...front, ...Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back]
  return all.flatMap(g => [g >> 8, g & 255])
}

const ipBytes = (ip: string): string => String.fromCharCode(...(ip.includes(':') ? ipv6Bytes(ip) : ip.split('.').map(Number)))

/** A self-signed certificate for people's browsers, for the node's own names and addresses. */
export function makeWebCertificate(hosts: readonly string[]): KeyAndCertificate {
  const key = newKey()
  const spki = spkiOf(key)
  const names = hosts.map(h => (isIP(h) === 0 ? tagged(2, h) : tagged(7, ipBytes(h))))
  const subject = hosts[0] ?? 'shoal'
  return { key: pemOf(key), cert: issue({ subject, issuer: subject, spki, issuerSpki: spki, extensions: leafExtensions(names) }, key) }
}

/** SHA-256 of a certificate's DER: what a token pins and the root names. */
export const pinOf = (cert: string | Uint8Array): ReturnType<typeof sha256> => sha256(new X509Certificate(cert).raw)

/** What certificates say, by their bytes: a connection shows the same ones at each of its requests, and to read them costs a millisecond. */
const read = new WeakMap<Uint8Array, { readonly id: NodeId; readonly names: string | undefined }>()

function readCertificate(cert: Uint8Array): { readonly id: NodeId; readonly names: string | undefined } {
  const x = new X509Certificate(cert)
  return { id: nodeIdOf(x.publicKey.export({ format: 'der', type: 'spki' })), names: x.subjectAltName }
}

/** Who a peer's certificate says it is, from its key and its name, which must agree. @throws ShoalError BAD_SIGNATURE */
export function nodeOfCertificate(cert: Uint8Array, fleet: FleetId): NodeId {
  const known = read.get(cert) ?? readCertificate(cert)
  read.set(cert, known)
  const want = `DNS:${serverNameOf(known.id, fleet)}`
  if (known.names !== want) throw new ShoalError('BAD_SIGNATURE', `certificate: names ${known.names ?? 'nothing'}, its key is ${want}`)
  return known.id
}
