/**
 * The client of the node's API. It sends the local token and envelopes, never a key. A node that changes over answers 503, resets a kept
 * connection or has a new token: each is tried once more, nothing else is.
 */
import { createReadStream, type ReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Agent } from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import { asArray, asString, codeFrom, Fields, formatAddress, parseJson, ShoalError, systemCodeOf } from '../model/index.ts'
import { type Endpoint, exchange, type Question, type Reply } from './exchange.ts'
import { answerDeadlineMs, maxAnswerBytes, maxRetryAfterMs, pageSize, progressMs, uploadDeadlineMs } from './limits.ts'

/** A node whose API is asked, and what opens it; the token is read anew, since each start of the node makes one. */
export interface Target extends Endpoint {
  readonly readToken: () => string
  /** A session opens it instead. */
  readonly session?: { readonly cookie: string; readonly csrf: string }
}

/** What the node refused, with the id under which its log has it. */
export class Refusal extends ShoalError {
  readonly requestId: string
  constructor(code: string, message: string, requestId: string) {
    super(codeFrom(code), message)
    this.requestId = requestId
  }
}

export interface UploadOptions {
  /** First and last byte of the file that are sent. */
  readonly range?: { readonly start: number; readonly end: number }
  /** Called now and then. */
  readonly onSent?: (bytes: number, total: number) => void
}

type Method = Question['method']

export class Client {
  readonly #target: Target
  readonly #signal: AbortSignal
  readonly #agent = new Agent({ keepAlive: true })

  constructor(target: Target, signal: AbortSignal) {
    this.#target = target
    this.#signal = signal
  }

  get address(): string {
    return formatAddress(this.#target.address)
  }

  /** Path below `/_shoal/api/v1/`. @throws ShoalError NO_NODE, or Refusal with the node's code */
  async get(path: string): Promise<unknown> {
    return answerOf(await this.#persist('GET', `/_shoal/api/v1/${path}`))
  }

  /** A whole list, page by page, as one document. @param list its key */
  async getAll(path: string, list: string): Promise<Readonly<Record<string, unknown>>> {
    const query = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`
    const first = new Fields(await this.get(query), list)
    const items = [...asArray(first.raw(list), list, pageSize)]
    let next = first.maybe('next', asString, null)
    while (next !== null) {
      const page = new Fields(await this.get(`${query}&after=${encodeURIComponent(next)}`), list)
      items.push(...asArray(page.raw(list), list, pageSize))
      next = page.maybe('next', asString, null)
    }
    return { ...Object.fromEntries(first.keys().map(key => [key, first.raw(key)])), [list]: items, next: null }
  }

  async post(path: string, body: unknown = {}): Promise<unknown> {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
    return answerOf(await this.#persist('POST', `/_shoal/api/v1/${path}`, headers, () => text))
  }

  async remove(path: string): Promise<unknown> {
    return answerOf(await this.#persist('DELETE', `/_shoal/api/v1/${path}`))
  }

  /** Streams a package to the node: a file, or a part of one. */
  async upload(file: string, digest: string, { range, onSent }: UploadOptions = {}): Promise<unknown> {
    const size = range === undefined ? (await stat(file)).size : range.end - range.start + 1
    const headers = { 'content-type': 'application/zip', 'content-length': String(size), 'x-shoal-digest': digest }
    let stream: ReadStream | null = null
    const body = (): ReadStream => (stream = createReadStream(file, range))
    const timer = onSent === undefined ? undefined : setInterval(() => onSent(stream?.bytesRead ?? 0, size), progressMs)
    try {
      return answerOf(await this.#persist('POST', '/_shoal/api/v1/packages', headers, body, uploadDeadlineMs))
    } finally {
      clearInterval(timer)
    }
  }

  /** Status of a probe such as `readyz`; null if nobody answers. */
  async probe(path: string): Promise<number | null> {
    try {
      return (await this.#send('GET', `/_shoal/${path}`, {}, undefined, 5000)).status
    } catch (error) {
      this.#signal.throwIfAborted()
      if (error instanceof ShoalError && error.code === 'NO_NODE') return null
      throw error
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #persist(
    method: Method,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: () => NonNullable<Question['body']>,
    deadlineMs = answerDeadlineMs,
  ): Promise<Reply> {
    const token = this.#target.readToken()
    const send = (with_ = token): Promise<Reply> =>
      this.#send(method, path, { ...headers, ...this.#credentials(with_) }, body?.(), deadlineMs)
    const reply = await send().catch((error: unknown) => {
      // A kept connection that its node closed: a question may be asked again, an order may have been heard.
      if (method === 'GET' && wasReset(error)) return send()
      throw error
    })
    if (changesOver(reply)) {
      await wait(Math.min(Number(reply.headers['retry-after']) * 1000 || 0, maxRetryAfterMs), undefined, { signal: this.#signal })
      return send(this.#target.readToken())
    }
    const now = reply.status === 401 ? this.#target.readToken() : token
    return now === token ? reply : send(now)
  }

  #credentials(token: string): Record<string, string> {
    const { session } = this.#target
    return session === undefined
      ? { authorization: `Bearer ${token}` }
      : { cookie: `__Host-shoal=${session.cookie}`, 'x-csrf': session.csrf }
  }

  #send(
    method: Method,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Question['body'],
    deadlineMs: number,
  ): Promise<Reply> {
    const question = { method, path, headers, signal: this.#signal, deadlineMs, ...(body === undefined ? {} : { body }) }
    return exchange(this.#target, this.#agent, question)
  }
}

/** The node itself answers nobody now. That it cannot reach another one is an answer. */
const changesOver = ({ status, headers, body }: Reply): boolean =>
  status === 503 && headers['retry-after'] !== undefined && !body.includes(JSON.stringify('NO_NODE'))

const wasReset = (error: unknown): boolean =>
  error instanceof ShoalError && ['ECONNRESET', 'EPIPE'].includes(systemCodeOf(error.cause) ?? '')

/** The document of a good answer. @throws Refusal */
export function answerOf(reply: Reply): unknown {
  const value = reply.body === '' ? {} : readDocument(reply)
  if (reply.status >= 200 && reply.status < 300) return value
  const error = new Fields(new Fields(value, 'answer').raw('error') ?? {}, 'answer.error')
  const text = (key: string): string => (typeof error.raw(key) === 'string' ? error.string(key, 1 << 16) : '')
  throw new Refusal(text('code'), text('message') || `the node answered ${reply.status} without a reason`, text('requestId'))
}

function readDocument(reply: Reply): unknown {
  try {
    return parseJson(reply.body, 'answer', maxAnswerBytes)
  } catch (cause) {
    throw new ShoalError('INTERNAL', `the node answered ${reply.status} with something that is no JSON`, { cause })
  }
}
