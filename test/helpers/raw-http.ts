/** Raw HTTP over TLS on one connection, so that a test owns every byte and every moment of it. */
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Splits one whole answer off the text; null: not all of it is there. */
function splitAnswer(text: string): { answer: Answer; rest: string } | null {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map(lines.map(l => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]))
  const status = Number(first.split(' ')[1])
  const after = text.slice(end + 4)
  if (status === 100) return splitAnswer(after)
  if (headers.get('transfer-encoding') === 'chunked') {
    const stop = after.indexOf('0\r\n\r\n')
    return stop < 0 ? null : { answer: { status, headers, body: after.slice(0, stop) }, rest: after.slice(stop + 5) }
  }
  const length = Number(headers.get('content-length') ?? 0)
  return after.length < length ? null : { answer: { status, headers, body: after.slice(0, length) }, rest: after.slice(length) }
}

export class RawClient {
  readonly socket: TLSSocket
  #text = ''
  #hasEnded = false

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => (this.#text += chunk))
    socket.on('error', () => undefined)
    socket.once('close', () => (this.#hasEnded = true))
  }

  write(text: string): this {
    this.socket.write(text)
    return this
  }

  get(path: string, more = ''): this {
    return this.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`)
  }

  /** The next answer; throws if the connection ends before it is whole. */
  async answer(): Promise<Answer> {
    for (;;) {
      const split = splitAnswer(this.#text)
      if (split !== null) {
        this.#text = split.rest
        return split.answer
      }
      await this.#more(`an answer, has ${JSON.stringify(this.#text)}`)
    }
  }

  /** Waits for text of an answer that has not ended. */
  async seen(text: string): Promise<void> {
    while (!this.#text.includes(text)) await this.#more(text)
  }

  async closed(): Promise<void> {
    if (!this.#hasEnded) await once(this.socket, 'close')
  }

  async #more(what: string): Promise<void> {
    if (this.#hasEnded) throw new Error(`connection ended, wanted ${what}`)
    await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')])
  }
}

export type Teardown = (run: () => unknown) => void

export async function dial(teardown: Teardown, port: number, options: ConnectionOptions = {}): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  teardown(() => socket.destroy())
  const client = new RawClient(socket)
  await Promise.race([once(socket, 'secureConnect'), client.closed()])
  if (socket.destroyed) throw new Error('connection ended in the handshake')
  return client
}

/** A wire that lets `count` bytes of the client through, or its first flight, and the rest when it is opened. */
export async function gate(
  teardown: Teardown,
  port: number,
  count: number | 'first flight',
): Promise<{ port: number; held: Promise<unknown>; open: () => void }> {
  const { promise: held, resolve } = Promise.withResolvers<undefined>()
  const { promise: opened, resolve: open } = Promise.withResolvers<undefined>()
  const server = createServer(client => void join(client).catch(() => client.destroy()))
  const join = async (client: Socket): Promise<void> => {
    const onward = connectTcp(port, '127.0.0.1')
    teardown(() => (client.destroy(), onward.destroy()))
    for (const s of [client, onward]) s.on('error', () => undefined)
    await once(onward, 'connect')
    onward.pipe(client)
    const first = (await once(client, 'data'))[0] as Buffer
    client.pause()
    const passed = count === 'first flight' ? first.length : count
    if (passed > 0) onward.write(first.subarray(0, passed))
    // The server's answer to a whole hello shows that it has read it.
    if (count === 'first flight') await once(onward, 'data')
    resolve(undefined)
    await opened
    onward.write(first.subarray(passed))
    client.pipe(onward)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  teardown(() => server.close())
  return { port: (server.address() as { port: number }).port, held, open: () => open(undefined) }
}
