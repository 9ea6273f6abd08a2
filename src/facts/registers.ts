/**
 * The replica of all facts: one register per (kind, owner, name), the higher (epoch, version) wins. Merging is commutative,
 * associative and idempotent, so replicas that saw the same facts in any order are equal. It decides nothing about who may write
 * what: facts are judged before they come here. Mutable inside, deterministic, no IO.
 */
import { type Code, type Fact, type FactKey, factKey, maxFactsPerOwner } from '../model/index.ts'
import { type HashFact, hashFact, sumText } from './digest.ts'
import { bucketCount } from './limits.ts'

/** Is a fact good? `wait`: its writer is not known yet; it is dropped and asked for again after the next `member` or `root`. */
export type Verdict =
  /** `replaces`: it counts in the place of another that is held under the same version. */
  | { readonly v: 'accept'; readonly replaces?: true }
  | { readonly v: 'reject'; readonly code: Code; readonly message: string }
  | { readonly v: 'wait' }

export type Judge = (fact: Fact, registers: Registers) => Verdict

/**
 * How a fact stands to what is held: `conflict` is another body under the same (epoch, version), evidence against its writer;
 * `full`: its writer has as many registers as one may have, this would be one more.
 */
export type Standing = 'new' | 'known' | 'older' | 'conflict' | 'full'

/** A register's name and age, as replicas tell each other: hash of its key, epoch, version, hash of its content. */
export interface Entry {
  readonly id: string
  readonly e: number
  readonly v: number
  readonly h: number
}

interface Register {
  readonly key: FactKey
  readonly bucket: number
  fact: Fact
  entry: Entry
  high: number
}

export interface RegistersOptions {
  readonly hash?: HashFact
  readonly maxPerOwner?: number
}

const addTo = <K>(index: Map<K, Set<Register>>, key: K, register: Register): void => {
  const set = index.get(key)
  if (set === undefined) index.set(key, new Set([register]))
  else set.add(register)
}

const dropFrom = <K>(index: Map<K, Set<Register>>, key: K, register: Register): void => {
  const set = index.get(key)
  if (set?.delete(register) === true && set.size === 0) index.delete(key)
}

const factsOf = (set: Set<Register> | undefined): readonly Fact[] => (set === undefined ? [] : Array.from(set, r => r.fact))

/** Of two facts with the same key, epoch and version all replicas keep the same one: the lower hash, then the lower body. */
const isKeptOver = (h: number, fact: Fact, held: Register): boolean => (h !== held.entry.h ? h < held.entry.h : fact.body < held.fact.body)

export class Registers {
  readonly #hash: HashFact
  readonly #maxPerOwner: number
  readonly #byKey = new Map<FactKey, Register>()
  readonly #byId = new Map<string, Register>()
  readonly #byKind = new Map<string, Set<Register>>()
  readonly #byOwner = new Map<string, Set<Register>>()
  readonly #byBucket = new Map<number, Set<Register>>()
  readonly #revisions = new Map<string, number>()
  readonly #watchers = new Set<(fact: Fact) => void>()
  /** Sum of each bucket, high and low word; the last pair is the root. Words add modulo 2^32. */
  readonly #sums = new Uint32Array((bucketCount + 1) * 2)

  constructor(options: RegistersOptions = {}) {
    this.#hash = options.hash ?? hashFact
    this.#maxPerOwner = options.maxPerOwner ?? maxFactsPerOwner
  }

  get size(): number {
    return this.#byKey.size
  }

  get(key: FactKey): Fact | undefined {
    return this.#byKey.get(key)?.fact
  }

