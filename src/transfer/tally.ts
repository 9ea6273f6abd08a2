/** What a transfer moved, from whom, and who lied. */
import type { NodeId } from '../model/index.ts'

export interface Fetched {
  /** Bytes of all answers' bodies: package, blockmap, who has what. */
  readonly fetched: number
  /** Bytes that were on disk already, or follow from what was. */
  readonly reused: number
  /** Peers that sent at least one segment. */
  readonly sources: number
}

export class Tally {
  fetched = 0
  reused = 0
  readonly sources = new Set<NodeId>()
  readonly liars = new Set<NodeId>()
  readonly #onLiar: ((peer: NodeId) => void) | undefined

  constructor(onLiar?: (peer: NodeId) => void) {
    this.#onLiar = onLiar
  }

  liar(peer: NodeId): void {
    if (this.liars.has(peer)) return
    this.liars.add(peer)
    this.#onLiar?.(peer)
  }

  listeners(): { isLiar: (peer: NodeId) => boolean; onLiar: (peer: NodeId) => void; onBytes: (bytes: number) => void } {
    return {
      isLiar: peer => this.liars.has(peer),
      onLiar: peer => this.liar(peer),
      onBytes: bytes => {
        this.fetched += bytes
      },
    }
  }

  result(): Fetched {
    return { fetched: this.fetched, reused: this.reused, sources: this.sources.size }
  }
}
