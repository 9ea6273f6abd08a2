/**
 * The root of trust: a chain of TUF root metadata (specification 1.0.33, section 5.3). Each version is signed by the threshold of the one
 * before and by its own. It names the people, their roles and keys, the thresholds, and the CA's pin. It never expires: expiry would turn
 * into an outage, and freshness comes from peers. @tufjs/models checks thresholds and signatures; what it lets pass is refused here.
 */
import { createHash } from 'node:crypto'
import { Key, Metadata, MetadataKind, Root, Signature } from '@tufjs/models'
import {
  asOneOf,
  type Digest,
  Fields,
  type FleetId,
  type KeyId,
  parseDigest,
  parseDisplayName,
  parseFleetId,
  parseJson,
  parseKeyId,
  parseOperatorName,
  ShoalError,
  toBase32,
} from '../model/index.ts'
import type { SigningKeys } from './dsse.ts'
import { keyIdOf, type Signer } from './keys.ts'

const never = '9999-12-31T23:59:59Z'
const tufRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const
const maxRootBytes = 16_384

export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

export interface Person {
  readonly name: string
  readonly role: Role
  readonly keyid: KeyId
  readonly publicHex: string
}

/**
 * Who was removed: nothing new counts, but what stood then stands, or a fleet would lose its members with the operator that let them in.
 * Invites count up to a generation; other documents only if they are named.
 */
export interface RetiredPerson {
  readonly name: string
  readonly keyid: KeyId
  readonly publicHex: string
  /** Highest generation of an invite that counts. */
  readonly until: number
  /** Digests of documents that count. */
  readonly keeps: readonly Digest[]
}

/** Documents of one removed operator that a root can name within its size. */
export const maxKept = 60

/** What a verified root says. `text` is its exact bytes. */
export interface TrustedRoot {
  readonly version: number
  readonly fleet: FleetId
  readonly fleetName: string
  readonly people: readonly Person[]
  readonly retired: readonly RetiredPerson[]
  /** SHA-256 of the CA certificate's DER. */
  readonly caPin: Digest
  /** Signatures that a release or an order needs. */
  readonly thresholds: { readonly release: number; readonly order: number }
  readonly text: string
}

export interface RootContent {
  readonly version: number
  readonly fleetName: string
  readonly people: readonly Person[]
  readonly retired?: readonly RetiredPerson[]
  readonly caPin: Digest
  readonly thresholds: { readonly release: number; readonly order: number }
  /** Further admin keys that are no person's: the recovery kit's. */
  readonly spareAdmins: readonly { readonly keyid: KeyId; readonly publicHex: string }[]
}

const tufKey = (publicHex: string): Key =>
  new Key({ keyID: keyIdOf(publicHex), keyType: 'ed25519', scheme: 'ed25519', keyVal: { public: publicHex } })

/** Makes and signs a root. Version n+1 must also be signed by an admin of version n. */
export function makeRoot(content: RootContent, signers: readonly Signer[]): string {
  const admins = content.people.filter(p => p.role === 'admin')
  const rootKeys = [...admins, ...content.spareAdmins]
  const retired = content.retired ?? []
  const keys = Object.fromEntries([...content.people, ...content.spareAdmins, ...retired].map(p => [p.keyid, tufKey(p.publicHex).toJSON()]))
  const keyids = rootKeys.map(k => k.keyid)
  const signed = Root.fromJSON({
    _type: 'root',
    spec_version: '1.0.33',
    version: content.version,
    expires: never,
    consistent_snapshot: true,
    keys,
    roles: Object.fromEntries(tufRoles.map(role => [role, { keyids, threshold: 1 }])),
    'x-shoal': {
      name: content.fleetName,
      ca: content.caPin,
      people: content.people.map(({ name, role, keyid }) => ({ name, role, keyid })),
      retired: retired.map(({ name, keyid, until, keeps }) => ({ name, keyid, until, keeps: [...keeps] })),
      thresholds: { ...content.thresholds },
    },
  })
  const metadata = new Metadata(signed)
  for (const s of signers) {
    metadata.sign(bytes => new Signature({ keyID: s.keyid, sig: Buffer.from(s.sign(bytes), 'base64').toString('hex') }))
  }
  return JSON.stringify(metadata.toJSON())
}

/** The fleet's id: SHA-256 of root version 1, exactly as signed and stored. */
export const fleetIdOf = (rootOne: string): FleetId => parseFleetId(toBase32(createHash('sha256').update(rootOne).digest()))

/** Verifies root version 1 against the fleet id that the node or the token pins. @throws ShoalError OTHER_FLEET, BAD_ROOT */
export function trustFirstRoot(text: string, pinned: FleetId): TrustedRoot {
  const fleet = fleetIdOf(text)
  if (fleet !== pinned) throw new ShoalError('OTHER_FLEET', `root 1 is of fleet ${fleet}, this is ${pinned}`)
  const metadata = readRoot(text)
  if (metadata.signed.version !== 1) throw new ShoalError('BAD_ROOT', `root: version ${metadata.signed.version}, the first is 1`)
  verifySigned(metadata, metadata)
  return viewOf(metadata, fleet, text)
}

/** What a node that knows nothing but its fleet's id trusts: the root that has this id as its hash is the next one. */
export const unknownRoot = (fleet: FleetId): TrustedRoot => ({
  version: 0,
  fleet,
  fleetName: 'unknown',
  people: [],
  retired: [],
  caPin: parseDigest('0'.repeat(64)),
  thresholds: { release: 1, order: 1 },
  text: '',
})

