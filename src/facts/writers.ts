/**
 * Who may write what: every fact from outside is judged here before it is stored, each kind by its row of the table. Nothing is trusted for
 * having come over a link: envelopes carry operators' signatures, the rest its own writer's. What cannot be judged yet waits.
 */
import {
  type DocumentKind,
  type Envelope,
  type Fact,
  maxGenerationJump,
  parseControl,
  parseEnvelope,
  parseHold,
  parseHoldingsBody,
  parseJson,
  parseLinksBody,
  parseNodeBody,
  parseOrder,
  parseOutcomeBody,
  parsePreflightBody,
  parseReceiptBody,
  parseRelease,
  parseRemoval,
  parseStatusBody,
  ShoalError,
  toBase32,
} from '../model/index.ts'
import {
  type Admission,
  compareRoots,
  inviteOf,
  isBuiltOn,
  parseAdmission,
  readTrustedRoot,
  retiredKeys,
  sha256,
  signersOf,
  type SigningKeys,
  signingKeys,
  type TrustedRoot,
  trustNextRoot,
  type VerifiedDocument,
  verifyAdmission,
  verifyDocument,
  verifyFact,
} from '../trust/index.ts'
import type { FleetView } from './fleet.ts'
import type { Judge, Registers, Verdict } from './registers.ts'

const accept: Verdict = { v: 'accept' }
const wait: Verdict = { v: 'wait' }
type Rule = (fact: Fact, fleet: FleetView, registers: Registers) => Verdict

/** An order's id: SHA-256 of its payload in base32; the same hash in hex is the document's digest. */
export const orderIdOfDigest = (digest: string): string =>
  toBase32(Uint8Array.from(digest.match(/../g) ?? [], pair => Number.parseInt(pair, 16)))

/** Name of a control's fact: each control is a fact of its own, so that skips and retries add up and nothing is overwritten. */
export const controlName = (order: string, digest: string): string => `${order}.${digest.slice(0, 16)}`

export const receiptName = (order: string, node: string): string => `${order}.${node}`

const fail = (code: 'BAD_SIGNATURE' | 'OTHER_FLEET' | 'NOT_MEMBER', message: string): never => {
  throw new ShoalError(code, message)
}

const mustBe = (what: string, is: string | number, want: string | number): void => {
  if (is !== want) fail('BAD_SIGNATURE', `${what}: is ${is}, must be ${want}`)
}

interface Signed {
  readonly fleet: string
  readonly generation?: number
  readonly by?: string
}

const sha256Of = (envelope: Envelope): string => sha256(Buffer.from(envelope.payload, 'base64'))

/** Keys that count for this very document: those of today's people, and of removed ones where the root names the document. */
function keysFor(fleet: FleetView, kind: Exclude<DocumentKind, 'invite'>, envelope: Envelope): SigningKeys {
  const { keys, threshold } = signingKeys(fleet.root, kind)
  const digest = sha256Of(envelope)
  const kept = retiredKeys(fleet.root, p => p.keeps.some(each => each === digest))
  return { keys: new Map([...keys, ...kept]), threshold }
}

/** One document has one text: whoever relays it can add nothing that its signers did not sign. */
function mustBeCanonical(fact: Fact, envelope: Envelope): void {
  const bytes = (base64: string): string => Buffer.from(base64, 'base64').toString('base64')
  const plain: Envelope = {
    payloadType: envelope.payloadType,
    payload: bytes(envelope.payload),
    signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: bytes(sig) })),
  }
  if (JSON.stringify(plain) !== fact.body) fail('BAD_SIGNATURE', `${fact.kind}: is not in its plain form`)
}

/** A fact whose body is an operators' envelope: owner is its first good signer, name and version follow from the document. */
const byOperators =
  (kind: Exclude<DocumentKind, 'invite'>, read: (payload: unknown) => Signed, nameOf: (doc: VerifiedDocument) => string): Rule =>
  (fact, fleet) => {
    const envelope = parseEnvelope(parseJson(fact.body, kind))
    const allowed = keysFor(fleet, kind, envelope)
    const people = [...fleet.root.people, ...fleet.root.retired]
    // A key that no root names yet may be of the next root, which has not arrived.
    if (!envelope.signatures.some(s => people.some(p => p.keyid === s.keyid))) return wait
    const doc = verifyDocument(envelope, kind, allowed)
    if (doc.signedBy.length !== envelope.signatures.length) fail('BAD_SIGNATURE', `${kind}: has signatures that are not good`)
    mustBeCanonical(fact, envelope)
    const signed = read(doc.payload)
    const signer = people.find(p => p.keyid === doc.signedBy[0])
    if (signed.by !== undefined) mustBe(`${kind}.by`, signed.by, signer?.name ?? '')
    if (signed.fleet !== fleet.root.fleet) fail('OTHER_FLEET', `${kind} is of fleet ${signed.fleet}, this is ${fleet.root.fleet}`)
    mustBe(`${kind}.owner`, fact.owner, doc.signedBy[0] ?? '')
    mustBe(`${kind}.name`, fact.name, nameOf(doc))
    mustBe(`${kind}.epoch`, fact.epoch, 0)
    mustBe(`${kind}.version`, fact.version, signed.generation ?? 1)
    if (fact.version > fleet.generation + maxGenerationJump)
      fail('BAD_SIGNATURE', `${kind}: generation ${fact.version} is too far above ${fleet.generation}`)
    return accept
  }

