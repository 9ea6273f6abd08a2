/** Tokens of scripts and monitors: they read, and nothing else. Shown once; the node keeps their hash. Who made one takes it along when they go. */
import { createHash, randomBytes } from 'node:crypto'
import { type KeyId, ShoalError } from '../model/index.ts'
import type { Caller } from './callers.ts'

export interface StoredToken {
  readonly id: string
  readonly hash: string
  readonly name: string
  readonly madeBy: string
  readonly keyid: KeyId | null
  readonly madeAt: number
  readonly expiresAt: number | null
  readonly usedAt: number | null
}

export interface TokenStore {
  addToken(token: StoredToken): void
  tokens(): readonly StoredToken[]
  tokenByHash(hash: string): StoredToken | undefined
  touchToken(id: string, usedAt: number): void
  dropToken(id: string): void
}

/** Begins every token, so that scanners for secrets find it. */
export const tokenPrefix = 'shoal_'
const maxTokens = 100
/** ms between two notes of a token's use. */
const touchMs = 60_000

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

export class Tokens {
  readonly #store: TokenStore
  readonly #isPerson: (keyid: KeyId) => boolean
  readonly #now: () => number

  constructor(store: TokenStore, isPerson: (keyid: KeyId) => boolean, now: () => number) {
    this.#store = store
    this.#isPerson = isPerson
    this.#now = now
  }

  /** @param lastsMs null: until it is dropped. @throws ShoalError TOO_LARGE */
  make(name: string, lastsMs: number | null, caller: Caller): Record<string, unknown> {
    if (this.#store.tokens().length >= maxTokens) throw new ShoalError('TOO_LARGE', `there are ${maxTokens} tokens: drop some first`)
    const id = randomBytes(5).toString('hex')
    const token = `${tokenPrefix}${id}_${randomBytes(24).toString('base64url')}`
    const now = this.#now()
    const expiresAt = lastsMs === null ? null : now + lastsMs
    const [madeBy, keyid] = caller.kind === 'session' ? [caller.session.name, caller.session.keyid] : ['home', null]
    this.#store.addToken({ id, hash: hashOf(token), name, madeBy, keyid, madeAt: now, expiresAt, usedAt: null })
    return { id, name, token, expiresAt: iso(expiresAt) }
  }

  list(): readonly ({ readonly id: string } & Record<string, unknown>)[] {
    return this.#store.tokens().map(t => ({
      id: t.id,
      name: t.name,
      madeBy: t.madeBy,
      madeAt: iso(t.madeAt),
      expiresAt: iso(t.expiresAt),
      usedAt: iso(t.usedAt),
    }))
  }

  /** @throws ShoalError NOT_FOUND */
  drop(id: string): void {
    if (!this.#store.tokens().some(t => t.id === id)) throw new ShoalError('NOT_FOUND', `there is no token ${id.slice(0, 20)}`)
    this.#store.dropToken(id)
  }

  /** null: none of ours, expired, or its maker is gone. */
  find(token: string): { readonly id: string; readonly name: string } | null {
    const found = token.startsWith(tokenPrefix) ? this.#store.tokenByHash(hashOf(token)) : undefined
    if (found === undefined) return null
    const now = this.#now()
    if ((found.expiresAt !== null && found.expiresAt <= now) || (found.keyid !== null && !this.#isPerson(found.keyid))) return null
    if (found.usedAt === null || Math.abs(now - found.usedAt) > touchMs) this.#noteUse(found.id, now)
    return { id: found.id, name: found.name }
  }

  /** On a full disk one can still look. */
  #noteUse(id: string, now: number): void {
    try {
      this.#store.touchToken(id, now)
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
    }
  }
}
