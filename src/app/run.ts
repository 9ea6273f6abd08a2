/**
 * A running app: its requests, its health, its end. Whatever it throws becomes an answer, a log line or a ShoalError with the app's own
 * message; nothing of it may end the node's process from here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import Koa from 'koa'
import { messageOf, ShoalError } from '../model/index.ts'
import { Deadline } from './deadline.ts'
import { type AppHost, type AppInstance, type Logger, parseHold } from './host.ts'
import { closeMs, healthMs, startMs } from './limits.ts'
import type { AppModule } from './load.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown

/** Calls the app and waits for its instance. @throws ShoalError APP_START_FAILED */
export async function startApp(module: AppModule, host: AppHost, signal?: AbortSignal): Promise<RunningApp> {
  const deadline = new Deadline(startMs)
  const hold: AppHost['hold'] = (ms, reason) => {
    deadline.extend(parseHold(ms))
    host.hold(ms, reason)
  }
  try {
    const instance: unknown = await deadline.run(() => module.create({ ...host, hold }), signal)
    return new RunningApp(module.title, parseInstance(instance), host.log)
  } catch (cause) {
    throw new ShoalError('APP_START_FAILED', `app ${module.title}: ${messageOf(cause)}`, { cause })
  }
}

const hooks = ['middleware', 'handler', 'upgrade', 'health', 'drain', 'close'] as const

function parseInstance(value: unknown): AppInstance {
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`it gave ${value === null ? 'null' : typeof value}, must be an object`)
  const instance = value as Record<string, unknown>
  for (const name of hooks) {
    const hook = instance[name]
    if (hook !== undefined && typeof hook !== 'function') throw new TypeError(`its ${name} is ${typeof hook}, must be a function`)
  }
  if (instance['middleware'] !== undefined && instance['handler'] !== undefined)
    throw new TypeError('it gave middleware and handler, must be one')
  return value
}

export class RunningApp {
  /** `name@version`. */
  readonly title: string
  readonly #instance: AppInstance
  readonly #log: Logger
  readonly #handler: Handler
  #closing: Promise<void> | null = null

  constructor(title: string, instance: AppInstance, log: Logger) {
    this.title = title
    this.#instance = instance
    this.#log = log
    this.#handler = instance.middleware === undefined ? this.#plain(instance.handler ?? notFound) : this.#mount(instance.middleware)
  }

  /** Answers a request of any path outside /_shoal/; after `close` with 503. */
  handle(req: IncomingMessage, res: ServerResponse): void {
    if (this.#closing !== null) return void res.writeHead(503, { 'Retry-After': '1' }).end()
    void this.#attempt('request', { url: req.url }, () => this.#handler(req, res)).then(isDone => {
      if (isDone) return
      if (res.headersSent) res.destroy()
      else res.writeHead(500).end()
    })
  }

  /** False: the app takes no WebSockets, and the socket is the caller's to end. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (this.#instance.upgrade === undefined || this.#closing !== null) return false
    void this.#attempt('upgrade', { url: req.url }, () => this.#instance.upgrade?.(req, socket, head)).then(isDone => {
      if (!isDone) socket.destroy()
    })
    return true
  }

  /** @throws ShoalError APP_UNHEALTHY, with the app's own message */
  async health(signal?: AbortSignal): Promise<void> {
    try {
      await new Deadline(healthMs).run(() => this.#instance.health?.(), signal)
    } catch (cause) {
      throw new ShoalError('APP_UNHEALTHY', `app ${this.title}: ${messageOf(cause)}`, { cause })
    }
  }

  /** Lets the app finish what lasts, until the signal; what it throws is logged, since it is about to be closed anyway. */
  async drain(signal: AbortSignal): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<true>()
    const onAbort = (): void => resolve(true)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) resolve(true)
    await Promise.race([this.#attempt('drain', {}, () => this.#instance.drain?.(signal)), ended])
    signal.removeEventListener('abort', onAbort)
  }

  /** Resolves when the app has let go of its data; a second call waits for the first. @throws ShoalError APP_CLOSE_FAILED */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await new Deadline(closeMs).run(() => this.#instance.close?.())
    } catch (cause) {
      throw new ShoalError('APP_CLOSE_FAILED', `app ${this.title}: ${messageOf(cause)}`, { cause })
    }
  }

  /** An Express app is a function with methods of its own: its `bind` is a route for the HTTP method BIND. */
  #plain(handler: Handler): Handler {
    return (req, res) => Reflect.apply(handler, this.#instance, [req, res])
  }

  #mount(middleware: Koa.Middleware): Handler {
    const koa = new Koa()
    koa.on('error', (error: unknown, ctx?: Koa.Context) =>
      this.#log.error({ url: ctx?.url, error: messageOf(error) }, 'app request failed'),
    )
    koa.use((ctx, next): unknown => middleware.call(this.#instance, ctx, next))
    return koa.callback()
  }

  /** False: it threw, now or later, which is logged. */
  async #attempt(what: string, fields: Readonly<Record<string, unknown>>, run: () => unknown): Promise<boolean> {
    try {
      await run()
      return true
    } catch (error) {
      this.#log.error({ ...fields, error: messageOf(error) }, `app ${what} failed`)
      return false
    }
  }
}

const notFound: Handler = (_req, res) => res.writeHead(404).end()
