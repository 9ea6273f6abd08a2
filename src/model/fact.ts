/**
 * A fact: one signed, versioned register with a single writer. All that is replicated is facts (DESIGN section 8).
 * Unknown kinds are carried as opaque bytes, so that an old node relays for new ones.
 */
import { maxFactBody, maxRootText } from './limits.ts'
import { Fields } from './parse.ts'

export interface Fact {
  readonly kind: string
  /** The single writer: a node id, or an operator's key id. */
  readonly owner: string
  /** Tells apart the facts of one kind and owner; may be empty. */
  readonly name: string
  /** How often the writer has become *the* node; 0 for operators. */
  readonly epoch: number
  readonly version: number
  /** The exact signed bytes, JSON text. */
  readonly body: string
  /** base64 of the owner's signature over `factMessage`; empty where the body is an envelope that carries its own. */
  readonly sig: string
}

export type FactKey = string
export const factKey = (f: Pick<Fact, 'kind' | 'owner' | 'name'>): FactKey => `${f.kind} ${f.owner} ${f.name}`

/** What a node signs: everything but the signature, unambiguously. */
export const factMessage = (f: Omit<Fact, 'sig'>): string =>
  JSON.stringify(['shoal-fact-v1', f.kind, f.owner, f.name, f.epoch, f.version, f.body])

/** Characters of the body of a fact of this kind. */
export const maxBodyOf = (kind: string): number => (kind === 'root' ? maxRootText : maxFactBody)

export function parseFact(value: unknown, where = 'fact'): Fact {
  const f = new Fields(value, where)
  const kind = f.string('kind', 32)
  return {
    kind,
    owner: f.string('owner', 64),
    name: f.string('name', 160),
    epoch: f.integer('epoch'),
    version: f.integer('version'),
    body: f.string('body', maxBodyOf(kind)),
    sig: f.string('sig', 200),
  }
}
