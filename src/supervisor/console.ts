/**
 * Standard output and error, for people and service managers. A terminal that stands still (Ctrl-S, a serial line that hangs) or a reader that does
 * not read costs lines there, never the node: nothing here waits or grows, and all of it is in logs/node.log. Node.js itself writes to terminals
 * synchronously, so on Linux a terminal is opened once more, for writes that do not wait. Where it cannot be, and on other systems, they do wait.
 */
import { constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { isatty } from 'node:tty'
import { systemCodeOf } from '../model/index.ts'
import { consoleFlushMs, consoleFlushPollMs, consoleFirstRetryMs, consoleMaxRetryMs, consoleQueueBytes } from './limits.ts'

/** What lies behind a descriptor. */
export interface Device {
  /** How many of the bytes it has taken; 0: none now, try later. Throws if it is gone. */
  readonly take: (bytes: Buffer) => number
  /** Nothing that it has taken is held in this process any more. */
  readonly isIdle: () => boolean
}

export class Console {
  readonly #device: Device
  #queue: Buffer[] = []
  #queued = 0
  #dropped = 0
  #retryMs = consoleFirstRetryMs
  #timer: NodeJS.Timeout | undefined

  constructor(device: Device) {
    this.#device = device
  }

  write(line: string): void {
    if (this.#queued > consoleQueueBytes) this.#dropped++
    else this.#enqueue(line)
    if (this.#timer === undefined) this.#pump()
  }

  /** Gives what waits a last chance, for the end of the process. */
  async flush(limitMs = consoleFlushMs): Promise<void> {
    const deadline = performance.now() + limitMs
    while ((this.#queue.length > 0 || !this.#device.isIdle()) && performance.now() < deadline) {
      await wait(consoleFlushPollMs)
      this.#pump()
    }
  }

  #enqueue(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    this.#queue.push(bytes)
    this.#queued += bytes.length
  }

  #pump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const taken = this.#give(first)
      if (taken === 0) {
        this.#tryLater()
        return
      }
      this.#retryMs = consoleFirstRetryMs
      this.#queued -= taken
      if (taken < first.length) this.#queue[0] = first.subarray(taken)
      else this.#queue.shift()
      if (this.#queue.length === 0) this.#tellDropped()
    }
  }

  /** What is gone takes all: nobody is left to read. */
  #give(bytes: Buffer): number {
    try {
      return this.#device.take(bytes)
    } catch {
      return bytes.length
    }
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return
    this.#enqueue(JSON.stringify({ event: 'lines lost', lines: this.#dropped, why: 'nobody read them here: see logs/node.log' }))
    this.#dropped = 0
  }

  #tryLater(): void {
    this.#timer = setTimeout(() => this.#pump(), this.#retryMs).unref()
    this.#retryMs = Math.min(this.#retryMs * 2, consoleMaxRetryMs)
  }
}

/** @param stream Node.js's own for this descriptor */
export function consoleOf(fd: 1 | 2, stream: Writable): Console {
  stream.on('error', () => undefined) // a terminal that is gone ends no node
  const own = isatty(fd) ? reopenTerminal(fd) : null
  return new Console(own === null ? streamDevice(stream) : fdDevice(own))
}

/** @param fd one whose writes do not wait */
export const fdDevice = (fd: number): Device => ({
  take: bytes => {
    try {
      return writeSync(fd, bytes)
    } catch (error) {
      if (systemCodeOf(error) === 'EAGAIN') return 0
      throw error
    }
  },
  isIdle: () => true,
})

/** Pipes and sockets, which Node.js writes without waiting, but would hold without bound. */
export const streamDevice = (stream: Writable): Device => ({
  take: bytes => {
    if (stream.destroyed) return bytes.length
    if (stream.writableNeedDrain) return 0
    stream.write(bytes)
    return bytes.length
  },
  isIdle: () => stream.destroyed || stream.writableLength === 0,
})

/** Opened anew, since O_NONBLOCK on a descriptor that is inherited would be set for the shell too; null: it cannot be. */
function reopenTerminal(fd: number): number | null {
  for (const path of [`/proc/self/fd/${fd}`, ...(isOwnTerminal(fd) ? ['/dev/tty'] : [])]) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    } catch {
      // No /proc; or after `su`, when the device is another user's, whereas one's own terminal may always be opened.
    }
  }
  return null
}

/** Whether it is the controlling terminal of this process: the fifth field behind the name (proc_pid_stat(5), tty_nr) has its device's number. */
function isOwnTerminal(fd: number): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4]) === fstatSync(fd).rdev
  } catch {
    return false
  }
}
