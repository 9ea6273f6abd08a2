/** One simulated node: the same Registers and MeshCore as in a real one, its disk, and what runs above. */
import { type FactHash, hashFact, type Judge, Registers } from '../../src/facts/index.ts'
import { bytesOfFrame, type Directory, type Effect, MeshCore, type MeshEvent } from '../../src/mesh/core/index.ts'
import { type Digest, type Fact, type FleetId, factKey, type NodeId, type OrderId } from '../../src/model/index.ts'
import type { MakeProgram, Program } from './program.ts'
import type { Random } from '../helpers/random.ts'
import { SimStore } from './store.ts'
import { type End, frameOverheadBytes, type Wire } from './wire.ts'
import type { World } from './world.ts'

export const simFleet = 'f'.repeat(52) as FleetId
const shoalDigest = '5'.repeat(64) as Digest
const base32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** Facts are shared objects in the simulator, so each is hashed once for all nodes. */
const hashes = new WeakMap<Fact, FactHash>()
const hash = (fact: Fact): FactHash => {
  const known = hashes.get(fact)
  if (known !== undefined) return known
  const made = hashFact(fact)
  hashes.set(fact, made)
  return made
}

export const simNodeId = (index: number, random: Random): NodeId => {
  let text = ''
  for (let n = 0; n < 44; n++) text += base32[random.integer(32)] ?? ''
  return `${text}${String(index)
    .padStart(8, 'a')
    .replace(/[0189]/g, digit => base32[Number(digit) + 10] ?? '')}` as NodeId
}

export interface NodeSettings {
  readonly index: number
  readonly id: NodeId
  readonly pinned: readonly { readonly id: NodeId; readonly address: string }[]
  readonly directory: Directory | null
  readonly makeProgram: MakeProgram
}

export class SimNode {
  readonly world: World
  readonly index: number
  readonly id: NodeId
  readonly address: string
  readonly random: Random
  readonly #settings: NodeSettings
  store = new SimStore()
  registers = new Registers({ hash })
  core: MeshCore | null = null
  program: Program | null = null
  /** Counts starts, so that what was meant for an earlier process does not reach this one. */
  life = 0
  /** What its clock shows more than the world's. */
  skewMs = 0
  wakeAt = Number.POSITIVE_INFINITY
  /** A stopped process: what arrives waits until here. */
  pausedUntil = 0
  isParked = false
  /** No power: what is sent to it vanishes. */
  isDark = false
  trial: OrderId | null = null
  readonly ends = new Map<number, { readonly wire: Wire; readonly end: End; readonly other: End }>()
  bytesOut = 0
  bytesIn = 0
  /** Frames with facts received, by kind of fact. */
  readonly copies = new Map<string, number>()
  /** What this life said last, by kind and name. */
  readonly said = new Map<string, string>()
  /** The newest of each register that this life has held. */
  readonly newest = new Map<string, Fact>()
  readonly #queue: MeshEvent[] = []
  #isRunning = false
  #version = 0

  constructor(world: World, settings: NodeSettings) {
    this.world = world
    this.#settings = settings
    this.index = settings.index
    this.id = settings.id
    this.address = `n${settings.index}:1`
    this.random = world.random.fork()
  }

  get isUp(): boolean {
    return this.core !== null
  }

  /** The node's own clock. */
  get now(): number {
    return this.world.now + this.skewMs
  }

  start(): void {
    this.life++
    this.store.epoch++
    this.#version = 0
    this.said.clear()
    this.newest.clear()
    this.registers = new Registers({ hash })
    for (const fact of this.store.load()) this.registers.merge(fact)
    const { id, pinned, directory } = this.#settings
    this.core = new MeshCore({
      node: id,
      fleet: simFleet,
      registers: this.registers,
      judge: this.world.judge,
      isMember: this.world.isMember,
      ...(directory === null ? {} : { directory }),
      rng: this.random.next,
      runs: { app: null, shoal: shoalDigest, trial: this.trial },
      pinned,
    })
    this.program = this.#settings.makeProgram(this)
    this.dispatch({ t: 'start', nonce: `nonce-${this.index}-${this.life}-${this.random.integer(1e9)}` })
    this.program.start()
  }

