/**
 * What a session's operator does in plain words: the body of the request becomes the document, signed here with the key that the session holds. A
 * body that is an envelope already is left as it is. Nobody else's key is ever used, and what is signed says who signed it.
 */
import { randomBytes } from 'node:crypto'
import {
  asBoolean,
  asInteger,
  asString,
  type Control,
  type ControlAction,
  controlParts,
  type DocumentKind,
  Fields,
  type Hold,
  type Invite,
  type NodeId,
  parseDigest,
  type Removal,
  ShoalError,
} from '../model/index.ts'
import { readZip, releaseOf } from '../packages/index.ts'
import { formatToken, newOneTimeKey, type OperatorKey, signDocument } from '../trust/index.ts'
import type { KnownOrder } from '../rollout/index.ts'
import { type Cause, causeOf } from './board.ts'
import type { Caller } from './callers.ts'
import type { Drafts } from './drafts.ts'
import { findNode, findRollout } from './names.ts'
import type { WebServices } from './services.ts'
import type { Session, Sessions } from './sessions/index.ts'
import type { Views } from './views.ts'

const defaultInviteMs = 1_800_000
const maxInviteMs = 366 * 86_400_000
const maxPlatforms = 32

/** @throws ShoalError UNAUTHENTICATED, NOT_ALLOWED: who has no session signs nothing here */
export function sessionOf(caller: Caller): { readonly session: Session; readonly secret: string } {
  if (caller.kind === 'session') return caller
  if (caller.kind === 'nobody') throw new ShoalError('UNAUTHENTICATED', 'log in, or send an envelope')
  throw new ShoalError('NOT_ALLOWED', 'a token signs nothing: send an envelope, or log in')
}

export class Acts {
  readonly #s: WebServices
  readonly #views: Views
  readonly #drafts: Drafts
  readonly #sessions: Sessions

  constructor(services: WebServices, views: Views, drafts: Drafts, sessions: Sessions) {
    this.#s = services
    this.#views = views
    this.#drafts = drafts
    this.#sessions = sessions
  }

  /** The key of the session's operator. @throws ShoalError UNAUTHENTICATED, NOT_ALLOWED, NO_OPERATOR_KEY */
  signer(caller: Caller): OperatorKey {
    const { session, secret } = sessionOf(caller)
    return this.#sessions.signer(session, secret)
  }

