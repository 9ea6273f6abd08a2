/**
 * `peers test`: goes to an address step by step as a peer would, and says which step is the first that fails. It reads the other side's
 * hello but says none, so no link comes of it.
 */
import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { connect as tlsConnect, type TLSSocket } from 'node:tls'
import WebSocket, { type RawData } from 'ws'
import { type Address, type FleetId, formatAddress, messageOf, type NodeId, parseAddress, ShoalError, shortId } from '../model/index.ts'
import { nodeOfCertificate, serverNameOf } from '../trust/index.ts'
import { type Hello, meshProtocol, parseFrame, subprotocol } from './core/index.ts'
import { type PeerTls, socketLimits } from './dialler.ts'
import { maxSkewMs, meshPath, peerAlpn, probeMs } from './limits.ts'

export type ProbeStepName = 'name' | 'tcp' | 'tls' | 'certificate' | 'identity' | 'membership' | 'protocol' | 'clock'

export interface ProbeStep {
  readonly step: ProbeStepName
  readonly ok: boolean
  readonly message: string
}

/** All steps up to the first that failed. */
export interface ProbeReport {
  readonly id: NodeId | null
  readonly steps: readonly ProbeStep[]
}

export interface ProbeOptions {
  readonly address: Address
  /** null: whoever is there. */
  readonly expect: NodeId | null
  readonly self: NodeId
  readonly fleet: FleetId
  readonly tls: PeerTls
  readonly isMember: (id: NodeId) => boolean
  readonly wallNow: () => number
  readonly signal?: AbortSignal
}

/** The step at which it ended, as an error. */
class StepFailed extends Error {
  readonly step: ProbeStepName
  constructor(step: ProbeStepName, message: string) {
    super(message)
    this.step = step
  }
}

const fail = (step: ProbeStepName, message: string): never => {
  throw new StepFailed(step, message)
}

export async function probe(options: ProbeOptions): Promise<ProbeReport> {
  const limit = AbortSignal.timeout(probeMs)
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal])
  const run = new Probe(options, signal)
  try {
    await run.all()
  } catch (error) {
    run.failed(error)
  } finally {
    run.dispose()
  }
  return run.report()
}

/** Of several addresses the best answer counts: unreachable only if none takes TCP. */
export async function sightOf(
  addresses: readonly string[],
  ask: (address: Address) => Promise<ProbeReport>,
): Promise<'linked' | 'tcp-only' | 'unreachable'> {
  const reports = await Promise.all(addresses.map(address => ask(parseAddress(address))))
  const passed = (step: ProbeStepName): boolean => reports.some(r => r.steps.some(s => s.step === step && s.ok))
  if (passed('protocol')) return 'linked'
  return passed('tcp') ? 'tcp-only' : 'unreachable'
}

class Probe {
  readonly #o: ProbeOptions
  readonly #signal: AbortSignal
  readonly #steps: ProbeStep[] = []
  #current: ProbeStepName = 'name'
  #id: NodeId | null = null
  #raw: Socket | null = null
  #ws: WebSocket | null = null

  constructor(options: ProbeOptions, signal: AbortSignal) {
    this.#o = options
    this.#signal = signal
  }

  async all(): Promise<void> {
    const ip = await this.#step('name', () => this.#resolve())
    const tcp = await this.#step('tcp', () => this.#connect(ip))
    const tls = await this.#step('tls', () => this.#secure(tcp))
    await this.#step('certificate', () => this.#checkChain(tls))
    const id = await this.#step('identity', () => this.#identify(tls))
    await this.#step('membership', () => this.#checkMember(id))
    const date = await this.#step('protocol', () => this.#speak(tls, id))
    await this.#step('clock', () => this.#compareClocks(date))
  }

  failed(error: unknown): void {
    const step = error instanceof StepFailed ? error.step : this.#current
    const at = this.#steps.findIndex(s => s.step === step)
    if (at !== -1) this.#steps.splice(at)
    const message = this.#signal.aborted && !(error instanceof StepFailed) ? 'no answer in time' : messageOf(error)
    this.#steps.push({ step, ok: false, message })
  }

  report(): ProbeReport {
    return { id: this.#id, steps: this.#steps }
  }

  dispose(): void {
    this.#ws?.terminate()
    this.#raw?.destroy()
  }

  async #step<T>(step: ProbeStepName, run: () => T | Promise<T>): Promise<T> {
    this.#current = step
    const value = await run()
    this.#steps.push({ step, ok: true, message: '' })
    return value
  }