  /** The process is gone. */
  stop(): void {
    this.core = null
    this.program = null
    this.wakeAt = Number.POSITIVE_INFINITY
    this.ends.clear()
  }

  /** As the real driver: one event after the other, what an effect causes comes after it. */
  dispatch(event: MeshEvent): void {
    this.#queue.push(event)
    if (this.#isRunning) return
    this.#isRunning = true
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.core === null) continue
      for (const effect of this.core.handle(next, this.now)) this.#run(effect)
    }
    this.#isRunning = false
  }

  /** Runs `then` after so long, unless the process ends before. */
  after(ms: number, then: () => void): void {
    const { life } = this
    this.world.schedule(ms, () => {
      if (this.life === life && this.isUp) then()
    })
  }

  publish(kind: string, name: string, body: string, durable = false): Fact {
    const fact = this.sign(kind, name, body)
    this.say(fact, durable)
    return fact
  }

  say(fact: Fact, durable: boolean): void {
    this.said.set(`${fact.kind} ${fact.name}`, fact.body)
    this.dispatch({ t: 'publish', facts: [fact], durable })
  }

  /** All own facts again, above an epoch that was raised; what this life said counts more than what an earlier one did. */
  republish(): void {
    for (const { kind, name, body } of this.registers.ofOwner(this.id))
      this.publish(kind, name, this.said.get(`${kind} ${name}`) ?? body, true)
  }

  /** Own facts of this life that are not what the replica holds. */
  forgotten(): readonly string[] {
    return [...this.said]
      .filter(([key, body]) => this.registers.get(`${key.split(' ')[0] ?? ''} ${this.id} ${key.split(' ')[1] ?? ''}`)?.body !== body)
      .map(([key]) => key)
  }

  sign(kind: string, name: string, body: string): Fact {
    return { kind, owner: this.id, name, epoch: this.store.epoch, version: ++this.#version, body, sig: `signed ${this.id}`.padEnd(96) }
  }

  #run(effect: Effect): void {
    switch (effect.t) {
      case 'dial':
        this.world.dial(this, effect.peer, effect.address)
        break
      case 'send':
        this.#send(effect.link, effect.frame)
        break
      case 'ping':
        this.world.send(this, effect.link, { t: 'ping' }, frameOverheadBytes)
        break
      case 'close':
        this.world.end(this, effect.link, effect.code)
        break
      case 'terminate':
        this.world.end(this, effect.link, 1006)
        break
      case 'store':
        this.store.commit(effect.facts, effect.durable, this.world.now)
        break
      case 'changed':
        this.world.observe(this, effect.facts)
        this.program?.changed(effect.facts)
        break
      case 'linkUp':
        this.program?.linkUp(effect.peer, effect.hello)
        break
      case 'linkDown':
        this.program?.linkDown(effect.peer)
        break
      case 'alarm':
        this.world.alarms.push({ node: this, alarm: effect.alarm })
        this.program?.alarm(effect.alarm)
        break
      case 'refused':
        this.world.refusals++
        break
      case 'wake':
        this.wakeAt = effect.atMs - this.skewMs
        this.world.wake(this, this.wakeAt)
        break
      case 'synced':
        break
    }
  }

  #send(link: number, frame: Extract<Effect, { t: 'send' }>['frame']): void {
    this.world.send(this, link, frame, bytesOfFrame(frame) + frameOverheadBytes)
  }

  /** Bookkeeping of what arrives. */
  count(facts: readonly Fact[]): void {
    for (const { kind } of facts) this.copies.set(kind, (this.copies.get(kind) ?? 0) + 1)
  }

  holds(fact: Fact): boolean {
    const held = this.registers.get(factKey(fact))
    return held !== undefined && (held.epoch > fact.epoch || (held.epoch === fact.epoch && held.version >= fact.version))
  }
}

/** A true, cheap judge: the signature names its writer, kinds of operators come from the operator. */
export const simJudge =
  (isKnown: (owner: string) => boolean): Judge =>
  fact => {
    if (!fact.sig.startsWith(`signed ${fact.owner}`))
      return { v: 'reject', code: 'BAD_SIGNATURE', message: `${fact.kind} of ${fact.owner}` }
    return isKnown(fact.owner) ? { v: 'accept' } : { v: 'wait' }
  }
