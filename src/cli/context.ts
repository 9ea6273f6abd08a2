/** What every command has: the home, the ways to speak, and the node at home when it asks for one. */
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { nodeAtHome } from './home/index.ts'
import { type Address, formatAddress, ShoalError } from '../model/index.ts'
import { type HomePaths, homePaths, readCurrent } from '../slots/index.ts'
import { certificateAt } from './certificate-at.ts'
import { Client, type Target } from './client.ts'
import { columnsOf, type Io } from './io.ts'
import { addressOfUrl, recallServer, type Remembered } from './remembered.ts'

/** The server that --server names was never logged in to. That counts only where a node answers. */
export class NotLoggedIn extends ShoalError {
  readonly #address: Address

  constructor(url: string) {
    super('UNAUTHENTICATED', `${url}: nobody is logged in there; \`shoal login ${url}\` does it`)
    this.#address = addressOfUrl(url)
  }

  /** Itself; NO_NODE where nobody is there to log in to. */
  async orSilence(signal: AbortSignal): Promise<unknown> {
    return certificateAt(this.#address, signal).then(
      () => this,
      (silence: unknown) => silence,
    )
  }
}

export class Context {
  readonly io: Io
  readonly paths: HomePaths
  readonly isJson: boolean
  readonly #server: string | null
  #client: Client | null = null

  constructor(io: Io, options: { readonly home: string | undefined; readonly server: string | undefined; readonly isJson: boolean }) {
    this.#server = options.server === undefined ? null : `https://${formatAddress(addressOfUrl(options.server))}`
    this.io = io
    this.isJson = options.isJson
    this.paths = homePaths(resolve(io.cwd, options.home ?? io.env['SHOAL_HOME'] ?? '.'))
  }

  /** Can a person be asked? */
  get isTerminal(): boolean {
    return this.io.stdin.isTTY === true && this.io.stderr.isTTY === true
  }

  /** Columns of standard output; endless when it is no terminal. */
  get width(): number {
    return this.io.stdout.isTTY === true ? columnsOf(this.io.stdout) : Number.POSITIVE_INFINITY
  }

  /** A path that was given on the command line. */
  path(text: string): string {
    return resolve(this.io.cwd, text)
  }

  /** A line for people, beside the result. */
  note(line: string): void {
    this.io.stderr.write(`${line}\n`)
  }

  /** @throws ShoalError HOME_EMPTY */
  requireNode(): void {
    if (readCurrent(this.paths.home) === null) throw new ShoalError('HOME_EMPTY', `${this.paths.home} is no node yet`)
  }

  /** The server that --server names; else the last login, if the home is no node. null: the node at home is meant. */
  get remembered(): Remembered | null {
    if (this.#server === null) return readCurrent(this.paths.home) === null ? recallServer(this.io, null) : null
    const found = recallServer(this.io, this.#server)
    if (found === null) throw new NotLoggedIn(this.#server)
    return found
  }

  /** What takes keys is done at the machine. @throws ShoalError USAGE where `--server` names a node elsewhere */
  mustBeHere(command: string): void {
    if (this.#server !== null) throw new ShoalError('USAGE', `${command} is done at the machine of the node, without --server`)
  }

  /** The API of the node that is meant. @throws ShoalError HOME_EMPTY, HOME_DAMAGED, UNAUTHENTICATED */
  api(): Client {
    this.#client ??= new Client(this.#target(), this.io.signal)
    return this.#client
  }

  #target(): Target {
    const { remembered } = this
    if (remembered === null) {
      this.requireNode()
      return nodeAtHome(this.paths)
    }
    const { url, cert, cookie, csrf } = remembered
    const { fingerprint256 } = new X509Certificate(cert)
    return {
      address: addressOfUrl(url),
      serverName: '',
      ca: cert,
      fingerprint: fingerprint256,
      readToken: () => '',
      session: { cookie, csrf },
    }
  }

  /** The address that was asked, for error messages. */
  get asked(): string | null {
    return this.#client?.address ?? null
  }

  close(): void {
    this.#client?.close()
  }
}