  async #resolve(): Promise<string> {
    const { host } = this.#o.address
    if (isIP(host.split('%')[0] ?? '') !== 0) return host
    return (await this.#inTime(lookup(host))).address
  }

  #connect(ip: string): Promise<Socket> {
    const socket = connect({ host: ip, port: this.#o.address.port })
    this.#raw = socket
    return this.#inTime(eventOf(socket, 'connect', () => socket))
  }

  #secure(socket: Socket): Promise<TLSSocket> {
    const { expect, fleet, tls } = this.#o
    // Any name under the fleet's gets the node's certificate; who it is, is checked below.
    const servername = expect === null ? `peer.${fleet}.shoal` : serverNameOf(expect, fleet)
    const secure = tlsConnect({
      ...tls,
      socket,
      servername,
      ALPNProtocols: [peerAlpn],
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    return this.#inTime(eventOf(secure, 'secureConnect', () => secure))
  }

  #checkChain(tls: TLSSocket): void {
    if (tls.alpnProtocol !== peerAlpn) fail('tls', `the server speaks no ${peerAlpn}: not Shoal, or too old`)
    if (!tls.authorized) fail('certificate', `not issued by this fleet: ${messageOf(tls.authorizationError)}`)
  }

  #identify(tls: TLSSocket): NodeId {
    const { expect, self, fleet } = this.#o
    const id = nodeOfCertificate(tls.getPeerCertificate().raw, fleet)
    this.#id = id
    if (expect !== null && id !== expect) fail('identity', `node ${shortId(id)} answers, expected ${shortId(expect)}`)
    if (id === self) fail('identity', 'this node itself answers')
    return id
  }

  #checkMember(id: NodeId): void {
    if (!this.#o.isMember(id)) fail('membership', `node ${shortId(id)} is not, or no longer, a member`)
  }

  /** @returns the other side's Date header */
  async #speak(tls: TLSSocket, id: NodeId): Promise<string | undefined> {
    let date: string | undefined
    const ws = new WebSocket(`ws://${formatAddress(this.#o.address)}${meshPath}`, [subprotocol], {
      createConnection: () => tls,
      perMessageDeflate: false,
      ...socketLimits,
    })
    this.#ws = ws
    ws.on('upgrade', response => {
      date = response.headers.date
    })
    const answered = new Promise<never>((_, reject) => {
      ws.on('unexpected-response', (_request, response) => reject(refusal(response.statusCode ?? 0)))
    })
    const closed = new Promise<never>((_, reject) => ws.on('close', code => reject(new StepFailed('protocol', `closed with ${code}`))))
    answered.catch(() => undefined)
    closed.catch(() => undefined)
    const hello = await this.#inTime(Promise.race([eventOf(ws, 'message', readHello), answered, closed]))
    if (hello.node !== id || hello.fleet !== this.#o.fleet) fail('protocol', `its hello names node ${hello.node} of fleet ${hello.fleet}`)
    if (hello.protocol !== meshProtocol) fail('protocol', `it speaks version ${hello.protocol}, this node ${meshProtocol}`)
    return date
  }

  #compareClocks(date: string | undefined): void {
    const theirs = date === undefined ? Number.NaN : Date.parse(date)
    const skewMs = theirs - this.#o.wallNow()
    if (Math.abs(skewMs) > maxSkewMs) {
      fail('clock', `its clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this node's`)
    }
  }

  /** Rejects when the probe's time is over. */
  #inTime<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(new ShoalError('NO_NODE', 'no answer in time'))
    if (this.#signal.aborted) abort()
    this.#signal.addEventListener('abort', abort, { once: true })
    return Promise.race([work, promise]).finally(() => this.#signal.removeEventListener('abort', abort))
  }
}

const refusal = (status: number): StepFailed => {
  if (status === 403 || status === 401) return new StepFailed('membership', 'it does not take this node for a member')
  if (status === 503) return new StepFailed('protocol', 'it is changing over just now; try again in a moment')
  return new StepFailed('protocol', `answered ${status} instead of the mesh's protocol`)
}

const readHello = (data: RawData): Hello => {
  const frame = parseFrame((data as Buffer).toString('utf8'))
  return frame?.t === 'hello' ? frame.hello : fail('protocol', 'its first frame is no hello')
}

/** The first event of a name, or the error that comes before it. */
function eventOf<T>(emitter: NodeJS.EventEmitter, name: string, read: (first: RawData) => T): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  emitter.on('error', reject)
  emitter.once(name, (first: RawData) => {
    try {
      resolve(read(first))
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)))
    }
  })
  return promise
}
