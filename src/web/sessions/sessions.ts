/**
 * Sessions of people at this node. The cookie is 32 random bytes; the node keeps its hash, and the operator's key wrapped under it: with the disk
 * alone nobody can act, with the cookie a new worker can. Who has been taken out of the root has no session from that moment on.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { codeOf, type FleetId, type KeyId, type NodeId, ShoalError } from '../../model/index.ts'
import {
  type ChallengeAnswer,
  derive,
  isAnswer,
  openKeyLater,
  type OpenedKey,
  type OperatorKey,
  type Person,
  type Role,
  unwrapKey,
  wrapKey,
} from '../../trust/index.ts'
import { RetryLater } from '../retry-later.ts'
import { Challenges } from './challenge.ts'
import { clockSlackMs, idleMs, longestMs, maxHashing, maxPerPerson, maxWaiting, touchMs } from './limits.ts'
import { Throttle } from './throttle.ts'
import { Turns } from '../turns.ts'

export interface StoredSession {
  readonly hash: string
  readonly name: string
  readonly keyid: KeyId
  readonly wrapped: string | null
  readonly madeAt: number
  readonly usedAt: number
}

export interface SessionStore {
  addSession(session: StoredSession, keep: number): void
  session(hash: string): StoredSession | undefined
  touchSession(hash: string, usedAt: number): void
  endSession(hash: string): void
  forgetSessions(usedBefore: number): void
  countSessions(): number
}

export interface SessionNeeds {
  readonly store: SessionStore
  readonly self: NodeId
  readonly root: () => { readonly fleet: FleetId; readonly people: readonly Person[] }
  /** The text of an operator's key file; null: there is none of that name. `keepsKeys`: is there any here? */
  readonly keyFiles: {
    readonly read: (name: string) => Promise<string | null>
    readonly keepsKeys: () => Promise<boolean>
    readonly staged: (name: string) => Promise<string | null>
    readonly settle: (name: string) => Promise<void>
  }
  readonly now: () => number
}

export interface Session {
  readonly hash: string
  readonly name: string
  readonly keyid: KeyId
  readonly role: Role
  readonly expiresMs: number
  /** Its row holds the person's key: it can sign here. */
  readonly canSign: boolean
}