/** A fact that a node signed itself: the writer must be a member, the body must be well formed and under its proper name. */
const byMember =
  (check: (fact: Fact) => void, orderOf?: (fact: Fact) => string): Rule =>
  (fact, fleet, registers) => {
    const member = fleet.admitted(fact.owner)
    if (member === undefined) return wait
    const removal = fleet.removalOf(fact.owner)
    const isRemoved = member.generation <= removal
    // What a node said about an order from before its removal stays evidence: a wave that has passed stays passed for who comes later.
    const order = orderOf === undefined ? undefined : registers.ofKind('order').find(f => f.name === orderOf(fact))
    if (isRemoved && orderOf !== undefined && order === undefined) return wait
    if (isRemoved && (order?.version ?? removal) >= removal) fail('NOT_MEMBER', `${fact.kind} of ${fact.owner}: was removed`)
    const isGone = !isRemoved && !fleet.isMember(fact.owner)
    if (isGone && orderOf === undefined && fact.kind !== 'node') fail('NOT_MEMBER', `${fact.kind} of ${fact.owner}: not a member`)
    check(fact)
    if (!verifyFact(fact, member.spki)) fail('BAD_SIGNATURE', `${fact.kind} of ${fact.owner}: not its signature`)
    return accept
  }

const bodyOf = (fact: Fact): unknown => parseJson(fact.body, fact.kind)

const root: Rule = (fact, fleet) => {
  mustBe('root.owner', fact.owner, fleet.root.fleet)
  mustBe('root.name', fact.name, String(fact.version))
  mustBe('root.epoch', fact.epoch, 0)
  if (fact.version > fleet.root.version + 1) return wait
  if (fact.body === fleet.rootText(fact.version)) return accept
  const before = fleet.rootAt(fact.version - 1)
  if (fact.version === fleet.root.version + 1) return isOfOtherBranch(fact, fleet.root) ? wait : nextRoot(fact, fleet)
  if (before === undefined) return fail('BAD_SIGNATURE', `root ${fact.version}: is not the one of fleet ${fleet.root.fleet}`)
  return isOfOtherBranch(fact, before) ? wait : rivalRoot(fact, before, fleet)
}

/** Built on another root of the version before: that one is judged first. */
const isOfOtherBranch = (fact: Fact, before: TrustedRoot): boolean =>
  before.version > 0 && !isBuiltOn(readTrustedRoot(fact.body, before.fleet), before)

function nextRoot(fact: Fact, fleet: FleetView): Verdict {
  trustNextRoot(fact.body, fleet.root)
  return accept
}

/**
 * Two roots of one version: one of them counts everywhere (trust/root-order.ts), and what was built on the other is judged again. But who is
 * no admin any more, or has an old key, must not sign the past anew: what has stood for a day stands, unless an admin of now says otherwise.
 */
function rivalRoot(fact: Fact, before: TrustedRoot, fleet: FleetView): Verdict {
  const rival = trustNextRoot(fact.body, before)
  const held = fleet.rootAt(fact.version)
  if (held === undefined) return fail('BAD_SIGNATURE', `root ${fact.version}: version ${fact.version} is not known here`)
  const which = `root ${fact.version}: two were signed; ${rival.id.slice(0, 12)} (${namesOf(rival)}) does not count`
  if (compareRoots(held, rival, before) <= 0) throw new ShoalError('CONFLICT', `${which}, ${held.id.slice(0, 12)} (${namesOf(held)}) does`)
  const isByAdmin = signersOf(fact.body, before).some(id => fleet.root.admins.includes(id))
  if (fact.version <= fleet.settled && !isByAdmin)
    throw new ShoalError('CONFLICT', `${which}: signed by nobody who is an admin now, and ${held.id.slice(0, 12)} has stood for long`)
  return { v: 'accept', replaces: true }
}

const namesOf = (root: TrustedRoot): string => root.people.map(p => p.name).join(', ')

