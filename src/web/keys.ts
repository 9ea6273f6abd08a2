/**
 * Keys of people and the recovery kit, made anew by an admin's session (decision 8: what an old key signed stands). A new key lies beside the old one
 * until the root names it: after a death in between, who logs in with the new one settles it.
 */
import { type Fields, parseOperatorName, ShoalError } from '../model/index.ts'
import {
  kitFileOf,
  kitName,
  newKeyLater,
  newPassphrase,
  nextRootText,
  type OperatorKey,
  type Person,
  type RootChange,
  sealLater,
  type TrustedRoot,
} from '../trust/index.ts'
import { isRootRefusal, retiredOf } from './operators.ts'
import type { WebServices } from './services.ts'
import type { Turns } from './turns.ts'

export interface Rotated {
  readonly name: string
  readonly role: string
  readonly keyid: string
  /** null: it is the one that the person has. */
  readonly passphrase: string | null
}

export interface MadeKit {
  readonly name: string
  /** Text of recovery-kit.json. */
  readonly file: string
  readonly passphrase: string
}

export class Keys {
  readonly #s: WebServices
  readonly #takeRoot: (text: string) => void
  readonly #turns: Turns

  /**
   * @param takeRoot judges the next root and tells the fleet
   * @param turns the same as for other changes of people
   */
  constructor(services: WebServices, takeRoot: (text: string) => void, turns: Turns) {
    this.#s = services
    this.#turns = turns
    this.#takeRoot = takeRoot
  }

  /**
   * A new key for a person, for oneself under the passphrase that one has.
   * @param prove opens the caller's own key file with the passphrase of the body
   * @throws ShoalError NOT_FOUND, NO_OPERATOR_KEY, LOGIN_FAILED, TOO_MANY_TRIES, BAD_ROOT, CONFLICT, BUSY
   */
  rotate(name: string, f: Fields, admin: OperatorKey, prove: (passphrase: string) => Promise<void>): Promise<Rotated> {
    return this.#turns.run(() => this.#rotate(name, f, admin, prove))
  }

  async #rotate(name: string, f: Fields, admin: OperatorKey, prove: (passphrase: string) => Promise<void>): Promise<Rotated> {
    const person = this.#personOf(name)
    if ((await this.#s.operatorKeys.read(person.name)) === null)
      throw new ShoalError('NO_OPERATOR_KEY', `no key of ${person.name} is kept here: make the new one at a node that keeps it`)
    const isOwn = person.keyid === admin.keyid
    const passphrase = isOwn ? f.string('passphrase', 1024) : newPassphrase()
    if (isOwn) await prove(passphrase)
    const made = await newKeyLater(person.name, passphrase)
    await this.#s.operatorKeys.stage(person.name, made.file)
    const { keyid, publicHex } = made.key
    const change = (root: TrustedRoot): RootChange => ({
      people: root.people.map(p => (p.name === person.name ? { ...p, keyid, publicHex } : p)),
      retired: [...root.retired, retiredOf(this.#personOf(name), this.#s.replica)],
    })
    // Somebody may have changed the root while the key was made: the change is made to what stands now.
    await this.#handIn(change, isOwn ? [admin, made.key] : [admin], () => this.#s.operatorKeys.unstage(person.name))
    await this.#s.operatorKeys.settle(person.name)
    return { name: person.name, role: person.role, keyid, passphrase: isOwn ? null : passphrase }
  }

  /**
   * Every earlier kit loses its force, so the body names the fleet that is meant: `{ fleet }`.
   * @throws ShoalError OTHER_FLEET; NOT_ALLOWED where there is no CA key; BAD_ROOT, CONFLICT, BUSY
   */
  kit(f: Fields, admin: OperatorKey): Promise<MadeKit> {
    return this.#turns.run(() => this.#kit(f, admin))
  }

  async #kit(f: Fields, admin: OperatorKey): Promise<MadeKit> {
    const fleet = f.string('fleet', 64)
    if (fleet !== this.#root.fleet) throw new ShoalError('OTHER_FLEET', `the kit is meant for fleet ${fleet}, this is ${this.#root.fleet}`)
    const { ca, recoveryKit } = this.#s
    if (ca === null) throw new ShoalError('NOT_ALLOWED', 'the CA’s key is not here: make the kit at a node that lets others in')
    const passphrase = newPassphrase()
    const made = await newKeyLater(kitName, passphrase)
    const file = kitFileOf(made.file, await sealLater(Buffer.from(ca.key), passphrase))
    await recoveryKit.stage(file)
    const { keyid, publicHex } = made.key
    await this.#handIn(() => ({ spareAdmins: [{ keyid, publicHex }] }), [admin], recoveryKit.unstage)
    await recoveryKit.settle()
    return { name: kitName, file, passphrase }
  }

  /** A person's key file, as it is kept here: still under its passphrase. @throws ShoalError NOT_FOUND */
  async exported(text: string): Promise<{ readonly name: string; readonly file: string }> {
    const name = parseOperatorName(text)
    const file = await this.#s.operatorKeys.read(name)
    if (file === null) throw new ShoalError('NOT_FOUND', `no key of ${name} is kept here`)
    return { name, file }
  }

  get #root(): TrustedRoot {
    return this.#s.replica.fleet.root
  }

  #personOf(name: string): Person {
    const person = this.#root.people.find(p => p.name === name)
    if (person === undefined) throw new ShoalError('NOT_FOUND', `there is no operator ${name.slice(0, 64)}`)
    return person
  }

  /** What the root refuses for sure leaves no file behind; after all else it may count already, and its key must not be lost. */
  async #handIn(change: (root: TrustedRoot) => RootChange, signers: readonly OperatorKey[], undo: () => Promise<void>): Promise<void> {
    try {
      this.#takeRoot(nextRootText(this.#root, change(this.#root), signers))
    } catch (error) {
      if (isRootRefusal(error)) await undo()
      throw error
    }
  }
}
