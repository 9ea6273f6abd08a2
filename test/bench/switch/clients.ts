/** The clients of the load. Each goes on until it is stopped; what it sees becomes a sample. */
import type { IncomingMessage } from 'node:http'
import { Agent, request, type RequestOptions } from 'node:https'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import { dial, gate } from '../../helpers/raw-http.ts'
import { type Doorway, type Kind, type Member, type Sample, slowMs, type Target } from './protocol.ts'

const counts = { 'keep-alive': 20, new: 6, slow: 4, lazy: 30, websocket: 50 } as const
/** Pause of the busy clients between two requests; of the lazy ones at random up to more than the server's idle time allows for comfort. */
const busyPauseMs = 40
const lazyPausesMs = [100, 3500] as const
/** Half of the round trip behind which the lazy clients are. */
const delayMs = 10
const deadlineMs = 30_000
/** Restarted WebSockets come back after up to so long. */
const comeBackMs = 200
const stages = [0, 80, 'first flight', 'silent', 'half a header'] as const
const stallMs = [200, 1500] as const
const writeShare = 0.2

const between = ([from, to]: readonly [number, number]): number => from + Math.random() * (to - from)

const codeOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message?: string }
  return code ?? message ?? String(error)
}

export class Clients {
  readonly #target: Target
  readonly #agents: Agent[] = []
  readonly #running: Promise<void>[] = []
  readonly #sockets = new Set<WebSocket>()
  readonly #ends = new Set<() => void>()
  #samples: Sample[] = []
  #handshakes = 0
  #isOver = false
  #far: Server | null = null

  constructor(target: Target) {
    this.#target = target
  }

