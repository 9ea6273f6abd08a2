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
  maxRootText,
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
/** Of what was signed, not of the text: whoever relays a root might add a space, or a signature. */
const signedDigest = (signed: Root): Digest => {
  let digest = ''
  new Metadata(signed).sign(bytes => {
    digest = createHash('sha256').update(bytes).digest('hex')
    return new Signature({ keyID: '', sig: '' })
  })
  return parseDigest(digest)
}

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

/** Documents of one removed operator that a root may name. */
const maxKept = 1000
const maxPeople = 500
const maxRetired = 1000

/** What a verified root says. `text` is its exact bytes. */
export interface TrustedRoot {
  readonly version: number
  /** SHA-256 of what was signed, in TUF's canonical form. */
  readonly id: Digest
  /** Id of the version before; null: signed by an earlier Shoal, which named none. */
  readonly previous: Digest | null
  /** Keys that may sign the next version, the recovery kit's among them. */
  readonly admins: readonly KeyId[]
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
  /** Id of the version before: without it the root would fit any other of that version too. */
  readonly previous?: Digest | null
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
      ...(content.previous == null ? {} : { previous: content.previous }),
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
  id: parseDigest('0'.repeat(64)),
  previous: null,
  admins: [],
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
  const next = viewOf(metadata, trusted.fleet, text)
  if (!isBuiltOn(next, trusted))
    throw new ShoalError(
      'BAD_ROOT',
      `root ${next.version}: built on ${next.previous ?? ''}, version ${trusted.version} here is ${trusted.id}`,
    )
  return next
}

/** false: it names another root as the one before. */
export const isBuiltOn = (next: Pick<TrustedRoot, 'previous'>, before: TrustedRoot): boolean =>
  next.previous === null || next.previous === before.id

/** What a root says, whoever signed it: of a text that was verified before, or is verified later. @throws ShoalError BAD_ROOT */
export const readTrustedRoot = (text: string, fleet: FleetId): TrustedRoot => viewOf(readRoot(text), fleet, text)

/** Keys that may sign the next root: the recovery kit's first, then people by how long they are there. */
export const adminsByRank = ({ admins, people }: TrustedRoot): readonly KeyId[] => [
  ...admins.filter(id => !people.some(p => p.keyid === id)),
  ...people.map(p => p.keyid).filter(id => admins.includes(id)),
]

/** Admins of `before`, by their rank in it, whose signature a root carries. */
export function signersOf(text: string, before: TrustedRoot): readonly KeyId[] {
  const metadata = readRoot(text)
  const { keys } = readRoot(before.text).signed
  return adminsByRank(before).filter(id => hasSigned(metadata, keys[id]))
}

function hasSigned(metadata: Metadata<Root>, key: Key | undefined): boolean {
  try {
    key?.verifySignature(metadata)
    return key !== undefined
  } catch {
    return false // What the library throws for a signature that is missing, or not good.
  }
}

/**
 * The chain as it was stored, version 1 first. A crash may have left the tail of one that lost against another: it is cut off.
 * @throws ShoalError BAD_ROOT, OTHER_FLEET
 */
export function storedChain(texts: readonly string[], fleet: FleetId): readonly string[] {
  const roots = texts.map(text => readTrustedRoot(text, fleet))
  const foreign = roots.findIndex((next, at) => {
    const before = roots[at - 1]
    return before !== undefined && !isBuiltOn(next, before)
  })
  return foreign === -1 ? texts : texts.slice(0, foreign)
}

/** Verifies a whole chain, version 1 first. */
export function trustChain(texts: readonly string[], pinned: FleetId): TrustedRoot {
  const [first, ...rest] = texts
  if (first === undefined) throw new ShoalError('BAD_ROOT', 'root: the chain is empty')
  return rest.reduce((trusted, text) => trustNextRoot(text, trusted), trustFirstRoot(first, pinned))
}

function readRoot(text: string): Metadata<Root> {
  try {
    const metadata = Metadata.fromJSON(MetadataKind.Root, parseJson(text, 'root', maxRootText) as never)
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
    id: signedDigest(metadata.signed),
    previous: x.maybe('previous', parseDigest, null),
    admins: (metadata.signed.roles['root']?.keyIDs ?? []).map(id => parseKeyId(id, 'root.roles')),
    fleet,
    fleetName: x.get('name', parseDisplayName),
    people: x.list('people', person, maxPeople),
    retired: x.has('retired') ? x.list('retired', retiredPerson, maxRetired) : [],
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
