/**
 * Reads a TLS ClientHello as its bytes arrive, only far enough to know who knocks: the ALPN names and the server name (RFC 8446
 * section 4.1.2, RFC 7301, RFC 6066). A hello may be spread over many records and many packets. It judges nothing: whatever it cannot
 * read is `unknown`, which the people's TLS server then refuses in its own words. Pure.
 */
import { maxHelloBytes } from './limits.ts'

export type Hello =
  /** Not all of it is there. */
  | { readonly kind: 'more' }
  /** The first bytes are no TLS record: plain HTTP, a port scan. */
  | { readonly kind: 'not-tls' }
  /** TLS, but no ClientHello that this reader understands. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'hello'; readonly alpn: readonly string[]; readonly serverName: string | null }

const more: Hello = { kind: 'more' }
const unknown: Hello = { kind: 'unknown' }

const handshakeRecord = 22
const clientHello = 1
const maxRecordBytes = 16_384
const [serverNameExtension, alpnExtension] = [0, 16]

/** Reads forward; past the end it gives zeros and empty slices and remembers that it did. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0
  isCut = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isDone(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) this.isCut = true
    const taken = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return this.isCut ? Buffer.alloc(0) : taken
  }

  number(bytes: 1 | 2 | 3): number {
    const taken = this.take(bytes)
    return taken.length === bytes ? taken.readUIntBE(0, bytes) : 0
  }

  /** A vector whose length stands before it. */
  vector(lengthBytes: 1 | 2): Cursor {
    const inner = new Cursor(this.take(this.number(lengthBytes)))
    inner.isCut = this.isCut
    return inner
  }

  text(): string {
    return this.#bytes.toString('latin1')
  }
}

function readAlpn(extension: Cursor): string[] {
  const names: string[] = []
  const list = extension.vector(2)
  while (!list.isDone && !list.isCut) names.push(list.vector(1).text())
  return names
}

function readServerName(extension: Cursor): string | null {
  const list = extension.vector(2)
  const isHostName = list.number(1) === 0
  const name = list.vector(2)
  return isHostName && !name.isCut ? name.text().toLowerCase() : null
}

function readBody(body: Buffer): Hello {
  const c = new Cursor(body)
  c.take(2 + 32) // legacy_version, random
  c.vector(1) // legacy_session_id
  c.vector(2) // cipher_suites
  c.vector(1) // legacy_compression_methods
  let alpn: string[] = []
  let serverName: string | null = null
  const extensions = c.isDone ? new Cursor(Buffer.alloc(0)) : c.vector(2)
  while (!extensions.isDone && !extensions.isCut) {
    const type = extensions.number(2)
    const extension = extensions.vector(2)
    if (type === alpnExtension) alpn = readAlpn(extension)
    if (type === serverNameExtension) serverName = readServerName(extension)
  }
  return c.isCut || extensions.isCut ? unknown : { kind: 'hello', alpn, serverName }
}

/** Feed it what arrives, in any pieces, until it says something else than `more`. */
export class HelloReader {
  readonly #recordHead: number[] = []
  #recordLeft = 0
  #message = Buffer.alloc(512)
  #length = 0

  push(bytes: Uint8Array): Hello {
    for (let at = 0; at < bytes.length; ) {
      if (this.#recordLeft === 0) {
        const wrong = this.#pushHeadByte(bytes[at] ?? 0)
        if (wrong !== null) return wrong
        at += 1
        continue
      }
      const taken = bytes.subarray(at, at + this.#recordLeft)
      this.#append(taken)
      at += taken.length
      const seen = this.#look()
      if (seen !== more) return seen
    }
    return more
  }

  /** One byte of a record's head: type, version (2), length (2). Null: so far so good. */
  #pushHeadByte(byte: number): Hello | null {
    const head = this.#recordHead
    head.push(byte)
    const [type, major, , high = 0, low = 0] = head
    const isTls = type === handshakeRecord && (major === undefined || major === 3)
    if (!isTls) return this.#length === 0 ? { kind: 'not-tls' } : unknown
    if (head.length < 5) return null
    this.#recordLeft = high * 256 + low
    head.length = 0
    return this.#recordLeft === 0 || this.#recordLeft > maxRecordBytes ? unknown : null
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length
    if (needed > this.#message.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#message.length * 2))
      this.#message.copy(larger, 0, 0, this.#length)
      this.#message = larger
    }
    this.#message.set(bytes, this.#length)
    this.#length = needed
    this.#recordLeft -= bytes.length
  }

  #look(): Hello {
    if (this.#length < 4) return more
    if (this.#message[0] !== clientHello) return unknown
    const end = 4 + this.#message.readUIntBE(1, 3)
    if (end > maxHelloBytes) return unknown
    return this.#length < end ? more : readBody(this.#message.subarray(4, end))
  }
}
