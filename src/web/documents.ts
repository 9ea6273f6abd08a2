/**
 * What operators send: signed documents, judged like any fact and then told to the fleet. An envelope is its own permission. Sent twice, it
 * changes nothing the second time.
 */
import { controlName, envelopeFact, fleetJudge, orderIdOfDigest, rootFact } from '../facts/index.ts'
import {
  type Control,
  type Digest,
  type DocumentKind,
  type Envelope,
  type Fact,
  factKey,
  Fields,
  maxDocumentBytes,
  maxBodyOf,
  maxGenerationJump,
  maxRootText,
  type Order,
  type OrderId,
  parseControl,
  parseEnvelope,
  parseHold,
  parseInvite,
  parseJson,
  parseOrder,
  parseOrderId,
  parsePlan,
  parseRelease,
  parseRemoval,
  type Release,
  type Removal,
  ShoalError,
} from '../model/index.ts'
import type { KnownRelease, RolloutState } from '../rollout/index.ts'
import { isBuiltOn, readTrustedRoot, requireOneTimeKey, sha256, signingKeys, trustNextRoot, verifyDocument } from '../trust/index.ts'
import { findNode, findRollout } from './names.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

export class Documents {
  readonly #s: WebServices
  readonly #views: Views

  constructor(services: WebServices, views: Views) {
    this.#s = services
    this.#views = views
  }

  /** @throws ShoalError BAD_SIGNATURE, NOT_ALLOWED, OTHER_FLEET, RELEASE_EXISTS, TOO_LARGE */
  release(f: Fields): { readonly isNew: boolean; readonly id: string; readonly release: Release } {
    const envelope = f.get('envelope', parseEnvelope)
    const { payload, digest } = this.#verify(envelope, 'release')
    const release = parseRelease(payload)
    const held = this.#s.replica.book.releases().find(r => isSame(r.release, release))
    if (held !== undefined && held.document !== digest) {
      throw new ShoalError('RELEASE_EXISTS', existsText(held, digest, release))
    }
    return { isNew: this.#tell(envelopeFact('release', envelope, digest, 1)), id: digest, release }
  }

  /** @throws ShoalError BAD_SIGNATURE, NOT_ALLOWED, OTHER_FLEET, UNKNOWN_RELEASE, BAD_REQUEST, DIGEST_MISMATCH, CONFLICT, TOO_LARGE */
  order(f: Fields): { readonly isNew: boolean; readonly id: OrderId; readonly release: string } {
    const envelope = f.get('envelope', parseEnvelope)
    const { payload, digest } = this.#verify(envelope, 'order')
    const order = parseOrder(payload)
    const planText = f.string('planText', maxDocumentBytes)
    if (sha256(planText) !== order.plan)
      throw new ShoalError('DIGEST_MISMATCH', `plan: sha256 is ${sha256(planText)}, the order says ${order.plan}`)
    parsePlan(parseJson(planText, 'plan'))
    this.#requireRelease(order)
    const id = parseOrderId(orderIdOfDigest(digest))
    const fact = envelopeFact('order', envelope, id, order.generation)
    const isNew = this.#isNew(fact)
    if (isNew) {
      this.#refuseRival(id, order.generation, order.kind)
      this.#s.replica.addPlan(order.plan, planText)
      this.#s.publish([fact], true)
    }
    return { isNew, id, release: `${order.name}@${order.version}` }
  }

  /** The order names its release twice, by digest and by name: people read the name, nodes fetch by the digest. */
  #requireRelease(order: Order): void {
    const wanted = `${order.kind} ${order.name}@${order.version}`
    const release = this.#s.replica.book.release(order.release)
    if (release === undefined) throw new ShoalError('UNKNOWN_RELEASE', `there is no release ${wanted} (${order.release.slice(0, 12)})`)
    if (!isSame(release, order))
      throw new ShoalError('BAD_REQUEST', `the order is for ${wanted}, its release is ${release.kind} ${release.name}@${release.version}`)
  }

