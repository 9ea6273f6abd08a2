/**
 * logs/node.log and its predecessors node.log.1, node.log.2: what workers and supervisor said. A full or slow disk costs lines,
 * never the node.
 */
import { appendFileSync, mkdirSync, statSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Disk, realDisk, renameDurable } from '../slots/index.ts'
import { logFileBytes, logFiles, logQueueBytes } from './limits.ts'

export class LogFile {
  readonly #path: string
  readonly #maxBytes: number
  readonly #disk: Disk
  #bytes = 0
  #queue: string[] = []
  #queued = 0
  #dropped = 0
  #isWriting = false

  /** @param maxBytes of one file */
  constructor(path: string, maxBytes = logFileBytes, disk: Disk = realDisk) {
    this.#path = path
    this.#disk = disk
    this.#maxBytes = maxBytes
    try {
      mkdirSync(dirname(path), { recursive: true })
      this.#bytes = statSync(path).size
    } catch {
      this.#bytes = 0 // none yet
    }
  }

  write(line: string): void {
    if (this.#queued > logQueueBytes) this.#dropped++
    else this.#enqueue(line)
    if (!this.#isWriting) void this.#drain()
  }

  /** Writes what waits, now: for the end of the process. */
  flushSync(): void {
    const text = this.#take()
    if (text === '') return
    try {
      appendFileSync(this.#path, text)
    } catch {
      // Nothing is left that could be told about it.
    }
  }

  #enqueue(line: string): void {
    this.#queue.push(`${line}\n`)
    this.#queued += line.length + 1
  }

  #take(): string {
    if (this.#dropped > 0)
      this.#queue.push(`${JSON.stringify({ event: 'lines lost', lines: this.#dropped, why: 'the disk was too slow' })}\n`)
    this.#dropped = 0
    const text = this.#queue.join('')
    this.#queue = []
    this.#queued = 0
    return text
  }

  async #drain(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0) {
      const text = this.#take()
      if (this.#bytes > 0 && this.#bytes + text.length > this.#maxBytes) await this.#rotate()
      try {
        await appendFile(this.#path, text)
        this.#bytes += Buffer.byteLength(text)
      } catch {
        // Lost; standard error has it too.
      }
    }
    this.#isWriting = false
  }

  /** Each takes the next one's place. On Windows one that a reader holds open stays; the file grows then until the next try. */
  async #rotate(): Promise<void> {
    for (let age = logFiles - 1; age > 0; age--) {
      const younger = age === 1 ? this.#path : `${this.#path}.${age - 1}`
      await renameDurable(younger, `${this.#path}.${age}`, this.#disk).catch(() => undefined)
    }
    this.#bytes = 0
  }
}
