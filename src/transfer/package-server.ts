/**
 * Serves packages and what is known of them, whole ones and the verified segments of those that are being fetched. It holds no right:
 * who may ask is decided before. At most so many bodies at once: the others are told to come again, and find other holders meanwhile.
 */
import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Blockmap, type Code, codeOf, codes, type Digest, messageOf, parseBlockmap, parseDigest, ShoalError } from '../model/index.ts'
import type { PackageStore } from '../packages/index.ts'
import { parseRuns, type Run, runsOf } from './core/runs.ts'
import { formatIndex, groupsOf } from './groups.ts'
import { defaultMaxUploads, maxRunsPerRequest, slowReceiverMs } from './limits.ts'
import { parseRange } from './range-header.ts'

export interface PackageServerOptions {
  readonly store: PackageStore
  /** Package bodies at once; 2 if not given. */
  readonly maxUploads?: number
  /** What a refused one is told to wait, s. */
  readonly busyRetrySeconds?: number
}

export interface PackageServer {
  /**
   * Answers `packages/:digest`, `packages/:digest/{blockmap,have,segments}`; `path` is what follows the prefix, with its query.
   * Never rejects; everything else is answered with 404 or 405.
   */
  handle(req: IncomingMessage, res: ServerResponse, path: string, requestId?: string): Promise<void>
  /** Bytes of packages sent so far. */
  servedBytes(): number
}

export const createPackageServer = (options: PackageServerOptions): PackageServer => new Server(options)

