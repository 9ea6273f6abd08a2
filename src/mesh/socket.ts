/**
 * One WebSocket as the mesh sees it: text frames in and out, limits on what waits to be sent, an end that always comes. It holds no
 * policy; what happens goes out as events.
 */
import WebSocket, { type RawData } from 'ws'
import type { MeshClock } from './clock.ts'
import { formatFrame, type Frame, type LinkId, type MeshEvent, parseFrame } from './core/index.ts'
import { ShoalError } from '../model/index.ts'
import { abandonBytes, closeGraceMs, pauseBytes, resumeBytes, stuckMs } from './limits.ts'

/** WebSocket's code for an end without a close frame. */
const silentEnd = 1006

export interface LinkSocketOptions {
  readonly link: LinkId
  readonly ws: WebSocket
  readonly clock: MeshClock
  readonly emit: (event: MeshEvent) => void
  /** The connection is gone for good. */
  readonly ended: () => void
}

export class LinkSocket {
  readonly #o: LinkSocketOptions
  readonly #ws: WebSocket
  #isHigh = false
  #cancelTimer: () => void = () => undefined

  /** The WebSocket must be open, and have had an error listener all the time. */
  constructor(options: LinkSocketOptions) {
    this.#o = options
    this.#ws = options.ws
    const { link, emit, ended } = options
    this.#ws.on('message', (message, isBinary) => this.#heard(message, isBinary))
    this.#ws.on('ping', () => emit({ t: 'alive', link }))
    this.#ws.on('pong', () => emit({ t: 'alive', link }))
    this.#ws.on('close', code => {
      this.#cancelTimer()
      emit({ t: 'closed', link, code: code === 1005 ? silentEnd : code })
      ended()
    })
  }

  send(frame: Frame): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return
    this.#ws.send(formatFrame(frame), () => this.#sent())
    if (this.#ws.bufferedAmount > abandonBytes) this.terminate()
    else if (this.#ws.bufferedAmount > pauseBytes) this.#setHigh(true)
  }

  ping(): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping()
  }

  /** Closes with a code; a peer that does not answer is cut off. */
  close(code: number): void {
    this.#cancelTimer()
    this.#ws.close(code)
    this.#cancelTimer = this.#o.clock.after(closeGraceMs, () => this.#ws.terminate())
  }

  terminate(): void {
    this.#ws.terminate()
  }

  #sent(): void {
    if (this.#isHigh && this.#ws.bufferedAmount < resumeBytes) this.#setHigh(false)
  }

  #setHigh(high: boolean): void {
    if (this.#isHigh === high || this.#ws.readyState !== WebSocket.OPEN) return
    this.#isHigh = high
    this.#cancelTimer()
    if (high) this.#cancelTimer = this.#o.clock.after(stuckMs, () => this.#ws.terminate())
    this.#o.emit({ t: 'pressure', link: this.#o.link, high })
  }

  #heard(message: RawData, isBinary: boolean): void {
    this.#o.emit(this.#eventOf(message, isBinary))
  }

  #eventOf(message: RawData, isBinary: boolean): MeshEvent {
    const { link } = this.#o
    if (isBinary) return { t: 'malformed', link }
    try {
      const frame = parseFrame(textOf(message))
      return frame === null ? { t: 'alive', link } : { t: 'frame', link, frame }
    } catch (error) {
      if (error instanceof ShoalError) return { t: 'malformed', link }
      throw error
    }
  }
}

const textOf = (message: RawData): string => {
  if (Array.isArray(message)) return Buffer.concat(message).toString('utf8')
  return Buffer.isBuffer(message) ? message.toString('utf8') : Buffer.from(message).toString('utf8')
}
