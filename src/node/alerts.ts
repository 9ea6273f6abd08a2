/**
 * Tells people what `alarms` finds, by the webhooks and commands of this node's config.json. Every node that has some tells, so whoever must
 * hear it once configures one node. A condition is told once as long as it lasts, over restarts; a receiver that fails is tried again, boundedly;
 * nothing of the node ever waits for one.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type AlertTarget, asArray, asString, type Config, messageOf, type NodeId, parseJson } from '../model/index.ts'
import { type Condition, conditionsOf, nameOf, type Surroundings } from './alarms.ts'
import type { Memory } from './before.ts'
import type { Log } from './log.ts'

const lookMs = 5000
/** ms before each try. */
const triesAtMs = [0, 1000, 5000, 25_000]
const answerMs = 10_000
/** Alerts that wait for one receiver; what comes on top is lost to it if it is not the quickest, and logged with how many that were. */
const maxWaiting = 50
const maxTold = 1000
const memoryKey = 'alerts told'

export interface AlertOptions extends Surroundings {
  readonly targets: () => readonly AlertTarget[]
  readonly memory: Memory
  readonly log: Log
  /** Monotonic, ms. */
  readonly now: () => number
  readonly wallNow: () => Date
}

export class Alerts {
  readonly #o: AlertOptions
  readonly #abort = new AbortController()
  readonly #since = new Map<string, number>()
  /** Settled, and still without a place. */
  readonly #late = new Map<string, Condition>()
  /** Told, or about to be. */
  readonly #begun = new Set<string>()
  readonly #told: Set<string>
  readonly #lines = new Map<string, Line>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: AlertOptions) {
    this.#o = options
    this.#told = new Set(recall(options.memory))
    for (const key of this.#told) this.#begun.add(key)
  }