/** Where package bytes come from: a whole file or a part. */
interface ByteSource {
  readonly size: number
  read(offset: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

interface Span {
  readonly offset: number
  readonly length: number
}

class Server implements PackageServer {
  readonly #store: PackageStore
  readonly #maxUploads: number
  readonly #retrySeconds: number
  /** The blockmap that was asked for last: reading its text is cheap, parsing it is not. */
  #parsed: { readonly text: string; readonly blockmap: Blockmap } | null = null
  #uploads = 0
  #served = 0

  constructor({ store, maxUploads = defaultMaxUploads, busyRetrySeconds = 1 }: PackageServerOptions) {
    this.#store = store
    this.#maxUploads = maxUploads
    this.#retrySeconds = busyRetrySeconds
  }

  servedBytes(): number {
    return this.#served
  }

  async handle(req: IncomingMessage, res: ServerResponse, path: string, requestId: string = randomUUID()): Promise<void> {
    try {
      await this.#route(req, res, path)
    } catch (error) {
      if (res.headersSent) res.destroy()
      else this.#refuse(res, codeOf(error), messageOf(error), requestId)
    }
  }

  async #route(req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
    const [name = '', query = ''] = path.split('?', 2)
    const asked = new URLSearchParams(query)
    const match = /^\/?packages\/([0-9a-f]{64})(?:\/(blockmap|have|segments))?$/.exec(name)
    if (match === null) throw new ShoalError('NOT_FOUND', `there is no ${JSON.stringify(name.slice(0, 200))}`)
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new ShoalError('METHOD_NOT_ALLOWED', `${req.method ?? ''}: only GET and HEAD`)
    const digest = parseDigest(match[1])
    const groups = asked.get('groups')
    if (match[2] === 'blockmap') answer(req, res, ...(await this.#blockmap(digest, groups)))
    else if (match[2] === 'have') answer(req, res, 'application/json', await this.#have(digest))
    else if (match[2] === 'segments') await this.#segments(req, res, digest, asked.get('list') ?? '')
    else await this.#package(req, res, digest)
  }

  /** The text; or the digests of its groups; or the records of some groups. */
  async #blockmap(digest: Digest, groups: string | null): Promise<readonly [type: string, body: Buffer]> {
    if (groups === null) return ['application/json', Buffer.from(await this.#blockmapText(digest))]
    const all = groupsOf(await this.#blockmapOf(digest))
    if (groups === 'index') return ['application/octet-stream', formatIndex(all)]
    const chosen = parseRuns(groups, all.length, maxRunsPerRequest).flatMap(([first, last]) => all.slice(first, last + 1))
    return ['application/octet-stream', Buffer.concat(chosen.map(g => g.record))]
  }

  async #blockmapText(digest: Digest): Promise<string> {
    const isHere = this.#store.has(digest) || this.#store.part(digest) !== null
    const text = isHere ? await this.#store.blockmap(digest) : null
    if (text === null) throw unknown(digest)
    return text
  }

  async #blockmapOf(digest: Digest): Promise<Blockmap> {
    const text = await this.#blockmapText(digest)
    if (this.#parsed?.text !== text) this.#parsed = { text, blockmap: parseBlockmap(text) }
    return this.#parsed.blockmap
  }

  async #have(digest: Digest): Promise<Buffer> {
    const part = this.#store.part(digest)
    const count = part === null ? (await this.#blockmapOf(digest)).segments.length : part.blockmap.segments.length
    const isWhole = this.#store.has(digest)
    if (part === null && !isWhole) throw unknown(digest)
    const have = part === null || isWhole ? [[0, count - 1]] : runsOf(part.blockmap.segments.keys().filter(n => part.isVerified(n)))
    return Buffer.from(JSON.stringify({ segments: count, have }))
  }

  async #package(req: IncomingMessage, res: ServerResponse, digest: Digest): Promise<void> {
    await this.#withSource(digest, async source => {
      const etag = `"${digest}"`
      const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'application/zip' }
      if (matches(req.headers['if-none-match'], etag)) return void res.writeHead(304, headers).end()
      const ifRange = req.headers['if-range']
      const range = parseRange(ifRange === undefined || ifRange === etag ? req.headers.range : undefined, source.size)
      if (range.t === 'unsatisfiable') {
        res.setHeader('content-range', `bytes */${source.size}`)
        throw new ShoalError('RANGE_NOT_SATISFIABLE', `${req.headers.range ?? ''}: the package has ${source.size} bytes`)
      }
      const { first, last } = range.t === 'part' ? range : { first: 0, last: source.size - 1 }
      this.#requireVerified(digest, first, last)
      const partial = range.t === 'part' ? { 'content-range': `bytes ${first}-${last}/${source.size}` } : {}
      await this.#sendSpans(req, res, range.t === 'part' ? 206 : 200, { ...headers, ...partial }, source, [
        { offset: first, length: last - first + 1 },
      ])
    })
  }

  /** Several runs of segments in one answer, one behind the other: what Range says only at length. */
  async #segments(req: IncomingMessage, res: ServerResponse, digest: Digest, list: string): Promise<void> {
    const { segments } = await this.#blockmapOf(digest)
    const spans = parseRuns(list, segments.length, maxRunsPerRequest).map(run => spanOf(run, segments))
    for (const { offset, length } of spans) this.#requireVerified(digest, offset, offset + length - 1)
    await this.#withSource(digest, source => this.#sendSpans(req, res, 200, { 'content-type': 'application/octet-stream' }, source, spans))
  }

  async #withSource(digest: Digest, use: (source: ByteSource) => Promise<void>): Promise<void> {
    const source = await this.#open(digest)
    try {
      await use(source)
    } finally {
      await source.close()
    }
  }

  async #open(digest: Digest): Promise<ByteSource> {
    const size = this.#store.size(digest)
    const part = this.#store.part(digest)
    if (size !== null) {
      const file = await open(this.#store.path(digest), 'r')
      const read = async (offset: number, length: number): Promise<Buffer> => {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      }
      return { size, read, close: () => file.close() }
    }
    if (part === null) throw unknown(digest)
    return { size: part.blockmap.size, read: (offset, length) => part.read(offset, length), close: () => Promise.resolve() }
  }

  /** Of a package that is being fetched only what was verified is served. */
  #requireVerified(digest: Digest, first: number, last: number): void {
    if (this.#store.has(digest) || this.#store.part(digest)?.covers(first, last) === true) return
    throw new ShoalError('NOT_FOUND', `package ${digest}: bytes ${first} to ${last} are not all here yet`)
  }

  async #sendSpans(
    req: IncomingMessage,
    res: ServerResponse,
    status: number,
    headers: OutgoingHttpHeaders,
    source: ByteSource,
    spans: readonly Span[],
  ): Promise<void> {
    const length = spans.reduce((sum, span) => sum + span.length, 0)
    const all = { ...headers, 'content-length': length }
    if (req.method === 'HEAD') return void res.writeHead(status, all).end()
    if (this.#uploads >= this.#maxUploads)
      throw new ShoalError('BUSY', `${this.#uploads} packages are being sent, at most ${this.#maxUploads} at once`)
    this.#uploads++
    res.setTimeout(slowReceiverMs, () => res.destroy())
    try {
      res.writeHead(status, all)
      await pipeline(Readable.from(this.#chunks(source, spans), { objectMode: false }), res)
    } finally {
      res.setTimeout(0)
      this.#uploads--
    }
  }

  #refuse(res: ServerResponse, code: Code, message: string, requestId: string): void {
    const body = Buffer.from(JSON.stringify({ error: { code, message, requestId } }))
    if (code === 'BUSY') res.setHeader('retry-after', this.#retrySeconds)
    res.writeHead(codes[code].status, { 'content-type': 'application/json', 'content-length': body.length })
    res.end(body)
  }

  async *#chunks(source: ByteSource, spans: readonly Span[]): AsyncGenerator<Buffer> {
    for (const { offset, length } of spans) {
      for (let at = offset; at < offset + length; at += chunkBytes) {
        const wanted = Math.min(chunkBytes, offset + length - at)
        const chunk = await source.read(at, wanted)
        if (chunk.length < wanted) throw new ShoalError('INTERNAL', `the package file ends at ${at + chunk.length}`)
        this.#served += chunk.length
        yield chunk
      }
    }
  }
}

const chunkBytes = 128 << 10

const unknown = (digest: Digest): ShoalError => new ShoalError('NOT_FOUND', `package ${digest} is not here`)

function spanOf([first, last]: Run, segments: readonly (readonly [number, number, Digest])[]): Span {
  const [from, to] = [segments[first], segments[last]]
  const offset = from?.[0] ?? 0
  return { offset, length: to === undefined ? 0 : to[0] + to[1] - offset }
}

const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined && header.split(',').some(each => ['*', etag, `W/${etag}`].includes(each.trim()))

function answer(req: IncomingMessage, res: ServerResponse, type: string, body: Buffer): void {
  res.writeHead(200, { 'content-type': type, 'content-length': body.length })
  res.end(req.method === 'HEAD' ? undefined : body)
}
