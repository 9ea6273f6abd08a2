/** What happened lately at this node, by number: every fact that it learned, every link that came or went. */
export interface Change {
  readonly id: number
  readonly kind: string
  readonly owner: string
  readonly name: string
}

const kept = 5000

export class EventLog {
  readonly #events: Change[] = []
  readonly #listeners = new Set<(event: Change) => void>()
  #last: number

  /** @param first above every id of an earlier life of the node */
  constructor(first: number) {
    this.#last = first
  }

  add(kind: string, owner: string, name: string): void {
    const event = { id: ++this.#last, kind, owner, name }
    this.#events.push(event)
    if (this.#events.length > kept) this.#events.shift()
    for (const tell of this.#listeners) tell(event)
  }

  /** The id of the newest event. */
  get last(): number {
    return this.#last
  }

  /** null: too old, or never given; begin anew. */
  since(id: number): readonly Change[] | null {
    const oldest = this.#events[0]?.id ?? this.#last + 1
    return !Number.isSafeInteger(id) || id + 1 < oldest || id > this.#last ? null : this.#events.slice(Math.max(0, id + 1 - oldest))
  }

  listen(tell: (event: Change) => void): () => void {
    this.#listeners.add(tell)
    return () => this.#listeners.delete(tell)
  }
}
