/** The demo's processes: commands that run to their end, nodes that run until they are stopped. None outlives the demo. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { ShoalError } from '../../model/index.ts'
import { loaderFile } from '../program.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A node that is up. */
export interface RunningNode {
  /** `https://HOST:PORT` */
  readonly url: string
  readonly stop: () => Promise<void>
}

/** Time for a node to say `ready`. */
const readyDeadlineMs = 60_000
/** Time for a node to drain before it is killed. */
const stopDeadlineMs = 10_000
/** Lines of a process that are kept to explain its failure. */
const keptLines = 20

export class Processes {
  readonly #env: NodeJS.ProcessEnv
  readonly #signal: AbortSignal
  readonly #live = new Set<ChildProcess>()

  /** @param env of this process; what names a home or an operator there is not for the demo's nodes */
  constructor(env: Readonly<Record<string, string | undefined>>, signal: AbortSignal) {
    this.#env = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SHOAL_')))
    this.#signal = signal
  }

  /** Runs a command to its end. `hear` gets its lines on standard error as they come. */
  async run(argv: readonly string[], hear: (line: string) => void = () => undefined): Promise<Ended> {
    this.#signal.throwIfAborted()
    const child = this.#spawn(argv)
    const ended = { stdout: '', stderr: '' }
    child.stdout?.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()))
    createInterface({ input: child.stderr ?? process.stdin }).on('line', line => {
      ended.stderr += `${line}\n`
      hear(line)
    })
    const end = (): boolean => child.kill()
    this.#signal.addEventListener('abort', end)
    try {
      const [code] = (await once(child, 'close')) as [number | null]
      this.#signal.throwIfAborted()
      return { code, ...ended }
    } finally {
      this.#signal.removeEventListener('abort', end)
    }
  }

  /** Like `run`, but anything other than the exit code 0 is a failure. @throws ShoalError INTERNAL with what the command said */
  async must(argv: readonly string[], hear?: (line: string) => void): Promise<Ended> {
    const ended = await this.run(argv, hear)
    if (ended.code !== 0) throw new ShoalError('INTERNAL', `shoal ${argv[0] ?? ''} ended with ${ended.code}: ${ended.stderr.trim()}`)
    return ended
  }

  /** Starts the node of a home and waits until it serves. */
  async start(home: string): Promise<RunningNode> {
    this.#signal.throwIfAborted()
    const child = this.#spawn(['start', '--home', home])
    const lines: string[] = []
    createInterface({ input: child.stderr ?? process.stdin }).on('line', line =>
      lines.splice(0, lines.length, ...[...lines, line].slice(-keptLines)),
    )
    const url = await this.#ready(child, () => lines.join('\n'))
    return { url, stop: () => this.#stop(child) }
  }

  /** Stops whatever still lives. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#live].map(child => this.#stop(child)))
  }

  #spawn(argv: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [loaderFile, ...argv], { stdio: ['ignore', 'pipe', 'pipe'], env: this.#env })
    this.#live.add(child)
    child.once('close', () => this.#live.delete(child))
    return child
  }

  async #ready(child: ChildProcess, said: () => string): Promise<string> {
    const limit = AbortSignal.any([this.#signal, AbortSignal.timeout(readyDeadlineMs)])
    const lines = createInterface({ input: child.stdout ?? process.stdin })
    // The reader ends when the process does.
    limit.addEventListener('abort', () => lines.close(), { once: true })
    for await (const line of lines) {
      const url = /^ready (https:\S+)/.exec(line)?.[1]
      if (url === undefined) continue
      child.stdout?.resume()
      return url
    }
    this.#signal.throwIfAborted()
    throw new ShoalError('INTERNAL', `a node did not become ready: ${said()}`)
  }

  async #stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    const done = new AbortController()
    child.kill('SIGTERM')
    const late = wait(stopDeadlineMs, undefined, { signal: done.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    )
    await closed
    done.abort()
    await late
  }
}
