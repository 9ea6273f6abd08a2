/** Requests to peers: HTTPS with ALPN `shoal/1`, this node's certificate, and the peer's name pinned by Node's own check. Redirects are never followed. */
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { type Digest, type FleetId, maxDocumentBytes, messageOf, type NodeId, parseAddress, parseJson, ShoalError } from '../model/index.ts'
import type { PeerRequest } from '../transfer/index.ts'
import { serverNameOf, sha256 } from '../trust/index.ts'
import type { Home } from './home.ts'
import { type LogPage, type LogQuery, parseLogPage } from './logs.ts'

const connectTimeoutMs = 5000
const maxSockets = 8
const documentTimeoutMs = 10_000

export class PeerHttp {
  readonly #agent: Agent
  readonly #fleet: FleetId
  readonly #addressesOf: (peer: NodeId) => readonly string[]

  constructor(home: Home, addressesOf: (peer: NodeId) => readonly string[]) {
    this.#fleet = home.fleet
    this.#addressesOf = addressesOf
    this.#agent = new Agent({
      key: home.key.key,
      cert: home.certPem,
      ca: home.caPem,
      ALPNProtocols: ['shoal/1'],
      minVersion: 'TLSv1.3',
      keepAlive: true,
      maxSockets,
    })
  }

  /** @param path below `/_shoal/peer/v1/` */
  readonly request: PeerRequest = async (peer, path, range, signal) => {
    const answer = await this.#first(peer, path, range === null ? {} : { Range: `bytes=${range.first}-${range.last}` }, signal)
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: answer }
  }

  /** A document by its digest from the first of the peers that has it; null: none of them has. */
  async document(digest: Digest, peers: readonly NodeId[], signal: AbortSignal): Promise<string | null> {
    for (const peer of peers) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(documentTimeoutMs)])
      const text = await this.#text(peer, `documents/${digest}`, limit).catch(() => null)
      signal.throwIfAborted()
      if (text !== null && sha256(text) === digest) return text
    }
    return null
  }

  /** A page of another node's log. @throws ShoalError NO_NODE, or what the node refuses */
  async log(peer: NodeId, { lines, after }: LogQuery): Promise<LogPage> {
    const query = new URLSearchParams(after === null ? { lines: String(lines) } : { after })
    return parseLogPage(await this.json(peer, `logs?${query.toString()}`, documentTimeoutMs))
  }

  /** What another node answers, parsed as JSON and no further. @throws ShoalError NO_NODE */
  async json(peer: NodeId, path: string, timeoutMs: number): Promise<unknown> {
    const what = path.split('?')[0] ?? ''
    const who = `node ${peer.slice(0, 8)}`
    try {
      const answer = await this.#first(peer, path, {}, AbortSignal.timeout(timeoutMs))
      const text = await bodyOf(answer, maxDocumentBytes)
      if (answer.statusCode === 200) return parseJson(text, `${what} of ${peer}`, maxDocumentBytes)
      const older = answer.statusCode === 404 ? '; an older version may not know it' : ''
      throw new ShoalError('NO_NODE', `${who} answered ${answer.statusCode ?? 0} when asked for its ${what}${older}`)
    } catch (cause) {
      if (cause instanceof ShoalError && cause.code !== 'PACKAGE_UNAVAILABLE') throw cause
      throw new ShoalError('NO_NODE', `${who} cannot be asked for its ${what}: ${messageOf(cause)}`, { cause })
    }
  }

  async #text(peer: NodeId, path: string, signal: AbortSignal): Promise<string | null> {
    const answer = await this.#first(peer, path, {}, signal)
    const text = await bodyOf(answer, maxDocumentBytes)
    return answer.statusCode === 200 ? text : null
  }

  close(): void {
    this.#agent.destroy()
  }

  async #first(peer: NodeId, path: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
    const addresses = this.#addressesOf(peer)
    let last: unknown = new ShoalError('PACKAGE_UNAVAILABLE', `node ${peer} has told no address`)
    for (const address of addresses) {
      try {
        return await this.#ask(peer, address, path, headers, signal)
      } catch (error) {
        signal.throwIfAborted()
        last = error
      }
    }
    throw last
  }

  #ask(peer: NodeId, address: string, path: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
    const { host, port } = parseAddress(address)
    const servername = serverNameOf(peer, this.#fleet)
    return new Promise((resolve, reject) => {
      const req = request({
        host,
        port,
        path: `/_shoal/peer/v1/${path}`,
        servername,
        headers: { Host: servername, ...headers },
        agent: this.#agent,
        signal,
      })
      req.setTimeout(connectTimeoutMs, () => req.destroy(new ShoalError('NO_NODE', `${address}: no answer for ${connectTimeoutMs} ms`)))
      req.on('response', answer => {
        req.setTimeout(0)
        resolve(answer)
      })
      req.on('error', reject)
      req.end()
    })
  }
}

async function bodyOf(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new ShoalError('TOO_LARGE', `a peer's answer has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
