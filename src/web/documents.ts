/**
 * What operators send: signed documents, judged like any fact and then told to the fleet. An envelope is its own permission. Sent twice, it
 * changes nothing the second time.
 */
import { controlName, envelopeFact, orderIdOfDigest } from '../facts/index.ts'
import {
  type Control,
  type Envelope,
  type Fact,
  type Fields,
  maxDocumentBytes,
  type OrderId,
  parseControl,
  parseEnvelope,
  parseInvite,
  parseOrder,
  parseOrderId,
  parsePlan,
  parseJson,
  parseRelease,
  parseRemoval,
  type Release,
  type Removal,
  ShoalError,
} from '../model/index.ts'
import { rootFact } from '../facts/index.ts'
import { sha256, signingKeys, trustNextRoot, verifyDocument } from '../trust/index.ts'
import type { WebServices } from './services.ts'
import type { Views } from './views.ts'

export class Documents {
  readonly #s: WebServices
  readonly #views: Views

  constructor(services: WebServices, views: Views) {
    this.#s = services
    this.#views = views
  }

  /** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET, RELEASE_EXISTS */
  release(f: Fields): { readonly isNew: boolean; readonly id: string; readonly release: Release } {
    const envelope = f.get('envelope', parseEnvelope)
    const { payload, digest } = this.#verify(envelope, 'release')
    const release = parseRelease(payload)
    const held = this.#s.replica.book.releases().find(r => isSame(r.release, release))
    if (held !== undefined && held.document !== digest) {
      throw new ShoalError(
        'RELEASE_EXISTS',
        `${release.kind} ${release.name}@${release.version} is signed already as ${held.document.slice(0, 12)}, this is ${digest.slice(0, 12)}`,
      )
    }
    this.#tell(envelopeFact('release', envelope, digest, 1))
    return { isNew: held === undefined, id: digest, release }
  }

  /** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET, UNKNOWN_RELEASE, DIGEST_MISMATCH, CONFLICT */
  order(f: Fields): { readonly id: OrderId; readonly release: string } {
    const envelope = f.get('envelope', parseEnvelope)
    const { payload, digest } = this.#verify(envelope, 'order')
    const order = parseOrder(payload)
    const planText = f.string('planText', maxDocumentBytes)
    if (sha256(planText) !== order.plan)
      throw new ShoalError('DIGEST_MISMATCH', `plan: sha256 is ${sha256(planText)}, the order says ${order.plan}`)
    parsePlan(parseJson(planText, 'plan'))
    if (this.#s.replica.book.release(order.release) === undefined)
      throw new ShoalError('UNKNOWN_RELEASE', `there is no release ${order.name}@${order.version}`)
    const id = parseOrderId(orderIdOfDigest(digest))
    this.#refuseRival(id, order.generation, order.kind)
    this.#s.replica.addPlan(order.plan, planText)
    this.#tell(envelopeFact('order', envelope, id, order.generation))
    return { id, release: `${order.name}@${order.version}` }
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

  /** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET, NOT_FOUND, ORDER_CLOSED */
  control(f: Fields, action: Control['action'], order: OrderId): string {
    const envelope = f.get('envelope', parseEnvelope)
    const { payload, digest } = this.#verify(envelope, 'control')
    const control = parseControl(payload)
    if (control.order !== order || control.action !== action) {
      throw new ShoalError(
        'BAD_REQUEST',
        `the envelope says ${control.action} ${control.order.slice(0, 8)}, the route ${action} ${order.slice(0, 8)}`,
      )
    }
    const known = this.#s.replica.orders().find(o => o.id === order)
    if (known === undefined) throw new ShoalError('NOT_FOUND', `there is no rollout ${order}`)
    const state = this.#views.state(known)
    const isKnown =
      this.#s.replica.registers.get(`control ${envelope.signatures[0]?.keyid ?? ''} ${controlName(order, digest)}`) !== undefined
    if ((state === 'completed' || state === 'aborted') && !isKnown)
      throw new ShoalError('ORDER_CLOSED', `rollout ${order.slice(0, 8)} is ${state}`)
    this.#tell(envelopeFact('control', envelope, controlName(order, digest), control.generation))
    return this.#views.state(this.#s.replica.orders().find(o => o.id === order) ?? known)
  }

  /** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET */
  removal(f: Fields): Removal {
    const envelope = f.get('envelope', parseEnvelope)
    const removal = parseRemoval(this.#verify(envelope, 'removal').payload)
    this.#tell(envelopeFact('removal', envelope, removal.node, removal.generation))
    return removal
  }

  /** @throws ShoalError BAD_SIGNATURE, OTHER_FLEET, NOT_ALLOWED, CONFLICT */
  invite(f: Fields): { readonly id: string; readonly expiresAt: string } {
    const envelope = f.get('envelope', parseEnvelope)
    const invite = parseInvite(this.#verify(envelope, 'invite').payload)
    if (this.#s.ca === null || invite.redeemer !== this.#s.self) {
      throw new ShoalError('NOT_ALLOWED', 'this node does not redeem invites: make it at one that has the CA key')
    }
    if (Number.isNaN(Date.parse(invite.expiresAt))) throw new ShoalError('BAD_REQUEST', `expiresAt: "${invite.expiresAt}" is no time`)
    if (this.#s.invites.invite(invite.id) !== undefined) throw new ShoalError('CONFLICT', `invite ${invite.id} exists`)
    this.#s.invites.saveInvite({ id: invite.id, envelope: JSON.stringify(envelope), uses: invite.uses, expiresAt: invite.expiresAt })
    return { id: invite.id, expiresAt: invite.expiresAt }
  }

  /** @throws ShoalError BAD_ROOT */
  root(f: Fields): number {
    const next = trustNextRoot(f.string('root', 16_384), this.#s.replica.fleet.root)
    this.#tell(rootFact(next))
    return next.version
  }

  #verify(envelope: Envelope, kind: 'release' | 'order' | 'control' | 'invite' | 'removal'): ReturnType<typeof verifyDocument> {
    const doc = verifyDocument(envelope, kind, signingKeys(this.#s.replica.fleet.root, kind))
    const { fleet } = doc.payload as { fleet?: unknown }
    if (fleet !== this.#s.replica.fleet.root.fleet) throw new ShoalError('OTHER_FLEET', `the ${kind} is of fleet ${String(fleet)}`)
    return doc
  }

  /** Judged like what comes over a link, then told. */
  #tell(fact: Fact): void {
    const { replica, publish } = this.#s
    if (replica.registers.compare(fact) !== 'new') return
    const verdict = replica.judge(fact, replica.registers)
    if (verdict.v === 'reject') throw new ShoalError(verdict.code, verdict.message)
    if (verdict.v === 'wait') throw new ShoalError('BAD_SIGNATURE', `${fact.kind}: signed by a key that the root does not name`)
    publish([fact], true)
  }
}

const isSame = (a: Release, b: Release): boolean => a.kind === b.kind && a.name === b.name && a.version === b.version