  /** `{ packages: [digest…], notes? }`: a release of packages that were uploaded to this node. */
  async release(f: Fields, caller: Caller): Promise<Fields> {
    if (f.has('envelope')) return f
    const key = this.signer(caller)
    const digests = f.list('packages', parseDigest, maxPlatforms)
    const missing = digests.find(digest => !this.#s.packages.has(digest))
    if (missing !== undefined) throw new ShoalError('UNKNOWN_DIGEST', `package ${missing} is not here: upload it first`)
    const [first, ...rest] = await Promise.all(digests.map(digest => readZip(this.#s.packages.path(digest))))
    if (first === undefined) throw new ShoalError('BAD_REQUEST', 'body.packages: names no package')
    const notes = f.maybe('notes', (v, w) => asString(v, w, 4000), '')
    return this.#signed('release', releaseOf([first, ...rest], this.#fleet, notes), key)
  }

  /** The fields of a draft; `plan`, the digest of the plan that was shown, if no other may be signed. */
  order(f: Fields, caller: Caller): Fields {
    if (f.has('envelope')) return f
    const key = this.signer(caller)
    const { order, planText } = this.#drafts.order(f, key.name)
    const shown = f.maybe('plan', parseDigest, order.plan)
    if (shown !== order.plan) throw new ShoalError('CONFLICT', 'the fleet has changed since the plan was shown: look at the new one')
    return this.#signed('order', order, key, { planText })
  }

  /**
   * `{ nodes?: [id, prefix or name…] }` or `{ cause: { code, platform, outcome } }`, which means all nodes of that block of the board; skip without
   * either means all that failed or are missing. One fact names so many nodes and no more, so many nodes take several: each is made when the one
   * before it counts, since its generation follows from that.
   */
  *controls(f: Fields, caller: Caller, action: ControlAction, rollout: string): Generator<Fields, void> {
    if (f.has('envelope')) {
      yield f
      return
    }
    const key = this.signer(caller)
    const known = findRollout(this.#views, rollout)
    const nodes = this.#meant(f, action, known)
    for (const part of controlParts(nodes)) {
      const control: Control = { ...this.#act(key), order: known.id, action, nodes: part }
      yield this.#signed('control', control, key)
    }
  }

  #meant(f: Fields, action: ControlAction, known: KnownOrder): readonly NodeId[] {
    if (f.has('cause')) return this.#ofCause(new Fields(f.raw('cause'), 'body.cause'), known)
    const named = f.has('nodes') ? f.list('nodes', (v, w) => findNode(this.#s, asString(v, w, 64)), 20_000) : []
    return action === 'skip' && named.length === 0 ? this.#blocking(known) : named
  }

  #ofCause(f: Fields, known: KnownOrder): readonly NodeId[] {
    const [code, platform, outcome] = [f.string('code', 64), f.string('platform', 64), f.string('outcome', 64)]
    const isMeant = (cause: Cause | null): boolean => cause?.code === code && cause.platform === platform && cause.outcome === outcome
    const ids = this.#views.nodesIn(known).flatMap(node => (isMeant(causeOf(node)) ? [node.id] : []))
    if (ids.length === 0) throw new ShoalError('NOTHING_TO_DO', `no node on ${platform} is ${outcome} by ${code} any more`)
    return ids
  }

  /** `{ uses?, expiresMs?, canInvite?, console? }`. @returns the signed body, and the token, which is told once */
  invite(f: Fields, caller: Caller): { readonly body: Fields; readonly token: string | null } {
    if (f.has('envelope')) return { body: f, token: null }
    const key = this.signer(caller)
    const oneTime = newOneTimeKey()
    const lastsMs = f.maybe('expiresMs', (v, w) => asInteger(v, w, 1000, maxInviteMs), defaultInviteMs)
    const { fleet, generation, by } = this.#act(key)
    const invite: Invite = {
      fleet,
      id: randomBytes(16).toString('hex'),
      key: oneTime.publicKey,
      redeemer: this.#s.self,
      uses: f.maybe('uses', (v, w) => asInteger(v, w, 1, 100_000), 1),
      expiresAt: new Date(this.#s.wallNow().getTime() + lastsMs).toISOString(),
      generation,
      canInvite: f.maybe('canInvite', asBoolean, false),
      console: f.maybe('console', asBoolean, false),
      by,
    }
    const token = formatToken({
      fleet,
      ca: this.#s.replica.fleet.root.caPin,
      redeemer: this.#s.self,
      addresses: this.#s.addresses().slice(0, 16),
      invite: invite.id,
      key: oneTime.privateKey,
    })
    return { body: this.#signed('invite', invite, key), token }
  }

  /** `{ reason }` */
  removal(f: Fields, caller: Caller, node: string): Fields {
    if (f.has('envelope')) return f
    const key = this.signer(caller)
    const removal: Removal = { ...this.#act(key), node: findNode(this.#s, node), reason: f.string('reason', 500) }
    return this.#signed('removal', removal, key)
  }

  /** `{ forMs?, reason? }` */
  hold(f: Fields, caller: Caller, node: string, isHold: boolean): Fields {
    if (f.has('envelope')) return f
    const key = this.signer(caller)
    const hold: Hold = {
      ...this.#act(key),
      node: findNode(this.#s, node),
      hold: isHold,
      forMs: isHold ? f.maybe('forMs', (v, w) => asInteger(v, w, 1, maxInviteMs), null) : null,
      reason: f.maybe('reason', (v, w) => asString(v, w, 500), ''),
    }
    return this.#signed('hold', hold, key)
  }

  get #fleet(): Invite['fleet'] {
    return this.#s.replica.fleet.root.fleet
  }

  #act(key: OperatorKey): Pick<Control, 'fleet' | 'generation' | 'by' | 'at'> {
    const { root, generation } = this.#s.replica.fleet
    const by = root.people.find(p => p.keyid === key.keyid)?.name ?? key.name
    return { fleet: root.fleet, generation: generation + 1, by, at: this.#s.wallNow().toISOString() }
  }

  #signed(kind: DocumentKind, payload: unknown, key: OperatorKey, more: object = {}): Fields {
    return new Fields({ envelope: signDocument(kind, payload, [key]), ...more }, 'body')
  }

  /** Nodes for which a rollout waits in vain. */
  #blocking(known: KnownOrder): readonly NodeId[] {
    const isInVain = (outcome: string | null): boolean => outcome !== null && outcome !== 'confirmed' && outcome !== 'skipped'
    const ids = this.#views.nodesIn(known).flatMap(node => (isInVain(node.outcome) ? [node.id] : []))
    if (ids.length === 0) throw new ShoalError('NOTHING_TO_DO', 'no node of the rollout failed or is missing; name the nodes to skip')
    return ids
  }
}