  /** Another order came between draft and signature: whoever signed did not see it. */
  #refuseRival(id: OrderId, generation: number, kind: string): void {
    const rival = this.#views.rollouts().find(o => o.order.kind === kind && o.order.generation >= generation && o.id !== id)
    if (rival === undefined) return
    throw new ShoalError(
      'CONFLICT',
      `order ${rival.id.slice(0, 8)} (${rival.order.name}@${rival.order.version}) was made meanwhile by ${rival.order.by}`,
    )
  }

  /** @throws ShoalError BAD_SIGNATURE, NOT_ALLOWED, OTHER_FLEET, NOT_FOUND, BAD_REQUEST, ORDER_CLOSED, TOO_LARGE */
  control(f: Fields, action: Control['action'], rollout: string): { readonly id: OrderId; readonly state: RolloutState } {
    const envelope = f.get('envelope', parseEnvelope)
    const { payload, digest } = this.#verify(envelope, 'control')
    const control = parseControl(payload)
    const known = findRollout(this.#views, rollout)
    if (control.order !== known.id || control.action !== action) {
      throw new ShoalError(
        'BAD_REQUEST',
        `the envelope says ${control.action} ${control.order.slice(0, 8)}, the route ${action} ${known.id.slice(0, 8)}`,
      )
    }
    const fact = envelopeFact('control', envelope, controlName(known.id, digest), control.generation)
    const state = this.#views.state(known)
    const isClosed = state === 'completed' || state === 'aborted'
    if (isClosed && this.#s.replica.registers.get(factKey(fact)) === undefined)
      throw new ShoalError('ORDER_CLOSED', `rollout ${known.id.slice(0, 8)} is ${state}`)
    this.#tell(fact)
    return { id: known.id, state: this.#views.state(findRollout(this.#views, known.id)) }
  }

  /**
   * @param node whom the route names
   * @throws ShoalError BAD_SIGNATURE, NOT_ALLOWED, OTHER_FLEET, NOT_FOUND, BAD_REQUEST, CONFLICT
   */
  removal(f: Fields, node: string): Removal {
    const envelope = f.get('envelope', parseEnvelope)
    const removal = parseRemoval(this.#verify(envelope, 'removal').payload)
    const named = findNode(this.#s, node)
    if (named !== removal.node)
      throw new ShoalError('BAD_REQUEST', `the envelope removes ${removal.node.slice(0, 8)}, the route ${named.slice(0, 8)}`)
    const { fleet } = this.#s.replica
    const { generation } = fleet.admitted(named) ?? { generation: 0 }
    if (removal.generation < generation)
      throw new ShoalError('CONFLICT', `the removal has generation ${removal.generation}, the node was let in again at ${generation}`)
    this.#tell(envelopeFact('removal', envelope, removal.node, removal.generation))
    return removal
  }

  /**
   * @param node whom the route names
   * @param isHold what the route does: hold, or end a hold
   * @throws ShoalError BAD_SIGNATURE, NOT_ALLOWED, OTHER_FLEET, NOT_FOUND, BAD_REQUEST, TOO_LARGE
   */
  hold(f: Fields, node: string, isHold: boolean): { readonly id: string; readonly held: boolean } {
    const envelope = f.get('envelope', parseEnvelope)
    const hold = parseHold(this.#verify(envelope, 'hold').payload)
    const named = findNode(this.#s, node)
    if (named !== hold.node || hold.hold !== isHold)
      throw new ShoalError(
        'BAD_REQUEST',
        `the envelope ${hold.hold ? 'holds' : 'releases'} ${hold.node.slice(0, 8)}, the route ${isHold ? 'holds' : 'releases'} ${named.slice(0, 8)}`,
      )
    this.#tell(envelopeFact('hold', envelope, hold.node, hold.generation))
    return { id: named, held: this.#s.replica.holds.of(named) !== null }
  }

  /** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET, NOT_ALLOWED, BAD_REQUEST, CONFLICT */
  invite(f: Fields): { readonly isNew: boolean; readonly id: string; readonly expiresAt: string } {
    const envelope = f.get('envelope', parseEnvelope)
    const invite = parseInvite(this.#verify(envelope, 'invite').payload)
    const { id, expiresAt, generation, uses } = invite
    if (this.#s.ca === null || invite.redeemer !== this.#s.self) {
      throw new ShoalError('NOT_ALLOWED', 'this node does not redeem invites: make it at one that has the CA key')
    }
    if (generation > this.#s.replica.fleet.generation + maxGenerationJump)
      throw new ShoalError('BAD_SIGNATURE', `invite: generation ${generation} is too far above ${this.#s.replica.fleet.generation}`)
    if (Number.isNaN(Date.parse(expiresAt))) throw new ShoalError('BAD_REQUEST', `expiresAt: "${expiresAt}" is no time`)
    requireOneTimeKey(invite)
    const text = JSON.stringify(envelope)
    const held = this.#s.invites.invite(id)
    if (held !== undefined && held.envelope !== text) throw new ShoalError('CONFLICT', `invite ${id} exists`)
    if (held === undefined) this.#s.invites.saveInvite({ id, envelope: text, uses, expiresAt })
    return { isNew: held === undefined, id, expiresAt }
  }

  /** @throws ShoalError BAD_ROOT, CONFLICT */
  root(f: Fields): { readonly isNew: boolean; readonly version: number } {
    const { fleet } = this.#s.replica
    const text = f.string('root', maxRootText)
    if (text === fleet.root.text) return { isNew: false, version: fleet.root.version }
    const posted = readTrustedRoot(text, fleet.root.fleet)
    // Whoever signed it did not see what somebody else changed meanwhile.
    if (posted.version <= fleet.root.version || !isBuiltOn(posted, fleet.root)) {
      const here = `root ${fleet.root.version} (${fleet.root.id.slice(0, 12)})`
      throw new ShoalError(
        'CONFLICT',
        `root ${posted.version}: built on ${posted.previous?.slice(0, 12) ?? 'an earlier one'}, here is ${here}`,
      )
    }
    const next = trustNextRoot(text, fleet.root)
    return { isNew: this.#tell(rootFact(next)), version: next.version }
  }

  #verify(envelope: Envelope, kind: DocumentKind): ReturnType<typeof verifyDocument> {
    const { root } = this.#s.replica.fleet
    const allowed = signingKeys(root, kind)
    const signers = envelope.signatures.map(s => s.keyid)
    const person = root.people.find(p => signers.includes(p.keyid))
    if (person !== undefined && !signers.some(keyid => allowed.keys.has(keyid))) {
      const needed = kind === 'removal' ? 'an admin' : 'an operator or admin'
      throw new ShoalError('NOT_ALLOWED', `${person.name} is ${person.role}; to sign a ${kind} takes ${needed}`)
    }
    const doc = verifyDocument(envelope, kind, allowed)
    const fleet = new Fields(doc.payload, kind).string('fleet', 64)
    if (fleet !== root.fleet) throw new ShoalError('OTHER_FLEET', `the ${kind} is of fleet ${fleet}, this is ${root.fleet}`)
    return doc
  }

  /** @returns false: it was told before */
  #tell(fact: Fact): boolean {
    const isNew = this.#isNew(fact)
    if (isNew) this.#s.publish([fact], true)
    return isNew
  }

  /** Judged like what comes over a link. @returns false: it is known, or outdated. @throws ShoalError TOO_LARGE and what the judge says */
  #isNew(fact: Fact): boolean {
    const { registers, fleet } = this.#s.replica
    const standing = registers.compare(fact)
    if (standing === 'full') throw new ShoalError('TOO_LARGE', `${fact.owner.slice(0, 8)} has signed as many documents as the fleet keeps`)
    if (standing !== 'new') return false
    // No link carries more, so no other node would ever hear of it.
    if (fact.body.length > maxBodyOf(fact.kind))
      throw new ShoalError('TOO_LARGE', `${fact.kind}: the envelope has ${fact.body.length} characters, at most ${maxBodyOf(fact.kind)}`)
    const verdict = fleetJudge(fleet)(fact, registers)
    if (verdict.v === 'reject') throw new ShoalError(verdict.code, verdict.message)
    if (verdict.v === 'wait') throw new ShoalError('BAD_SIGNATURE', `${fact.kind}: signed by a key that the root does not name`)
    return true
  }
}

const isSame = (a: Pick<Release, 'kind' | 'name' | 'version'>, b: Pick<Release, 'kind' | 'name' | 'version'>): boolean =>
  a.kind === b.kind && a.name === b.name && a.version === b.version

const existsText = ({ document, release: held }: KnownRelease, digest: Digest, release: Release): string => {
  const [has, wants] = [held, release].map(({ packages }) => Object.keys(packages).toSorted().join(', '))
  const other = has === wants ? '' : ` for ${has ?? ''}, this is for ${wants ?? ''}`
  const name = `${release.kind} ${release.name}@${release.version}`
  return `${name} is signed already as ${document.slice(0, 12)}${other}; the new document is ${digest.slice(0, 12)}`
}