  async start(): Promise<void> {
    this.#far = await delayed(this.#target.port)
    const farPort = (this.#far.address() as { port: number }).port
    for (const [kind, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
      for (let n = 0; n < count; n++) {
        const isPeer = n % 2 === 1
        if (kind === 'websocket') this.#run(() => this.#socket(isPeer, this.#target.members[(n - 1) / 2]))
        else this.#run(() => this.#requests(kind, isPeer, kind === 'lazy' ? farPort : this.#target.port))
      }
    }
    for (const stage of stages) for (const isPeer of [false, true]) this.#run(() => this.#stalls(stage, isPeer))
  }

  take(): { readonly samples: readonly Sample[]; readonly handshakes: number } {
    const taken = { samples: this.#samples, handshakes: this.#handshakes }
    this.#samples = []
    this.#handshakes = 0
    return taken
  }

  async stop(): Promise<void> {
    this.#isOver = true
    for (const socket of this.#sockets) socket.terminate()
    for (const end of this.#ends) end()
    await Promise.race([Promise.all(this.#running), sleep(5000)])
    for (const agent of this.#agents) agent.destroy()
    this.#far?.close()
  }

  #run(client: () => Promise<void>): void {
    this.#running.push(client())
  }

  #door(isPeer: boolean): Doorway {
    return isPeer ? this.#target.peer : this.#target.user
  }

  #note(kind: Kind, peer: boolean, begun: number, failure: string | null, cured = false): void {
    if (!this.#isOver) this.#samples.push({ kind, peer, ms: Math.round((performance.now() - begun) * 10) / 10, failure, cured })
  }

  async #requests(kind: Exclude<Kind, 'websocket' | 'stalled'>, isPeer: boolean, port: number): Promise<void> {
    const agent = kind === 'new' ? undefined : new Agent({ keepAlive: true, maxSockets: 1 })
    if (agent !== undefined) this.#agents.push(agent)
    await sleep(Math.random() * (kind === 'lazy' ? lazyPausesMs[1] : busyPauseMs))
    while (!this.#isOver) {
      const begun = performance.now()
      const { failure, cured } = await this.#ask(kind, isPeer, port, agent)
      this.#note(kind, isPeer, begun, failure, cured)
      await sleep(kind === 'lazy' ? between(lazyPausesMs) : busyPauseMs)
    }
  }

  async #ask(kind: Kind, isPeer: boolean, port: number, agent: Agent | undefined): Promise<{ failure: string | null; cured: boolean }> {
    const door = this.#door(isPeer)
    const isWrite = kind === 'keep-alive' && door.writePath !== null && Math.random() < writeShare
    const path = kind === 'slow' ? (door.slowPath ?? door.path) : ((isWrite ? door.writePath : null) ?? door.path)
    const options = { ...tlsOf(door), host: '127.0.0.1', port, path, method: isWrite ? 'POST' : 'GET' }
    const headMs = kind === 'slow' && door.slowPath === null ? slowMs : 0
    const first = await this.#once({ ...options, agent: agent ?? false }, headMs)
    if (first !== 'HTTP 503' || !door.retries) return { failure: first, cured: false }
    const second = await this.#once({ ...options, agent: agent ?? false }, 0)
    return { failure: second === null ? null : `${second} at the retry`, cured: second === null }
  }

  /** null: answered 200. */
  #once(options: RequestOptions, headMs: number): Promise<string | null> {
    return new Promise(resolve => {
      const req = request({ ...options, signal: AbortSignal.timeout(deadlineMs) }, (res: IncomingMessage) => {
        res.resume()
        res.once('error', error => resolve(`${codeOf(error)} in the answer`))
        res.once('end', () => resolve(res.statusCode === 200 ? null : `HTTP ${res.statusCode}`))
      })
      req.once('socket', socket => {
        if (!req.reusedSocket) socket.once('secureConnect', () => this.#handshakes++)
        // Half of a head now, the rest later.
        if (headMs > 0) slowly(socket, headMs)
      })
      req.once('error', error => resolve(`${codeOf(error)}${req.reusedSocket ? ' (reused)' : ''}`))
      req.end()
    })
  }

  async #stalls(stage: (typeof stages)[number], isPeer: boolean): Promise<void> {
    const door = this.#door(isPeer)
    while (!this.#isOver) {
      const ends: (() => unknown)[] = []
      const later = (end: () => unknown): void => void ends.push(end)
      const all = (): void => ends.forEach(end => end())
      this.#ends.add(all)
      const begun = performance.now()
      const result = await this.#stall(stage, door, later).catch((error: unknown) => ({ failure: codeOf(error), cured: false }))
      this.#note('stalled', isPeer, begun, result.failure === null ? null : `${result.failure} (${stage})`, result.cured)
      this.#ends.delete(all)
      all()
    }
  }

  async #stall(
    stage: (typeof stages)[number],
    door: Doorway,
    later: (end: () => unknown) => void,
  ): Promise<{ failure: string | null; cured: boolean }> {
    const { port } = this.#target
    const tls = tlsOf(door)
    const wait = (): Promise<unknown> => sleep(between(stallMs))
    const head = `GET ${door.path} HTTP/1.1\r\nHost: localhost\r\n`
    let client
    if (typeof stage === 'number' || stage === 'first flight') {
      const wire = await gate(later, port, stage)
      const dialling = dial(later, wire.port, tls)
      dialling.catch(() => undefined)
      await Promise.race([wire.held, dialling])
      await wait()
      wire.open()
      client = (await dialling).write(`${head}\r\n`)
    } else {
      client = await dial(later, port, tls)
      if (stage === 'half a header') client.write(head.slice(0, -5))
      await wait()
      client.write(stage === 'half a header' ? `${head.slice(-5)}\r\n` : `${head}\r\n`)
    }
    const { status } = await client.answer()
    if (status === 200) return { failure: null, cured: false }
    if (status !== 503 || !door.retries) return { failure: `HTTP ${status}`, cured: false }
    const again = (await dial(later, port, tls)).write(`${head}\r\n`)
    const { status: second } = await again.answer()
    return { failure: second === 200 ? null : `HTTP ${second} at the retry`, cured: second === 200 }
  }

  /** One WebSocket that comes back whenever it is closed; the time is from its end to the next opening. */
  async #socket(isPeer: boolean, member: Member | undefined): Promise<void> {
    let begun = performance.now()
    let isFirst = true
    let refusals = 0
    await sleep(Math.random() * 500)
    while (!this.#isOver) {
      const { opened, closed } = this.#openSocket(isPeer, member)
      const failure = await opened
      if (failure === null) {
        if (!isFirst || refusals > 0) this.#note('websocket', isPeer, begun, null, refusals > 0)
        refusals = 0
        isFirst = false
        const code = await closed
        begun = performance.now()
        if (code !== 1012 && code !== 1001) this.#note('websocket', isPeer, begun, `closed ${code}`)
      } else if (failure === '503' && isPeer && refusals === 0) refusals++
      else this.#note('websocket', isPeer, begun, `not opened: ${failure}`)
      await sleep(Math.random() * comeBackMs)
    }
  }

  #openSocket(isPeer: boolean, member: Member | undefined): { opened: Promise<string | null>; closed: Promise<number> } {
    const door = this.#door(isPeer)
    const isLink = isPeer && member !== undefined
    const own = isLink ? { key: member.key, cert: member.cert } : {}
    const path = isLink ? '/_shoal/mesh' : '/ws'
    const options = { ...tlsOf(door), ...own, handshakeTimeout: deadlineMs, perMessageDeflate: false }
    const socket = new WebSocket(`wss://127.0.0.1:${this.#target.port}${path}`, isLink ? ['shoal.mesh.v1'] : [], options)
    this.#sockets.add(socket)
    const opened = Promise.withResolvers<string | null>()
    const closed = Promise.withResolvers<number>()
    socket.once('open', () => {
      this.#handshakes++
      if (isLink) socket.send(member.hello)
      opened.resolve(null)
    })
    socket.once('unexpected-response', (_req, res) => {
      opened.resolve(String(res.statusCode))
      socket.terminate()
    })
    socket.on('error', error => opened.resolve(codeOf(error)))
    socket.on('message', () => undefined)
    socket.once('close', code => {
      this.#sockets.delete(socket)
      closed.resolve(code)
    })
    return { opened: opened.promise, closed: closed.promise }
  }
}

interface Tls {
  readonly servername: string
  readonly rejectUnauthorized: boolean
  readonly key?: string
  readonly cert?: string
  readonly ALPNProtocols?: string[]
}

const tlsOf = (door: Doorway): Tls => {
  const { ALPNProtocols, ...tls } = door.tls
  return { ...tls, rejectUnauthorized: false, ...(ALPNProtocols === undefined ? {} : { ALPNProtocols: [...ALPNProtocols] }) }
}

/** Holds back the second half of what the request writes first: its head. */
function slowly(socket: Socket, ms: number): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  const patched = socket as unknown as { write: (...args: unknown[]) => boolean }
  patched.write = (chunk, ...rest) => {
    patched.write = write
    const text = String(chunk)
    write(text.slice(0, 10))
    setTimeout(() => write(text.slice(10), ...rest), ms)
    return true
  }
}

/** A relay that takes `delayMs` each way, as a thin line would. */
async function delayed(port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk: Buffer) => setTimeout(() => to.write(chunk), delayMs))
      from.on('end', () => setTimeout(() => to.end(), delayMs))
      from.on('error', () => setTimeout(() => to.resetAndDestroy(), delayMs))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** The first contact of a bench with a server: waits until its port answers through TLS. */
export async function answers(port: number, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs
  for (;;) {
    const isUp = await new Promise<boolean>(resolve => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      socket.once('secureConnect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => {
        resolve(false)
      })
    })
    if (isUp) return
    if (Date.now() > end) throw new Error(`port ${port}: no answer in ${limitMs} ms`)
    await sleep(50)
  }
}