  start(): void {
    if (this.#o.targets().length > 0) this.#timer = setInterval(() => this.look(), lookMs)
  }

  stop(): void {
    this.#abort.abort()
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** A fault in here must not end the node. */
  look(): void {
    try {
      this.#look()
    } catch (error) {
      this.#o.log('alerts not looked at', { error: messageOf(error) })
    }
  }

  #look(): void {
    const now = this.#o.now()
    const lasting = new Map(conditionsOf(this.#o).map(c => [c.key, c]))
    for (const key of this.#since.keys()) if (!lasting.has(key)) this.#since.delete(key)
    for (const [key, { event, message }] of this.#late) {
      if (lasting.has(key)) continue
      this.#late.delete(key)
      this.#o.log('alert lost', { event, message, why: 'it was over before there was a place in any line' })
    }
    let isOver = false
    for (const key of this.#begun) {
      if (lasting.has(key)) continue
      this.#begun.delete(key)
      isOver = this.#told.delete(key) || isOver
    }
    if (isOver) this.#keep()
    let places = maxWaiting - this.#shortestLine()
    for (const [key, condition] of lasting) {
      const since = this.#since.get(key) ?? now
      this.#since.set(key, since)
      if (this.#begun.has(key) || now - since < condition.settleMs) continue
      // What has no place in the line of the quickest receiver is looked at again: of a fleet that goes back as a whole it hears every word.
      if (places <= 0) {
        this.#late.set(key, condition)
        continue
      }
      this.#late.delete(key)
      this.#begun.add(key)
      places -= 1
      void this.#tell(condition)
    }
  }

  #shortestLine(): number {
    const lengths = this.#o.targets().map(target => this.#lines.get(JSON.stringify(target))?.waiting ?? 0)
    return lengths.length === 0 ? 0 : Math.min(...lengths)
  }

  async #tell(condition: Condition): Promise<void> {
    const document = this.#documentOf(condition)
    await Promise.all(this.#o.targets().map(target => this.#queue(target, document)))
    if (this.#abort.signal.aborted) return
    this.#told.add(condition.key)
    this.#keep()
  }

  /** The same id from every node and at every try: whoever receives can tell a repetition. */
  #documentOf({ key, event, message, node, rollout }: Condition): Alert {
    const { replica } = this.#o
    const { fleet, fleetName } = replica.fleet.root
    return {
      id: createHash('sha256').update(`${fleet} ${key}`).digest('hex').slice(0, 32),
      event,
      message,
      fleet: { id: fleet, name: fleetName },
      node: node === null ? null : { id: node, name: nameOf(node, replica) },
      rollout,
      from: { id: replica.self, name: nameOf(replica.self, replica) },
      at: this.#o.wallNow().toISOString(),
    }
  }

  /** One after the other for each receiver; one that hangs keeps only its own line. */
  #queue(target: AlertTarget, alert: Alert): Promise<void> {
    const name = JSON.stringify(target)
    const line = this.#lines.get(name) ?? { last: Promise.resolve(), waiting: 0, lost: 0 }
    this.#lines.set(name, line)
    if (line.waiting >= maxWaiting) {
      this.#lose(target, line, alert, `${maxWaiting} wait already`)
      return Promise.resolve()
    }
    line.waiting += 1
    line.last = line.last.then(() => this.#deliver(target, line, alert)).finally(() => (line.waiting -= 1))
    return line.last
  }

  /** `lost`: how many this receiver has missed since the node was started. */
  #lose(target: AlertTarget, line: Line, { event, id, message }: Alert, why: string): void {
    line.lost += 1
    this.#o.log('alert lost', { event, id, message, receiver: nameOfTarget(target), lost: line.lost, why })
  }

  async #deliver(target: AlertTarget, line: Line, alert: Alert): Promise<void> {
    const { event, id } = alert
    const text = JSON.stringify(alert)
    const { signal } = this.#abort
    for (const pauseMs of triesAtMs) {
      try {
        await wait(pauseMs, undefined, { signal })
        const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
        await ('webhook' in target ? post(target.webhook, text, limit) : runCommand(target.command, event, text, limit))
        this.#o.log('alert told', { event, id })
        return
      } catch (error) {
        if (signal.aborted) return
        this.#o.log('alert not told', { event, id, error: messageOf(error) })
      }
    }
    this.#lose(target, line, alert, `${triesAtMs.length} tries failed`)
  }

  #keep(): void {
    try {
      this.#o.memory.remember(memoryKey, JSON.stringify([...this.#told].slice(-maxTold)))
    } catch (error) {
      // A disk that takes nothing: after a restart it is told again.
      this.#o.log('alerts not noted', { error: messageOf(error) })
    }
  }
}

/** What a receiver is told. */
interface Alert {
  readonly id: string
  readonly event: string
  readonly message: string
  readonly [more: string]: unknown
}

/** What waits for one receiver. */
interface Line {
  last: Promise<void>
  waiting: number
  lost: number
}

/** Of a webhook the host alone: its path may be a secret. */
const nameOfTarget = (target: AlertTarget): string => ('webhook' in target ? new URL(target.webhook).host : (target.command[0] ?? ''))

/** What it needs of the node that it belongs to. */
interface Told {
  readonly replica: AlertOptions['replica']
  readonly reach: { readonly reach: (node: NodeId) => string }
  readonly store: Memory
}

export const alertsFor = ({ replica, reach, store }: Told, settings: { readonly config: Config }, log: Log): Alerts =>
  new Alerts({
    replica,
    isLost: node => reach.reach(node) === 'lost',
    targets: () => settings.config.alerts,
    memory: store,
    log,
    now: () => performance.now(),
    wallNow: () => new Date(),
  })

function recall(memory: Memory): readonly string[] {
  const text = memory.remembered(memoryKey)
  return text === undefined ? [] : asArray(parseJson(text, memoryKey), memoryKey, maxTold).map(key => asString(key, memoryKey, 300))
}

async function post(url: string, text: string, signal: AbortSignal): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json' },
    redirect: 'error',
    signal,
  })
  await answer.body?.cancel()
  if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`)
}

/** No shell: of the alert only the event's name, its last argument, is a word of the command line; the document comes by standard input. */
function runCommand([program = '', ...args]: readonly string[], event: string, text: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, event], {
      stdio: ['pipe', 'ignore', 'ignore'],
      signal,
      killSignal: 'SIGKILL',
      windowsHide: true,
    })
    child.once('error', reject)
    child.once('exit', code => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code ?? 'a signal'}`))))
    child.stdin.on('error', () => undefined) // it need not read
    child.stdin.end(text)
  })
}
