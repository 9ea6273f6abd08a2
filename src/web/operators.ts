/**
 * People of the fleet, changed by an admin's session: each change is the next version of the root, signed with the session's key. A new person's key
 * is made here and kept under a passphrase that is told once; of who goes, what stood stays (decision 8).
 */
import { asOneOf, type Fields, parseOperatorName, ShoalError } from '../model/index.ts'
import { standingDocuments } from '../rollout/index.ts'
import {
  newKeyLater,
  newPassphrase,
  nextRootText,
  type OperatorKey,
  type Person,
  type RetiredPerson,
  type RootChange,
  roles,
  type TrustedRoot,
} from '../trust/index.ts'
import type { WebServices } from './services.ts'
import type { Turns } from './turns.ts'

export interface NewPerson {
  readonly name: string
  readonly role: string
  readonly keyid: string
  readonly passphrase: string
}

/** The root was refused for sure. After all else it may count already, and its key must not be lost. */
export const isRootRefusal = (error: unknown): boolean =>
  error instanceof ShoalError && ['CONFLICT', 'BAD_ROOT', 'BAD_SIGNATURE', 'NOT_ALLOWED', 'TOO_LARGE', 'FLEET_UNKNOWN'].includes(error.code)

/** A person whose key counts no more: what stood by it stands, and nothing new. */
export const retiredOf = ({ name, keyid, publicHex }: Person, { fleet, registers }: WebServices['replica']): RetiredPerson => ({
  name,
  keyid,
  publicHex,
  until: fleet.generation,
  keeps: standingDocuments(registers.all(), keyid),
})

export class Operators {
  readonly #s: WebServices
  readonly #takeRoot: (text: string) => void
  readonly #turns: Turns

  /**
   * @param takeRoot judges the next root and tells the fleet
   * @param turns the same as for people's keys
   */
  constructor(services: WebServices, takeRoot: (text: string) => void, turns: Turns) {
    this.#s = services
    this.#turns = turns
    this.#takeRoot = takeRoot
  }

  list(): readonly Pick<Person, 'name' | 'role' | 'keyid'>[] {
    return this.#root.people.map(({ name, role, keyid }) => ({ name, role, keyid }))
  }

  /** `{ name, role }`. @throws ShoalError CONFLICT, BAD_REQUEST, BAD_ROOT, BUSY; NO_OPERATOR_KEY at a node that keeps no operators' keys */
  add(f: Fields, admin: OperatorKey): Promise<NewPerson> {
    return this.#turns.run(() => this.#add(f, admin))
  }

  async #add(f: Fields, admin: OperatorKey): Promise<NewPerson> {
    const name = f.get('name', parseOperatorName)
    const role = f.get('role', (v, w) => asOneOf(v, w, roles))
    this.#mustBeNew(name)
    if (!this.#s.isConsole())
      throw new ShoalError('NO_OPERATOR_KEY', 'this node is no console: a new key could not be kept here; add people at a console node')
    if ((await this.#s.operatorKeys.read(name)) !== null)
      throw new ShoalError(
        'CONFLICT',
        `a key of ${name} is kept here already (certs/operators/${name}.json): of an earlier try, perhaps; move it away to make another`,
      )
    const passphrase = newPassphrase()
    const made = await newKeyLater(name, passphrase)
    await this.#s.operatorKeys.save(name, made.file)
    try {
      this.#mustBeNew(name)
      const { keyid, publicHex } = made.key
      this.#next({ people: [...this.#root.people, { name, role, keyid, publicHex }] }, admin)
      return { name, role, keyid, passphrase }
    } catch (error) {
      if (isRootRefusal(error)) await this.#s.operatorKeys.drop(name)
      throw error
    }
  }

  /** @throws ShoalError NOT_FOUND, LAST_ADMIN, BAD_ROOT, BUSY */
  remove(name: string, admin: OperatorKey): Promise<void> {
    return this.#turns.run(() => this.#remove(name, admin))
  }

  async #remove(name: string, admin: OperatorKey): Promise<void> {
    const { people, retired, fleetName } = this.#root
    const left = people.filter(p => p.name !== name)
    if (left.length === people.length) throw new ShoalError('NOT_FOUND', `there is no operator ${name.slice(0, 64)}`)
    if (!left.some(p => p.role === 'admin')) throw new ShoalError('LAST_ADMIN', `${name} is the last admin of fleet ${fleetName}`)
    const gone = people.filter(p => p.name === name).map(p => retiredOf(p, this.#s.replica))
    this.#next({ people: left, retired: [...retired, ...gone] }, admin)
    await this.#s.operatorKeys.drop(name)
  }

  get #root(): TrustedRoot {
    return this.#s.replica.fleet.root
  }

  #mustBeNew(name: string): void {
    if (this.#root.people.some(p => p.name === name)) throw new ShoalError('CONFLICT', `there is an operator ${name} already`)
  }

  #next(change: RootChange, admin: OperatorKey): void {
    this.#takeRoot(nextRootText(this.#root, change, [admin]))
  }
}
