/**
 * Challenges for logging in with a key file. A challenge proves itself (expiry, chance, MAC under a secret of this worker), so asking for any number
 * of them costs the node no memory; only those that were answered well are remembered, until they expire. After a switch one asks for a new one.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { challengeMs } from './limits.ts'

export class Challenges {
  readonly #secret = randomBytes(32)
  readonly #used = new Map<string, number>()

  make(nowMs: number): { readonly challenge: string; readonly expiresMs: number } {
    const expiresMs = nowMs + challengeMs
    const body = `${expiresMs}.${randomBytes(16).toString('base64url')}`
    return { challenge: `${body}.${this.#mac(body)}`, expiresMs }
  }

  /** It is one of ours, in time, and was not used. */
  isGood(challenge: string, nowMs: number): boolean {
    const at = challenge.lastIndexOf('.')
    const [given, made] = [Buffer.from(challenge.slice(at + 1)), Buffer.from(this.#mac(challenge.slice(0, at)))]
    if (given.length !== made.length || !timingSafeEqual(given, made)) return false
    const expiresMs = Number(challenge.split('.', 1)[0])
    return nowMs <= expiresMs && expiresMs <= nowMs + challengeMs && !this.#used.has(challenge)
  }

  /** @returns false: another answer came first */
  use(challenge: string, nowMs: number): boolean {
    for (const [old, expiresMs] of this.#used) if (expiresMs < nowMs) this.#used.delete(old)
    if (this.#used.has(challenge)) return false
    this.#used.set(challenge, nowMs + challengeMs)
    return true
  }

  #mac(body: string): string {
    return createHmac('sha256', this.#secret).update(body).digest('base64url')
  }
}
