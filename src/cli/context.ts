/** What every command has: the home, the ways to speak, and the node at home when it asks for one. */
import { resolve } from 'node:path'
import { nodeAtHome } from './home/index.ts'
import { ShoalError } from '../model/index.ts'
import { type HomePaths, homePaths, readCurrent } from '../slots/index.ts'
import { Client } from './client.ts'
import { columnsOf, type Io } from './io.ts'

export class Context {
  readonly io: Io
  readonly paths: HomePaths
  readonly isJson: boolean
  #client: Client | null = null

  constructor(io: Io, options: { readonly home: string | undefined; readonly isJson: boolean }) {
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

  /** The API of the node at home. @throws ShoalError HOME_EMPTY, HOME_DAMAGED */
  api(): Client {
    this.requireNode()
    this.#client ??= new Client(nodeAtHome(this.paths), this.io.signal)
    return this.#client
  }

  /** The address that was asked, for error messages. */
  get asked(): string | null {
    return this.#client?.address ?? null
  }

  close(): void {
    this.#client?.close()
  }
}
