/** Constant load on all nodes: clients that keep their connection, and clients that make a new one for each request. Each failure counts. */
import { Agent, request } from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import { Fields, messageOf, parseJson, ShoalError } from '../../model/index.ts'
import type { Endpoint } from '../exchange.ts'

export interface LoadReport {
  readonly sent: number
  readonly failed: number
  readonly longestMs: number
  /** The first few failures, in words. */
  readonly failures: readonly string[]
}

/** Pause of a client between two requests. */
const pauseMs = 40
const requestDeadlineMs = 20_000
const keepAliveClients = 8
const newConnectionClients = 2

/** One request to the app of a node. @throws ShoalError NO_NODE, INTERNAL */
function getApp(node: Endpoint, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const { host, port } = node.address
    const req = request({
      host,
      port,
      servername: node.serverName,
      ca: node.ca,
      agent,
      path: '/',
      signal: AbortSignal.timeout(requestDeadlineMs),
    })
    req.on('error', reject)
    req.on('response', res => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('error', reject)
      res.on('end', () => {
        if (res.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'))
        else reject(new ShoalError('INTERNAL', `${host}:${port} answered ${res.statusCode ?? 0}`))
      })
    })
    req.end()
  })
}

/** What the example says of itself. */
export interface Served {
  readonly version: string
  /** Requests that its database has counted. */
  readonly visits: number
}

export async function askApp(node: Endpoint): Promise<Served> {
  const agent = new Agent()
  try {
    const f = new Fields(parseJson(await getApp(node, agent), 'answer'), 'answer')
    return { version: f.string('version', 64), visits: f.integer('visits') }
  } finally {
    agent.destroy()
  }
}

export class Load {
  readonly #nodes: readonly Endpoint[]
  readonly #stop = new AbortController()
  readonly #clients: readonly Promise<void>[]
  readonly #failures: string[] = []
  #sent = 0
  #failed = 0
  #longestMs = 0

  constructor(nodes: readonly Endpoint[]) {
    this.#nodes = nodes
    this.#clients = Array.from({ length: keepAliveClients + newConnectionClients }, (_, n) => this.#client(n, n < keepAliveClients))
  }

  /** Ends the load after the requests that are under way. */
  async end(): Promise<LoadReport> {
    this.#stop.abort()
    await Promise.all(this.#clients)
    return { sent: this.#sent, failed: this.#failed, longestMs: Math.round(this.#longestMs), failures: this.#failures }
  }

  /** A client with a connection stays with its node; one without goes round. */
  async #client(n: number, keepAlive: boolean): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const node = this.#nodes[(keepAlive ? n : n + turn) % this.#nodes.length]
      if (node !== undefined) await this.#one(node, agent)
      await wait(pauseMs)
    }
    agent.destroy()
  }

  async #one(node: Endpoint, agent: Agent): Promise<void> {
    const begun = performance.now()
    this.#sent += 1
    try {
      await getApp(node, agent)
    } catch (error) {
      this.#failed += 1
      if (this.#failures.length < 5) this.#failures.push(messageOf(error))
    }
    this.#longestMs = Math.max(this.#longestMs, performance.now() - begun)
  }
}
