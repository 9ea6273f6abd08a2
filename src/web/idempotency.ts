/**
 * `Idempotency-Key`: the same request twice is done once, also if the node restarted in between. What was answered lies sealed under what the caller
 * alone has (the cookie or token), since an answer may hold a secret that is told once. A try whose end is not known is not repeated: it says so.
 */
import { createHash } from 'node:crypto'
import { Fields, parseJson, ShoalError } from '../model/index.ts'
import { unwrap, wrap } from '../trust/index.ts'
import type { Caller } from './callers.ts'
import { RetryLater } from './retry-later.ts'

export interface AnswerStore {
  answered(scope: string, key: string): { readonly body: string; readonly answer: string | null } | undefined
  beginAnswer(scope: string, key: string, body: string, at: number, keep: number): void
  endAnswer(scope: string, key: string, answer: string | null): void
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** ms for which an answer is kept. */
const keptMs = 24 * 3_600_000
const purpose = 'answer'

const sha256Hex = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')

/** @throws ShoalError BAD_REQUEST */
export function parseIdempotencyKey(header: string): string {
  if (!/^[\x21-\x7e]{1,128}$/.test(header)) throw new ShoalError('BAD_REQUEST', 'Idempotency-Key: 1 to 128 printable characters')
  return header
}

export class Idempotency {
  readonly #store: AnswerStore
  readonly #now: () => number
  readonly #running = new Set<string>()

  constructor(store: AnswerStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /**
   * @param secretOf what only this caller has: answers are sealed under it, and keys of two callers are two keys
   * @throws ShoalError IDEMPOTENCY_MISMATCH, IDEMPOTENCY_UNKNOWN, BUSY, and what `work` throws: then the key is free again
   */
  async once(
    request: { readonly key: string; readonly route: string; readonly caller: Caller; readonly secret: string; readonly body: Buffer },
    work: () => Promise<Answer>,
  ): Promise<Answer & { readonly isReplay: boolean }> {
    const secret = `${request.secret} ${request.key}`
    const scope = sha256Hex(`${request.caller.kind} ${request.secret} ${request.route}`)
    const body = sha256Hex(request.body)
    const id = `${scope} ${request.key}`
    const known = this.#store.answered(scope, request.key)
    if (known !== undefined && known.body !== body)
      throw new ShoalError('IDEMPOTENCY_MISMATCH', 'this Idempotency-Key came with another body before')
    if (this.#running.has(id)) throw new RetryLater('BUSY', 'the same request is being done', 1000)
    if (known !== undefined) return { ...open(known.answer, secret), isReplay: true }
    this.#running.add(id)
    try {
      this.#store.beginAnswer(scope, request.key, body, this.#now(), this.#now() - keptMs)
      const answer = await work().catch((error: unknown) => {
        this.#store.endAnswer(scope, request.key, null)
        throw error
      })
      this.#store.endAnswer(scope, request.key, wrap(Buffer.from(JSON.stringify(answer)), secret, purpose))
      return { ...answer, isReplay: false }
    } finally {
      this.#running.delete(id)
    }
  }
}

function open(sealed: string | null, secret: string): Answer {
  const bytes = sealed === null ? null : unwrap(sealed, secret, purpose)
  if (bytes === null)
    throw new ShoalError('IDEMPOTENCY_UNKNOWN', 'a first try with this Idempotency-Key did not come to its end: look whether it was done')
  const f = new Fields(parseJson(bytes.toString('utf8'), 'answer'), 'answer')
  return { status: f.integer('status'), body: f.raw('body') }
}
