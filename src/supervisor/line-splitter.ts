/** Bytes of a worker's output to lines. A line without an end does not grow: what is beyond the limit is cut. */
import { StringDecoder } from 'node:string_decoder'
import { maxLineLength } from './limits.ts'

export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onLine: (line: string) => void
  #held = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(bytes: Buffer): void {
    const lines = (this.#held + this.#decoder.write(bytes)).split('\n')
    // Held text is cut one character above the limit, so that #tell still sees that it was too long.
    this.#held = (lines.pop() ?? '').slice(0, maxLineLength + 1)
    for (const line of lines) this.#tell(line)
  }

  end(): void {
    if (this.#held !== '') this.#tell(this.#held)
    this.#held = ''
  }

  #tell(line: string): void {
    const whole = line.endsWith('\r') ? line.slice(0, -1) : line
    this.#onLine(whole.length > maxLineLength ? `${whole.slice(0, maxLineLength)}…` : whole)
  }
}
