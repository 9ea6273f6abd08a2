/** One request to one peer, with the limits that every wait has: a signal, a deadline for silence, a bound of bytes. */
import { type NodeId, ShoalError } from '../model/index.ts'
import { maxAnswerBytes, stalledAfterMs } from './limits.ts'

/** Bytes `first` to `last`, both included, as in a Range header. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

export interface PeerResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * Sends `GET <peer's prefix>/<path>`, with a Range header if there is a range. Rejects if the peer cannot be reached; request and body end
 * with the signal.
 */
export type PeerRequest = (peer: NodeId, path: string, range: ByteRange | null, signal: AbortSignal) => Promise<PeerResponse>

/** A body's chunks as they come. Whoever stops reading ends the request. */
export interface Answer {
  readonly status: number
  readonly headers: PeerResponse['headers']
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Runs `use` with the answer; afterwards the request is over, however `use` ended. Silence for too long is an error. */
export async function withAnswer<T>(
  send: (signal: AbortSignal) => Promise<PeerResponse>,
  signal: AbortSignal,
  use: (answer: Answer) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const limit = AbortSignal.any([signal, over.signal])
  const silent = setTimeout(() => over.abort(new ShoalError('BUSY', `no byte for ${stalledAfterMs / 1000} s`)), stalledAfterMs)
  try {
    const { status, headers, body } = await send(limit)
    return await use({ status, headers, chunks: heard(body, silent, limit) })
  } finally {
    clearTimeout(silent)
    over.abort()
  }
}

async function* heard(body: AsyncIterable<Uint8Array>, silent: NodeJS.Timeout, limit: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    limit.throwIfAborted()
    silent.refresh()
    yield chunk
  }
  limit.throwIfAborted()
}

/** The whole of a small answer. @throws ShoalError TOO_LARGE */
export async function readAll(chunks: AsyncIterable<Uint8Array>, maxBytes = maxAnswerBytes): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > maxBytes) throw new ShoalError('TOO_LARGE', `an answer of more than ${maxBytes} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts)
}

/** `Retry-After` in ms, or null. */
export function retryAfterMs(headers: PeerResponse['headers']): number | null {
  const value = headers['retry-after']
  return typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) * 1000 : null
}
