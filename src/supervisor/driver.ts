/**
 * Runs the machine: feeds it what happens, does what it says, wakes it when it asks. Holds no policy. Events that arise while effects
 * run wait their turn, so a step always sees the whole of the one before.
 */
import { codeOf, messageOf, type SwitchTarget } from '../model/index.ts'
import { writeCurrent } from '../slots/index.ts'
import { type Child, startWorker } from './children.ts'
import { step, wakeAt } from './machine.ts'
import type { Port } from './port.ts'
import type { Effect, Event, State } from './state.ts'

/** The process around it. */
export interface Surroundings {
  readonly home: string
  readonly port: Port
  /** 48 bytes, base64: shared by all workers of this process, known to nobody else. */
  readonly ticketKeys: string
  /** A loader, or a service manager, starts this process again when it asks for that. */
  readonly hasLoader: boolean
  readonly note: (pids: readonly number[]) => void
  /** The end has begun, and will be with this exit code. */
  readonly leaving: (code: number) => void
  readonly say: (line: string) => void
  /** Tells the loader that this supervisor works, though the node does not serve yet. */
  readonly alive: () => void
  readonly announce: (line: string) => void
  readonly blocked: (code: string, message: string) => void
  readonly exit: (code: number) => void
}

type ForkEffect = Extract<Effect, { kind: 'fork' }>
const longestTimerMs = 0x7fff_ffff

export class Driver {
  readonly #around: Surroundings
  readonly #children = new Map<number, Child>()
  readonly #events: Event[] = []
  #state: State
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  #isOver = false

  constructor(state: State, around: Surroundings) {
    this.#state = state
    this.#around = around
  }

  dispatch(event: Event): void {
    this.#events.push(event)
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      for (let next = this.#events.shift(); next !== undefined && !this.#isOver; next = this.#events.shift()) this.#take(next)
    } finally {
      this.#isRunning = false
    }
    this.#setTimer()
  }

  #take(event: Event): void {
    const next = step(this.#state, event, performance.now())
    for (const effect of next.effects) {
      if (effect.kind !== 'save') continue
      try {
        writeCurrent(this.#around.home, effect.current)
      } catch (error) {
        this.#events.unshift({ kind: 'unsaved', cause: event, code: codeOf(error), message: messageOf(error) })
        return
      }
    }
    if (this.#state.stopping === null && next.state.stopping !== null) this.#around.leaving(next.state.stopping)
    this.#state = next.state
    for (const effect of next.effects) this.#run(effect)
  }

  #run(effect: Effect): void {
    switch (effect.kind) {
      case 'save':
        return
      case 'fork':
        this.#fork(effect)
        return
      case 'send':
        this.#send(effect)
        return
      case 'kill':
        this.#children.get(effect.worker)?.kill()
        return
      case 'alive':
        this.#around.alive()
        return
      case 'announce':
        this.#around.announce(effect.line)
        return
      case 'blocked':
        this.#around.blocked(effect.code, effect.message)
        return
      case 'log':
        this.#around.say(effect.text)
        return
      case 'exit':
        this.#isOver = true
        clearTimeout(this.#timer)
        this.#around.exit(effect.code)
    }
  }

  #send({ worker, message }: Extract<Effect, { kind: 'send' }>): void {
    const child = this.#children.get(worker)
    if (child === undefined) return
    const { port } = this.#around
    if (message.t === 'park' || message.t === 'stop') port.shut(child)
    if (message.t === 'go') port.open(child, message)
    else child.send(message)
  }

  #fork({ worker, slots, builtIn, isSafe, isRehearsal, trial }: ForkEffect): void {
    const ended = (how: string): void => {
      const child = this.#children.get(worker)
      if (child !== undefined) this.#around.port.shut(child)
      this.#children.delete(worker)
      this.#noteChildren()
      this.dispatch({ kind: 'exited', worker, how })
    }
    try {
      const child = startWorker(this.#around.home, slots.shoal, {
        message: message => this.dispatch({ kind: 'message', worker, message }),
        line: line => this.#heard(worker, line),
        exited: ended,
      })
      this.#children.set(worker, child)
      this.#noteChildren()
      child.send({
        t: 'init',
        ...slots,
        builtIn,
        safe: isSafe,
        trial: trial satisfies SwitchTarget | null,
        ticketKeys: this.#around.ticketKeys,
        hasLoader: this.#around.hasLoader,
        rehearsal: isRehearsal,
      })
    } catch (error) {
      ended(messageOf(error))
    }
  }

  #heard(worker: number, line: string): void {
    this.#around.say(line)
    this.dispatch({ kind: 'line', worker, line })
  }

  #noteChildren(): void {
    this.#around.note([...this.#children.values()].flatMap(child => child.pid ?? []))
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    const at = wakeAt(this.#state)
    if (this.#isOver || at === Infinity) return
    const due = Math.max(at, performance.now())
    const ms = Math.min(Math.ceil(due - performance.now()), longestTimerMs)
    this.#timer = setTimeout(() => this.dispatch({ kind: 'tick', lateMs: Math.max(0, performance.now() - due) }), ms)
  }
}