export interface OpenedSession {
  readonly session: Session
  readonly secret: string
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** The header `x-csrf` of a session: follows from the cookie, which no page can read. */
export const csrfOf = (secret: string): string => derive(secret, 'csrf').toString('base64url')

export function isCsrf(secret: string, given: string): boolean {
  const [a, b] = [Buffer.from(csrfOf(secret)), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

export class Sessions {
  readonly #n: SessionNeeds
  readonly #throttle = new Throttle()
  readonly #turns = new Turns(maxHashing, maxWaiting)
  readonly #challenges = new Challenges()

  constructor(needs: SessionNeeds) {
    this.#n = needs
  }

  get count(): number {
    return this.#n.store.countSessions()
  }

  /** @throws ShoalError LOGIN_FAILED, NO_OPERATOR_KEY, TOO_MANY_TRIES, BUSY */
  async logIn(name: string, passphrase: string, address: string): Promise<OpenedSession> {
    this.#take(name, address)
    if (!(await this.#n.keyFiles.keepsKeys()))
      throw new ShoalError('NO_OPERATOR_KEY', 'this node keeps no operators’ keys: log in at a console node, or with a key file')
    const opened = await this.#proven(name, passphrase)
    this.#throttle.succeeded(name, address)
    return this.#begin(opened.person, opened.der)
  }

  /** The passphrase is that of the person's key. A wrong one counts as a try to log in. @throws ShoalError LOGIN_FAILED, TOO_MANY_TRIES, BUSY */
  async prove(name: string, passphrase: string, address: string): Promise<void> {
    this.#take(name, address)
    await this.#proven(name, passphrase)
    this.#throttle.succeeded(name, address)
  }

  async #proven(name: string, passphrase: string): Promise<{ readonly person: Person; readonly der: Buffer }> {
    const { keyFiles } = this.#n
    const opened = await this.#turns.run(async () => this.#open(await keyFiles.read(name), passphrase))
    const person = this.#personOf(opened)
    if (opened !== null && person !== undefined) return { person, der: opened.der }
    // The root names a newer key already, and the node died before the file took its place.
    const staged = await keyFiles.staged(name)
    if (staged === null) throw loginFailed()
    const next = await this.#turns.run(() => this.#open(staged, passphrase))
    const known = this.#personOf(next)
    if (next === null || known === undefined) throw loginFailed()
    await keyFiles.settle(name)
    return { person: known, der: next.der }
  }

  #personOf(opened: OpenedKey | null): Person | undefined {
    return this.#n.root().people.find(p => p.keyid === opened?.key.keyid)
  }

  challenge(): ReturnType<Challenges['make']> {
    return this.#challenges.make(this.#n.now())
  }

  /** @throws ShoalError LOGIN_FAILED, TOO_MANY_TRIES */
  logInByKey(answer: ChallengeAnswer, address: string): OpenedSession {
    this.#take(answer.keyid, address)
    const root = this.#n.root()
    const person = root.people.find(p => p.keyid === answer.keyid)
    const now = this.#n.now()
    const isGood =
      person !== undefined &&
      this.#challenges.isGood(answer.challenge, now) &&
      isAnswer(person.publicHex, root.fleet, this.#n.self, answer) &&
      this.#challenges.use(answer.challenge, now)
    if (!isGood) throw loginFailed()
    this.#throttle.succeeded(answer.keyid, address)
    return this.#begin(person, null)
  }

  /** The session of a cookie; null: there is none, or it has ended. Its use is noted. */
  find(secret: string): Session | null {
    const hash = hashOf(secret)
    const row = this.#n.store.session(hash)
    if (row === undefined) return null
    const person = this.#n.root().people.find(p => p.keyid === row.keyid)
    const now = this.#n.now()
    if (person === undefined || hasEnded(row, person.role, now)) {
      this.#note(() => this.#n.store.endSession(hash))
      return null
    }
    if (now - row.usedAt > touchMs) this.#note(() => this.#n.store.touchSession(hash, now))
    return viewOf(row, person)
  }

  /** On a full disk one can still look. */
  #note(write: () => void): void {
    try {
      write()
    } catch (error) {
      if (!['DISK_FULL', 'DB_LOCKED'].includes(codeOf(error))) throw error
    }
  }

  end(session: Session): void {
    this.#n.store.endSession(session.hash)
  }

  /** The operator's key, for one signature. @throws ShoalError NO_OPERATOR_KEY */
  signer(session: Session, secret: string): OperatorKey {
    const wrapped = this.#n.store.session(session.hash)?.wrapped ?? null
    const key = wrapped === null ? null : unwrapKey(session.name, wrapped, secret)
    if (key === null)
      throw new ShoalError(
        'NO_OPERATOR_KEY',
        `the session of ${session.name} was opened by a key file, which stays where it is: send an envelope`,
      )
    return key
  }

  #take(name: string, address: string): void {
    const waitMs = this.#throttle.take(name, address, this.#n.now())
    if (waitMs > 0) throw new RetryLater('TOO_MANY_TRIES', 'too many tries to log in', waitMs)
  }

  async #open(text: string | null, passphrase: string): Promise<OpenedKey | null> {
    try {
      return await openKeyLater(text, passphrase)
    } catch (error) {
      if (codeOf(error) === 'BAD_PASSPHRASE') return null
      throw error
    }
  }

  #begin(person: Person, der: Buffer | null): OpenedSession {
    const secret = randomBytes(32).toString('base64url')
    const now = this.#n.now()
    const { name, keyid } = person
    const wrapped = der === null ? null : wrapKey(der, secret)
    const row = { hash: hashOf(secret), name, keyid, wrapped, madeAt: now, usedAt: now }
    this.#n.store.forgetSessions(now - Math.max(...Object.values(longestMs)))
    this.#n.store.addSession(row, maxPerPerson)
    return { session: viewOf(row, person), secret }
  }
}

const loginFailed = (): ShoalError => new ShoalError('LOGIN_FAILED', 'name or passphrase is not right')

const hasEnded = (row: StoredSession, role: Role, now: number): boolean =>
  now > row.usedAt + idleMs[role] ||
  now > row.madeAt + longestMs[role] ||
  row.usedAt > now + clockSlackMs ||
  row.madeAt > now + clockSlackMs

const viewOf = (row: StoredSession, { name, role, keyid }: Person): Session => ({
  hash: row.hash,
  name,
  keyid,
  role,
  expiresMs: row.madeAt + longestMs[role],
  canSign: row.wrapped !== null,
})
