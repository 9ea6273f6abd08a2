/**
 * One HTTPS exchange with a node, pinned by the fleet's CA and the name in the node's certificate. Whatever keeps an answer from coming
 * is NO_NODE with the reason; an answer is an answer, whatever its status.
 */
import type { ReadStream } from 'node:fs'
import { type Agent, request, type RequestOptions } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type Address, formatAddress, messageOf, ShoalError, systemCodeOf } from '../model/index.ts'
import { maxAnswerBytes } from './limits.ts'

/** Where a node is, and how it is known to be that one. */
export interface Endpoint {
  readonly address: Address
  /** `<node id>.<fleet id>.shoal` */
  readonly serverName: string
  /** PEM of the fleet's CA. */
  readonly ca: string
  /** The server is known by its own certificate, `ca`, and this is its SHA-256; then it needs no name. */
  readonly fingerprint?: string
}

export interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | ReadStream
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** @throws ShoalError NO_NODE; the signal's reason if that aborted */
export async function exchange(endpoint: Endpoint, agent: Agent | undefined, q: Question): Promise<Reply> {
  const deadline = AbortSignal.timeout(q.deadlineMs)
  try {
    return await ask(endpoint, agent, { ...q, signal: AbortSignal.any([q.signal, deadline]) })
  } catch (cause) {
    q.signal.throwIfAborted()
    const why = deadline.aborted ? `no answer within ${q.deadlineMs / 1000} s` : reasonOf(cause)
    throw new ShoalError('NO_NODE', `${formatAddress(endpoint.address)} does not answer: ${why}`, { cause })
  }
}

function ask(endpoint: Endpoint, agent: Agent | undefined, q: Question): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request({
      host: endpoint.address.host,
      port: endpoint.address.port,
      servername: endpoint.serverName,
      ca: endpoint.ca,
      ...pinOf(endpoint),
      agent: agent ?? false,
      method: q.method,
      path: q.path,
      headers: { host: formatAddress(endpoint.address), ...q.headers },
      signal: q.signal,
    })
    let hasAnswer = false
    req.once('response', res => {
      hasAnswer = true
      readBody(res).then(body => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }), reject)
    })
    req.on('error', error => (hasAnswer ? undefined : reject(error)))
    if (q.body === undefined || typeof q.body === 'string') req.end(q.body)
    // A refusal may come before the whole body is sent: then the answer counts, not the broken pipe.
    else
      pipeline(q.body, req).catch((error: unknown) =>
        hasAnswer ? undefined : reject(error instanceof Error ? error : new Error(String(error))),
      )
  })
}

/** The one certificate that `login` saw: whoever issued it, whatever names it has. */
const pinOf = ({ fingerprint }: Endpoint): RequestOptions =>
  fingerprint === undefined
    ? {}
    : {
        allowPartialTrustChain: true,
        checkServerIdentity: (_host, { fingerprint256 }) =>
          fingerprint256 === fingerprint ? undefined : new Error(`its certificate is ${fingerprint256}, not the one that login saw`),
      }

async function readBody(res: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of res as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxAnswerBytes) throw new ShoalError('TOO_LARGE', `the answer has more than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function reasonOf(error: unknown): string {
  const code = systemCodeOf(error)
  if (code === undefined) return messageOf(error)
  if (/^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) return `something else listens there (${code})`
  if (/^(?:EPROTO|ERR_SSL)/.test(code)) return `what listens there does not speak TLS as a node does (${code})`
  return code
}