/** Written by the node that redeemed the invite. A removed redeemer's admissions count only by invites from before its removal. */
const member: Rule = (fact, fleet) => {
  const admission = parseAdmission(bodyOf(fact))
  const invite = inviteOf(admission)
  const people = [...fleet.root.people, ...fleet.root.retired]
  if (!admission.invite.signatures.some(s => people.some(p => p.keyid === s.keyid))) return wait
  if (invite.generation > fleet.generation + maxGenerationJump && fleet.members().length > 0) return wait
  verifyAdmission(admission, fleet.root, true)
  mustBe('member.name', fact.name, admission.node)
  mustBe('member.owner', fact.owner, invite.redeemer)
  mustBe('member.epoch', fact.epoch, 0)
  mustBe('member.version', fact.version, invite.generation)
  const own = invite.redeemer === admission.node
  const redeemer = own ? { spki: admission.spki, generation: invite.generation } : fleet.admitted(invite.redeemer)
  if (redeemer === undefined) return wait
  const removal = own ? 0 : fleet.removalOf(invite.redeemer)
  if (removal > redeemer.generation && invite.generation > removal)
    fail('NOT_MEMBER', `member ${admission.node}: let in by ${invite.redeemer}, which was removed`)
  if (!verifyFact(fact, redeemer.spki)) fail('BAD_SIGNATURE', `member ${admission.node}: not signed by ${invite.redeemer}`)
  return accept
}

/** A map, since a kind is its writer's text: an object would answer to `constructor`. */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>(
  Object.entries({
    root,
    member,
    removal: byOperators('removal', parseRemoval, doc => parseRemoval(doc.payload).node),
    hold: byOperators('hold', parseHold, doc => parseHold(doc.payload).node),
    release: byOperators('release', parseRelease, doc => doc.digest),
    order: byOperators('order', parseOrder, doc => orderIdOfDigest(doc.digest)),
    control: byOperators('control', parseControl, doc => controlName(parseControl(doc.payload).order, doc.digest)),
    node: byMember(f => {
      mustBe('node.name', f.name, '')
      parseNodeBody(bodyOf(f))
    }),
    status: byMember(f => {
      mustBe('status.name', f.name, '')
      parseStatusBody(bodyOf(f))
    }),
    holdings: byMember(f => {
      mustBe('holdings.name', f.name, '')
      parseHoldingsBody(bodyOf(f))
    }),
    links: byMember(f => {
      mustBe('links.name', f.name, '')
      parseLinksBody(bodyOf(f))
    }),
    preflight: byMember(
      f => mustBe('preflight.name', f.name, parsePreflightBody(bodyOf(f)).order),
      f => f.name,
    ),
    outcome: byMember(
      f => mustBe('outcome.name', f.name, parseOutcomeBody(bodyOf(f)).order),
      f => f.name,
    ),
    receipt: byMember(
      f => {
        const { order, node } = parseReceiptBody(bodyOf(f))
        mustBe('receipt.name', f.name, receiptName(order, node))
      },
      f => f.name.split('.')[0] ?? '',
    ),
  }),
)

/** Unknown kinds come from newer nodes: kept and relayed as they are, if a member signed them. */
const opaque = byMember(() => undefined)

/** The judge of a fleet. It never throws: what a fact breaks becomes a `reject` with its code. */
export const fleetJudge =
  (fleet: FleetView): Judge =>
  (fact, registers) => {
    try {
      return (rules.get(fact.kind) ?? opaque)(fact, fleet, registers)
    } catch (error) {
      if (error instanceof ShoalError) return { v: 'reject', code: error.code, message: error.message }
      return {
        v: 'reject',
        code: 'BAD_REQUEST',
        message: `${fact.kind} of ${fact.owner}: ${error instanceof Error ? error.message : 'unreadable'}`,
      }
    }
  }

/** The admission of a node, as its redeemer writes it down. A later admission of the same node has a greater generation and wins. */
export const admissionFact = (sign: (fact: Omit<Fact, 'sig'>) => Fact, redeemer: string, admission: Admission, generation: number): Fact =>
  sign({ kind: 'member', owner: redeemer, name: admission.node, epoch: 0, version: generation, body: JSON.stringify(admission) })

/** A root version as a fact: one register per version, so that the chain is never broken. */
export const rootFact = (root: TrustedRoot): Fact => ({
  kind: 'root',
  owner: root.fleet,
  name: String(root.version),
  epoch: 0,
  version: root.version,
  body: root.text,
  sig: '',
})

/** An operators' envelope as a fact. */
export const envelopeFact = (
  kind: 'release' | 'order' | 'control' | 'removal' | 'hold',
  envelope: Envelope,
  name: string,
  version: number,
): Fact => ({
  kind,
  owner: envelope.signatures[0]?.keyid ?? '',
  name,
  epoch: 0,
  version,
  body: JSON.stringify(envelope),
  sig: '',
})