/** Verifies the next root of the chain against the one trusted now. @throws ShoalError BAD_ROOT, OTHER_FLEET */
export function trustNextRoot(text: string, trusted: TrustedRoot): TrustedRoot {
  if (trusted.version === 0) return trustFirstRoot(text, trusted.fleet)
  const metadata = readRoot(text)
  if (metadata.signed.version !== trusted.version + 1) {
    throw new ShoalError('BAD_ROOT', `root: version ${metadata.signed.version}, the next is ${trusted.version + 1}`)
  }
  verifySigned(readRoot(trusted.text), metadata)
  verifySigned(metadata, metadata)
  return viewOf(metadata, trusted.fleet, text)
}

/** Verifies a whole chain, version 1 first. */
export function trustChain(texts: readonly string[], pinned: FleetId): TrustedRoot {
  const [first, ...rest] = texts
  if (first === undefined) throw new ShoalError('BAD_ROOT', 'root: the chain is empty')
  return rest.reduce((trusted, text) => trustNextRoot(text, trusted), trustFirstRoot(first, pinned))
}

function readRoot(text: string): Metadata<Root> {
  try {
    const metadata = Metadata.fromJSON(MetadataKind.Root, parseJson(text, 'root', maxRootBytes) as never)
    checkKeyIds(metadata.signed)
    return metadata
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    throw new ShoalError('BAD_ROOT', `root: ${cause instanceof Error ? cause.message : 'cannot be read'}`, { cause })
  }
}

/** The library takes one key under two ids as two keys: ids are recomputed, so a key counts once. */
function checkKeyIds(root: Root): void {
  for (const [keyid, key] of Object.entries(root.keys)) {
    const publicHex = key.keyVal['public'] ?? ''
    // The same key in other letters would be another id.
    if (!/^[0-9a-f]{64}$/.test(publicHex)) throw new ShoalError('BAD_ROOT', `root: key ${keyid} is no Ed25519 key in lower-case hex`)
    const computed = keyIdOf(publicHex)
    if (computed !== keyid) throw new ShoalError('BAD_ROOT', `root: key ${keyid} is ${computed}`)
  }
}

function verifySigned(by: Metadata<Root>, metadata: Metadata<Root>): void {
  try {
    by.verifyDelegate('root', metadata)
  } catch (cause) {
    throw new ShoalError('BAD_ROOT', `root ${metadata.signed.version}: ${cause instanceof Error ? cause.message : 'not signed'}`, { cause })
  }
}

function viewOf(metadata: Metadata<Root>, fleet: FleetId, text: string): TrustedRoot {
  const x = new Fields(metadata.signed.unrecognizedFields['x-shoal'], 'root.x-shoal')
  const thresholds = new Fields(x.raw('thresholds'), 'root.thresholds')
  const known = (p: Fields): Omit<Person, 'role'> => {
    const keyid = p.get('keyid', parseKeyId)
    const publicHex = metadata.signed.keys[keyid]?.keyVal['public']
    if (publicHex === undefined) throw new ShoalError('BAD_ROOT', `root: the key ${keyid} of ${p.string('name')} is not in it`)
    return { name: p.get('name', parseOperatorName), keyid, publicHex }
  }
  const person = (value: unknown, where: string): Person => {
    const p = new Fields(value, where)
    return { ...known(p), role: p.get('role', (v, w) => asOneOf(v, w, roles)) }
  }
  const retiredPerson = (value: unknown, where: string): RetiredPerson => {
    const p = new Fields(value, where)
    return { ...known(p), until: p.integer('until'), keeps: p.list('keeps', parseDigest, maxKept) }
  }
  return {
    version: metadata.signed.version,
    fleet,
    fleetName: x.get('name', parseDisplayName),
    people: x.list('people', person, 200),
    retired: x.has('retired') ? x.list('retired', retiredPerson, 200) : [],
    caPin: x.get('ca', parseDigest),
    thresholds: { release: thresholds.integer('release', 1, 16), order: thresholds.integer('order', 1, 16) },
    text,
  }
}

/** Admin keys of a root that belong to nobody in it (the recovery kit's): they must be carried into the next version. */
export function spareAdminsOf(root: TrustedRoot): RootContent['spareAdmins'] {
  const signed = readRoot(root.text).signed
  const known = new Set<string>([...root.people, ...root.retired].map(p => p.keyid))
  return (signed.roles['root']?.keyIDs ?? [])
    .filter(id => !known.has(id))
    .map(id => ({ keyid: parseKeyId(id), publicHex: signed.keys[id]?.keyVal['public'] ?? '' }))
}

/** Keys of removed operators by which this invite, or this document, still counts. */
export const retiredKeys = (root: TrustedRoot, counts: (person: RetiredPerson) => boolean): ReadonlyMap<KeyId, string> =>
  new Map(root.retired.filter(counts).map(p => [p.keyid, p.publicHex]))

/** Keys that may sign a kind of document, with the threshold. Admins may do what operators may. */
export function signingKeys(root: TrustedRoot, what: 'release' | 'order' | 'control' | 'invite' | 'removal' | 'hold'): SigningKeys {
  const least: readonly Role[] = what === 'removal' ? ['admin'] : ['operator', 'admin']
  const keys = new Map(root.people.filter(p => least.includes(p.role)).map(p => [p.keyid, p.publicHex]))
  return { keys, threshold: what === 'release' ? root.thresholds.release : what === 'order' ? root.thresholds.order : 1 }
}
