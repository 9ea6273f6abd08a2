/** Requests to peers: HTTPS with ALPN `shoal/1`, this node's certificate, and the peer's name pinned by Node's own check. Redirects are never followed. */
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Socket } from 'node:net'
import { type Digest, type FleetId, maxDocumentBytes, messageOf, type NodeId, parseAddress, parseJson, ShoalError } from '../model/index.ts'
import type { PeerRequest } from '../transfer/index.ts'
import { serverNameOf, sha256 } from '../trust/index.ts'
import type { Home } from './home.ts'
import { type LogPage, type LogQuery, parseLogPage } from './logs.ts'

/** ms until the handshake is over, and as many again until an address must have answered, unless its answer takes its time. */
const connectTimeoutMs = 5000
const maxSockets = 8
const documentTimeoutMs = 10_000

interface Question {
  /** Below `/_shoal/peer/v1/`. */
  readonly path: string
  readonly headers: Record<string, string>
  readonly signal: AbortSignal
  /** Who is connected may take its time to answer, up to the signal. */
  readonly isPatient?: boolean
}

export class PeerHttp {
  readonly #agent: Agent
  readonly #fleet: FleetId
  readonly #addressesOf: (peer: NodeId) => readonly string[]
  readonly #connectMs: number
  /** Whose handshake is over. */
  readonly #ready = new WeakSet<Socket>()

  constructor(
    home: Pick<Home, 'fleet' | 'key' | 'certPem' | 'caPem'>,
    addressesOf: (peer: NodeId) => readonly string[],
    connectMs = connectTimeoutMs,
  ) {
    this.#connectMs = connectMs
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
    const headers = range === null ? {} : { Range: `bytes=${range.first}-${range.last}` }
    const answer = await this.#first(peer, { path, headers, signal })
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

  /** A page of another node's log. @throws ShoalError NO_NODE */
  log(peer: NodeId, { lines, after }: LogQuery): Promise<LogPage> {
    const query = new URLSearchParams(after === null ? { lines: String(lines) } : { after })
    return this.told(peer, `logs?${query.toString()}`, documentTimeoutMs, parseLogPage)
  }

  /**
   * What another node says of itself, as far as this release understands it.
   * @param timeoutMs until all of it is here: it may have to look first
   * @throws ShoalError NO_NODE, whatever it was: what the other answers is not the fault of who asks here
   */
  async told<T>(peer: NodeId, path: string, timeoutMs: number, parse: (answer: unknown, what: string) => T): Promise<T> {
    const what = path.split('?')[0] ?? ''
    const who = `node ${peer.slice(0, 8)}`
    try {
      const answer = await this.#first(peer, { path, headers: {}, signal: AbortSignal.timeout(timeoutMs), isPatient: true })
      const text = await bodyOf(answer, maxDocumentBytes)
      if (answer.statusCode === 200) return parse(parseJson(text, `${what} of ${peer}`, maxDocumentBytes), `${what} of ${peer}`)
      const older = answer.statusCode === 404 ? '; an older version may not know it' : ''
      throw new ShoalError('NO_NODE', `${who} answered ${answer.statusCode ?? 0} when asked for its ${what}${older}`)
    } catch (cause) {
      if (cause instanceof ShoalError && cause.code === 'NO_NODE') throw cause
      throw new ShoalError('NO_NODE', `${who} cannot be asked for its ${what}: ${messageOf(cause)}`, { cause })
    }
  }

  async #text(peer: NodeId, path: string, signal: AbortSignal): Promise<string | null> {
    const answer = await this.#first(peer, { path, headers: {}, signal })
    const text = await bodyOf(answer, maxDocumentBytes)
    return answer.statusCode === 200 ? text : null
  }

  close(): void {
    this.#agent.destroy()
  }

  async #first(peer: NodeId, question: Question): Promise<IncomingMessage> {
    const addresses = this.#addressesOf(peer)
    let last: unknown = new ShoalError('PACKAGE_UNAVAILABLE', `node ${peer} has told no address`)
    for (const address of addresses) {
      try {
        return await this.#ask(peer, address, question)
      } catch (error) {
        question.signal.throwIfAborted()
        last = error
      }
    }
    throw last
  }

  #ask(peer: NodeId, address: string, { path, headers, signal, isPatient = false }: Question): Promise<IncomingMessage> {
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
      const ms = this.#connectMs
      let timer: NodeJS.Timeout | undefined
      const heard = (): void => clearTimeout(timer)
      // Not the request's own timeout: that begins with the connection, and an address may swallow whoever calls.
      req.once('socket', socket => {
        const isReady = this.#ready.has(socket)
        if (isReady && isPatient) return
        timer = setTimeout(() => req.destroy(new ShoalError('NO_NODE', `${address}: no answer for ${ms} ms`)), ms)
        if (!isReady)
          socket.once('secureConnect', () => {
            this.#ready.add(socket)
            if (isPatient) heard()
            else timer?.refresh()
          })
      })
      req.once('close', heard)
      req.on('response', answer => {
        heard()
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