  all(): readonly Fact[] {
    return Array.from(this.#byKey.values(), r => r.fact)
  }

  ofKind(kind: string): readonly Fact[] {
    return factsOf(this.#byKind.get(kind))
  }

  ofOwner(owner: string): readonly Fact[] {
    return factsOf(this.#byOwner.get(owner))
  }

  /** Counts the changes of the facts of a kind: what was worked out of them stands as long as it is the same. */
  revisionOf(kind: string): number {
    return this.#revisions.get(kind) ?? 0
  }

  /** Calls for every fact that comes in, takes the place of another, or is forgotten. @returns how to stop */
  watch(tell: (fact: Fact) => void): () => void {
    this.#watchers.add(tell)
    return () => this.#watchers.delete(tell)
  }

  /** Who watched before is gone. */
  leaveWatchers(): void {
    this.#watchers.clear()
  }

  /** The highest (epoch, version) held of a writer: what a writer that lost its memory must go above. */
  highestOf(owner: string): { readonly epoch: number; readonly version: number } | null {
    let highest: Entry | null = null
    for (const { entry } of this.#byOwner.get(owner) ?? []) {
      if (highest === null || entry.e > highest.e || (entry.e === highest.e && entry.v > highest.v)) highest = entry
    }
    return highest === null ? null : { epoch: highest.e, version: highest.v }
  }

  /** What `merge` would say; changes nothing and hashes nothing, so that duplicates cost neither a hash nor a judgement. */
  compare(fact: Fact): Standing {
    const held = this.#byKey.get(factKey(fact))
    if (held === undefined) return (this.#byOwner.get(fact.owner)?.size ?? 0) >= this.#maxPerOwner ? 'full' : 'new'
    const age = fact.epoch - held.entry.e || fact.version - held.entry.v
    if (age !== 0) return age > 0 ? 'new' : 'older'
    return fact.body === held.fact.body ? 'known' : 'conflict'
  }

  /** @param replaces the judge decided that it counts, and not the one that conflicts */
  merge(fact: Fact, replaces = false): Standing {
    const standing = this.compare(fact)
    if (standing !== 'new' && standing !== 'conflict') return standing
    const { id, bucket, high, low } = this.#hash(fact)
    const key = factKey(fact)
    const entry: Entry = { id, e: fact.epoch, v: fact.version, h: low }
    const held = this.#byKey.get(key)
    if (held === undefined) {
      this.#insert({ key, bucket, fact, entry, high })
      this.#changed(fact)
      return standing
    }
    if (standing === 'conflict' && !replaces && !isKeptOver(low, fact, held)) return standing
    this.#count(held, -1)
    Object.assign(held, { fact, entry, high })
    this.#count(held, 1)
    this.#changed(fact)
    return standing
  }

  /** Drops what the predicate names and gives it back. All replicas must forget by the same rule, and their judges refuse it afterwards. */
  forget(predicate: (fact: Fact) => boolean): readonly Fact[] {
    const gone = [...this.#byKey.values()].filter(r => predicate(r.fact))
    for (const register of gone) {
      this.#byKey.delete(register.key)
      if (this.#byId.get(register.entry.id) === register) this.#byId.delete(register.entry.id)
      dropFrom(this.#byKind, register.fact.kind, register)
      dropFrom(this.#byOwner, register.fact.owner, register)
      dropFrom(this.#byBucket, register.bucket, register)
      this.#count(register, -1)
      this.#changed(register.fact)
    }
    return gone.map(r => r.fact)
  }

  /** Sum of all entries' hashes, 16 hex digits: equal roots mean equal replicas. */
  root(): string {
    return sumText(this.#sums[bucketCount * 2] ?? 0, this.#sums[bucketCount * 2 + 1] ?? 0)
  }

  /** The sums of the buckets, two words each. */
  bucketSums(): Uint32Array {
    return this.#sums.slice(0, bucketCount * 2)
  }

  entriesOf(bucket: number): readonly Entry[] {
    return Array.from(this.#byBucket.get(bucket) ?? [], r => r.entry)
  }

  /** The hash of a fact's key, whether it is held or not. */
  idOf(fact: Fact): string {
    return this.#byKey.get(factKey(fact))?.entry.id ?? this.#hash(fact).id
  }

  /** The entry that a fact would have. */
  entryFor(fact: Fact): Entry {
    const { id, low } = this.#hash(fact)
    return { id, e: fact.epoch, v: fact.version, h: low }
  }

  byId(id: string): Fact | undefined {
    return this.#byId.get(id)?.fact
  }

  entryOf(key: FactKey): Entry | undefined {
    return this.#byKey.get(key)?.entry
  }

  /** Would the fact behind another replica's entry change this one? Of what is contested only the facts themselves tell. */
  lacks(entry: Entry): boolean {
    const held = this.#byId.get(entry.id)?.entry
    return held === undefined || isNewerEntry(entry, held) || this.#isContested(entry, held)
  }

  /** Would the fact behind this replica's own entry change the other? */
  mayTell(own: Entry, theirs: Entry | undefined): boolean {
    return theirs === undefined || isNewerEntry(own, theirs) || this.#isContested(own, theirs)
  }

  /** Two that the judge decides between, not their hashes. */
  #isContested(a: Entry, b: Entry): boolean {
    return a.e === b.e && a.v === b.v && a.h !== b.h && this.#byId.get(a.id)?.fact.kind === 'root'
  }

  #insert(register: Register): void {
    this.#byKey.set(register.key, register)
    this.#byId.set(register.entry.id, register)
    addTo(this.#byKind, register.fact.kind, register)
    addTo(this.#byOwner, register.fact.owner, register)
    addTo(this.#byBucket, register.bucket, register)
    this.#count(register, 1)
  }

  #changed(fact: Fact): void {
    this.#revisions.set(fact.kind, this.revisionOf(fact.kind) + 1)
    for (const tell of this.#watchers) tell(fact)
  }

  #count({ bucket, high, entry }: Register, sign: 1 | -1): void {
    for (const at of [bucket * 2, bucketCount * 2]) {
      this.#sums[at] = (this.#sums[at] ?? 0) + sign * high
      this.#sums[at + 1] = (this.#sums[at + 1] ?? 0) + sign * entry.h
    }
  }
}

/** Merging `a` over `b` would change something: later, or as late and the one that conflicts are decided for. */
export const isNewerEntry = (a: Entry, b: Entry): boolean => (a.e !== b.e ? a.e > b.e : a.v !== b.v ? a.v > b.v : a.h < b.h)
