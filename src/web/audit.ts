/**
 * Who did what: each change that was asked of this node, done or refused, and each signed act that this node learned of, wherever it was made. Only
 * names, ids and codes are written, never a body: no secret can be in it. What strangers try in vain is written a few times an hour, and counted.
 */
import { type Envelope, type Fact, factKey, Fields, parseEnvelope, parseJson, messageOf } from '../model/index.ts'
import { sha256 } from '../trust/index.ts'
import type { Caller } from './callers.ts'
import type { WebServices } from './services.ts'

export interface AuditEntry {
  readonly at: string
  readonly who: string
  readonly via: 'session' | 'home' | 'token' | 'nobody' | 'fact'
  readonly address: string
  readonly action: string
  readonly object: string
  readonly detail: string
  readonly result: string
  readonly request: string
  readonly fact: string | null
}

export interface AuditRow extends AuditEntry {
  readonly seq: number
  readonly hash: string
}

export interface AuditLog {
  append(entries: readonly AuditEntry[]): void
  list(query: {
    readonly before: number
    readonly limit: number
    readonly who: string | null
    readonly q: string | null
  }): readonly AuditRow[]
  count(query: { readonly who: string | null; readonly q: string | null }): number
  verify(): { readonly rows: number; readonly brokenAt: number | null }
}

/** Refusals of strangers that are written per hour: more would push out what matters. */
const refusalsPerHour = 60
const hourMs = 3_600_000
/** Rows made in one go of what was known before: with ten thousand members all of them take most of a second. */
const slice = 50
/** ms until what could not be written is tried again. */
const againMs = 10_000
const signedKinds = ['root', 'release', 'order', 'control', 'removal', 'member', 'hold']

const logIn = 'POST api/v1/session'

const cut = (text: string, max = 200): string => text.slice(0, max)

export class Audit {
  readonly #s: WebServices
  #hour = { startMs: 0, written: 0, left: 0 }

  constructor(services: WebServices) {
    this.#s = services
  }

  /** From now on; what is known already follows, bit by bit: it is not what anybody waits for when a node takes over. */
  follow(): void {
    this.#s.events.listen(({ kind, owner, name }) => {
      const fact = signedKinds.includes(kind) ? this.#s.replica.registers.get(factKey({ kind, owner, name })) : undefined
      if (fact !== undefined) this.#append([this.#ofFact(fact)])
    })
    const known = signedKinds.flatMap(kind => this.#s.replica.registers.ofKind(kind))
    this.#catchUp(known)
  }

  #catchUp(known: readonly Fact[]): void {
    setImmediate(() => {
      if (this.#s.life() === 'draining') return
      const isDone = this.#append(known.slice(0, slice).map(fact => this.#ofFact(fact)))
      if (!isDone) setTimeout(() => this.#catchUp(known), againMs).unref()
      else if (known.length > slice) this.#catchUp(known.slice(slice))
    })
  }

  /** One request that changes something, or was to. */
  asked(entry: {
    readonly caller: Caller
    readonly address: string
    readonly action: string
    readonly object: string
    readonly detail: string
    readonly result: string
    readonly request: string
  }): void {
    const { caller, ...rest } = entry
    const via = caller.kind === 'peer' ? 'nobody' : caller.kind
    const left = via === 'nobody' && entry.result !== 'ok' ? this.#spare() : 0
    if (left === null) return
    const detail = left === 0 ? entry.detail : `${entry.detail} (${left} more refused before)`.trim()
    // Who logs in is nobody until they are in: then it is whom the answer names.
    const who = entry.action === logIn && entry.result === 'ok' ? cut(entry.object) : nameOf(caller)
    this.#append([{ ...rest, object: cut(entry.object), detail: cut(detail), at: this.#now(), who, via, fact: null }])
  }

  /** null: not this one; else how many were left out since the last. */
  #spare(): number | null {
    const nowMs = this.#s.wallNow().getTime()
    if (Math.abs(nowMs - this.#hour.startMs) > hourMs) this.#hour = { ...this.#hour, startMs: nowMs, written: 0 }
    if (this.#hour.written >= refusalsPerHour) {
      this.#hour.left += 1
      return null
    }
    this.#hour.written += 1
    const { left } = this.#hour
    this.#hour.left = 0
    return left
  }

  #now(): string {
    return this.#s.wallNow().toISOString()
  }

  /** What cannot be written holds nothing up: to abort a rollout must be possible on a full disk. @returns false: it was not written */
  #append(entries: readonly AuditEntry[]): boolean {
    try {
      this.#s.audit.append(entries)
      return true
    } catch (error) {
      this.#s.log('audit not written', { rows: entries.length, error: messageOf(error) })
      return false
    }
  }

  #ofFact(fact: Fact): AuditEntry {
    const base = {
      at: this.#now(),
      via: 'fact' as const,
      result: 'ok',
      request: '',
      fact: `${factKey(fact)} ${fact.version} ${sha256(fact.body).slice(0, 16)}`,
    }
    const signer = this.#personOf(fact.owner)
    if (fact.kind === 'root')
      return { ...base, who: '', address: '', action: 'root', object: `version ${fact.version}`, detail: this.#peopleOf(fact) }
    const read = documentOf(fact)
    const text = (key: string): string => {
      const value = read.get(key)
      return typeof value === 'string' ? cut(value) : ''
    }
    return {
      ...base,
      who: text('by') || signer,
      address: text('redeemer') || (fact.kind === 'order' ? text('node') : ''),
      action: fact.kind === 'control' ? text('action') : fact.kind === 'hold' && read.get('hold') !== true ? 'unhold' : fact.kind,
      object:
        fact.kind === 'release' || fact.kind === 'order'
          ? `${text('name')}@${text('version')}`
          : text('order') || text('node') || fact.name,
      detail: [fact.kind === 'order' ? fact.name : '', text('reason'), text('at')].filter(Boolean).join(' · '),
    }
  }

  #personOf(keyid: string): string {
    const { people, retired } = this.#s.replica.fleet.root
    return [...people, ...retired].find(p => p.keyid === keyid)?.name ?? ''
  }

  #peopleOf(fact: Fact): string {
    const { root } = this.#s.replica.fleet
    return fact.version === root.version ? root.people.map(p => `${p.name} ${p.role}`).join(', ') : ''
  }
}

const nameOf = (caller: Caller): string =>
  caller.kind === 'session' ? caller.session.name : caller.kind === 'token' ? caller.name : caller.kind === 'home' ? 'home' : ''

/** The signed payload of a fact, field by field; of an admission, that of its invite with the node. */
function documentOf(fact: Fact): ReadonlyMap<string, unknown> {
  const body = new Fields(parseJson(fact.body, fact.kind), fact.kind)
  const isMember = fact.kind === 'member'
  const envelope: Envelope = isMember ? body.get('invite', parseEnvelope) : parseEnvelope(parseJson(fact.body, fact.kind))
  const f = new Fields(parseJson(Buffer.from(envelope.payload, 'base64').toString('utf8'), fact.kind), fact.kind)
  const map = new Map(f.keys().map(key => [key, f.raw(key)]))
  return isMember ? new Map([...map, ['node', body.raw('node')]]) : map
}
