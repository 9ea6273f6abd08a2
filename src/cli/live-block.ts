/** Lines at the bottom of a terminal that are drawn over in place. Nothing is written when nothing changed. */
import { clearScreenDown, cursorTo, moveCursor } from 'node:readline'
import type { Output } from './io.ts'

export class LiveBlock {
  readonly #out: Output
  #drawn: readonly string[] = []

  constructor(out: Output) {
    this.#out = out
  }

  draw(all: readonly string[]): void {
    // What is scrolled away cannot be drawn over.
    const rows = this.#out.rows === undefined || this.#out.rows === 0 ? all.length : this.#out.rows - 1
    const lines = all.slice(0, Math.max(1, rows))
    if (lines.join('\n') === this.#drawn.join('\n')) return
    this.#clear()
    this.#out.write(`${lines.join('\n')}\n`)
    this.#drawn = lines
  }

  /** A line that stays, above the block. */
  above(line: string): void {
    const lines = this.#drawn
    this.#clear()
    this.#out.write(`${line}\n`)
    this.draw(lines)
  }

  /** Takes away what is drawn. */
  clear(): void {
    if (this.#drawn.length > 0) this.#clear()
  }

  /** Leaves what is drawn. */
  end(): void {
    this.#drawn = []
  }

  #clear(): void {
    if (this.#drawn.length > 0) moveCursor(this.#out, 0, -this.#drawn.length)
    cursorTo(this.#out, 0)
    clearScreenDown(this.#out)
    this.#drawn = []
  }
}
